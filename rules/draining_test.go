package rules

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// Members that drain are left out, unless the rule wants them.
func TestDraining(t *testing.T) {
	set := mustLoad(t, `
rule "plain" {
  template {
    contents = ""
    destination = "/tmp/plain"
  }
}
rule "exclude" {
  members { draining = "exclude" }
  template {
    contents = ""
    destination = "/tmp/exclude"
  }
}
rule "include" {
  members { draining = "include" }
  template {
    contents = ""
    destination = "/tmp/include"
  }
}
rule "acts" {
  on = ["user:deploy"]
  run { command = ["true"] }
}
`)
	drains := cluster.Member{Name: "web1", Status: cluster.Alive, Tags: map[string]string{cluster.DrainTag: "1"}}
	undrained := cluster.Member{Name: "web2", Status: cluster.Alive, Tags: map[string]string{cluster.DrainTag: ""}}
	v := cluster.View{Self: "lb", Members: []cluster.Member{drains, undrained}, Settled: true}
	for name, want := range map[string]bool{"plain": false, "exclude": false, "include": true, "acts": true} {
		rule := set.Rule(name)
		if rule.Matches(drains, v) != want || !rule.Matches(undrained, v) {
			t.Errorf("%s: drains %v, undrained %v", name, rule.Matches(drains, v), rule.Matches(undrained, v))
		}
	}
	want := []Clause{{"status in [alive]", "alive", true}, {`draining = "exclude"`, "draining", false}}
	if diff := cmp.Diff(want, set.Rule("plain").Verdict(drains, v)); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}
	want = []Clause{{"status in [alive]", "alive", true}, {`draining = "include"`, "draining", true}}
	if diff := cmp.Diff(want, set.Rule("include").Verdict(drains, v)); diff != "" {
		t.Errorf("verdict (-want +got):\n%s", diff)
	}

	// Grace is for members that failed, not for those that drain meanwhile.
	selection := set.Rule("plain").NewSelection()
	up := drains
	up.Tags = nil
	before := cluster.View{Self: "lb", Members: []cluster.Member{up}, Settled: true}
	selection.Update(time.Now(), before, nil)
	after := cluster.View{Self: "lb", Members: []cluster.Member{drains}, Settled: true}
	if changed, _ := selection.Update(time.Now(), after, after.Diff(before)); !changed || len(selection.Members()) != 0 {
		t.Errorf("changed %v, selected %v", changed, selection.Members())
	}

	for text, want := range map[string]bool{"": false, "status=alive": false, "muster-drain=1": true, "muster-drain=.*": true} {
		f, err := ParseFilter(text)
		if err != nil || f.Match(drains) != want {
			t.Errorf("filter %q: %v, %v", text, f.Match(drains), err)
		}
	}
}
