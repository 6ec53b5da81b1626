package rules

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// writeFiles writes files into a new directory and returns it.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const fileRule = `rule "%s" {
  template {
    source      = "templates/%s.tmpl"
    destination = "/etc/%s"
    vars        = { motd = file("motd.txt") }
  }
}
`

func rule(name string) string { return strings.ReplaceAll(fileRule, "%s", name) }

func TestLoad(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"rules/b.hcl":            rule("b"),
		"rules/a.hcl":            rule("a") + rule("a2"),
		"rules/c.hcl.json":       `{"//": "a comment", "rule": {"c": {"template": {"source": "nginx-upstream", "destination": "/etc/c"}, "check": {"command": ["true"]}, "reload": ["true", "${local.x}"]}}, "locals": {"x": "y"}}`,
		"rules/x.test.hcl":       "test \"t\" {\n members = [{ name = \"n\", addr = \"::1\", tags = { a = \"b\" } }]\n self = \"n\"\n event {\n name = \"e\"\n payload = \"p\"\n }\n expect \"a\" {\n runs = [[\"x\", \"y\"]]\n file \"/etc/a\" {\n equals = file(\"motd.txt\")\n }\n }\n}\n",
		"rules/.hidden.hcl":      "nonsense",
		"rules/README":           "nonsense",
		"rules/motd.txt":         "hello\n",
		"rules/templates/a.tmpl": "A {{.Rule}}\n", "rules/templates/a2.tmpl": "A2", "rules/templates/b.tmpl": "B",
	})
	rules := filepath.Join(dir, "rules")
	if err := os.Symlink("b.hcl", filepath.Join(rules, "link.txt")); err != nil {
		t.Fatal(err)
	}
	set, watch, problems := Load(rules, testKnown)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	var got []string
	for _, r := range set.Rules {
		got = append(got, r.Name+" "+filepath.Base(r.File))
	}
	if diff := cmp.Diff([]string{"a a.hcl", "a2 a.hcl", "b b.hcl", "c c.hcl.json"}, got); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	a := set.Rule("a").Templates[0]
	if a.Text != "A {{.Rule}}\n" || a.Source != filepath.Join(rules, "templates/a.tmpl") || a.Builtin() || a.File != a.Source || a.Line != 1 {
		t.Errorf("%+v", a)
	}
	if c := set.Rule("c").Templates[0]; !c.Builtin() || c.Source != "nginx-upstream" || c.Text != "" {
		t.Errorf("%+v", c)
	}
	if argv, err := set.Rule("c").ReloadArgv(); !cmp.Equal(argv, []string{"true", "y"}) || err != nil {
		t.Error(argv, err)
	}
	outs, _, err := set.Rule("a").Outputs(exampleInputs())
	if err != nil || outs[0].Vars["motd"] != "hello\n" {
		t.Error(outs, err)
	}
	var want []string
	for _, f := range []string{"", "a.hcl", "b.hcl", "c.hcl.json", "motd.txt", "templates/a.tmpl", "templates/a2.tmpl", "templates/b.tmpl", "x.test.hcl"} {
		want = append(want, filepath.Join(rules, f))
	}
	if diff := cmp.Diff(want, watch); diff != "" {
		t.Errorf("watch (-want +got):\n%s", diff)
	}
	test := set.Tests[0]
	if test.Members[0].Addr.String() != "::1" || test.Members[0].Status != "alive" || string(test.Event.Payload) != "p" ||
		!cmp.Equal(test.Expects[0].Runs, [][]string{{"x", "y"}}) || *test.Expects[0].Files[0].Equals != "hello\n" {
		t.Errorf("%+v", test)
	}
}

// TestLoadReadsSafely makes sure that nothing in the directory holds Load up
// or fills the memory, and that each is named.
func TestLoadReadsSafely(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"large.hcl":    strings.Repeat("#", 64<<10+1),
		"template.hcl": rule("a"),
		"good.hcl":     "rule \"x\" {\n}\n",
		"motd.txt":     "",
	})
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo.hcl"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "dir.hcl"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, "zero.hcl")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "gone.hcl")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "templates"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "templates/a.tmpl"), 0o644); err != nil {
		t.Fatal(err)
	}
	set, watch, problems := Load(dir, testKnown)
	if set != nil {
		t.Error("a set is returned")
	}
	got := strings.Split(strings.ReplaceAll(problems.Error(), dir, "DIR"), "\n")
	want := []string{
		"DIR/dir.hcl: cannot read DIR/dir.hcl: it is not a regular file",
		"DIR/fifo.hcl: cannot read DIR/fifo.hcl: it is not a regular file",
		"DIR/gone.hcl: cannot read DIR/gone.hcl: no such file or directory",
		`DIR/good.hcl:1:1: rule "x" does nothing`,
		"DIR/large.hcl: cannot read DIR/large.hcl: it is larger than 64 KiB",
		"DIR/template.hcl:3:19: cannot read DIR/templates/a.tmpl: it is not a regular file",
		"DIR/zero.hcl: cannot read DIR/zero.hcl: it is not a regular file",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if len(watch) != 10 { // the directory, seven files, the template, motd.txt
		t.Errorf("watch: %q", watch)
	}
	_, _, problems = Load(filepath.Join(dir, "none"), testKnown)
	if got, want := problems[0].Summary, "cannot read the rules directory: no such file or directory"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	_, _, problems = Load(filepath.Join(writeFiles(t, map[string]string{"a.hcl": ""}), "a.hcl"), testKnown)
	if got, want := problems[0].Detail, "name the directory that the file is in"; !strings.Contains(got, want) {
		t.Errorf("of a file: %q, want %q", got, want)
	}
}

func TestSkip(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"a.hcl": rule("a"), "b.hcl": rule("b"), "bad.hcl": "rule \"bad\" {\n", "motd.txt": "",
		"l.hcl": "locals { x = 1 }\n", "templates/a.tmpl": "", "templates/b.tmpl": "",
		"t.test.hcl": "test \"t\" {\n members = [{ name = \"n\" }]\n self = \"n\"\n expect \"bad\" {\n }\n}\n",
	})
	_, _, problems := Load(dir, testKnown)
	if diff := cmp.Diff([]string{filepath.Join(dir, "bad.hcl")}, problems.Files()); diff != "" {
		t.Fatalf("files (-want +got):\n%s", diff)
	}
	known := testKnown
	known.Skip = append(problems.Files(), filepath.Join(dir, "templates/a.tmpl"))
	set, _, problems := Load(dir, known)
	if len(problems) > 0 || len(set.Rules) != 1 || set.Rules[0].Name != "b" {
		t.Errorf("%v %+v", problems, set)
	}
}

func TestDefaults(t *testing.T) {
	r := mustLoad(t, "rule \"r\" {\n template {\n contents = <<-EOT\n   a\n    b\n EOT\n destination = \"/etc/x\"\n }\n}").Rules[0]
	if r.Wait != defaultWait || r.Guard != defaultGuard || r.Every != 0 || r.OnOrphan != OrphanReport || r.Check != nil || r.Reload != nil {
		t.Errorf("%+v", r)
	}
	tm := r.Templates[0]
	if tm.Perms != nil || tm.MaxOutput != 4<<20 || tm.Sensitive || tm.Text != "a\n b\n" || tm.Line != 4 || tm.File != "/rules/rules.hcl" {
		t.Errorf("%+v", tm)
	}
	if !r.InForce(member("a", "alive")) || !r.Renders() || r.Acts() {
		t.Error("the rule is not in force, or does not render")
	}
}

func TestValues(t *testing.T) {
	r := mustLoad(t, `
