package reconcile

import "time"

// patience is how often a file that somebody else keeps changing is put back
// at once; after that it waits, longer each time.
const patience = 5

// truce is how long nobody must have changed the file for that to be
// forgotten.
const truce = 2 * backoffMost

// A fight counts how often a unit's files were put back as they were, because
// somebody else had changed them: another agent, perhaps, that has other ideas
// of them. Without an end to it, each round would be a reload.
type fight struct {
	rounds int
	last   time.Time
}

// round notes that the files were put back at now.
func (f *fight) round(now time.Time) {
	if f.last.After(now) || now.Sub(f.last) > truce {
		f.rounds = 0
	}
	f.rounds++
	f.last = now
}

// until is when the files may be put back again; in the past for at once.
func (f *fight) until(now time.Time) time.Time {
	if f.rounds < patience || f.last.After(now) {
		return time.Time{}
	}
	return f.last.Add(min(backoffFirst<<min(f.rounds-patience, 20), backoffMost))
}

// onlyDrift reports whether all there is to do is to put back files that the
// service had loaded.
func (p *pass) onlyDrift() bool {
	for _, w := range p.wants {
		if w.dirty && (!w.drift || w.sum != p.loaded[w.file.Path]) {
			return false
		}
	}
	for _, o := range p.orphans {
		if o.remove {
			return false
		}
	}
	return len(p.out.Drifted) > 0
}
