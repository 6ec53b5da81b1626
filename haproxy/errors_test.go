package haproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What is wrong with the socket is said, and what to do.
func TestSocketErrors(t *testing.T) {
	closed := t.TempDir() + "/closed"
	l, err := net.Listen("unix", closed)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	mute, err := net.Listen("unix", t.TempDir()+"/mute")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	text := []byte(config("web", "a 127.9.0.1:80"))
	for name, c := range map[string]struct {
		config Config
		want   string
	}{
		"missing":    {Config{Socket: "/nonexistent/admin.sock"}, "is haproxy running, and does its global section say: stats socket /nonexistent/admin.sock mode 660 level admin"},
		"refused":    {Config{Socket: closed}, "haproxy is not running"},
		"no socket":  {Config{Socket: "admin.sock"}, `"admin.sock" is no socket of haproxy: write its path`},
		"hung":       {Config{Socket: mute.Addr().String(), Timeout: 50 * time.Millisecond}, "does not answer within 50ms"},
		"tcp":        {Config{Socket: "ipv4@" + loopback() + ":1"}, "haproxy is not running"},
		"no network": {Config{Socket: "ipv4@localhost:80"}, "is no socket of haproxy"},
	} {
		_, err := New(c.config).Push(t.Context(), text)
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrReload) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := unreachable("/s", 0, &net.OpError{Err: os.NewSyscallError("connect", syscall.EACCES)}); !strings.Contains(err.Error(), "socket's group") {
		t.Errorf("no permission: %v", err)
	}

	// The end of the context ends the wait, however long haproxy may take.
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = New(Config{Socket: mute.Addr().String(), Timeout: time.Hour}).Push(ctx, text)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err = New(Config{Socket: mute.Addr().String(), Timeout: time.Hour}).Push(ctx, text); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled before: %v", err)
	}
}

