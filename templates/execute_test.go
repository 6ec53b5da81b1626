package templates

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

func parsed(t testing.TB, f Format, text string) *Template {
	t.Helper()
	tm, err := Parse(text, Options{Name: "t", Format: f})
	if err != nil {
		t.Fatal(err)
	}
	return tm
}

// threeMembers are a, b whose tags are hostile, and c.
func threeMembers() []cluster.Member {
	return []cluster.Member{
		{Name: "a", Addr: netip.MustParseAddr("10.0.0.1"), Port: 1, Status: cluster.Alive, Tags: map[string]string{"role": "web", "x": "1,2"}},
		{Name: "b", Addr: netip.MustParseAddr("10.0.0.2"), Port: 2, Status: cluster.Alive, Tags: map[string]string{"role": "w;eb", "x": "3"}},
		{Name: "c", Addr: netip.MustParseAddr("fd00::3"), Port: 3, Status: cluster.Leaving, Tags: map[string]string{"role": "db", "x": "4,5"}},
	}
}

// TestRefusedMemberIsLeftOut proves for every way of getting at a member that
// it alone is left out, everywhere, and reported with the place.
func TestRefusedMemberIsLeftOut(t *testing.T) {
	for _, c := range []struct{ text, want, at string }{
		{"{{range .Members}}{{.Name}} {{.Tags.role}};\n{{end}}", "a web;\nc db;\n", "1:31"},
		{"{{len .Members}};\n{{range .Members}}{{.Tags.role}};\n{{end}}", "2;\nweb;\ndb;\n", "2:21"},
		{"{{range $i, $m := .Members}}{{$i}} {{$m.Tags.role}};\n{{end}}", "0 web;\n1 db;\n", "1:38"},
		{"{{range $m := .Members}}{{with $m.Tags.role}}{{.}};\n{{end}}{{end}}", "web;\ndb;\n", "1:48"},
		{"{{range .Members}}{{with .Tags}}{{.role}};\n{{end}}{{end}}", "web;\ndb;\n", "1:35"},
		{"{{with index .Members 1}}{{.Name}} {{.Tags.role}};\n{{end}}", "c db;\n", "1:38"},
		{`{{define "s"}}{{.Name}} {{.Tags.role}};` + "\n" + `{{end}}{{range .Members}}{{template "s" .}}{{end}}`, "a web;\nc db;\n", "1:27"},
		{`{{range $r, $ms := groupBy .Members "role"}}{{$r}}:{{range $ms}} {{.Name}}{{end}};` + "\n{{end}}", "db: c;\nweb: a;\n", "1:47"},
		{`{{range $r, $ms := groupBy .Members "x"}}{{range $ms}}{{.Tags.role}};` + "\n{{end}}{{end}}", "web;\ndb;\n", "1:57"},
		{`{{range members "all"}}{{.Tags.role}};` + "\n{{end}}", "web;\ndb;\n", "1:26"},
		{"{{range .AllMembers}}{{.Tags.role}};\n{{end}}{{range .Members}}{{.Name}};\n{{end}}", "web;\ndb;\na;\nc;\n", "1:24"},
		{"{{range reverse .Members}}{{.Tags.role}};\n{{end}}", "db;\nweb;\n", "1:29"},
		{`{{range shuffleFor .Rule .Members}}{{.Tags.role}};` + "\n{{end}}", "db;\nweb;\n", "1:38"},
		{"{{range .Members}}{{$n := .Tags.role}}{{range $.Members}}{{$n}};\n{{end}}{{end}}", "web;\nweb;\ndb;\ndb;\n", "1:60"},
		{"{{$s := \"\"}}{{range .Members}}{{$s = printf \"%s%s-\" $s .Tags.role}}{{end}}x{{$s}};\n", "xweb-db-;\n", "1:78"},
		{"{{$s := \"\"}}{{range .Members}}{{$s = printf \"%s%s-\" $s .Tags.role}}x{{$s}};\n{{end}}", "xweb-;\nxweb-db-;\n", "1:71"},
		{`x {{range .Members}}{{range splitList ";" .Tags.role}}{{. | replace "w" " "}};{{end}}{{end}}`, "x db;", "1:57"},
		{"{{(index .Members 0).Tags.role}} {{(index .Members 1).Tags.role}};", "web db;", "1:37"},
		{"{{range .Members}}{{index (splitList \",\" .Tags.x) 1}};\n{{end}}", "2;\n5;\n", "1:21"},
	} {
		ms := threeMembers()
		d := Data{Rule: "r", Members: ms, AllMembers: ms, Self: ms[0], Select: func(string) ([]cluster.Member, error) { return ms, nil }}
		tm := parsed(t, Nginx, c.text)
		for range 2 { // the second time from memory
			r, err := tm.Execute(d)
			if err != nil {
				t.Errorf("%s: %v", c.text, err)
				continue
			}
			if diff := cmp.Diff(c.want, string(r.Bytes)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.text, diff)
			}
			if len(r.Refused) == 0 || r.Refused[0].Reason == "" || !slices.ContainsFunc(r.Refused, func(f Refusal) bool {
				return f.Member == "b"
			}) {
				t.Errorf("%s: refused %+v", c.text, r.Refused)
				continue
			}
			if at := fmt.Sprintf("%d:%d", r.Refused[0].Line, r.Refused[0].Column); at != c.at {
				t.Errorf("%s: at %s, want %s", c.text, at, c.at)
			}
		}
	}
}

