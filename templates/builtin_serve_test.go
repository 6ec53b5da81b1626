package templates

import (
	gocontext "context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/cluster"
)

// serving is n members that answer requests with their names, every second
// one on ::1 where this machine has it.
func serving(t *testing.T, n int) []cluster.Member {
	t.Helper()
	var ms []cluster.Member
	for i := range n {
		listener, err := net.Listen("tcp", "[::1]:0")
		if i%2 == 0 || err != nil {
			if err == nil {
				listener.Close()
			}
			listener, err = net.Listen("tcp", "127.0.0.1:0")
		}
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("node-%d.example", i)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })}
		go func() { _ = server.Serve(listener) }() // it ends when it is closed
		t.Cleanup(func() { _ = server.Close() })
		at := netip.MustParseAddrPort(listener.Addr().String())
		ms = append(ms, cluster.Member{Name: name, Addr: at.Addr(), Status: cluster.Alive, Tags: map[string]string{"port": fmt.Sprint(at.Port())}})
	}
	cluster.SortMembers(ms)
	return ms
}

// ask returns the status and the body of an answer of the server at a socket.
func ask(t *testing.T, socket, node string) string {
	t.Helper()
	client := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx gocontext.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}}}
	request, err := http.NewRequest("GET", "http://web.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Node", node)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Sprint(response.StatusCode)
	}
	return string(body)
}

// Real nginx and Varnish reach each of the members, and answer as the built-in
// says if there is none.
func TestMembersAreServed(t *testing.T) {
	nginx, varnishd := program(t, "nginx"), program(t, "varnishd")
	for _, n := range []int{0, 1, 3, 500} {
		ms := serving(t, n)
		dir := t.TempDir()
		for builtin, vars := range map[string]map[string]any{
			"nginx-upstream":    {"upstream": "web"},
			"nginx-map":         {"source": "$http_x_node", "variable": "$node", "default": "127.0.0.1:9"},
			"varnish-directors": {"director": "web"},
		} {
			write(t, filepath.Join(dir, builtin), renderBuiltin(t, builtin, Data{Rule: "r", Members: ms, Vars: vars}).Bytes)
		}
		conf := "daemon off;\nmaster_process off;\npid DIR/pid;\nevents {}\nhttp {\n access_log off;\n include DIR/nginx-*;\n"
		for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			conf += " " + kind + "_temp_path DIR/" + kind + ";\n"
		}
		conf += " server { listen unix:DIR/upstream; location / { proxy_pass http://web; } }\n" +
			" server { listen unix:DIR/map; location / { proxy_pass http://$node; } }\n}\n"
		write(t, filepath.Join(dir, "conf"), []byte(strings.ReplaceAll(conf, "DIR", dir)))
		write(t, filepath.Join(dir, "main.vcl"), fmt.Appendf(nil,
			"vcl 4.1;\ninclude \"%s/varnish-directors\";\nsub vcl_recv { set req.backend_hint = web.backend(); return (pass); }\n", dir))
		serve(t, filepath.Join(dir, "map"), nginx, "-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "conf"))
		serve(t, filepath.Join(dir, "varnish"), varnishd, "-F", "-j", "none", "-n", filepath.Join(dir, "work"), "-a", filepath.Join(dir, "varnish"),
			"-f", filepath.Join(dir, "main.vcl"), "-s", "malloc,8m")

		if n == 0 {
			for socket, want := range map[string]string{"upstream": "502", "map": "502", "varnish": "503"} {
				if got := ask(t, filepath.Join(dir, socket), "node-0.example"); got != want {
					t.Errorf("%s without members answers %s, not %s", socket, got, want)
				}
			}
		}
		upstream, varnish := map[string]int{}, map[string]int{}
		for _, m := range ms {
			upstream[ask(t, filepath.Join(dir, "upstream"), "")]++
			varnish[ask(t, filepath.Join(dir, "varnish"), "")]++
			if got := ask(t, filepath.Join(dir, "map"), m.Name); got != m.Name {
				t.Errorf("%d members: in %s's place answers %s", n, m.Name, got)
			}
		}
		for _, m := range ms { // both take turns
			if upstream[m.Name] != 1 || varnish[m.Name] != 1 {
				t.Errorf("%d members: %s answered nginx %d times, Varnish %d", n, m.Name, upstream[m.Name], varnish[m.Name])
			}
		}
	}
}
