package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/cluster"
)

// FuzzLoad makes sure that no text in a rule file brings Load down or keeps it
// busy, and that what loads can be used.
func FuzzLoad(f *testing.F) {
	f.Add("rules.hcl", languageExamples)
	paths, _ := filepath.Glob("testdata/mistakes/*.txt")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for c := range strings.SplitSeq(string(text), "\n### ") {
			head, _, _ := strings.Cut(c, "\n--- want")
			_, rules, _ := strings.Cut(head, "\n")
			f.Add("rules.hcl", rules)
		}
	}
	f.Add("rules.hcl.json", `{"rule": {"w": {"template": [{"contents": "${upper(self.name)}", "destination": "/etc/x"}], "check": ["x", "${staged[\"/etc/x\"]}"]}}}`)
	f.Add("x.test.hcl", "test \"x\" {\n members = [{ name = \"n\" }]\n self = \"n\"\n expect \"w\" {\n }\n}\n")
	f.Add("rules.hcl", "locals {\n a = \"${\"${\"x\"}\"}\"\n b = [for i in range(9): \"%{if i > 2}y%{endif}\"]\n}")
	f.Fuzz(func(t *testing.T, name, text string) {
		if len(text) > maxRuleFile || name != "rules.hcl" && name != "rules.hcl.json" && name != "x.test.hcl" {
			return
		}
		set, _, problems := loadFiles(map[string]string{name: text})
		if (set == nil) != problems.HasErrors() {
			t.Errorf("a set (%v) and problems: %v", set != nil, problems)
		}
		for _, p := range problems {
			if p.Summary == "" || strings.ContainsAny(p.Snippet, "\x1b\x00\r") {
				t.Errorf("%+v", p)
			}
		}
		if set != nil {
			useSet(set)
		}
		if formatted, problems := Fmt([]byte(text), name); !problems.HasErrors() {
			if _, problems = Fmt(formatted, name); problems.HasErrors() {
				t.Errorf("what Fmt writes does not parse: %v", problems)
			}
		}
	})
}

// useSet calls what an agent calls.
func useSet(set *Set) {
	in := Inputs{View: view(1, manyMembers(20)...)}
	for _, r := range set.Rules {
		s := r.NewSelection()
		s.Update(time.Unix(1, 0), in.View, nil)
		in.Members = s.Members()
		r.InForce(in.View.Members[0])
		r.Verdict(in.View.Members[0], in.View)
		outs, _, _ := r.Outputs(in)
		staged := map[string]string{}
		for _, o := range outs {
			staged[o.Destination] = "/tmp/x"
		}
		r.CheckArgv(staged, "/tmp/w")
		r.CheckWrapper(staged)
		r.VerifyArgv()
		r.ReloadArgv()
		o := Occasion{Inputs: in, Event: cluster.Event{Type: cluster.EventUser, Name: "x", Payload: []byte("1e99999999")}, Run: &RunResult{}}
		r.Wanted(o)
		for _, step := range r.Steps {
			switch {
			case step.Run != nil:
				step.Run.Argv(o)
				step.Run.Options(o)
			case step.Send != nil:
				step.Send.Event(o)
			case step.Respond.Command != nil:
				step.Respond.Command.Argv(o)
			default:
				step.Respond.Text(o)
			}
		}
	}
}
