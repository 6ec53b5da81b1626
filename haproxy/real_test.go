package haproxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A proxy is a real haproxy with a configuration, a socket and a directory of
// its own.
type proxy struct {
	t      testing.TB
	dir    string
	socket string
	front  string // where it listens
	base   string
	cmd    *exec.Cmd
	ended  chan struct{}
	log    bytes.Buffer
}

// patience is how long a test waits for what shall come.
const patience = time.Minute

var lastAddr atomic.Uint32

// loopback returns an address that no other test uses.
func loopback() string {
	n := lastAddr.Add(1)
	return fmt.Sprintf("127.%d.%d.%d", 20+os.Getpid()%200, n/250, 1+n%250)
}

// newProxy starts haproxy on a base configuration and the text of a file.
func newProxy(t testing.TB, text string) *proxy {
	t.Helper()
	if _, err := os.Stat("/usr/sbin/haproxy"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs haproxy, and on CI nothing may be missing")
		}
		t.Skip("SKIPPED: this test needs haproxy: run `make deps`")
	}
	dir, err := os.MkdirTemp("", "hap") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, dir: dir, socket: filepath.Join(dir, "s"), front: loopback() + ":18080"}
	p.base = fmt.Sprintf(`global
    stats socket %[1]s/s mode 600 level admin
    stats socket %[1]s/user mode 600 level user
    stats socket ipv4@%[2]s level admin
    server-state-file %[1]s/state
    hard-stop-after 10s
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
frontend f
    bind %[3]s
    default_backend web
`, dir, strings.Replace(p.front, ":18080", ":18081", 1), p.front)
	p.write(text)
	t.Cleanup(func() {
		p.end()
		if t.Failed() {
			t.Logf("haproxy: %s", p.log.Bytes())
		}
		os.RemoveAll(dir)
	})
	p.start()
	return p
}

func (p *proxy) write(text string) {
	p.t.Helper()
	for name, text := range map[string]string{"base.cfg": p.base, "web.cfg": text} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

// start starts a process, and another one in place of it as a reload does.
func (p *proxy) start(args ...string) {
	p.t.Helper()
	cmd := exec.Command("/usr/sbin/haproxy", append([]string{"-db", "-f", p.dir + "/base.cfg", "-f", p.dir + "/web.cfg"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	old, oldEnded := p.cmd, p.ended
	p.cmd, p.ended = cmd, ended
	await(p.t, "haproxy's start", func() bool {
		select {
		case <-ended:
			p.t.Fatalf("haproxy has ended: %s", log.Bytes())
		default:
		}
		out, err := p.tryTell("show info")
		return err == nil && strings.Contains(out, fmt.Sprintf("\nPid: %d\n", cmd.Process.Pid))
	})
	if old != nil {
		select {
		case <-oldEnded:
		case <-time.After(patience):
			p.t.Error("the old haproxy does not end")
			_ = old.Process.Kill()
			<-oldEnded
		}
	}
}

// reload is what a reload without a master is: a new process that takes over.
func (p *proxy) reload() {
	p.t.Helper()
	p.start("-sf", strconv.Itoa(p.cmd.Process.Pid))
}

func (p *proxy) end() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// tell asks haproxy by another way than the package's: one connection, one
// command.
func (p *proxy) tell(command string) string {
	p.t.Helper()
	out, err := p.tryTell(command)
	if err != nil {
		p.t.Fatalf("%s: %v", command, err)
	}
	return out
}

func (p *proxy) tryTell(command string) (string, error) {
	c, err := net.Dial("unix", p.socket)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte(command + "\n")); err != nil {
		return "", err
	}
	out, err := io.ReadAll(c)
	return string(out), err
}

// servers says what a backend has: for each server its name, address, weight
// and state, sorted.
func (p *proxy) servers(backend string) []string {
	p.t.Helper()
	var out []string
	for line := range strings.Lines(p.tell("show servers state " + backend)) {
		f := strings.Fields(line)
		if len(f) < 20 || f[0] == "#" {
			continue
		}
		admin, _ := strconv.Atoi(f[6])
		state := "ready"
		switch {
		case admin&1 != 0:
			state = "maint"
		case admin&8 != 0:
			state = "drain"
		}
		out = append(out, fmt.Sprintf("%s %s %s weight %s %s", f[3], f[4], f[18], f[7], state))
	}
	slices.Sort(out)
	return out
}

// sessions is how many requests all servers together are at.
func (p *proxy) sessions() (n int) {
	p.t.Helper()
	for line := range strings.Lines(p.tell("show stat -1 4 -1")) { // of all proxies the servers
		if f := strings.Split(line, ","); len(f) > 5 && f[0] != "# pxname" {
			now, err := strconv.Atoi(f[4])
			if err != nil {
				p.t.Fatalf("%v: %s", err, line)
			}
			n += now
		}
	}
	return n
}

func (p *proxy) want(backend string, want ...string) {
	p.t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, p.servers(backend), cmp.Transformer("empty", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
		p.t.Errorf("servers of %s (-want +got):\n%s", backend, diff)
	}
}

func (p *proxy) runtime(drain time.Duration) *Runtime {
	return New(Config{Socket: p.socket, Drain: drain})
}

// push pushes until nothing is left to do.
func (p *proxy) push(r *Runtime, text string) (commands []string) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		result, err := r.Push(context.Background(), []byte(text))
		if err != nil {
			p.t.Fatalf("push: %v\n%s", err, text)
		}
		commands = append(commands, result.Commands...)
		if result.Again.IsZero() {
			return commands
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("%v do not go", result.Draining)
		}
		time.Sleep(min(time.Until(result.Again), 50*time.Millisecond))
	}
}

// quiet pushes once more and expects that there is nothing to do.
func (p *proxy) quiet(r *Runtime, text string) {
	p.t.Helper()
	result, err := r.Push(context.Background(), []byte(text))
	if diff := cmp.Diff(Result{}, result); diff != "" || err != nil {
		p.t.Errorf("there was something to do: %v\n%s", err, diff)
	}
}

// quietUntil looks and pushes once more and expects that both say the same as
// before, and do nothing: it is not yet time.
func (p *proxy) quietUntil(r *Runtime, text string, last Result) {
	p.t.Helper()
	last.Commands = nil
	for _, do := range []func(context.Context, ...[]byte) (Result, error){r.Push, r.Diff} {
		result, err := do(context.Background(), []byte(text))
		if diff := cmp.Diff(last, result); diff != "" || err != nil {
			p.t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}

// config writes a backend like the built-in haproxy-backend.
func config(backend string, servers ...string) string {
	text := "backend " + backend + "\n"
	for _, s := range servers {
		text += "    server " + s + "\n"
	}
	return text
}

func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A site is a web server behind the proxy.
type site struct {
	addr        string
	hits        atomic.Int64
	connections atomic.Int64
	stop        func()
}

// newSite serves on an address; a request for /slow takes its time.
func newSite(t *testing.T, addr string) *site {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{addr: l.Addr().String()}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.hits.Add(1)
		if r.URL.Path == "/slow" {
			time.Sleep(300 * time.Millisecond)
		}
		fmt.Fprint(w, s.addr)
	}), ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}}
	var done sync.WaitGroup
	done.Go(func() { _ = server.Serve(l) })
	s.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = server.Shutdown(ctx)
		_ = server.Close()
		done.Wait()
	})
	t.Cleanup(s.stop)
	return s
}
