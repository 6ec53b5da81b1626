package logs

import "time"

// A Budget bounds the lines of a log that others cause, who could cause as many
// as they like. It is not safe for concurrent use.
type Budget struct {
	Lines  int           // in a window
	Window time.Duration // from the first line on

	began  time.Time
	spent  int // lines in this window
	missed int // lines of it that did not pass
}

// Spend reports whether a line may pass, and how many did not in the window that
// has ended just now.
func (b *Budget) Spend(now time.Time) (pass bool, missed int) {
	if age := now.Sub(b.began); age >= b.Window || age < 0 {
		missed = b.missed
		b.began, b.spent, b.missed = now, 0, 0
	}
	if b.spent >= b.Lines {
		b.missed++
		return false, missed
	}
	b.spent++
	return true, missed
}
