package templates

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestMistakes pins where mistakes are found and what is said about them.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"{{.Member}}", `t:1:3: the data has no field .Member; did you mean ".Members"?`},
		{"a\n  {{range .Members}}{{.Nmae}}{{end}}", `t:2:23: a member has no field .Nmae; did you mean ".Name"?`},
		{"{{range $m := .Members}}{{$m.Adr}}{{end}}", `t:1:29: a member has no field .Adr; did you mean ".Addr"?`},
		{"{{range .Members}}{{.Vars.x}}{{end}}", `t:1:21: a member has no field .Vars; within range write $.Vars`},
		{"{{.Name}}", `t:1:3: the data has no field .Name; a member has one: {{range .Members}}{{.Name}}{{end}}`},
		{"{{.Members.Name}}", `t:1:11: a list of members has no field .Name; range over it, or take one with index`},
		{"{{.Self.Tags.role.x}}", `a text has no field .x`},
		{"{{.Self.Addr.IsIPv4}}", `an address has no field .IsIPv4`},
		{"{{(index .Members 0).Nme}}", `a member has no field .Nme; did you mean ".Name"?`},
		{`{{range members "role=api"}}{{.Prot}}{{end}}`, `t:1:31: a member has no field .Prot; did you mean ".Port"?`},
		{`{{range $r, $ms := groupBy .Members "role"}}{{range $ms}}{{.Foo}}{{end}}{{end}}`, `a member has no field .Foo; there is .Name .Addr .Port .Status .Tags`},
		{"{{with index .Members 0}}{{.Nam}}{{end}}", `did you mean ".Name"?`},
		{`{{define "s"}}{{.Nam}}{{end}}{{range .Members}}{{template "s" .}}{{end}}`, `t:1:17: a member has no field .Nam; did you mean ".Name"?`},
		{`{{.Each.Kye}}`, `.Each has no field .Kye; did you mean ".Key"?`},
		{"a\n{{range .Members}}{{.}}{{end}}", `t:2:21: cannot print .: it is a member; print a field: {{.Name}}`},
		{"{{range $m := .Members}}{{$m}}{{end}}", `t:1:27: cannot print $m: it is a member; print a field: {{$m.Name}}`},
		{"{{.Self}}", `t:1:3: cannot print .Self: it is a member; print a field: {{.Self.Name}}`},
		{"{{first .Members}}", `it is a member; print a field: {{(first .Members).Name}}`},
		{`{{define "s"}}{{.}}{{end}}{{range .Members}}{{template "s" .}}{{end}}`, `t:1:17: cannot print .: it is a member`},
		{"{{.Members}}", `t:1:3: cannot print .Members: it is a list of members; range over it: {{range .Members}}{{.Name}}{{end}}`},
		{`{{members "role=api" | reverse}}`, `it is a list of members; range over it: {{range (members "role=api" | reverse)}}{{.Name}}{{end}}`},
		{`{{groupBy .Members "role"}}`, `it is a dictionary of members; range over it: {{range $key, $members := (groupBy .Members "role")}}{{$key}}{{end}}`},
		{"{{range .Members}}{{.Tags}}{{end}}", `t:1:21: cannot print .Tags: it is a dictionary of tags; print one of them: {{.Tags.NAME}}`},
		{"{{.Vars}}", `t:1:3: cannot print .Vars: it is a dictionary; print one of them: {{.Vars.NAME}}`},
		{"{{.}}", `t:1:3: cannot print .: it is the data; print a field: {{.Rule}}`},
		{"{{range .Members}}{{$}}{{end}}", `t:1:21: cannot print $: it is the data; print a field: {{$.Rule}}`},
		{"{{.Each}}", `t:1:3: cannot print .Each: it is a dictionary; print a field: {{.Each.Key}}`},
		{"{{range .Rule}}{{end}}", `t:1:9: cannot range over .Rule: it is a text`},
		{"{{if .Members}}\n{{ upcase .Rule }}{{end}}", `t:2:4: there is no function "upcase"`},
		{"{{uper .Rule}}", `t:1:3: there is no function "uper"; did you mean "upper"?`},
		{"{{nindent}}", "t:1:3: nindent takes 2 arguments, not 0"},
		{"{{.Rule | upper 1}}", "t:1:11: upper takes 1 argument, not 2"},
		{"{{if (trunc 5)}}{{end}}", "t:1:7: trunc takes 2 arguments, not 1"},
		{"{{.Rule | upper | cat | plural \"a\"}}", "t:1:25: plural takes 3 arguments, not 2"},
		{"{{default}}", "t:1:3: default takes at least 1 argument, not 0"},
		{"{{now}}", "there is no clock"},
		{"{{call .Vars.f}}", `there is no function "call"`},
		{"{{key \"x\"}}", "consul-template"},
		{"{{_print 1 .}}", `there is no function "_print"`},
		{`{{template "x"}}`, `t:1:12: there is no template "x"`},
		{`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`, "a template cannot call itself"},
		{`{{define "a"}}{{template "b"}}{{end}}{{define "b"}}{{template "a"}}{{end}}{{template "a"}}`, "a template cannot call itself"},
		{"a\n {{if}}", "t:2:2: missing value for if"},
		{"{{if .Rule}}", "t:1:1: {{if}} has no {{end}}"},
		{"a\n {{range .Members}}{{.Name}}\n\n", "t:2:2: {{range}} has no {{end}}"},
		{"{{range .Members}}\n {{- if .Rule }}{{else}}\n{{end}}", "t:1:1: {{range}} has no {{end}}"},
		{"{{range .Members}}\n {{- if .Rule }}{{else if .Rule}}\n", "t:2:2: {{if}} has no {{end}}"},
		{"{{define \"x\"}}{{/* {{end}} */}}", "t:1:1: {{define}} has no {{end}}"},
		{"a {{end}}", "t:1:3: unexpected {{end}}; there is nothing open here"},
		{"{{if .Rule}}{{end}}\n{{if .Rule}}{{end}}{{- end -}}{{end}}", "t:2:20: unexpected {{end}}; there is nothing open here"},
		{"{{else}}", "t:1:1: unexpected {{else}}; there is nothing open here"},
		{"{{$x}}", `t:1:3: undefined variable "$x"`},
		{"{{ .Rule", "unclosed action"},
		{`a {{"a\nb"}}`, `t:1:5: cannot print "a\nb" in text: it has a line break`},
		{"{{", "t:1:1: "},
	} {
		_, err := Parse(c.text, Options{Name: "t"})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
			continue
		}
		var e *Error
		if !errors.As(err, &e) || e.Name != "t" || e.Line < 1 || e.Column < 1 || strings.ContainsAny(e.Message, "\x00\n") {
			t.Errorf("%q: %#v", c.text, err)
		}
	}
}

