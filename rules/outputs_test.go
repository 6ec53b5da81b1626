package rules

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"muster/cluster"
)

// templateRule returns a rule with one template of the given attributes.
func templateRule(t *testing.T, attributes string) *Rule {
	t.Helper()
	return mustLoad(t, "locals { dir = \"/etc\" }\nrule \"r\" {\n template {\n contents = \"x\"\n"+attributes+"\n }\n}\n").Rules[0]
}

var ignoreTemplate = cmp.Options{cmpopts.IgnoreFields(Output{}, "Template"), cmpopts.IgnoreFields(Refused{}, "Template"), compareAddrs}

func TestOutputs(t *testing.T) {
	in := exampleInputs()
	a, b, c := in.Members[0], in.Members[1], in.Members[2]
	web, db := []cluster.Member{a, c}, []cluster.Member{b}
	for _, tc := range []struct {
		name, attributes string
		want             []Output
	}{
		{"constant", `destination = "${local.dir}/x"
		 vars = { port = 80 }`,
			[]Output{{Destination: "/etc/x", Vars: map[string]any{"port": int64(80)}}}},
		{"self", `destination = "/etc/${self.name}.conf"`,
			[]Output{{Destination: "/etc/a.conf", DependsOnView: true}}},
		{"vars of self", `destination = "/etc/x"
		 vars = { me = self.name }`,
			[]Output{{Destination: "/etc/x", Vars: map[string]any{"me": "a"}, DependsOnView: true}}},
		{"no vars", `destination = "/etc/x"
		 vars = null`,
			[]Output{{Destination: "/etc/x"}}},
		{"group_by", `destination = "/etc/${each.key}.conf"
		 for_each = group_by(members, "role")
		 vars = { n = length(each.value) }`,
			[]Output{
				{Destination: "/etc/db.conf", Vars: map[string]any{"n": int64(1)}, Each: &Each{"db", db, db}},
				{Destination: "/etc/web.conf", Vars: map[string]any{"n": int64(2)}, Each: &Each{"web", web, web}},
			}},
		{"lists of members, one of them empty", `destination = "/etc/${each.key}"
		 for_each = { for r in ["web", "mail"] : r => [for m in members : m if m.tags.role == r] }`,
			[]Output{
				{Destination: "/etc/mail", Each: &Each{"mail", []cluster.Member{}, []cluster.Member{}}},
				{Destination: "/etc/web", Each: &Each{"web", web, web}},
			}},
		{"lists of no members", `destination = "/etc/${each.key}"
		 for_each = { for r in ["mail"] : r => [for m in members : m if m.tags.role == r] }`,
			[]Output{{Destination: "/etc/mail", Each: &Each{"mail", []cluster.Member{}, []cluster.Member{}}}}},
		{"lists of strings, one of them empty", `destination = "/etc/${each.key}"
		 for_each = { a = [], b = [members[0].name] }`,
			[]Output{
				{Destination: "/etc/a", Each: &Each{"a", []any{}, nil}},
				{Destination: "/etc/b", Each: &Each{"b", []any{"a"}, nil}},
			}},
		{"empty lists", `destination = "/etc/${each.key}"
		 for_each = { a = [] }`,
			[]Output{{Destination: "/etc/a", Each: &Each{"a", []any{}, nil}}}},
		{"map", `destination = "/etc/${each.key}-${each.value}"
		 for_each = { b = 1, a = 2 }`,
			[]Output{
				{Destination: "/etc/a-2", Each: &Each{"a", int64(2), nil}},
				{Destination: "/etc/b-1", Each: &Each{"b", int64(1), nil}},
			}},
		{"list of strings", `destination = "/etc/${each.value}"
		 for_each = ["b", "a", "b"]`,
			[]Output{
				{Destination: "/etc/a", Each: &Each{"a", "a", nil}},
				{Destination: "/etc/b", Each: &Each{"b", "b", nil}},
			}},
		{"set", `destination = "/etc/${each.key}"
		 for_each = toset(members[*].tags.role)`,
			[]Output{
				{Destination: "/etc/db", Each: &Each{"db", "db", nil}},
				{Destination: "/etc/web", Each: &Each{"web", "web", nil}},
			}},
		{"members", `destination = "/etc/${each.key}-${each.value.tags.role}"
		 for_each = members`,
			[]Output{
				{Destination: "/etc/a-web", Each: &Each{"a", a, nil}},
				{Destination: "/etc/b-db", Each: &Each{"b", b, nil}},
				{Destination: "/etc/c-web", Each: &Each{"c", c, nil}},
			}},
		{"nothing", `destination = "/etc/${each.key}"
		 for_each = {}`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, refused, err := templateRule(t, tc.attributes).Outputs(in)
			if err != nil || len(refused) > 0 {
				t.Fatal(err, refused)
			}
			if diff := cmp.Diff(tc.want, got, ignoreTemplate); diff != "" {
				t.Errorf("outputs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTagsAreNoPaths is invariant 7: what a member says chooses a file, never
// a directory.
func TestTagsAreNoPaths(t *testing.T) {
	r := templateRule(t, `destination = "/etc/${each.key}/${each.key}.conf"
	 for_each = group_by(members, "role")`)
	long := strings.Repeat("x", 201)
	var ms []cluster.Member
	for i, role := range []string{"web", "../../root", "a/b", "..", ".hidden", "a..b", "new\nline", "nul\x00", "bad\xffutf8", "-rf", `back\slash`, "\u202egnp", long} {
		ms = append(ms, member(fmt.Sprintf("m%02d", i), cluster.Alive, "role", role))
	}
	v := view(1, ms...)
	outs, refused, err := r.Outputs(Inputs{View: v, Members: v.Members})
	if err != nil {
		t.Fatal(err)
	}
	if len(outs) != 1 || outs[0].Destination != "/etc/web/web.conf" {
		t.Errorf("outputs: %+v", outs)
	}
	want := []Refused{
		{Key: "-rf", Reason: `"-rf" begins with a hyphen`},
		{Key: "..", Reason: `".." begins with a dot or holds two`},
		{Key: "../../root", Reason: `"../../root" holds a slash`},
		{Key: ".hidden", Reason: `".hidden" begins with a dot or holds two`},
		{Key: "a..b", Reason: `"a..b" begins with a dot or holds two`},
		{Key: "a/b", Reason: `"a/b" holds a slash`},
		{Key: `back\slash`, Reason: `"back\\slash" holds characters that do not belong in a file's name`},
		{Key: "bad\xffutf8", Reason: `"bad\xffutf8" holds characters that do not belong in a file's name`},
		{Key: "new\nline", Reason: `"new\nline" holds characters that do not belong in a file's name`},
		{Key: "nul\x00", Reason: `"nul\x00" holds characters that do not belong in a file's name`},
		{Key: long, Reason: `"` + long[:120] + `"… is longer than 200 bytes`},
		{Key: "\u202egnp", Reason: `"\u202egnp" holds characters that do not belong in a file's name`},
	}
	if diff := cmp.Diff(want, refused, ignoreTemplate); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
}

// Every value of the templates' injection matrix, as a key: it chooses a file of
// its own in the rule's directory, or none.
func TestMatrixOfPaths(t *testing.T) {
	r := templateRule(t, `destination = "/etc/muster/web-${each.key}.conf"
	 for_each = group_by(members, "role")`)
	text, err := os.ReadFile("../templates/testdata/hostile.values")
	if err != nil {
		t.Fatal(err)
	}
	var ms []cluster.Member
	for line := range strings.Lines(string(text)) {
		if role, err := strconv.Unquote(strings.TrimSpace(line)); err == nil && role != "" {
			ms = append(ms, member(fmt.Sprintf("m%03d", len(ms)), cluster.Alive, "role", role))
		}
	}
	v := view(1, ms...)
	outs, refused, err := r.Outputs(Inputs{View: v, Members: v.Members})
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]bool{}
	for _, o := range outs {
		files[o.Destination] = true
		if name, ok := strings.CutPrefix(o.Destination, "/etc/muster/web-"); !ok || strings.Contains(name, "/") || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is written", o.Destination)
		}
	}
	for _, f := range refused {
		if strings.ContainsFunc(f.Reason, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("a reason that is not fit to be shown: %q", f.Reason)
		}
	}
	// é and e with an accent after it are one key: HCL's texts are composed (NFC).
	if len(files) != len(outs) || len(outs)+len(refused) != len(ms)-1 || len(outs) < 60 || len(refused) < 30 {
		t.Errorf("%d members, %d outputs, %d files, %d refused", len(ms), len(outs), len(files), len(refused))
	}
}

func TestOutputErrors(t *testing.T) {
	a := member("a", cluster.Alive, "role", "../x", "n", "x")
	b := member("b", cluster.Alive, "role", "Web")
	c := member("c", cluster.Alive, "role", "web")
	in := Inputs{View: view(1, a, b, c), Members: []cluster.Member{b, c}}
	for _, tc := range []struct{ name, attributes, want string }{
		{"two keys, one file", `destination = "/etc/${lower(each.key)}"
		 for_each = group_by(members, "role")`,
			`two files would be "/etc/web": key "Web" of the template at /rules/rules.hcl:3 and key "web" of the template at /rules/rules.hcl:3`},
		{"a destination without for_each", `destination = "/etc/${self.tags.role}"`,
			`cannot evaluate template at /rules/rules.hcl:3: destination: "../x" holds a slash`},
		{"a null tag in a destination", `destination = "/etc/${self.tags.nothing}"`,
			`cannot evaluate template at /rules/rules.hcl:3: destination: a part of the destination is not a string`},
		{"vars", `destination = "/etc/x"
		 vars = { n = tonumber(self.tags.n) }`,
			`cannot evaluate template at /rules/rules.hcl:3: vars: invalid function argument: Invalid value for "v" parameter: cannot convert "x" to number; given string must be a decimal representation of a number`},
		{"for_each", `destination = "/etc/${each.key}"
		 for_each = length(members) > 1 ? null : { a = "x" }`,
			`cannot evaluate template at /rules/rules.hcl:3: for_each: it is null`},
		{"vars that are none", `destination = "/etc/x"
		 vars = jsondecode("[\"${self.name}\"]")`,
			`cannot evaluate template at /rules/rules.hcl:3: vars: must be an object, not a list`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := templateRule(t, tc.attributes).Outputs(in)
			if err == nil || err.Error() != tc.want {
				t.Errorf("error %v\nwant  %s", err, tc.want)
			}
		})
	}
}

// TestSelectedMembersOnly makes sure that a rule that selected nobody does
// not see everybody.
func TestSelectedMembersOnly(t *testing.T) {
	in := exampleInputs()
	in.Members = nil
	outs, _, err := templateRule(t, `destination = "/etc/x"
	 vars = { n = length(members), ms = members }`).Outputs(in)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"n": int64(0), "ms": []cluster.Member{}}, outs[0].Vars); diff != "" {
		t.Errorf("vars (-want +got):\n%s", diff)
	}
}

