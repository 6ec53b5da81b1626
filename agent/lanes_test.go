package agent

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// compileText compiles one file of rules.
func compileText(t *testing.T, text string) *Program {
	t.Helper()
	h := &host{t: t, dir: t.TempDir()}
	h.mkdir("rules")
	h.write("rules/rules.hcl", text)
	p, _, problems := Compile(h.path("rules"))
	if p == nil {
		t.Fatal(problems)
	}
	return p
}

const laneRules = `
rule "one" {
  template {
    contents    = ""
    destination = "${DIR}/one"
  }
  check  = ["check"]
  reload = ["reload", "a"]
}
rule "alone" {
  template {
    contents    = ""
    destination = "${DIR}/alone"
  }
  check  = ["check", staged["${DIR}/alone"]]
  reload = ["reload", "c"]
}
rule "two" {
  template {
    contents    = ""
    destination = "${DIR}/two"
  }
  check  = ["check", staged["${DIR}/two"]]
  reload = ["reload", "b"]
}
rule "both" {
  template {
    contents    = ""
    destination = "${DIR}/both"
  }
  check  = ["check"]
  reload = ["reload", "b"]
}
`

func statesOf(p *Program) []*state {
	var states []*state
	for _, c := range p.rules {
		states = append(states, &state{rule: c, selection: c.NewSelection()})
	}
	return states
}

func TestRulesThatShareACommandShareALane(t *testing.T) {
	var got [][]string
	for _, l := range lanes(statesOf(compileText(t, laneRules))) {
		var names []string
		for _, s := range l.rules {
			names = append(names, s.rule.Name)
		}
		slices.Sort(names)
		got = append(got, names)
	}
	slices.SortFunc(got, func(a, b []string) int { return slices.Compare(a, b) })
	if diff := cmp.Diff([][]string{{"alone"}, {"both", "one", "two"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestABusyLaneWakesNobody(t *testing.T) {
	states := statesOf(compileText(t, laneRules))
	l := &loop{states: states, lanes: lanes(states), busy: map[string]bool{}, view: cluster.View{Settled: true}}
	now := time.Now()
	for _, s := range states {
		if s.rule.Name != "alone" {
			s.hurry("test", now)
		}
	}
	if next := l.next(); next.IsZero() || next.After(now) {
		t.Errorf("rules are due, but the loop sleeps until %v", next)
	}
	// A pass of rule one is under way: two and both wait for its end, not
	// for a time.
	l.busy["rule\x00one"] = true
	if next := l.next(); !next.IsZero() {
		t.Errorf("the loop would wake at %v for rules that have to wait", next)
	}
}