// TestExecutionBounds proves that runaway templates end, and soon.
func TestExecutionBounds(t *testing.T) {
	ms := someMembers(100)
	for _, text := range []string{
		"{{range until 1000000000}}{{end}}", "{{range 1000000000}}{{end}}", "{{range untilStep 0 1000000000 1}}{{end}}",
		"{{range until 100000}}{{range until 100000}}{{end}}{{end}}", "{{range until 100000}}{{$x := until 100000}}{{end}}",
		`{{repeat 1000000000 "x"}}`, "{{seq 1000000000}}", `{{indent 1000000000 "x"}}`, `{{printf "%1000000d" 1 | repeat 100}}`,
		"{{range .Members}}{{range $.Members}}{{range $.Members}}{{range $.Members}}{{end}}{{end}}{{end}}{{end}}",
		`{{$s := "xxxxxxxxxxxxxxxxxxxxxxxx"}}{{range until 100}}{{$s = printf "%s%s" $s $s}}{{end}}`,
		`{{$s := "xxxxxxxxxxxxxxxxxxxxxxxx"}}{{range until 100}}{{$s = cat $s $s}}{{end}}`,
		`{{$s := list 1}}{{range until 100}}{{$s = concat $s $s}}{{end}}`,
		`{{$s := "x"}}{{range until 100}}{{$s = replace "x" "xxxxxxxx" $s}}{{end}}`,
		`{{$d := dict}}{{$_ := set $d "d" $d}}{{$d}}`,
		"{{range until 100000}}{{repeat 1000 \"x\"}}{{end}}", strings.Repeat("x", 5000) + "{{range until 1000}}" + strings.Repeat("x", 5000) + "{{end}}",
	} {
		if r, err := parsed(t, Text, text).Execute(Data{Members: ms}); err == nil {
			t.Errorf("%s: no error, %d bytes", text, len(r.Bytes))
		} else if len(err.Error()) > 1000 {
			t.Errorf("%s: the message has %d bytes", text, len(err.Error()))
		}
	}
	tm, err := Parse("{{range .Members}}{{.Name}}\n{{end}}", Options{MaxOutput: 900})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tm.Execute(Data{Members: ms}); err == nil || !strings.Contains(err.Error(), "larger than 900 bytes") {
		t.Errorf("%v", err)
	}
	if r, err := tm.Execute(Data{Members: ms[:90]}); err != nil || len(r.Bytes) != 900 {
		t.Errorf("%v, %d bytes", err, len(r.Bytes))
	}
}

// TestManyHostile proves that a thousand hostile members among ten thousand
// cost a few executions, in templates that tell whose fault it is and in one
// that does not.
func TestManyHostile(t *testing.T) {
	ms := someMembers(10000)
	for i := 0; i < len(ms); i += 10 {
		ms[i].Tags = map[string]string{"role": "x;}\nserver{"}
	}
	for _, text := range []string{
		"{{range .Members}}{{.Tags.role}};\n{{end}}",
		"{{range $i, $m := .Members}}{{.Tags.role}};\n{{end}}",
		`{{range $r, $ms := groupBy .Members "role"}}x{{$r}};{{end}}`,
	} {
		r, err := parsed(t, Nginx, text).Execute(Data{Members: ms, AllMembers: ms})
		if err != nil || len(r.Refused) != 1000 || strings.Contains(string(r.Bytes), "}") {
			t.Errorf("%s: %v, %d refused", text, err, len(r.Refused))
		}
	}
}

