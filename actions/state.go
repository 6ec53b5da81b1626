package actions

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"muster/cluster"
)

// A state is what the records of a ledger add up to.
type state struct {
	clock   uint64
	lastID  uint64
	boot    string
	entries map[key]*entry
	byID    map[uint64]*entry
	ended   []*entry         // those that are done, the latest last
	nonces  map[string]int64 // until when each is remembered
}

func newState() state {
	return state{entries: map[key]*entry{}, byID: map[uint64]*entry{}, nonces: map[string]int64{}}
}

// apply takes one more record into account. It fails for one that makes no
// sense after those before it.
func (s *state) apply(r record) error {
	switch r.Kind {
	case recAccept:
		e, err := r.entry()
		if err != nil {
			return err
		}
		if s.entries[e.key] != nil || s.byID[e.id] != nil {
			return errors.New("an occasion is there twice")
		}
		s.witness(e.ltime)
		s.lastID = max(s.lastID, e.id)
		s.entries[e.key], s.byID[e.id] = e, e
		if e.state == done {
			s.end(e)
		}
	case recClaim:
		for _, id := range r.IDs {
			if e := s.byID[id]; e != nil && e.state == accepted {
				e.state = claimed
			}
		}
	case recStart:
		if e := s.byID[r.ID]; e != nil && e.state != done {
			e.state = started
		}
	case recDone:
		if e := s.byID[r.ID]; e != nil && e.state != done {
			e.state, e.verdict = done, r.Verdict
			s.end(e)
		}
	case recClock:
		s.witness(r.LTime)
	case recNonce:
		s.nonces[r.Nonce] = r.At
	case recBoot:
		s.boot = r.Boot
	default:
		return fmt.Errorf("unknown kind %q", r.Kind)
	}
	return nil
}

// witness notes the Lamport time of a user event, unless it is mischief, which
// must not outlive a restart.
func (s *state) witness(ltime uint64) {
	if ltime <= cluster.SaneClock {
		s.clock = max(s.clock, ltime)
	}
}

// end forgets the payload of e, and what ended long before e.
func (s *state) end(e *entry) {
	e.payload = nil
	s.ended = append(s.ended, e)
	if len(s.ended) > keepDone {
		s.forget(len(s.ended) - keepDone)
	}
}

// forget drops the n that ended first.
func (s *state) forget(n int) {
	for _, e := range s.ended[:n] {
		delete(s.entries, e.key)
		delete(s.byID, e.id)
	}
	s.ended = append([]*entry(nil), s.ended[n:]...)
}

// expire drops what is older than it is kept.
func (s *state) expire(now time.Time) {
	n := 0
	for n < len(s.ended) && now.Sub(s.ended[n].at) > keepFor {
		n++
	}
	s.forget(n)
	for nonce, until := range s.nonces {
		if until < now.UnixMilli() {
			delete(s.nonces, nonce)
		}
	}
}

// snapshot returns the records whose replay gives s.
func (s *state) snapshot() []record {
	out := []record{{Kind: recBoot, Boot: s.boot}, {Kind: recClock, LTime: s.clock}}
	for nonce, until := range s.nonces {
		out = append(out, record{Kind: recNonce, Nonce: nonce, At: until})
	}
	for _, e := range s.ended {
		out = append(out, e.record())
	}
	for _, e := range s.open() {
		out = append(out, e.record())
	}
	return out
}

// open lists what has not ended, in the order in which it was accepted.
func (s *state) open() []*entry {
	return slices.SortedFunc(func(yield func(*entry) bool) {
		for e := range maps.Values(s.byID) {
			if e.state != done && !yield(e) {
				return
			}
		}
	}, func(a, b *entry) int { return cmp.Compare(a.id, b.id) })
}

// replay reads records to the end of r. torn is where a last line without an
// end begins, or -1; damages are the lines that could not be read.
func replay(in io.Reader) (s state, torn int64, damages []error, err error) {
	s, torn = newState(), -1
	r := bufio.NewReaderSize(in, 64<<10)
	at := int64(0)
	for number := 1; ; number++ {
		line, n, err := readLine(r)
		if err == io.EOF {
			if n > 0 {
				torn = at
			}
			return s, torn, damages, nil
		}
		if err != nil {
			return s, torn, damages, err
		}
		at += n
		rec, err := decode(line)
		if err == nil {
			err = s.apply(rec)
		}
		if err != nil {
			damages = append(damages, fmt.Errorf("line %d: %w", number, err))
		}
	}
}

// readLine reads a line and returns it without its end, and how long it was.
// Of one that is too long it keeps only a part, which is no record.
func readLine(r *bufio.Reader) (line []byte, n int64, err error) {
	for {
		part, err := r.ReadSlice('\n')
		n += int64(len(part))
		if len(line) <= maxLine {
			line = append(line, part...)
		}
		if err == nil {
			return line[:max(0, len(line)-1)], n, nil
		}
		if err != bufio.ErrBufferFull {
			return line, n, err
		}
	}
}
