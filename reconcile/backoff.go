package reconcile

import "time"

const (
	backoffFirst = time.Second
	backoffMost  = 5 * time.Minute
)

// A backoff keeps what failed from being tried again too soon. Anything that
// changed may be tried at once.
type backoff struct {
	print string
	delay time.Duration
	next  time.Time
	state State
	err   error
}

func (b *backoff) blocks(print string, now time.Time) bool {
	// a clock that was set back must not make it wait for longer
	return b.err != nil && b.print == print && now.Before(b.next) && b.next.Sub(now) <= b.delay
}

// fail notes a failure. The wait counts from the attempt's end: one that takes
// long, as a reload whose workers do not come, would be followed by the next.
func (b *backoff) fail(print string, began, ended time.Time, state State, err error) {
	delay := backoffFirst
	switch {
	case b.blocks(print, began): // looked at on the way, for another reason
		b.state, b.err = state, err
		return
	case b.err != nil && b.print == print:
		delay = min(2*b.delay, backoffMost)
	}
	*b = backoff{print, delay, ended.Add(delay), state, err}
}
