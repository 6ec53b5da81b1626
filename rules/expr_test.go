package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// evalVars evaluates an expression as the one entry of a template's vars.
func evalVars(t *testing.T, expression string, in Inputs) (any, error) {
	t.Helper()
	set := mustLoad(t, fmt.Sprintf(`
rule "r" {
  template {
    contents    = "x"
    destination = "/etc/x"
    vars        = { x = %s }
  }
}`, expression))
	outs, _, err := set.Rules[0].Outputs(in)
	if err != nil {
		return nil, err
	}
	return outs[0].Vars["x"], nil
}

func exampleInputs() Inputs {
	a := member("a", cluster.Alive, "role", "web", "weight", "3", "items", "x,y, z")
	b := member("b", cluster.Alive, "role", "db")
	c := member("c", cluster.Alive, "role", "web", "weight", "heavy")
	v := view(1, a, b, c)
	return Inputs{View: v, Members: v.Members}
}

func TestExpressions(t *testing.T) {
	in := exampleInputs()
	for _, c := range []struct {
		text string
		want any
	}{
		{`"a"`, "a"},
		{`1`, int64(1)},
		{`1.5`, 1.5},
		{`true`, true},
		{`null`, nil},
		{`["a", 1, null]`, []any{"a", int64(1), nil}},
		{`{ a = { b = "c" } }`, map[string]any{"a": map[string]any{"b": "c"}}},
		// a tag that a member lacks is null
		{`self.tags.nothing`, nil},
		{`self.tags.nothing == null`, true},
		{`self.tags["nothing"] == null`, true},
		{`self["tags"]["nothing"] == null`, true},
		{`self.tags[lower("NOTHING")] == null`, true},
		{`self.tags[lower("ROLE")]`, "web"},
		{`members[1].tags.weight == null`, true},
		{`members[*].tags.weight`, []any{"3", nil, "heavy"}},
		{`[for m in members : m.tags.weight]`, []any{"3", nil, "heavy"}},
		{`[for m in members : m.name if m.tags.weight == null]`, []any{"b"}},
		{`can(tonumber(members[2].tags.weight))`, false},
		{`try(tonumber(members[2].tags.weight), 7)`, int64(7)},
		{`coalesce(members[1].tags.weight, "1")`, "1"},
		{`lookup(self.tags, "nothing", "else")`, "else"},
		{`contains(keys(self.tags), "nothing")`, false},
		// members
		{`self.name`, "a"},
		{`self.addr`, nil},
		{`self.port`, int64(7946)},
		{`self.status`, "alive"},
		{`self.tags`, map[string]any{"role": "web", "weight": "3", "items": "x,y, z"}},
		{`self == members[0]`, true},
		{`self == members[1]`, false},
		{`length(members)`, int64(3)},
		{`members`, in.Members},
		{`members[1]`, in.Members[1]},
		{`[for m in members : m if m.tags.role == "web"]`, []cluster.Member{in.Members[0], in.Members[2]}},
		{`{ first = members[0] }`, map[string]any{"first": in.Members[0]}},
		{`group_by(members, "role")`, map[string]any{"db": in.Members[1:2], "web": []cluster.Member{in.Members[0], in.Members[2]}}},
		{`group_by(members, "nothing")`, map[string]any{}},
		{`keys(group_by(members, "role"))`, []any{"db", "web"}},
		{`jsonencode(members[1])`, `{"addr":null,"name":"b","port":7946,"status":"alive","tags":{"role":"db"}}`},
		{`jsonencode(group_by([], "role"))`, `{}`},
		{`jsonencode([for m in members : m if false])`, `[]`},
		{`merge(self.tags, { more = "x" })`, map[string]any{"role": "web", "weight": "3", "items": "x,y, z", "more": "x"}},
		{`sort(members[*].name)`, []any{"a", "b", "c"}},
		{`reverse(members)`, []cluster.Member{in.Members[2], in.Members[1], in.Members[0]}},
		{`concat(members, members)`, append(in.Members[:3:3], in.Members...)},
		{`has_tag_item(self.tags.items, "z")`, true},
		{`has_tag_item(self.tags.items, "q")`, false},
		{`has_tag_item(self.tags.nothing, "q")`, false},
		// functions
		{`upper("a")`, "A"},
		{`join("-", ["a", "b"])`, "a-b"},
		{`split(",", "a,b")`, []any{"a", "b"}},
		{`replace("aba", "a", "x")`, "xbx"},
		{`regexreplace("a1b2", "[0-9]", "-")`, "a-b-"},
		{`format("%03d-%s", 7, "x")`, "007-x"},
		{`formatlist("%s.lan", members[*].name)`, []any{"a.lan", "b.lan", "c.lan"}},
		{`length("héllo")`, int64(5)},
		{`tonumber("12") + 1`, int64(13)},
		{`tolist(toset(["b", "a", "b"]))`, []any{"a", "b"}},
		{`jsondecode("{\"a\": [1, 2]}").a[1]`, int64(2)},
		{`format("%q", "1e99999")`, `"1e99999"`},
		{`flatten([["a"], ["b", ["c"]]])`, []any{"a", "b", "c"}},
		{`max(1, 7, 3)`, int64(7)},
	} {
		got, err := evalVars(t, c.text, in)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if diff := cmp.Diff(c.want, got, compareAddrs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
	}
}

// TestHostileNumbers makes sure that a tag cannot keep the agent busy: to
// print 1e600000000 takes hours.
func TestHostileNumbers(t *testing.T) {
	for _, tag := range []string{"1e600000000", "1E+600000000", "-1e-600000000", ".5e99999", strings.Repeat("9", 2000)} {
		a := member("a", cluster.Alive, "n", tag)
		in := Inputs{View: view(1, a), Members: []cluster.Member{a}}
		for _, text := range []string{
			`"${self.tags.n * 2}"`,
			`"${-self.tags.n}"`,
			`tostring(tonumber(self.tags.n))`,
			`"${max(self.tags.n, 1)}"`,
			`format("%d", self.tags.n)`,
			`format("%.3f", self.tags.n)`,
			`formatlist("%d", [self.tags.n])`,
			`"${jsondecode("[${self.tags.n}]")[0]}"`,
			`range(self.tags.n)`,
			`members[self.tags.n].name`,
			`"${members[0].tags["n"] + 0}"`,
		} {
			if got, err := evalVars(t, text, in); err == nil {
				t.Errorf("%s of %.20s is %v", text, tag, got)
			}
		}
	}
	for _, text := range []string{"1e400", "1e-400", "12345e67x", "deadbeef", "e5", "7e", strings.Repeat("a", 2000), ""} {
		if tooBig(text) {
			t.Errorf("%q is refused", text)
		}
	}
}

func TestMistakesAboutMembersInLists(t *testing.T) {
	for expression, want := range map[string]string{
		`[for m in members : m.nmae]`: "a member has no attribute `nmae`; did you mean `name`?",
		`members[*].role`:             "a member has no attribute `role`",
		`{ for k, ms in group_by(members, "role") : k => ms }.x.y.z`: "",
	} {
		_, _, problems := loadText(fmt.Sprintf("rule \"r\" {\n template {\n contents = \"x\"\n destination = \"/x\"\n vars = { x = %s }\n }\n}", expression))
		got := ""
		if len(problems) > 0 {
			got = problems[0].Summary
		}
		if got != want {
			t.Errorf("%s: %q, want %q", expression, got, want)
		}
	}
}

// TestHoist makes sure that what is worked out once for a view is right for
// each member, and anew for the next view.
func TestHoist(t *testing.T) {
	for where, want := range map[string][2]string{
		`member.name == sort(members[*].name)[0]`:                                                   {"a", "b"},
		`member.name == sort([for m in members : m.name if m.tags.role == "web"])[0]`:               {"a", "c"},
		`contains([for m in members : m.name if m.tags.role == member.tags.role], "a")`:             {"ac", ""},
		`length([for m in members : m]) > 2 ? true : member.name == "c"`:                            {"abc", "c"},
		`length([for members in [1, 2] : members if members > 1]) == 1`:                             {"abc", "bc"},
		`[for m in members : [for n in members : n.name if n.name == m.name][0]][0] == member.name`: {"a", "b"},
		`tonumber(member.tags.weight) == max([for m in members : try(m.tags.weight + 0, 0)]...)`:    {"a", ""},
	} {
		r := ruleWith(t, "where = "+where, "")
		in := exampleInputs()
		s := r.NewSelection()
		s.Update(in.View.At, in.View, nil)
		first := names(s.Members())
		next := view(1, in.Members[1], in.Members[2])
		s.Update(in.View.At, next, next.Diff(in.View))
		if got := [2]string{first, names(s.Members())}; got != want {
			t.Errorf("%s: %q, want %q", where, got, want)
		}
	}
}