// TestMembersInVars proves that members which came by way of .Vars or
// for_each are left out like the others, and that a key that cannot be printed
// is told apart.
func TestMembersInVars(t *testing.T) {
	ms := threeMembers()
	d := Data{Members: ms, AllMembers: ms, HasEach: true, EachKey: "k", EachValue: ms,
		Vars: map[string]any{"ms": ms, "d": map[string]any{"l": []any{ms}}, "me": ms[0]}}
	for _, text := range []string{
		"{{range .Vars.ms}}{{.Tags.role}};\n{{end}}", "{{range .Vars.ms}}{{.Name}};\n{{end}}{{range .Members}}{{.Tags.role}};{{end}}",
		"{{range .Each.Value}}{{.Tags.role}};\n{{end}}", "{{.Vars.me.Name}};{{range index .Vars.d.l 0}}{{.Tags.role}};{{end}}",
	} {
		tm := parsed(t, Nginx, text)
		for range 2 {
			r, err := tm.Execute(d)
			if err != nil || len(r.Refused) != 1 || r.Refused[0].Member != "b" || strings.Count(string(r.Bytes), ";") < 2 {
				t.Errorf("%s: %v, %q, refused %+v", text, err, r.Bytes, r.Refused)
			}
		}
	}
	d.EachKey = "w;eb"
	_, err := parsed(t, Nginx, "{{.Each.Key}};").Execute(Data{HasEach: true, EachKey: "w;eb"})
	if e := isError(err); e == nil || !e.EachKey {
		t.Errorf("%#v", err)
	}
}

// TestTypedValues pins how typed values are printed.
func TestTypedValues(t *testing.T) {
	ms := threeMembers()
	ms[2].Tags = map[string]string{}
	d := Data{Members: ms[2:], Self: ms[0], Vars: map[string]any{"i": int64(8080), "f": 8080.0, "big": 1e6, "half": 0.5, "b": true, "s": "x",
		"l": []any{1, "a", nil}, "m": map[string]any{"b": 2, "a": ms[0].Addr}}}
	for _, c := range []struct {
		format     Format
		text, want string
	}{
		{Text, "{{.Vars.i}} {{.Vars.f}} {{.Vars.big}} {{.Vars.half}} {{.Vars.b}}", "8080 8080 1000000 0.5 true"},
		{Text, "{{range .Members}}{{.Addr}} {{.Addr}}:{{.Port}} {{.Addr}}:80 {{.Addr}}: {{.Addr.String}}:1{{end}}", "fd00::3 [fd00::3]:3 [fd00::3]:80 fd00::3: fd00::3:1"},
		{Text, "{{range .Members}}{{.Addr | toString}} {{printf \"%s:%d\" .Addr .Port}} {{hostPort .Addr .Port}} {{bracket .Addr}}{{end}}", "fd00::3 fd00::3:3 [fd00::3]:3 [fd00::3]"},
		{Text, "{{.Self.Addr | replace \".\" \"-\"}} {{.Self.Status | upper}} {{.Self.Addr.Prefix 24}}", "10-0-0-1 ALIVE 10.0.0.0/24"},
		{Text, "{{range .Members}}[{{.Tags.weight}}] {{.Tags.weight | default \"1\"}} {{with .Tags.weight}}w{{else}}none{{end}}{{end}}", "[] 1 none"},
		{Nginx, "{{range .Members}}server {{.Addr}}; allow {{.Addr}}; a \"{{.Addr}}\" \"{{.Addr}}:80\" http://{{.Addr}}/;{{end}}", "server [fd00::3]; allow fd00::3; a \"fd00::3\" \"[fd00::3]:80\" http://[fd00::3]/;"},
		{Haproxy, "{{range .Members}}server {{.Name}} {{.Addr}}\nacl a src {{.Addr}}\n{{end}}", "server c [fd00::3]\nacl a src fd00::3\n"},
		{Hosts, "{{range .Members}}{{.Addr}} {{.Name}}\n{{end}}", "fd00::3 c\n"},
		{YAML, "{{range .Members}}- {{.Addr}}\n- \"{{.Addr}}:{{.Port}}\"\n- {{.Port}}\n{{end}}", "- \"fd00::3\"\n- \"[fd00::3]:3\"\n- 3\n"},
		{YAML, "a: {{.Vars.l}}\nb: {{.Vars.m}}\nc: {{.Vars.b}}\n", "a: [1,\"a\",null]\nb: {\"a\":\"10.0.0.1\",\"b\":2}\nc: true\n"},
		{JSON, "[{{.Self}}, {{.Vars.l}}, {{.Vars.i}}, {{.Self.Addr}}, {{.Vars.nix}}, {{toJson .Vars.l}}, \"{{.Vars.i}}\"]",
			`[{"name":"a","addr":"10.0.0.1","port":1,"status":"alive","tags":{"role":"web","x":"1,2"}}, [1,"a",null], 8080, "10.0.0.1", null, [1,"a",null], "8080"]`},
		{TOML, "a = {{.Vars.m}}\nb = {{.Vars.s | quote}}\nc = {{.Vars.half}}\n", "a = { \"a\" = \"10.0.0.1\", \"b\" = 2 }\nb = \"x\"\nc = 0.5\n"},
		{Nginx, "a {{quote \"x\\\"y\"}} {{squote \"b c\"}} {{raw \"d e;\"}}", `a "x\"y" 'b c' d e;`},
		{Shell, "A={{quote \"$x\"}} B={{squote \"it's\"}}", `A="\$x" B='it'\''s'`},
	} {
		r, err := parsed(t, c.format, c.text).Execute(d)
		if err != nil || string(r.Bytes) != c.want || len(r.Refused) > 0 {
			t.Errorf("%s: %v, %+v\n got %s\nwant %s", c.text, err, r.Refused, r.Bytes, c.want)
		}
	}
}

