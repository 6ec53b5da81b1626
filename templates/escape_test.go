package templates

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// spots are texts with the place of a value marked as @, and the value "clean"
// fits each of them.
func spots(f Format) []string {
	switch f {
	case Nginx:
		return []string{"a @ b;", "a b @;", "a web-@-x;", "a @@;", "a \"x @ y\";", "a '@';", "a \"@@\";", "# @ x\na b;", "@ b { c d; }", "a '@' \"@\" @;"}
	case Haproxy:
		return []string{"a @ b\n", "server s@ x @\n", "server @ x\n", "a web-@-x @@\n", "a \"x @ y\"\n", "a x'@'y\n", "a \"@@\" @\n", "# @ x\na b\n", "a b # @\n", "@ b\n"}
	case INI:
		return []string{"[@]\nx\n", "@ x=@\n", "a x=@ y=@\n", "a x='@'\n", "a x=\"b @\" z\n", "a x=@@\n", "web-@.example b\n", "a\n# @\nb\n", "[a-@]\n", "k = @\n", "k = a @ b\n"}
	case YAML:
		return []string{"k: @\n", "- @\n", "@: v\n", "k: {a: @, b: [@, @]}\n", "k: \"a @ b\"\n", "k: '@'\n", "k: web-@-x\n", "k: @.example\n", "k: x @\n", "k: x # @\n",
			"k: |\n  a @ b\n  @\nl: @\n", "- k: >-\n    @ x\n  l: @\n", "{\"a\":\"@\",\"b\":@}", "\"@\": @\n", "- - @\n  - @ \n", "k:\n  - @ # c\n  - x\n", "@", "k: !!str \"@\"\n",
			"k: \"a\n  x @ b\n\n  -@-\"\n", "k: 'a\n  x @ y\n  b'\n", "k:\n  @\nl: @\n", "k: it\n  \"goes on\n\n  - so\nl: @\n", "- k: >2\n     a\n    @\n- |-\n\n  @ b\n- @\n",
			"k: [\n  @,\n  a\n  b, @\n  ]\n", "-\n  @ # c\n-\n  a @\n"}
	case JSON:
		return []string{`{"a":"@"}`, `{"a":@}`, `{@:1}`, `[@,@, "x @ y@"]`, `"@"`, `@`, `{"\\@":"\"@"}`}
	case TOML:
		return []string{"k = @\n", "@ = 1\n", "[t.@]\nx = 1\n", "k = \"a @ b\"\n", "k = '@'\n", "k = [@, @]\n", "k = {a = @}\n", "web-@ = 1\n", "@-x = 1\n", "# @\nk = 1\n",
			"k = \"\"\"\na @ b\"\"\"\n", "k = '''@ x'''\n", "k = \"\"\"@\"\"\"\n", "\"@\".b = @ # @\n", "k = '@'\nl = @\n", "k = \"\"\nl = @\n"}
	case Shell:
		return []string{"printf '%s\\0' @ \"a @ b\" 'c @' pre-@-post x@@", "A=@\nB=\"@\"\nprintf '%s\\0' \"$A\" \"$B\"", "# @\nprintf '%s\\0' a # @\nprintf b", "A=$(printf %s \"x$(printf y)\")@\nprintf '%s\\0' \"$A\" \"${A}@\""}
	case Hosts:
		return []string{"10.0.0.1 @\n", "10.0.0.1 a @ b\n", "10.0.0.1 @.example # @\n", "10.0.0.1 web-@\n"}
	case VCL:
		return []string{"backend @ { .port = \"@\"; }", "backend web_@ none;", "set req.http.a = \"x @ y\";", "set a = {\"@ \"} + \"\" + \"\"\"@\"\"\";", "# @ x\na;", "// @\na;",
			"/* @ */ a;", "/** @*/ a {}", ".weight = @; x = @s;", "web.add_backend(web_@, @);", "import @;", "a = \"@@\";", "sub vcl_recv { @(); }"}
	case Keepalived:
		return []string{"real_server @ 80 {\n weight @\n}\n", "@\n", " a web-@-x @@\n", "a \"x @ y\" 'z@'\n", "a b # @\n", "! @ x\na b\n", "@main a @ # b\n", "a {\n@ }\n", "a \"@\"@\n"}
	}
	return []string{"a @ b\n", "@\n@\n"}
}

