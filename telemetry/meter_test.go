package telemetry

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	metrics "github.com/hashicorp/go-metrics"

	"muster/exposition"
)

// families are what a meter tells, as text.
func families(t *testing.T, m *Meter) string {
	t.Helper()
	var out strings.Builder
	if err := exposition.Write(&out, m.Families()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// What is measured is told, by the names that are kept and no other.
func TestMeter(t *testing.T) {
	m := NewMeter()
	stop := start(t, Config{Meter: m})
	before := families(t, m)
	if !strings.Contains(before, "\nserf_events_total 0\n") || strings.Contains(before, "memberlist_health_score") {
		t.Errorf("before anything was measured: %s", before)
	}
	measure()
	metrics.AddSample([]string{"memberlist", "probeNode"}, 500)
	metrics.AddSample([]string{"memberlist", "probeNode"}, 250)
	metrics.SetGauge([]string{"memberlist", "health", "score"}, 2)
	metrics.SetGauge([]string{"memberlist", "size", "local"}, 0x83a44e6f)
	stop()
	got := families(t, m)
	for _, line := range []string{
		"serf_events_total 1", "serf_queries_total 1", "memberlist_health_score 2", "serf_queued_events_sum 2", "serf_queued_events_count 1",
		"memberlist_probe_duration_seconds_sum 0.75", "memberlist_probe_duration_seconds_count 2",
	} {
		if !strings.Contains(got, "\n"+line+"\n") {
			t.Errorf("no line %q", line)
		}
	}
	if strings.Contains(got, "local_state") {
		t.Errorf("what is no size is told as one:\n%s", got)
	}
	if strings.Contains(got, "evil") || strings.Count(got, "\n") > 5*len(kept) {
		t.Errorf("names from the network are in it, or too much is:\n%s", got)
	}
	if t.Failed() {
		t.Log(got)
	}
}

// Measuring costs next to nothing, whatever is measured.
func TestMeterDoesNotAllocate(t *testing.T) {
	m := NewMeter()
	keys := [][]string{{service, "serf", "events"}, {service, "host.example.org", "memberlist", "health", "score"}, {service, strings.Repeat("x", 1000)}, {}}
	if n := testing.AllocsPerRun(100, func() {
		for _, key := range keys {
			m.IncrCounterWithLabels(key, 1, nil)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// unkept are the names that are left out on purpose.
var unkept = map[string]string{
	"memberlist.node.instances": "members by their state, which muster_members tells",
	"memberlist.size.local":     "it is no size: bytes 1 to 4 of the message as it is before it is encrypted",
	"serf.events.NAME":          "the name comes from the network",
	"serf.queries.NAME":         "the name comes from the network",
}

// Every name that the two libraries measure is kept, or left out on purpose: a
// new version may bring others.
func TestAllNamesAreKnown(t *testing.T) {
	known := map[string]bool{}
	for key := range unkept {
		known[key] = false
	}
	for _, q := range kept {
		known[q.key] = false
	}
	call := regexp.MustCompile(`metrics\.(?:IncrCounter|AddSample|SetGauge|MeasureSince)(?:WithLabels)?\(\[\]string\{([^}]*)\}`)
	for _, module := range []string{"github.com/hashicorp/serf", "github.com/hashicorp/memberlist"} {
		dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		if err != nil {
			t.Fatal(err)
		}
		root := strings.TrimSpace(string(dir))
		err = filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/cmd/") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range call.FindAllStringSubmatch(string(text), -1) {
				for _, key := range spelt(m[1]) {
					if _, ok := known[key]; !ok {
						t.Errorf("%s measures %s, which is neither kept nor left out", path, key)
					}
					known[key] = true
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for key, used := range known {
		if !used {
			t.Errorf("nobody measures %s", key)
		}
	}
}

// spelt are the names that the parts of a call stand for.
func spelt(parts string) []string {
	names := []string{""}
	for _, part := range strings.Split(parts, ",") {
		values := []string{strings.Trim(strings.TrimSpace(part), `"`)}
		switch values[0] {
		case "name":
			values = []string{"Intent", "Event", "Query"}
		case "member.Status.String()":
			values = []string{"left", "failed"}
		case "eventMsg.Name", "query.Name":
			values = []string{"NAME"}
		}
		var longer []string
		for _, name := range names {
			for _, v := range values {
				longer = append(longer, strings.TrimPrefix(fmt.Sprintf("%s.%s", name, v), "."))
			}
		}
		names = longer
	}
	return names
}
