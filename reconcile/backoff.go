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

func (b *backoff) fail(print string, now time.Time, state State, err error) {
	delay := backoffFirst
	switch {
	case b.blocks(print, now): // looked at on the way, for another reason
		b.state, b.err = state, err
		return
	case b.err != nil && b.print == print:
		delay = min(2*b.delay, backoffMost)
	}
	*b = backoff{print, delay, now.Add(delay), state, err}
}