func TestDestinationHint(t *testing.T) {
	for destination, want := range map[string]string{
		`"/etc/x.conf"`: "/etc/x.conf",
		"\"/etc/${each.key}.json\"\n for_each = members":         "/etc/x.json",
		"\"/etc/${each.key}\"\n for_each = members":              "/etc/x",
		"\"${local.dir}/${each.key}.yaml\"\n for_each = members": "/etc/x.yaml",
	} {
		if got := templateRule(t, "destination = "+destination).Templates[0].DestinationHint(); got != want {
			t.Errorf("%s: %q, want %q", destination, got, want)
		}
	}
}

// TestConcurrentUse evaluates one rule from several goroutines, for the race
// detector.
func TestConcurrentUse(t *testing.T) {
	r := mustLoad(t, `
rule "r" {
  members { where = contains(members[*].tags.role, member.tags.role) && tonumber(member.tags.weight) > 1 }
  template {
    contents    = "x"
    destination = "/etc/${each.key}"
    for_each    = group_by(members, "role")
    vars        = { names = join(",", each.value[*].name) }
  }
}`).Rules[0]
	in := exampleInputs()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				s := r.NewSelection()
				s.Update(in.View.At, in.View, nil)
				outs, _, err := r.Outputs(Inputs{View: in.View, Members: s.Members()})
				if err != nil || len(outs) != 1 || outs[0].Vars["names"] != "a" {
					t.Error(outs, err)
				}
				r.Verdict(in.Members[2], in.View)
			}
		})
	}
	wg.Wait()
}
