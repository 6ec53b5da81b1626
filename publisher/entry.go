package publisher

import (
	"fmt"
	"log/slog"
	"reflect"
	"time"

	"muster/command"
)

// A State is how a service is.
type State string

const (
	Checking  State = "checking"  // its first check has not ended yet
	Published State = "published" // the members see it
	Withdrawn State = "withdrawn" // its check fails
	Held      State = "held"      // it passes again, but went up and down too often
	Full      State = "no-room"   // the tags have no room for it
	Pending   State = "pending"   // the tag has not been written yet
)

// A Status is how one service is.
type Status struct {
	Name   string    `json:"name"`
	Type   string    `json:"type"`
	Port   string    `json:"port"`
	State  State     `json:"state"`
	Since  time.Time `json:"since"`
	Why    string    `json:"why,omitempty"`
	Failed int       `json:"failed"` // checks in a row
	Check  *Checked  `json:"check,omitempty"`
}

// Checked is the last run of a check.
type Checked struct {
	Argv    []string      `json:"argv"`
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"took"` // nanoseconds
	OK      bool          `json:"ok"`
	Verdict string        `json:"verdict"`
	Output  string        `json:"output,omitempty"`
}

// An entry is a service and what is known of it.
type entry struct {
	Service
	at      time.Time // of the next check
	running bool
	dropped bool // from the configuration

	known         bool // a check has ended, or there is none
	wanted        bool // in the tag
	fails, passes int  // in a row
	last          *Checked

	// A service that goes up and down has to wait longer each time before it
	// is published again.
	falls     int       // withdrawals, since it was calm
	published time.Time // when it was last wanted
	until     time.Time // when it may be again

	outcome outcome // of the last writing
	state   State
	since   time.Time
}

const (
	calm     = 10 * time.Minute // published for so long, a service is no more unsteady
	longHold = 5 * time.Minute  // the longest wait
)

func newEntry(s Service, now time.Time) *entry {
	e := &entry{Service: s, at: now, state: Checking, since: now}
	if s.Check == nil {
		e.known, e.wanted, e.state = true, true, Pending
	}
	return e
}

// sameCheck reports whether s is e's service, perhaps described in another
// way: whether what is known of e holds for s.
func (e *entry) sameCheck(s Service) bool {
	return e.Name == s.Name && e.Key() == s.Key() && reflect.DeepEqual(e.Check, s.Check)
}

// judge takes the result of a check. It reports whether the service is now to
// be published, or withdrawn, and was not before.
func (e *entry) judge(res command.Result, now time.Time, log *slog.Logger) bool {
	first := !e.known
	e.known = true
	e.last = &Checked{Argv: e.Check.Argv, At: now, Took: res.Duration, OK: res.OK(), Verdict: res.Verdict(), Output: command.Line(res.Output, maxOutput)}
	if !res.OK() {
		e.fails, e.passes = e.fails+1, 0
		if e.wanted && e.fails >= e.Failures {
			e.fall(now)
			log.Warn("service withdrawn", "service", e.Name, "check", res.String(), "failed", e.fails)
			return true
		}
		if first {
			log.Warn("service not published", "service", e.Name, "check", res.String())
		}
		e.note(now)
		return first
	}
	e.fails, e.passes = 0, e.passes+1
	if e.wanted || !first && (e.passes < e.Passes || now.Before(e.until)) {
		e.note(now)
		return false
	}
	e.wanted, e.published = true, now
	e.note(now)
	return true
}

// fall withdraws the service.
func (e *entry) fall(now time.Time) {
	if now.Sub(e.published) >= calm {
		e.falls = 0
	}
	e.wanted, e.until = false, now.Add(holdAfter(e.falls, e.Interval))
	e.falls++
	e.note(now)
}

// holdAfter is how long a service that has fallen n times before stays
// withdrawn at least: not at all the first time, then twice as long each time.
func holdAfter(n int, interval time.Duration) time.Duration {
	if n == 0 {
		return 0
	}
	return min(interval<<min(n, 16), longHold)
}

// settle takes what came of writing the tag.
func (e *entry) settle(o outcome, log *slog.Logger) {
	before := e.state
	e.outcome = o
	if !e.known && o.in { // from before a restart: taken over
		e.wanted, e.published = true, time.Now()
	}
	e.note(time.Now())
	if e.state == before {
		return
	}
	switch e.state {
	case Published:
		log.Info("service published", "service", e.Name, "type", e.Type, "port", e.Port)
	case Full:
		log.Error("service not published", "service", e.Name, "why", o.why())
	}
}

// note keeps the state and since when.
func (e *entry) note(now time.Time) {
	if s := e.stateAt(now); s != e.state {
		e.state, e.since = s, now
	}
}

func (e *entry) stateAt(now time.Time) State {
	switch {
	case !e.known:
		return Checking
	case !e.wanted && e.passes > 0 && now.Before(e.until):
		return Held
	case !e.wanted:
		return Withdrawn
	case e.outcome.over > 0:
		return Full
	case !e.outcome.in:
		return Pending
	}
	return Published
}

func (e *entry) status() Status {
	s := Status{Name: e.Name, Type: e.Type, Port: e.Port, State: e.state, Since: e.since, Failed: e.fails, Check: e.last}
	switch {
	case e.state == Full:
		s.Why = e.outcome.why()
	case e.state == Held:
		s.Why = fmt.Sprintf("its check passes again, but it was withdrawn %d times: published after %s if it goes on to pass", e.falls, e.until.Local().Format("15:04:05"))
	case e.fails > 0 && e.wanted:
		s.Why = fmt.Sprintf("its check failed %d of %d times: %s", e.fails, e.Failures, e.last.Verdict)
	case e.fails > 0:
		s.Why = "its check failed: " + e.last.Verdict
	case e.state == Withdrawn:
		s.Why = fmt.Sprintf("its check passed %d of %d times", e.passes, e.Passes)
	}
	return s
}
