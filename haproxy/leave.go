package haproxy

import (
	"slices"
	"time"
)

// A departure is what is known of a server that shall go.
type departure struct {
	since   time.Time // when it was first told to
	again   time.Time // when to look at it again; zero if that is of no use
	options string    // the key of the line it had
	stuck   bool      // haproxy does not delete it
	tries   int       // how often it has been tried
}

// leave takes one step on l's way out: it drains, then it is in maintenance,
// then it is deleted, if it shall be. A server that has a line which says
// disabled, or a slot, stays in maintenance.
func (p *plan) leave(l *liveServer, remove bool) {
	d, begun := p.before[l.name]
	switch {
	case !begun:
		d = departure{since: p.now, options: p.known[l.name]}
	case l.admin&(forcedMaint|forcedDrain) == 0: // somebody's reload brought it back
		d = departure{since: p.now, options: d.options}
	}
	again := d.again
	d.again = time.Time{}
	until := d.since.Add(p.drain)
	connections, counted := p.connections[l.name]
	switch {
	case l.admin&forcedMaint != 0:
		if !remove || d.stuck {
			break
		}
		if p.now.Before(again) { // it has been tried just now
			d.again = again
			break
		}
		p.delete(l.name, &d)
	case p.now.Before(until) && l.admin&forcedDrain == 0:
		p.set(l.name, "state drain")
		d.again = earlier(until, p.now.Add(drainPoll))
	case p.now.Before(until) && !(counted && connections == 0):
		d.again = earlier(until, p.now.Add(drainPoll))
	default:
		p.set(l.name, "state maint")
		if remove && !d.stuck {
			p.delete(l.name, &d)
		}
	}
	p.gone[l.name] = d
}

// delete deletes a server. Idle connections, of which haproxy lets go by and by,
// may be in the way, or such as last.
func (p *plan) delete(name string, d *departure) {
	p.send(deleted, name, "del server %s/%s", p.backend.name, name)
	d.again = p.now.Add(min(lingerPoll, firstLinger<<min(d.tries, 10)))
	d.tries++
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// drains reports whether a server is on its way out and may have connections
// to finish.
func (p *plan) drains() bool {
	return slices.ContainsFunc(p.live, func(l liveServer) bool {
		s := p.wanted[l.name]
		return (s == nil || s.disabled) && l.admin&forcedDrain != 0 && l.admin&forcedMaint == 0
	})
}

// remember keeps what the next push must know of this one. It is bounded by
// what the backends have and shall have.
func (r *Runtime) remember(plans []*plan) {
	for _, p := range plans {
		r.leaving[p.backend.name] = p.gone
		options := make(map[string]string, len(p.backend.servers))
		for i := range p.backend.servers {
			options[p.backend.servers[i].name] = p.backend.servers[i].key()
		}
		r.options[p.backend.name] = options
	}
}

// drains says who is still there of those that shall go, and when to look
// again.
func drains(plans []*plan) (names []string, again time.Time) {
	for _, p := range plans {
		for name, d := range p.gone {
			if d.again.IsZero() {
				continue
			}
			names = append(names, p.backend.name+"/"+name)
			if again.IsZero() || d.again.Before(again) {
				again = d.again
			}
		}
	}
	slices.Sort(names)
	return names, again
}
