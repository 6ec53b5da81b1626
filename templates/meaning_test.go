package templates

import (
	"net/netip"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"muster/cluster"
)

// TestWordsWithAMeaning is about values that hold no special character and yet
// are more than values where they stand.
func TestWordsWithAMeaning(t *testing.T) {
	for _, c := range []struct {
		format  Format
		text, v string
		printed bool
	}{
		{Nginx, "map $a $b { @ 1; }", "include", false},
		{Nginx, "map $a $b { \"@\" 1; }", "default", false},
		{Nginx, "map $a $b { @ 1; }", "web1", true},
		{Nginx, "map $a $b { x @; }", "default", true},
		{Nginx, "location @ {}", "~.*", false},
		{Nginx, "location \"@\" {}", "~.*", false},
		{Nginx, "location \"/@\" {}", "~x", true},
		{Nginx, "location {{quote .Vars.v}} {}", "~.*", false},
		{Nginx, "server @;", "unix:/run/docker.sock", false},
		{Nginx, "server @;", "UniX:/run/docker.sock", false},
		{Nginx, "server \"@\";", "UNIX:/run/docker.sock", false},
		{Nginx, "proxy_pass http://@;", "unix:/run/docker.sock:", false},
		{Nginx, "proxy_pass \"http://@/\";", "Unix:/run/docker.sock:", false},
		{Nginx, "access_log syslog:server=@;", "unix:/dev/log", false},
		{Nginx, "server @:80;", "unix", false},
		{Nginx, "server @ backup;", "unix", true},
		{Nginx, "server web-@;", "unix:x", true},
		{Nginx, "# @\n", "unix:/x", true},
		{Nginx, "server unix:/run/@.sock;", "a", true},
		{Nginx, "location \"{{with .Vars.none}}{{.}}{{end}}@\" {}", "~.*", false},
		{Haproxy, "server a @\n", "/run/docker.sock", false},
		{Haproxy, "server a @\n", "ipv4+unix@/x", false},
		{Haproxy, "server a \"@\"\n", "abns@x", false},
		{Haproxy, "server a @\n", "uxst@/run/docker.sock", false},
		{Haproxy, "server a @\n", "stream+uxst@/run/docker.sock", false},
		{Haproxy, "server a '@'\n", "${HOME}", false},
		{Haproxy, "server a \"@\"\n", "${HOME}", false},
		{Haproxy, "log @ local0\n", "/run/x.sock", false},
		{Haproxy, "server a 10.0.0.1:80 cookie @\n", "a@b", true},
		{Haproxy, "server a \"{{with .Vars.none}}{{.}}{{end}}@\"\n", "/run/docker.sock", false},
		{Haproxy, "http-request set-var(txn.v) str(\"@\")\n", "x),map(/etc/passwd", false},
		{Haproxy, "http-request set-header X \"%[str(@)]\"\n", "x),map(/etc/passwd", false},
		{Haproxy, "http-request set-header X %[str(@,1)]\n", "x,y", false},
		{Haproxy, "http-request set-header X \"%[str(x)] @\"\n", "x),map(/etc/passwd", true},
		{Haproxy, "acl a hdr(host) \"@\"\n", "a,(b)", true},
		{Haproxy, "http-request set-header X \"%[@]\"\n", "env(HOME)", false},
		{Haproxy, "http-request set-header X \"%[src] @\"\n", "env(HOME)", true},
		{Haproxy, "http-request set-header X \"100%% @\"\n", "[env(HOME)]", true},
		{Haproxy, "http-request set-header X \"%{+Q}[src]@\"\n", "[env(HOME)]", true},
		{Haproxy, "option httpchk @\n", "/health", true},
		{Haproxy, "acl a hdr(host) \"@\" b\n", "-f", false},
		{Haproxy, "acl a hdr(host) {{squote .Vars.v}} b\n", "-f", false},
		{Haproxy, "acl a hdr(host) \"x @\" b\n", "-f", true},
		{Hosts, "10.0.0.1 @\n", "localhost6.localdomain6", false},
		{Hosts, "10.0.0.1 @\n", "loopback", false},
		{VCL, "@{ }", "C", false},
		{VCL, "a = @;", "-1", false},
		{VCL, "a = {{int .Vars.v}};", "-1", false},
		{VCL, "a = {{int .Vars.v}};", "1", true},
		{VCL, "a = {{quote .Vars.v}};", "x y", true},
		{Keepalived, "@\n", "@main", false},
		{Keepalived, "@\n", "include", false},
		{Keepalived, "@host @ x\n", "includer", false},
		{Keepalived, "a @\n", "include", true},
		{Keepalived, "a {{quote .Vars.v}}\n", "b; c", true},
		{Keepalived, "a {{quote .Vars.v}}\n", `b" c`, false},
		{Keepalived, "a {{squote .Vars.v}}\n", "b } c", false},
		{Keepalived, "a 'b @ c'\n", "} x", false},
		{Shell, "# @\nA=1\n", `a\`, false},
		{INI, "# @\na=1\n", `a\`, false},
		{Text, "a @\nb\n", `a\`, false},
		{Text, "a @\nb\n", `a\b`, true},
		{YAML, "@ rest: v\n", "...", false},
		{YAML, "k: @ rest\n", ".example", true},
		{Text, "a @\n", "a\u200bb", false},
		{Text, "a @\n", "a\U000e0041b", false},
		{Nginx, "a \"@\";", "a\u00adb", false},
		{JSON, `"@"`, "a\u200b\U000e0041b", true},
	} {
		tm, err := Parse(strings.ReplaceAll(c.text, "@", "{{.Vars.v}}"), Options{Format: c.format})
		if err != nil {
			t.Errorf("%s %q: %v", c.format, c.text, err)
			continue
		}
		r, err := tm.Execute(Data{Vars: map[string]any{"v": c.v}})
		if printed := err == nil; printed != c.printed {
			t.Errorf("%s %q with %q: %q, %v", c.format, c.text, c.v, r.Bytes, err)
		}
	}
}

// No member chooses a tag, an anchor or an alias of YAML.
func TestNoValueNamesATag(t *testing.T) {
	for _, text := range []string{"k: !{{.Vars.v}} x\n", "k: &{{.Vars.v}} x\n", "k: *{{.Vars.v}}\n"} {
		if _, err := Parse(text, Options{Format: YAML}); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// An address is written by its own rules, and ends or begins with colons or
// brackets if its owner wants it to.
func TestAddressesMakeNoStructure(t *testing.T) {
	for _, text := range []string{
		"- @ x\n", "- a @ x\n", "- @\n", "- @:80\n", "- http://@:80/\n", "- [x, @, y]\n", "- [x, http://@:80, y]\n", "- [x, a @ b, y]\n", "- {k: @}\n", "- {k: a @}\n", "@: v\n", "k@: v\n",
	} {
		tm, err := Parse("{{range .Members}}"+strings.ReplaceAll(text, "@", "{{.Addr}}")+"{{end}}", Options{Format: YAML})
		if err != nil {
			t.Fatal(err)
		}
		shape := func(addr string) (kinds []yaml.Kind) {
			m := cluster.Member{Name: "a", Addr: netip.MustParseAddr(addr)}
			r, err := tm.Execute(Data{Members: []cluster.Member{m}})
			if err != nil || len(r.Refused) > 0 {
				return nil
			}
			var n yaml.Node
			if err := yaml.Unmarshal(r.Bytes, &n); err != nil {
				t.Errorf("%q with %s: %v in %q", text, addr, err, r.Bytes)
			}
			var walk func(*yaml.Node)
			walk = func(n *yaml.Node) {
				kinds = append(kinds, n.Kind)
				for _, c := range n.Content {
					walk(c)
				}
			}
			walk(&n)
			return kinds
		}
		want := shape("10.0.0.1")
		if want == nil {
			t.Fatalf("%q prints no address at all", text)
		}
		for _, addr := range []string{"fd00::", "::", "::1", "fd00::1", "1:2:3:4:5:6:7:8"} {
			if got := shape(addr); got != nil && len(got) != len(want) {
				t.Errorf("%q with %s has the shape %v, not %v", text, addr, got, want)
			}
		}
	}
}

// What a value may not say by itself, two of them next to each other may not
// either.
func TestWordsOfSeveralValues(t *testing.T) {
	for _, c := range []struct {
		format Format
		text   string
		a, b   string
	}{
		{Nginx, "server {{.Tags.a}}:{{.Tags.b}};", "unix", "/run/docker.sock"},
		{Nginx, "server {{.Tags.a}}{{.Tags.b}};", "Un", "ix:/run/docker.sock"},
		{Nginx, "proxy_pass http://{{.Tags.a}}:{{.Tags.b}}/;", "unix", "/run/docker.sock:"},
		{Nginx, "proxy_pass \"http://{{.Tags.a}}{{.Tags.b}}/\";", "unix:", "/run/docker.sock:"},
		{Nginx, "location \"{{.Tags.a}}{{.Tags.b}}\" {}", "", "~.*"},
		{Haproxy, "server a {{.Tags.a}}{{.Tags.b}}\n", "uxst", "@/run/docker.sock"},
		{Haproxy, "server a \"{{.Tags.a}}{{.Tags.b}}\"\n", "", "/run/docker.sock"},
		{Haproxy, "server a '{{.Tags.a}}{{.Tags.b}}'\n", "$", "{HOME}"},
		{Haproxy, "acl x path \"{{.Tags.a}}{{.Tags.b}}\"\n", "", "-f"},
		{Hosts, "10.0.0.9 {{.Tags.a}}{{.Tags.b}}\n", "local", "host"},
		{Hosts, "10.0.0.9 x.{{.Tags.a}}{{.Tags.b}} # \n", "localhos", "t"},
	} {
		tm, err := Parse("{{range .Members}}"+c.text+"{{end}}", Options{Format: c.format})
		if err != nil {
			t.Fatal(err)
		}
		ms := []cluster.Member{
			{Name: "evil", Tags: map[string]string{"a": c.a, "b": c.b}},
			{Name: "good", Tags: map[string]string{"a": "10.0.0.1", "b": "80"}},
		}
		r, err := tm.Execute(Data{Members: ms})
		if err != nil || len(r.Refused) != 1 || r.Refused[0].Member != "evil" || !strings.Contains(string(r.Bytes), "10.0.0.1") {
			t.Errorf("%s %q with %q and %q: %q, refused %v, %v", c.format, c.text, c.a, c.b, r.Bytes, r.Refused, err)
		}
	}
}
