package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestSetBaseTags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tags.json")
	c := Config{
		Name: "a", Bind: "127.0.0.1:0", TagsFile: file,
		Tags: map[string]string{"role": "web", "zone": "1", "gone": "x", "edited": "c", "same": "s", "dropped": "d"},
	}
	n, err := Join(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.SetTags(t.Context(), func(tags map[string]string) {
		tags["edited"], tags["runtime"] = "r", "yes"
		delete(tags, "dropped")
	}); err != nil {
		t.Fatal(err)
	}
	base := map[string]string{"role": "db", "zone": "1", "new": "n", "edited": "c2", "same": "s", "dropped": "d2", "runtime": "no"}
	kept, err := n.SetBaseTags(t.Context(), base)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"dropped", "edited", "runtime"}, kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	want := map[string]string{"role": "db", "zone": "1", "new": "n", "edited": "r", "same": "s", "runtime": "yes"}
	if diff := cmp.Diff(want, n.tags.now); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	// The file holds what differs from the new configuration, so that a later
	// change of it counts at the next start.
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), "role") || !strings.Contains(string(text), "edited") {
		t.Errorf("tags file: %s, %v", text, err)
	}
	if kept, err := n.SetBaseTags(t.Context(), base); err != nil || len(kept) > 0 {
		t.Errorf("the same again: %q, %v", kept, err)
	}
	_, err = n.SetBaseTags(t.Context(), map[string]string{"role": strings.Repeat("x", 600)})
	if err == nil || !strings.HasPrefix(err.Error(), "cannot set tags: encoded they take ") {
		t.Errorf("too long: %v", err)
	}
	if diff := cmp.Diff(want, n.tags.now); diff != "" {
		t.Errorf("tags after a refusal (-want +got):\n%s", diff)
	}
}

// Whatever the configurations and the run-time changes: a tag that was changed
// at run time stays, any other is as configured.
func TestRebase(t *testing.T) {
	tags := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "c"}), rapid.SampledFrom([]string{"", "1", "2"}))
	rapid.Check(t, func(t *rapid.T) {
		before, after, now := tags.Draw(t, "before"), tags.Draw(t, "after"), tags.Draw(t, "now")
		next, _ := rebase(before, after, now)
		for _, k := range []string{"a", "b", "c"} {
			want := after
			if value(before, k) != value(now, k) {
				want = now
			}
			if value(next, k) != value(want, k) {
				t.Fatalf("%s is %s, want %s", k, value(next, k), value(want, k))
			}
		}
	})
}

func value(tags map[string]string, k string) string {
	if v, ok := tags[k]; ok {
		return "=" + v
	}
	return "none"
}