rule "r" {
  description = "what it is for"
  wait        = "0s"
  every       = "1m30s"
  on_orphan   = "remove"
  self {
    tags  = { role = "lb|edge" }
    name  = "a.*"
    where = self.tags.zone != null
  }
  guard {
    min_members = 0
    max_loss    = 0.25
    hold        = "0"
    grace       = "5s"
  }
  template {
    contents         = "x"
    destination      = "/etc/x"
    perms            = 0640
    user             = "www-data"
    group            = 33
    format           = "nginx"
    create_dest_dirs = true
    left_delimiter   = "[["
    right_delimiter  = "]]"
    sensitive        = true
    max_output       = "16MiB"
  }
}`).Rules[0]
	if r.Wait != (Wait{}) || r.Every.String() != "1m30s" || r.OnOrphan != OrphanRemove || r.Guard.MinMembers != 0 || r.Guard.MaxLoss != 0.25 || r.Guard.Hold != 0 || r.Guard.Grace.String() != "5s" {
		t.Errorf("%+v", r.Render)
	}
	tm := r.Templates[0]
	if tm.Perms.String() != "-rw-r-----" || tm.User != "www-data" || tm.Group != "33" || tm.Format != "nginx" || !tm.CreateDestDirs ||
		tm.LeftDelim != "[[" || tm.RightDelim != "]]" || !tm.Sensitive || tm.MaxOutput != 16<<20 {
		t.Errorf("%+v", tm)
	}
	if !r.InForce(member("a1", "alive", "role", "lb", "zone", "x")) || r.InForce(member("a1", "alive", "role", "lb")) || r.InForce(member("b1", "alive", "role", "lb", "zone", "x")) {
		t.Error("`self` is not what it says")
	}
	want := []Clause{
		{`name matches "a.*"`, `"b1"`, false},
		{`tags.role matches "lb|edge"`, "no such tag", false},
		{`where self.tags.zone != null`, "false", false},
	}
	if diff := cmp.Diff(want, r.SelfVerdict(member("b1", "alive"))); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	for text, want := range map[string]Wait{"2s": {2e9, 8e9}, "200ms : 2s": {2e8, 2e9}} {
		r := mustLoad(t, "rule \"r\" {\n wait = \""+text+"\"\n template {\n contents = \"x\"\n destination = \"/etc/x\"\n }\n}").Rules[0]
		if r.Wait != want {
			t.Errorf("%s: %v", text, r.Wait)
		}
	}
}

func TestVerdict(t *testing.T) {
	r := ruleWith(t, "tags = { role = \"web\", zone = \"eu-.*\" }\n name = \"web-.*\"\n where = tonumber(member.tags.weight) > 0", "")
	m := member("db\n1", "failed", "role", "db;", "weight", "much")
	want := []Clause{
		{"status in [alive]", "failed", false},
		{`name matches "web-.*"`, `"db\n1"`, false},
		{`tags.role matches "web"`, `"db;"`, false},
		{`tags.zone matches "eu-.*"`, "no such tag", false},
		{"where tonumber(member.tags.weight) > 0", "cannot be evaluated: invalid function argument: Invalid value for \"v\" parameter: cannot convert \"much\" to number; given string must be a decimal representation of a number", false},
	}
	if diff := cmp.Diff(want, r.Verdict(m, view(1, m))); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	good := member("web-1", "alive", "role", "web", "zone", "eu-a", "weight", "2")
	for _, c := range r.Verdict(good, view(1, good)) {
		if !c.OK {
			t.Errorf("%+v", c)
		}
	}
}

func TestFilter(t *testing.T) {
	web := member("web1", "alive", "role", "web", "zone", "eu-a")
	failed := member("web2", "failed", "role", "web")
	db := member("db1", "alive", "role", "db")
	for _, c := range []struct {
		filters []string
		want    string
	}{
		{nil, "web1 db1 "},
		{[]string{"role=web"}, "web1 "},
		{[]string{"role=web", "status=alive|failed"}, "web1 web2 "},
		{[]string{"role=web status=alive|failed"}, "web1 web2 "},
		{[]string{"status=.*"}, "web1 web2 db1 "},
		{[]string{"name=web.*"}, "web1 "},
		{[]string{"name=eb1"}, ""},
		{[]string{"zone="}, "db1 "},
		{[]string{"zone=eu-.", "role=w.*"}, "web1 "},
		{[]string{"role=a|db"}, "db1 "},
	} {
		f, err := ParseFilter(c.filters...)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, m := range []struct {
			name string
			ok   bool
		}{{"web1 ", f.Match(web)}, {"web2 ", f.Match(failed)}, {"db1 ", f.Match(db)}} {
			if m.ok {
				got += m.name
			}
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.filters, got, c.want)
		}
	}
	for filter, want := range map[string]string{
		"role":              `cannot read filter "role": write KEY=PATTERN, as in role=web`,
		"role=(":            "cannot read filter \"role=(\": missing closing ): `(`",
		"status=dead":       `cannot read filter "status=dead": no member has such a status`,
		"name=a name=b":     `cannot read filter "name=b": a second name; write name=A|B`,
		"status=. status=.": `cannot read filter "status=.": no member has such a status`,
	} {
		if _, err := ParseFilter(filter); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", filter, err, want)
		}
	}
}

func TestFmt(t *testing.T) {
	for _, c := range []struct{ name, src, want, problem string }{
		{"a.hcl", "rule \"a\" {\nwait=\"1s\"\n  every   = \"2s\"\n}\n", "rule \"a\" {\n  wait  = \"1s\"\n  every = \"2s\"\n}\n", ""},
		{"a.hcl", "rule {", "", "a.hcl:1:6: unclosed configuration block"},
		{"a.hcl", strings.Repeat("(", 200000), "", "a.hcl: a rule file has 64 KiB at most"},
		{"a.hcl", "x = " + strings.Repeat("(", 200), "", "a.hcl:1:105: nested more than 100 levels deep"},
		{"a.hcl.json", `{"b":1,"a":[2]}`, "{\n  \"b\": 1,\n  \"a\": [\n    2\n  ]\n}\n", ""},
		{"a.hcl.json", `{"b":}`, "", "a.hcl.json:1:6: missing JSON value"},
	} {
		got, problems := Fmt([]byte(c.src), c.name)
		message := ""
		if len(problems) > 0 {
			message = problems[0].Error()
		}
		if string(got) != c.want || message != c.problem {
			t.Errorf("%.30s: %q and %q", c.src, got, message)
		}
		if again, _ := Fmt(got, c.name); c.want != "" && !bytes.Equal(again, got) {
			t.Errorf("%.30s: not stable: %q", c.src, again)
		}
	}
}

func TestProblems(t *testing.T) {
	ps := Problems{
		{Severity: Error, File: "a.hcl", Line: 2, Column: 3, Rule: "web", Summary: "what", Detail: "how\nelse", Snippet: "  x = y\n  ^"},
		{Severity: Warning, Summary: "so"},
	}
	var b strings.Builder
	if err := ps.Print(&b, true); err != nil {
		t.Fatal(err)
	}
	want := "\x1b[1;31merror:\x1b[0m \x1b[1mwhat\x1b[0m\n  \x1b[2ma.hcl:2:3, rule \"web\"\x1b[0m\n  2 │   x = y\n    │ \x1b[1;31m  ^\x1b[0m\n  how\n  else\n\n\x1b[1;33mwarning:\x1b[0m \x1b[1mso\x1b[0m\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("print (-want +got):\n%s", diff)
	}
	text, err := json.Marshal(ps)
	if want := `[{"severity":"error","file":"a.hcl","line":2,"column":3,"rule":"web","summary":"what","detail":"how\nelse","snippet":"  x = y\n  ^"},{"severity":"warning","summary":"so"}]`; string(text) != want || err != nil {
		t.Errorf("%s %v", text, err)
	}
	if !ps.HasErrors() || ps[1:].HasErrors() {
		t.Error("a warning counts as an error, or an error does not")
	}
	if got, want := Snippet("a\tb \x1b[31m ü x", 4), "a  b �[31m ü x\n    ^"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