// spotTemplate makes a template of a text with marked places.
func spotTemplate(t testing.TB, f Format, spot string) *Template {
	t.Helper()
	// The text is written with other delimiters, so that braces stand for themselves.
	tm, err := Parse(strings.ReplaceAll(spot, "@", "«.Vars.v»"), Options{Name: "spot", Format: f, LeftDelim: "«", RightDelim: "»"})
	if err != nil {
		t.Fatalf("%s %q: %v", f, spot, err)
	}
	return tm
}

// checkStructure sees to it that v as a var is refused, or that the file is the
// one with "clean" there but for the value. It reports whether v is printed.
func checkStructure(t testing.TB, tm *Template, spot, v string) bool {
	t.Helper()
	read := reader(tm.format)
	const clean = "clean"
	base, err := tm.Execute(Data{Vars: map[string]any{"v": clean}})
	if err != nil {
		t.Fatalf("%s %q: clean: %v", tm.format, spot, err)
	}
	want, err := read(string(base.Bytes))
	if err != nil {
		t.Fatalf("%s %q: clean: %v in %q", tm.format, spot, err, base.Bytes)
	}
	got, err := tm.Execute(Data{Vars: map[string]any{"v": v}})
	if err != nil {
		return false
	}
	if !utf8.Valid(got.Bytes) {
		t.Errorf("%s %q with %q: %q is not UTF-8", tm.format, spot, v, got.Bytes)
	}
	tokens, err := read(string(got.Bytes))
	if err != nil {
		t.Errorf("%s %q with %q: cannot read %q: %v", tm.format, spot, v, got.Bytes, err)
		return true
	}
	for i := range want {
		want[i] = strings.ReplaceAll(want[i], clean, v)
	}
	if tm.format == Text {
		want = strings.SplitAfter(strings.Join(want, ""), "\n")
	}
	if diff := cmp.Diff(sortDicts(want), sortDicts(tokens)); diff != "" {
		t.Errorf("%s %q with %q: printed %q (-want +got):\n%s", tm.format, spot, v, got.Bytes, diff)
	}
	return true
}

// sortDicts makes the order of a dictionary's keys, which depends on the
// value, no difference.
func sortDicts(tokens []string) []string {
	if slices.Contains(tokens, "(dict)") {
		tokens = slices.Clone(tokens)
		slices.Sort(tokens)
	}
	return tokens
}

