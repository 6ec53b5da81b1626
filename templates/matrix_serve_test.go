package templates

import (
	gocontext "context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A web server that is asked for every member of every cell says what it has
// read: the status, the names of the headers and the text of each answer. Who is
// left out has none.

// served asks the server at a socket for members 1 to n.
func served(t *testing.T, socket string, n int) (tokens []string) {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx gocontext.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: 30 * time.Second}
	for i := range n {
		r, err := client.Get(fmt.Sprintf("http://x/%d", i+1))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, fmt.Sprint(i+1, r.StatusCode, slices.Sorted(maps.Keys(r.Header))), string(body))
	}
	return tokens
}

// serve runs a server with a configuration until the test ends, and waits for
// the last of its sockets.
func serve(t *testing.T, last string, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have children, and files of its own
		select {
		case <-ended:
		case <-time.After(30 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", last); err == nil {
			c.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v\n%.3000s", program, err, said.String())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer\n%s", program, said.String())
		}
	}
}

// shortDir is a directory whose name leaves room for the name of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func rowOf(f Format) row {
	all := rows()
	return all[slices.IndexFunc(all, func(r row) bool { return r.format == f })]
}

func TestMatrixNginx(t *testing.T) {
	nginx, r := program(t, "nginx"), rowOf(Nginx)
	cells := r.cells(t, numbered("location = /# { return 200 @; }", `location = /# { return 200 "x @ y"; }`, "location = /# { return 200 'a @'; } # @",
		"# @\nlocation = /# { return 200 web-@-x; }", `location = /# { add_header X-V "x@"; add_header "X-W-#" 'x@'; return 200 ok; }`,
		`location = /# { set $v "@"; return 200 $v-@; }`, "location = /# { add_header X-V a@; error_page 404 /none; return 200 \"@@\"; }"), hostile)
	compareAll(t, "nginx", cells, func(files []string) (tokens [][]string) {
		dir := shortDir(t)
		conf := "daemon off;\nmaster_process off;\npid DIR/pid;\nerror_log stderr;\nevents { worker_connections 200; }\nhttp {\n access_log off;\n server_tokens off;\n" +
			" client_body_temp_path DIR/b; proxy_temp_path DIR/p; fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;\n"
		for i := range files {
			conf += fmt.Sprintf(" server { listen unix:DIR/%d.sock; default_type text/plain; location / { return 404; } include DIR/%d.conf; }\n", i, i)
			write(t, filepath.Join(dir, fmt.Sprint(i, ".conf")), []byte(files[i]))
		}
		write(t, filepath.Join(dir, "nginx.conf"), []byte(strings.ReplaceAll(conf, "DIR", dir)+"}\n"))
		serve(t, filepath.Join(dir, fmt.Sprint(len(files)-1, ".sock")), nginx, "-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
		for i := range files {
			tokens = append(tokens, served(t, filepath.Join(dir, fmt.Sprint(i, ".sock")), len(hostile)*11/10))
		}
		return tokens
	})
}

func TestMatrixHaproxy(t *testing.T) {
	haproxy, r := program(t, "haproxy"), rowOf(Haproxy)
	answer := "http-request return status 200 content-type text/plain "
	cells := r.cells(t, numbered(answer+"string @ if { path /# }\n", answer+"string \"x @ y\" if { path /# }\n", answer+"string 'a @' if { path /# } # @\n",
		"# @\n"+answer+"string web-@-x@ if { path /# }\n", answer+"hdr X-V \"x@\" hdr X-W-# 'a @' string ok if { path /# }\n", answer+"lf-string \"x@\" if { path /# }\n",
		"http-request set-var(txn.v) str(\"@\") if { path /# }\n"+answer+"lf-string x%[var(txn.v)] if { path /# }\n"), hostile)
	compareAll(t, "haproxy", cells, func(files []string) (tokens [][]string) {
		dir := shortDir(t)
		conf := "defaults\n mode http\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n"
		for i := range files {
			conf += fmt.Sprintf("frontend f%d\n bind %s/%d.sock\n%s http-request return status 404 content-type text/plain string none\n", i, dir, i, files[i])
		}
		write(t, filepath.Join(dir, "haproxy.cfg"), []byte(conf))
		serve(t, filepath.Join(dir, fmt.Sprint(len(files)-1, ".sock")), haproxy, "-db", "-f", filepath.Join(dir, "haproxy.cfg"))
		for i := range files {
			tokens = append(tokens, served(t, filepath.Join(dir, fmt.Sprint(i, ".sock")), len(hostile)*11/10))
		}
		return tokens
	})
}

// numbered makes a member's number, its port, of the # after a slash or a hyphen.
func numbered(shapes ...string) []string {
	for i := range shapes {
		shapes[i] = strings.NewReplacer("/#", "/«$m.Port»", "-#", "-«$m.Port»").Replace(shapes[i])
	}
	return shapes
}

// haproxy knows the servers that the built-in prints, and no others.
func TestHaproxyIsNotInjected(t *testing.T) {
	vars := map[string]any{"backend": "web", "port": 8080, "weight_tag": "weight", "check": false}
	file, in := attack(t, "haproxy-backend", vars, injections("a/b", "a backup", "web:80", "check", "server"), "weight", "note")
	dir := shortDir(t)
	socket := filepath.Join(dir, "x.sock")
	write(t, filepath.Join(dir, "haproxy.cfg"), []byte("global\n stats socket "+socket+" level admin\ndefaults\n mode http\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n"+string(file)))
	serve(t, socket, program(t, "haproxy"), "-db", "-f", filepath.Join(dir, "haproxy.cfg"))
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("show servers state\n")); err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 18 && f[0] != "#" {
			got = append(got, strings.Join([]string{f[1], f[3], f[4], f[18], f[7]}, " "))
		}
	}
	for _, m := range in {
		weight := m.Tags["weight"]
		if weight == "" {
			weight = "1"
		}
		want = append(want, fmt.Sprintf("web %s %s 8080 %s", m.Name, m.Addr, strings.Trim(weight, "+")))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 3 {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// nginx takes the upstream that the built-in prints, whatever members say.
func TestNginxIsNotInjected(t *testing.T) {
	vars := map[string]any{"upstream": "web", "port": 8080, "weight_tag": "weight"}
	file, _ := attack(t, "nginx-upstream", vars, injections("80;}\nserver {", "1 backup", "80 down", "0"), "port", "weight")
	dir := shortDir(t)
	write(t, filepath.Join(dir, "nginx.conf"), []byte("pid "+dir+"/pid;\nerror_log stderr;\nevents {}\nhttp {\n access_log off;\n"+string(file)+"}\n"))
	out, err := exec.Command(program(t, "nginx"), "-t", "-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf")).CombinedOutput()
	if err != nil || strings.Contains(string(out), "warn") {
		t.Errorf("nginx: %v: %s", err, out)
	}
}

// ssh knows each member by the name that it is to have, and what is said of it;
// and nothing of anybody else.
func TestSSHIsNotInjected(t *testing.T) {
	ssh := debian(t, "/usr/bin/ssh", "ssh")
	file, in := attack(t, "ssh-config", map[string]any{"user": "admin"}, injections("web*", "!web", "web,db", "web\n    ProxyCommand touch /tmp/x", "22\n    ProxyCommand id"), "ssh_port")
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, file)
	settings := func(host string) map[string]string {
		out, err := exec.Command(ssh, "-G", "-F", path, host).Output()
		if err != nil {
			t.Fatalf("ssh -G %s: %v", host, err)
		}
		all := map[string]string{}
		for line := range strings.Lines(string(out)) {
			k, v, _ := strings.Cut(strings.TrimSpace(line), " ")
			all[k] += v + "\n"
		}
		return all
	}
	stranger := settings("stranger")
	for _, m := range in {
		want := maps.Clone(stranger)
		port := m.Tags["ssh_port"]
		if port == "" {
			port = "22"
		}
		name := m.Name + ".serf"
		want["host"], want["hostname"], want["user"], want["port"] = name+"\n", m.Addr.String()+"\n", "admin\n", strings.Trim(port, "+")+"\n"
		want["hostkeyalias"] = strings.ToLower(name) + "\n" // ssh itself does so
		got := settings(name)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", m.Name, diff)
		}
	}
}
