package nodes

import (
	"testing"
	"time"

	"muster/load"
)

// The clocks of the others, by their answers.
func TestClocks(t *testing.T) {
	told := func(ahead time.Duration) func() string {
		return func() string {
			text, err := load.Load{CPUs: 1, MemTotal: 2, MemFree: 1}.Encode(time.Now().Add(ahead))
			if err != nil {
				return err.Error()
			}
			return string(text)
		}
	}
	u := newUniverse("a", "behind", "ahead", "old", "stock")
	u.answer["behind"], u.answer["ahead"] = told(-time.Hour), told(90*time.Second)
	u.answer["old"] = func() string { return `{"v":1,"cpus":1,"l1":0,"l5":0,"l15":0,"mt":2,"mf":1}` }
	u.answer["stock"] = nil
	within(t, u, nil, func(t *testing.T, b *Book) {
		r := b.Look(t.Context(), 10*time.Second)
		for name, want := range map[string]time.Duration{"a": 0, "behind": -time.Hour, "ahead": 90 * time.Second} {
			c := nodeOf(t, r, name).Clock
			if c == nil || (c.Offset-want).Abs() > c.Error || c.Error > 100*time.Millisecond {
				t.Errorf("the clock of %s is %+v", name, c)
			}
		}
		for _, name := range []string{"old", "stock"} {
			if c := nodeOf(t, r, name).Clock; c != nil {
				t.Errorf("the clock of %s is %+v", name, c)
			}
		}
	})
}