// TestPrinted pins what is printed, and what is refused, for each format.
func TestPrinted(t *testing.T) {
	const no = "(refused)"
	for _, c := range []struct {
		format      Format
		spot, v, to string
	}{
		{Nginx, "a @;", "web-1.example", "a web-1.example;"},
		{Nginx, "a @;", "a b", no},
		{Nginx, "a @;", "#x", no},
		{Nginx, "a x@;", "#x", "a x#x;"},
		{Nginx, "a x@;", "", "a x;"},
		{Nginx, "a @;", "", no},
		{Nginx, "a @;", "$request_body", no},
		{Nginx, `a "@";`, "$request_body", no},
		{Nginx, `a "@";`, "x;}\tserver{\"\\", `a "x;}\tserver{\"\\";`},
		{Nginx, `add_header X "@";`, "a\r\nSet-Cookie: a=b", no},
		{Nginx, `a '@';`, `it's "x"`, `a 'it\'s "x"';`},
		{Nginx, "# @\n", "a\nb", no},
		{Nginx, "# @\n", "x; # {", "# x; # {\n"},
		{Haproxy, "server @ x\n", "a/b", no},
		{Haproxy, "server x @\n", "a/b", "server x a/b\n"},
		{Haproxy, "a '@'\n", "it's", `a 'it'\''s'` + "\n"},
		{Haproxy, "a \"@\"\n", `$HOME "\`, `a "\$HOME \"\\"` + "\n"},
		{Haproxy, "a \"@\"\n", "%[env(HOME)]", no},
		{Haproxy, "a @\n", "-f", no},
		{INI, "h a=@\n", "ansible_connection=local", "h a=ansible_connection=local\n"},
		{INI, "h @\n", "ansible_connection=local", no},
		{INI, "h a=@\n", "b ansible_connection=local", no},
		{INI, "h a='@'\n", "b ansible_connection=local", "h a='b ansible_connection=local'\n"},
		{INI, "h a='@'\n", "{{ lookup('pipe','id') }}", no},
		{INI, "h a='@'\n", "{{ x }}", no},
		{INI, "[@]\n", "a:children", no},
		{YAML, "k: @\n", "no", "k: \"no\"\n"},
		{YAML, "k: @\n", "web-1", "k: web-1\n"},
		{YAML, "k: @\n", "a: b\n#", "k: \"a: b\\n#\"\n"},
		{YAML, "k: @-x\n", "a: b", no},
		{YAML, "k: '@'\n", "it's", "k: 'it''s'\n"},
		{YAML, "k: '@'\n", "a\nb", no},
		{YAML, "k: \"@\"\n", "\u202e\x1b", "k: \"\\u202e\\u001b\"\n"},
		{JSON, `{"a":"@"}`, "\"\\\n\u2028<script>", `{"a":"\"\\\n\u2028<script>"}`},
		{JSON, `{"a":@}`, "x\"", `{"a":"x\""}`},
		{JSON, `{"a":@}`, "\xff", no},
		{TOML, "k = @\n", "1", "k = \"1\"\n"},
		{TOML, "k = '@'\n", "it's", no},
		{TOML, "web-@ = 1\n", "a.b", no},
		{Shell, "A=@\n", "web-1", "A=web-1\n"},
		{Shell, "A=@\n", "$(id) 'x'", `A='$(id) '\''x'\'''` + "\n"},
		{Shell, "A=\"@\"\n", "$(id) `id` \"\\", "A=\"\\$(id) \\`id\\` \\\"\\\\\"\n"},
		{Shell, "A=@\n", "a\nb", no},
		{Shell, "echo @>f\n", "2", "echo '2'>f\n"},
		{Shell, "echo $((1 + @))\n", "a[$(id)]", no},
		{Shell, "echo $((1 + @))\n", "41", "echo $((1 + 41))\n"},
		{Shell, "[ -n @ ] && [[ a == @ ]] && a[1]=@\n", "x y", "[ -n 'x y' ] && [[ a == 'x y' ]] && a[1]='x y'\n"},
		{Shell, "m[$k]=@; n[${k}]=\"@\"; [ \"$(echo a[1])\" = @ ]\n", "x y", "m[$k]='x y'; n[${k}]=\"x y\"; [ \"$(echo a[1])\" = 'x y' ]\n"},
		{Hosts, "10.0.0.1 @\n", "web_1.example", "10.0.0.1 web_1.example\n"},
		{Hosts, "10.0.0.1 @\n", "localhost", no},
		{Hosts, "@ x\n", "not-an-address", no},
		{Hosts, "@ x\n", "10.0.0.7", "10.0.0.7 x\n"},
		{VCL, "backend @ none;", "web-1_x", "backend web-1_x none;"},
		{VCL, "backend @ none;", "web.1", no},
		{VCL, "backend @ none;", "1web", no},
		{VCL, "backend web_@ none;", "1web", "backend web_1web none;"},
		{VCL, "backend web_@ none;", "web.1", no},
		{VCL, "a = \"@\";", `é {x} \n #`, `a = "é {x} \n #";`},
		{VCL, "a = \"@\";", `x" + y + "`, no},
		{VCL, "a = \"@\";", "a\nb", no},
		{VCL, "a = {\"@\"};", "a\nb }", "a = {\"a\nb }\"};"},
		{VCL, "a = {\"@\"};", `"} + x + {"`, no},
		{VCL, "a = \"\"\"@\"\"\";", `a"b`, no},
		{VCL, "a = @;", "std.now()", no},
		{VCL, "a = @;", "5s", "a = 5s;"},
		{VCL, "a = @;", "", no},
		{VCL, "# @\n", "a\nimport std;", no},
		{VCL, "/* @ */", "a */ import std;", no},
		{VCL, "/* @ */", "a/b", no},
		{Keepalived, "real_server @ 80\n", "10.0.0.1", "real_server 10.0.0.1 80\n"},
		{Keepalived, "a @\n", "b # c", no},
		{Keepalived, "a @\n", "b!", no},
		{Keepalived, "a @\n", "b\nscript x", no},
		{Keepalived, "a @\n", "$A", no},
		{Keepalived, "a \"@\"\n", "b # c {} !", "a \"b # c {} !\"\n"},
		{Keepalived, "a \"@\"\n", `b" c`, no},
		{Keepalived, "a '@'\n", `b\c`, no},
		{Keepalived, "a \"@\"\n", "x ~SEQ(A,1,9)", no},
		{Keepalived, "a \"@\"\n", "${_PWD}", no},
		{Keepalived, "# @\n", "x } {", "# x } {\n"},
		{Keepalived, "# @\n", strings.Repeat("x ", 128), "# " + strings.Repeat("x ", 128) + "\n"},
		{Keepalived, "# @\n", strings.Repeat("x ", 129), no},
		{Text, "a @\n", "x; \"y\" {{", "a x; \"y\" {{\n"},
		{Text, "a @\n", "x\ny", no},
		{Text, "a @\n", "\u2066x", no},
	} {
		r, err := spotTemplate(t, c.format, c.spot).Execute(Data{Vars: map[string]any{"v": c.v}})
		got := string(r.Bytes)
		if err != nil {
			got = no
		}
		if got != c.to {
			t.Errorf("%s %q with %q: %q, want %q (%v)", c.format, c.spot, c.v, got, c.to, err)
		}
	}
}

// TestLong proves that values have a bounded length.
func TestLong(t *testing.T) {
	ms := someMembers(2)
	ms[0].Tags = map[string]string{"v": strings.Repeat("x", maxValue+1)}
	ms[1].Tags = map[string]string{"v": strings.Repeat("x", maxValue)}
	for _, f := range Formats() {
		text := "{{range .Members}}\"{{.Tags.v}}\"\n{{end}}"
		if f == Keepalived { // its lines have no room for so much: TestPrinted, TestNoPlace
			continue
		}
		if f == Hosts {
			text = "{{range .Members}}10.0.0.1 {{.Name}} # {{.Tags.v}}\n{{end}}"
		}
		if f == JSON {
			text = "[{{range .Members}}\"{{.Tags.v}}\",{{end}}0]"
		}
		tm, err := Parse(text, Options{Format: f})
		if err != nil {
			t.Fatal(err)
		}
		r, err := tm.Execute(Data{Members: ms})
		if err != nil || len(r.Refused) != 1 || r.Refused[0].Member != ms[0].Name || !strings.Contains(r.Refused[0].Reason, "4097 bytes") {
			t.Errorf("%s: %v, refused %+v", f, err, r.Refused)
		}
		if n := len(r.Refused[0].Value); n > 300 {
			t.Errorf("%s: the message quotes %d bytes", f, n)
		}
		if !bytes.Contains(r.Bytes, []byte(strings.Repeat("x", maxValue))) {
			t.Errorf("%s: the value at the limit is missing", f)
		}
	}
}

// TestNoPlace proves that a template is refused where no value can stand
// safely, or where the place cannot be told.
func TestNoPlace(t *testing.T) {
	for _, c := range []struct {
		format     Format
		text, want string
	}{
		{Nginx, `a \{{.Rule}};`, "backslash"},
		{Nginx, `a $host{{.Rule}};`, "name of a variable"},
		{Nginx, `a "$host{{.Rule}}";`, "name of a variable"},
		{Nginx, `a "b"{{.Rule}};`, "closing quote"},
		{Nginx, `a {{if .Rule}}"{{end}} b;`, "branches end in different places"},
		{Nginx, `a {{if .Rule}}b{{end}}"{{.Rule}}";`, "only some end within a word"},
		{Haproxy, `a "$HOME{{.Rule}}"`, "name of a variable"},
		{Haproxy, "{{range .Members}}a '{{end}}\n", "begins before a word and ends in single quotes"},
		{Haproxy, `log-format "x %{{.Rule}}"`, "percent sign"},
		{Haproxy, "log-format %{+Q{{.Rule}}}o", "percent sign"},
		{Haproxy, `log-format "%{+Q}{{.Rule}}"`, "percent sign"},
		{YAML, "k: |{{.Rule}}\n", "head of a block scalar"},
		{YAML, "k: \"a\" {{.Rule}}\n", "closing quote"},
		{YAML, "k: {{if .Rule}}x{{end}}'{{.Rule}}'\n", "only some end within a scalar"},
		{JSON, `{"a":"\{{.Rule}}"}`, "backslash"},
		{TOML, `a = "x"{{.Rule}}`, "closing quote"},
		{TOML, `a = """x"""{{.Rule}}`, "closing quote"},
		{VCL, `a = "x"{{.Rule}};`, "closing quote"},
		{VCL, `a = "x""{{.Rule}}";`, "without a +"},
		{VCL, `a = "{{.Rule}}""{{.Rule}}";`, "without a +"},
		{VCL, `a = {{.Rule}}"{{.Rule}}";`, "without a +"},
		{VCL, `a = {"x"{{.Rule}}"};`, "right after a quote"},
		{VCL, `/* *{{.Rule}} */`, "right after a *"},
		{VCL, `C{ {{.Rule}} }C`, "C in VCL is not followed"},
		{VCL, `a = {{if .Rule}}"{{end}}x";`, "branches end in different places"},
		{Keepalived, `a $B{{.Rule}}`, "name of a variable"},
		{Keepalived, `a \{{.Rule}}`, "backslash"},
		{Keepalived, "a " + strings.Repeat("x", 1000) + "{{.Rule}}", "more than 1,000 bytes"},
		{Keepalived, "# {{range .Members}}{{.Name}} {{end}}\n", "more than 1,000 bytes"},
		{Shell, `A="$(echo {{.Rule}})"`, "substitution within double quotes"},
		{Shell, "A=\"`echo {{.Rule}}`\"", "substitution within double quotes"},
		{Shell, "A=`echo {{.Rule}}`", "does not follow"},
		{Shell, "cat <<EOF\n{{.Rule}}\nEOF\n", "here documents"},
		{Shell, `A=${B:-{{.Rule}}}`, "in ${ }"},
		{Shell, `A=$'{{.Rule}}'`, "does not follow"},
		{Shell, `A="$(case x in x) echo;; esac)" B={{.Rule}}`, "case"},
		{Shell, `A=$B{{.Rule}}`, "write ${name}"},
		{Shell, `a[{{.Rule}}]=1`, "in a subscript"},
		{Shell, `a["{{.Rule}}"]=1`, "in a subscript"},
		{Shell, `a[1 + '{{.Rule}}']=1`, "in a subscript"},
		{Shell, `{{.Rule}}[{{.Rule}}]=1`, "in a subscript"},
		{Shell, `{{if .Rule}}a{{end}}[{{.Rule}}]=1`, "in a subscript"},
		{Shell, `echo $[{{.Rule}}]`, "write $((…))"},
		{Shell, `echo "$[1 + {{.Rule}}]"`, "write $((…))"},
	} {
		_, err := Parse(c.text, Options{Name: "t", Format: c.format})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: %v, want %q", c.format, c.text, err, c.want)
		}
		for _, raw := range []string{"{{raw .Rule}}", "{{.Rule | raw}}"} {
			tm, err := Parse(strings.ReplaceAll(c.text, "{{.Rule}}", raw), Options{Name: "t", Format: c.format})
			switch {
			case err != nil && strings.Contains(c.text, "{{.Rule}}"):
				t.Errorf("%s %q: raw is no way round: %v", c.format, c.text, err)
			case err == nil:
				if r, err := tm.Execute(Data{Rule: ";'x"}); err != nil || !strings.Contains(string(r.Bytes), ";'x") {
					t.Errorf("%s %q: raw printed %q, %v", c.format, c.text, r.Bytes, err)
				}
			}
		}
	}
}

func ExampleFormatFor() {
	fmt.Println(FormatFor("/etc/nginx/conf.d/web.conf"), FormatFor("/etc/ansible/hosts"), FormatFor("/etc/hosts"), FormatFor("/srv/x.conf"))
	// Output: nginx ini hosts text
}