// TestFilters pins where filters that are none are found.
func TestFilters(t *testing.T) {
	check := func(filter string) error {
		if strings.Contains(filter, "bad") || strings.Count(filter, "status=") > 1 {
			return fmt.Errorf("cannot read filter %q", filter)
		}
		return nil
	}
	for text, want := range map[string]string{
		`{{range members "role=x" "bad"}}{{.Name}}{{end}}`:                   `t:1:26: cannot read filter "bad"`,
		`{{range members "role=x" .Rule "bad"}}{{.Name}}{{end}}`:             `t:1:32: cannot read filter "bad"`,
		`{{define "x"}}{{len (members "bad")}}{{end}}`:                       `t:1:30: cannot read filter "bad"`,
		`{{range members "status=a" "status=b" | reverse}}{{.Name}}{{end}}`:  `t:1:9: cannot read filter "status=a status=b"`,
		`{{range members (printf "bad=%s" .Rule) "role=x"}}{{.Name}}{{end}}`: "",
		`{{range members}}{{.Name}}{{end}}{{upper "bad"}}`:                   "",
	} {
		got := ""
		if _, err := Parse(text, Options{Name: "t", CheckFilter: check}); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}

// TestFine pins what is no mistake.
func TestFine(t *testing.T) {
	for _, text := range []string{
		"{{range .Members}}{{.Addr.Is6}} {{.Addr.String}} {{.Addr.Unmap}} {{.Addr.Prefix 24}}{{end}}",
		"{{$x := .Members}}{{range $x}}{{.Name}}{{end}}",
		"{{$x := 1}}{{if .Rule}}{{$x = .Rule}}{{end}}{{$x}}",
		"{{range $k, $v := .Self.Tags}}{{$k}}={{$v}} {{end}}",
		"{{range .Vars.list}}{{.anything.goes}}{{end}}",
		"{{with .Vars.x}}{{.y}}{{end}}",
		`{{block "b" .}}{{range .Members}}{{.Name}}{{end}}{{end}}`,
		`{{template "s" dict "root" $ "x" 1}}{{define "s"}}{{.root.Rule}}{{end}}`,
		"{{range $i, $m := .Members}}{{if $i}}, {{end}}{{$m.Name}}{{end}}",
		"{{range reverse .Members}}{{.Name}}{{end}}",
		"{{(first .Members).Name}}",
		"{{.Rule | default 1 | indent 2}}{{list}}{{cat 1 2 3}}{{list 1 | join \",\"}}{{.Rule | replace \"a\" \"b\"}}",
		"{{/* a comment */}}{{- 3 -}}",
		"{{range .Members}}{{if .Tags.x}}{{continue}}{{else}}{{break}}{{end}}{{end}}",
		"{{range 3}}{{.}}{{end}}",
		"{{if and .Rule (not .Members) (or (eq 1 1) (lt 1 2))}}{{end}}",
	} {
		if _, err := Parse(text, Options{Name: "t"}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestWhole pins in which places a whole member, list or dictionary is printed.
func TestWhole(t *testing.T) {
	for _, c := range []struct {
		format Format
		text   string
		ok     bool
	}{
		{JSON, `[{{range $i, $m := .Members}}{{if $i}},{{end}}{{.}}{{end}}]`, true},
		{JSON, `{"a": {{.Members}}, "b": {{.Self.Tags}}, "c": {{.Vars}}, "d": {{groupBy .Members "role"}}}`, true},
		{JSON, `{"a": "{{.Members}}"}`, false},
		{JSON, `{{.}}`, false},
		{JSON, `{{.Each}}`, false},
		{YAML, "a: {{.Members}}\nb: {{.Self}}\n", true},
		{YAML, "a: x-{{.Self}}\n", false},
		{YAML, "a: '{{.Self}}'\n", false},
		{TOML, "a = {{.Members}}\n", true},
		{TOML, "a = \"{{.Members}}\"\n", false},
		{Text, "{{.Members | toJson}}", true},
		{Text, "{{$m := .Members}}{{if .Self}}{{with .Members}}x{{end}}{{end}}", true},
		{Text, "{{range .Vars.list}}{{.}}{{end}}{{with .Each.Value}}{{.}}{{end}}", true},
		{Text, "{{with .Self}}{{.}}{{end}}", false},
		{Nginx, "x {{.Members}};", false},
		{Shell, "x={{.Members}}", false},
		{INI, "x={{.Members}}", false},
		{Haproxy, "x {{.Members}}", false},
		{Hosts, "{{.Self.Addr}} {{.Self}}", false},
	} {
		if _, err := Parse(c.text, Options{Name: "t", Format: c.format}); (err == nil) != c.ok {
			t.Errorf("%s %q: %v", c.format, c.text, err)
		}
	}
	_, err := Parse("<<with .Self>>", Options{Name: "t", LeftDelim: "<<", RightDelim: ">>"})
	if err == nil || err.Error() != "t:1:1: <<with>> has no <<end>>" {
		t.Errorf("%v", err)
	}
	_, err = Parse("<<.Self>>", Options{LeftDelim: "<<", RightDelim: ">>"})
	if err == nil || !strings.HasSuffix(err.Error(), "print a field: <<.Self.Name>>") {
		t.Errorf("%v", err)
	}
}

func TestParseBounds(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("{{if .Rule}}", n) + strings.Repeat("{{end}}", n) }
	chain := func(n int) string { return "{{if .Rule}}" + strings.Repeat("{{else if .Rule}}", n) + "{{end}}" }
	parens := func(n int) string { return "{{" + strings.Repeat("(", n) + ".Rule" + strings.Repeat(")", n) + "}}" }
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"blocks at the limit":      {deep(MaxNesting), true},
		"blocks too deep":          {deep(MaxNesting + 1), false},
		"a million blocks":         {strings.Repeat("{{if 1}}", 30000), false},
		"else if at the limit":     {chain(MaxNesting - 1), true},
		"else if too long":         {chain(MaxNesting), false},
		"parentheses at the limit": {parens(MaxNesting), true},
		"parentheses too deep":     {parens(MaxNesting + 1), false},
		"many blocks in a row":     {strings.Repeat("{{if .Rule}}{{else if .Rule}}{{end}}", 1000), true},
		"many parentheses":         {strings.Repeat("{{(.Rule)}}", 1000), true},
		"parentheses in a string":  {`{{"` + strings.Repeat("(", 200) + `"}}`, true},
		"blocks in a comment":      {"{{/* " + strings.Repeat("{{if .Rule}}", 200) + " */}}", true},
		"blocks with trimming":     {strings.Repeat("{{- if .Rule -}}", 200), false},
		"text at the limit":        {strings.Repeat("x", MaxText), true},
		"text too long":            {strings.Repeat("x", MaxText+1), false},
		"calls that multiply":      {multiply(40), false},
	} {
		_, err := Parse(c.text, Options{Name: "t"})
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Parse(strings.Repeat("<<if .Rule>>", 200), Options{LeftDelim: "<<", RightDelim: ">>"}); err == nil {
		t.Error("other delimiters: nesting is not bounded")
	}
}

// multiply makes n templates, each of which ranges over the next.
func multiply(n int) string {
	var b strings.Builder
	for i := range n {
		name := func(i int) string { return strings.Repeat("t", i+1) }
		b.WriteString(`{{define "` + name(i) + `"}}`)
		if i+1 < n {
			b.WriteString(strings.Repeat(`{{template "`+name(i+1)+`"}}`, 2) + strings.Repeat("{{range .Rule}}", 1))
		}
		b.WriteString("{{end}}")
	}
	return b.String()
}

func TestFormats(t *testing.T) {
	for path, want := range map[string]Format{
		"/etc/nginx/conf.d/web.conf": Nginx, "/etc/haproxy/haproxy.cfg": Haproxy, "/srv/haproxy.cfg": Haproxy,
		"/etc/munin/munin-conf.d/x.conf": INI, "/etc/ansible/hosts": INI, "/x/a.ini": INI, "/x/a.yml": YAML, "/x/a.YAML": YAML,
		"/etc/prometheus/targets.json": JSON, "/x/a.toml": TOML, "/etc/default/web": Shell, "/x/.env": Shell, "/x/a.sh": Shell,
		"/etc/hosts": Hosts, "/etc/dnsmasq.d/web.hosts": Hosts, "/x/a.conf": Text, "/x/a": Text,
		"/x/default.vcl": VCL, "/etc/varnish/web": VCL, "/etc/keepalived/conf.d/web.conf": Keepalived, "/x/keepalived.conf": Keepalived,
	} {
		if got := FormatFor(path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	for _, c := range []struct {
		path      string
		mentioned []string
		want      Format
	}{
		{"/srv/lb/web.conf", []string{"nginx", "-s", "reload"}, Nginx},
		{"/srv/lb/web.example.com", []string{"systemctl", "reload", "nginx.service"}, Nginx},
		{"/srv/lb/web", []string{"sh", "-c", "/usr/sbin/nginx -t && kill -HUP 1"}, Nginx},
		{"/srv/lb/web", []string{"/usr/local/bin/reload-haproxy"}, Haproxy},
		{"/srv/hosts.d/web", []string{"ansible-inventory", "--list"}, INI},
		{"/srv/munin/web", []string{"true"}, INI},
		{"/srv/lb/web", []string{"varnishd", "-C"}, VCL},
		{"/srv/lb/web", []string{"nginxx", "-s", "reload"}, Text},
		{"/srv/lb/web", []string{"nginx", "haproxy"}, Text},    // which of them?
		{"/srv/lb/web.json", []string{"nginx", "-t"}, JSON},    // the path goes first
		{"/srv/www/index.HTML", []string{"nginx", "-t"}, Text}, // nginx serves it, and does not read it
	} {
		if got := FormatFor(c.path, c.mentioned...); got != c.want {
			t.Errorf("%s with %q: %s, want %s", c.path, c.mentioned, got, c.want)
		}
	}
	for _, f := range Formats() {
		if got, err := ParseFormat(string(f)); got != f || err != nil {
			t.Errorf("%s: %s, %v", f, got, err)
		}
	}
	if _, err := ParseFormat("ngnix"); err == nil || !strings.Contains(err.Error(), `did you mean "nginx"?`) {
		t.Errorf("%v", err)
	}
}