// Answers that are none, or none that there should be.
func TestStrangeAnswers(t *testing.T) {
	const header = "1\n# be_name srv_name srv_addr srv_port srv_op_state srv_admin_state srv_uweight srv_iweight srv_check_state srv_check_result srv_agent_state srv_use_ssl\n"
	for name, c := range map[string]struct {
		state, rest string
		stays       bool
		want        string
		reload      bool
	}{
		"ended":           {"", "", false, "ended the conversation", false},
		"another version": {"2\n# x\n", "", true, `answered "show servers state" with "2"`, true},
		"the master":      {"Unknown command: 'show servers'", "", true, "is this its stats socket, and not its master's?", false},
		"no header":       {"1\nweb a", "", true, `not understood: "web a"`, false},
		"no column":       {"1\n# be_name srv_name\nweb a", "", true, `not understood: "web a"`, false},
		"another backend": {header + "db a 127.0.0.1 80 2 0 1 1 0 0 0 0", "", true, "not understood", false},
		"a name":          {header + "web a;b 127.0.0.1 80 2 0 1 1 0 0 0 0", "", true, "not understood", false},
		"twice":           {header + strings.Repeat("web a 127.0.0.1 80 2 0 1 1 0 0 0 0\n", 2), "", true, "not understood", false},
		"no number":       {header + "web a 127.0.0.1 80 2 x 1 1 0 0 0 0", "", true, "not understood", false},
		"a long line":     {header + "web a 127.0.0.1 80 2 0 1 1 0 0 0 0" + strings.Repeat(" 0", maxServerLine), "", true, "not understood", false},
		"too much":        {strings.Repeat("x", maxReply+10), "", true, "more than 16 MiB", false},
		"old":             {header, "Unknown command. Please enter one of the following commands only:\n  help", true, "too old for \"add server web/a\", which takes 2.5", true},
		"experimental":    {header, "This command is restricted to experimental mode only.", true, "too old", true},
		"operator":        {header, "Permission denied", true, "the socket needs level admin", false},
		"static":          {header, "Backend must use a dynamic load balancing to support dynamic servers.", true, "dynamic load balancing", true},
		"hostile":         {header, "\x1b[31m\nx", true, `"\x1b[31m"`, true},
		"gone":            {header, "No such server.", true, "it may have been reloaded just now", false},
		"nothing done":    {header, "New server registered.", true, "haproxy took all commands, and yet it needs \"add server web/a 127.9.0.1:80 pool-purge-delay 5s pool-max-conn -1\"", false},
	} {
		f := newFake(t, func(command string) (string, bool) {
			if strings.HasPrefix(command, "show") {
				return c.state, c.stays
			}
			if strings.HasPrefix(command, "add") {
				return c.rest, true
			}
			return "", true
		})
		_, err := New(Config{Socket: f.socket}).Push(t.Context(), []byte(config("web", "a 127.9.0.1:80")))
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, ErrReload) != c.reload {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The first few errors are named, each on the same line.
func TestErrorsAreBounded(t *testing.T) {
	f := newFake(t, func(command string) (string, bool) {
		if strings.HasPrefix(command, "show") {
			return (&model{}).show("state"), true
		}
		return strings.Repeat("no\tway ", 1000), true
	})
	lines, _ := members(50, 0)
	result, err := New(Config{Socket: f.socket}).Push(t.Context(), []byte(config("web", lines...)))
	if err == nil || len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\n\t") || !strings.HasSuffix(err.Error(), "; and 47 more") {
		t.Errorf("%v", err)
	}
	if len(result.Commands) != 100 {
		t.Errorf("%d commands", len(result.Commands))
	}
}

// A real socket that is not of level admin, and one of the network.
func TestLevelAndNetwork(t *testing.T) {
	p := newProxy(t, config("web", "a 127.9.0.1:80"))
	text := []byte(config("web", "b 127.9.0.2:80"))
	user := New(Config{Socket: p.socket[:len(p.socket)-1] + "user"})
	result, err := user.Diff(t.Context(), text)
	if err != nil || len(result.Commands) == 0 {
		t.Errorf("a look takes no level: %+v, %v", result, err)
	}
	if _, err = user.Push(t.Context(), text); err == nil || !strings.Contains(err.Error(), "level admin") || errors.Is(err, ErrReload) {
		t.Errorf("level user: %v", err)
	}
	p.want("web", "a 127.9.0.1 80 weight 1 ready")
	tcp := New(Config{Socket: "ipv4@" + strings.Replace(p.front, ":18080", ":18081", 1)})
	if _, err = tcp.Push(t.Context(), text); err != nil {
		t.Error(err)
	}
	p.want("web", "b 127.9.0.2 80 weight 1 ready")
}

// The names of sockets.
func TestSocketNames(t *testing.T) {
	for socket, want := range map[string]string{
		"/run/haproxy/admin.sock": "unix /run/haproxy/admin.sock", "unix@/s": "unix /s",
		"ipv4@127.0.0.1:9999": "tcp 127.0.0.1:9999", "ipv6@[::1]:9999": "tcp [::1]:9999",
		"": "", "s": "", "unix@s": "", "fd@3": "", "ipv4@[::1]:1": "", "ipv6@127.0.0.1:1": "", "ipv4@1.2.3.4": "", "ipv4@:80": "", "abns@x": "", "1.2.3.4:5": "",
	} {
		network, addr, err := address(socket)
		if got := strings.TrimSpace(fmt.Sprint(network, " ", addr)); got != want || (err == nil) != (want != "") || (CheckSocket(socket) == nil) != (err == nil) {
			t.Errorf("%q: %q, %v", socket, got, err)
		}
	}
}

// A server that haproxy does not delete, because something refers to it, stays
// in maintenance; it is not tried again and again.
func TestServerThatStays(t *testing.T) {
	p := newProxy(t, "backend web\n    use-server a if TRUE\n    server a 127.9.0.1:80\n    server b 127.9.0.2:80\n")
	r := p.runtime(0)
	text := "backend web\n    use-server a if TRUE\n    server b 127.9.0.2:80\n"
	p.push(r, text)
	p.want("web", "a 127.9.0.1 80 weight 1 maint", "b 127.9.0.2 80 weight 1 ready")
	p.quiet(r, text)
	p.push(r, "backend web\n    use-server a if TRUE\n    server a 127.9.0.1:80\n    server b 127.9.0.2:80\n")
	p.want("web", "a 127.9.0.1 80 weight 1 ready", "b 127.9.0.2 80 weight 1 ready")
}

// A name that comes back with other options is not the old server.
func TestOtherOptions(t *testing.T) {
	p := newProxy(t, config("web", "a 127.9.0.1:80 maxconn 5"))
	r := p.runtime(time.Hour)
	for _, text := range []string{config("web", "a 127.9.0.1:80 maxconn 5"), config("web")} {
		if _, err := r.Push(t.Context(), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, options := range []string{"maxconn 6", "", "check", "ssl verify none"} {
		_, err := r.Push(t.Context(), []byte(config("web", "a 127.9.0.1:80 "+options)))
		if !errors.Is(err, ErrReload) || !strings.Contains(err.Error(), "server web/a has other options") {
			t.Errorf("%s: %v", options, err)
		}
	}
	// After the reload that this asks for, they are what they shall be.
	text := config("web", "a 127.9.0.1:80 maxconn 6")
	p.write(text)
	p.reload()
	p.quiet(r, text)
}