func TestReads(t *testing.T) {
	ms := threeMembers()[:1]
	for text, want := range map[string]Reads{
		"x":                         {},
		"{{.Rule}}{{.Vars.x}}":      {},
		"{{range .Members}}{{end}}": {Members: true},
		"{{len .AllMembers}}":       {AllMembers: true},
		"{{.Self.Name}}":            {Self: true},
		`{{len (members "b" "c")}}`: {Filters: []string{"b c"}},
		`{{len (members "c")}}{{members "b" | len}}{{len (members "c")}}`: {Filters: []string{"b", "c"}},
		`{{template "x" .}}{{define "x"}}{{len .Members}}{{end}}`:         {Members: true},
		`{{with $x := dict "r" .}}{{len $x.r.AllMembers}}{{end}}`:         {AllMembers: true},
		"{{if .Vars.no}}{{.Self.Name}}{{end}}":                            {},
		"{{len .Each.Value}}":                                             {Members: true},
	} {
		r, err := parsed(t, Text, text).Execute(Data{Members: ms, AllMembers: ms, Self: ms[0], Vars: map[string]any{"x": 1},
			HasEach: true, EachValue: ms, Select: func(string) ([]cluster.Member, error) { return ms, nil }})
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, r.Reads); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// TestConcurrent lets several goroutines use a template for two for_each keys.
func TestConcurrent(t *testing.T) {
	tm := parsed(t, Nginx, "{{.Each.Key}};\n{{range .Members}}{{.Name}} {{$.Each.Key}};\n{{end}}")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			key := fmt.Sprint("k", i%2)
			for n := range 50 {
				ms := someMembers(1 + (n+i)%7)
				r, err := tm.Execute(Data{Members: ms, HasEach: true, EachKey: key})
				want := key + ";\n"
				for _, m := range ms {
					want += m.Name + " " + key + ";\n"
				}
				if err != nil || string(r.Bytes) != want {
					t.Errorf("%v: %q, want %q", err, r.Bytes, want)
				}
			}
		})
	}
	wg.Wait()
}

// TestReadOnly proves that a template cannot change the rule's vars.
func TestReadOnly(t *testing.T) {
	vars := map[string]any{"d": map[string]any{"a": 1}, "l": []any{1}}
	tm := parsed(t, Text, `{{$_ := set .Vars "new" 1}}{{$_ := set .Vars.d "a" 2}}{{$_ := unset .Vars "l"}}{{.Vars.d.a}}`)
	for range 2 {
		r, err := tm.Execute(Data{Vars: vars})
		if err != nil || string(r.Bytes) != "2" {
			t.Errorf("%v: %q", err, r.Bytes)
		}
	}
	if diff := cmp.Diff(map[string]any{"d": map[string]any{"a": 1}, "l": []any{1}}, vars); diff != "" {
		t.Error(diff)
	}
}

// TestEachKeyIsRemembered proves that what is kept does not mix up keys,
// rules or vars.
func TestKeptApart(t *testing.T) {
	tm := parsed(t, Text, "{{range .Members}}{{$.Each.Key}} {{$.Vars.v}} {{$.Rule}} {{.Name}}\n{{end}}")
	ms := someMembers(1)
	for i := range 20 {
		key, v, rule := fmt.Sprint("k", i%3), fmt.Sprint("v", i%2), fmt.Sprint("r", i/7)
		r, err := tm.Execute(Data{Members: ms, HasEach: true, EachKey: key, Vars: map[string]any{"v": v}, Rule: rule})
		if want := fmt.Sprintf("%s %s %s web-00000\n", key, v, rule); err != nil || string(r.Bytes) != want {
			t.Errorf("%v: %q, want %q", err, r.Bytes, want)
		}
	}
}
