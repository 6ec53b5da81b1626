package logs

import (
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	b := Budget{Lines: 2, Window: time.Minute}
	for i, c := range []struct {
		after  time.Duration
		pass   bool
		missed int
	}{
		{0, true, 0}, {time.Second, true, 0}, {time.Second, false, 0}, {57 * time.Second, false, 0},
		{time.Second, true, 2}, {0, true, 0}, {0, false, 0},
		{-time.Hour, true, 1}, // the clock was set back
		{time.Hour, true, 0},
	} {
		now = now.Add(c.after)
		if pass, missed := b.Spend(now); pass != c.pass || missed != c.missed {
			t.Errorf("line %d: passes %t, %d missed; want %t, %d", i, pass, missed, c.pass, c.missed)
		}
	}
}
