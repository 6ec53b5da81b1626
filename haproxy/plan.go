package haproxy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A plan is the way from what one backend has to what it shall have.
type plan struct {
	backend *backend
	now     time.Time
	drain   time.Duration

	live        []liveServer
	connections map[string]int       // of servers that drain
	before      map[string]departure // what the Runtime knows of those that leave
	known       map[string]string    // the options that servers had when last wanted

	wanted   map[string]*server // by the name that haproxy has for it
	commands []command
	last     []command            // those that take requests away from a server: when others have begun
	gone     map[string]departure // replaces before
	errs     []error
}

// A command is one line for haproxy's socket.
type command struct {
	text   string
	answer answer
	server string
}

func (p *plan) send(a answer, server, format string, args ...any) {
	p.commands = append(p.commands, command{fmt.Sprintf(format, args...), a, server})
}

func (p *plan) set(server, what string) {
	p.send(silence, server, "set server %s/%s %s", p.backend.name, server, what)
}

func (p *plan) fail(format string, args ...any) {
	p.errs = append(p.errs, fmt.Errorf(format, args...))
}

// compare finds the commands. assign has found out who is wanted.
func (p *plan) compare() {
	have := make(map[string]*liveServer, len(p.live))
	for i := range p.live {
		have[p.live[i].name] = &p.live[i]
	}
	spare := p.spare(have)
	p.gone = map[string]departure{}
	p.each(func(s *server) {
		l := have[s.name]
		switch {
		case l == nil && p.backend.template.has(s.name):
			p.fail("backend %s: haproxy has no slot %s: %w", p.backend.name, s.name, ErrReload)
		case l == nil:
			p.add(s, spare)
		case p.otherwise(s, l):
			if d, left := p.before[s.name]; left {
				d.again = time.Time{}
				p.gone[s.name] = d
			}
		default:
			p.adjust(s, l, spare)
		}
	})
	p.commands = append(p.commands, p.last...)
	for i := range p.live {
		l := &p.live[i]
		if s := p.wanted[l.name]; s == nil || s.disabled {
			p.leave(l, s == nil && !p.backend.template.has(l.name))
		}
	}
}

// each goes through the wanted servers in a fixed order: that of the file,
// then that of the slots.
func (p *plan) each(do func(*server)) {
	for i := range p.backend.servers {
		do(&p.backend.servers[i])
	}
	if t := p.backend.template; t != nil {
		for n := t.low; n <= t.high; n++ {
			if s := p.wanted[t.prefix+strconv.Itoa(n)]; s != nil {
				do(s)
			}
		}
	}
}

// spare reports whether a wanted server that this push leaves alone takes
// requests. Then others may wait for their health checks.
func (p *plan) spare(have map[string]*liveServer) bool {
	for name, s := range p.wanted {
		if l := have[name]; l != nil && l.up() && !s.disabled && !p.moves(s, l) && p.weight(s, l) > 0 {
			return true
		}
	}
	return false
}

// moves reports whether l is not at the address that s gives.
func (p *plan) moves(s *server, l *liveServer) bool {
	return s.addr.IsValid() && l.addr != s.addr
}

// otherwise reports whether l is another server than s under its name, which
// cannot become s over the socket.
func (p *plan) otherwise(s *server, l *liveServer) bool {
	if p.backend.template.has(s.name) {
		return false
	}
	before := p.before[s.name]
	left := l.admin&(forcedMaint|forcedDrain) != 0 && !before.since.IsZero()
	switch {
	case s.option("check") && l.check&hasCheck == 0,
		s.option("ssl") && !l.ssl,
		left && before.options != "" && before.options != s.key():
		p.fail("server %s/%s has other options in the running haproxy: %w", p.backend.name, s.name, ErrReload)
		return true
	}
	return false
}

func (s *server) option(keyword string) bool {
	for _, o := range s.options {
		if o.keyword == keyword {
			return true
		}
	}
	return false
}

// key writes the options that cannot be changed over the socket. It is for
// comparison; an opaque line compares as a whole.
func (s *server) key() string {
	var b strings.Builder
	if s.opaque != "" {
		for _, w := range s.words[3:] {
			b.WriteString(w.text)
			b.WriteByte('\n')
		}
		return b.String()
	}
	b.WriteByte('-') // never empty
	for _, o := range s.options {
		b.WriteByte('\n')
		b.WriteString(o.keyword)
		for _, w := range o.args {
			b.WriteByte(' ')
			b.WriteString(w.text)
		}
	}
	return b.String()
}

// add makes a server that haproxy lacks. haproxy begins it in maintenance, and
// its checks are off.
func (p *plan) add(s *server, spare bool) {
	if why := p.backend.refuses(s); why != "" {
		p.fail("server %s/%s: %s: %w", p.backend.name, s.name, why, ErrReload)
		return
	}
	var args strings.Builder
	for _, o := range s.options {
		args.WriteByte(' ')
		args.WriteString(o.keyword)
		for _, w := range o.args {
			args.WriteByte(' ')
			args.WriteString(w.text)
		}
	}
	for _, d := range unset {
		if (d.with == "" || s.option(d.with)) && !s.option(d.keyword) {
			args.WriteString(" " + d.keyword + " " + d.value)
		}
	}
	if s.weight >= 0 {
		fmt.Fprintf(&args, " weight %d", s.weight)
	}
	p.send(added, s.name, "add server %s/%s %s%s", p.backend.name, s.name, s.addr, args.String())
	if s.option("check") {
		p.send(silence, s.name, "enable health %s/%s", p.backend.name, s.name)
	}
	if !s.disabled {
		p.raise(s.name, s.option("check") && spare)
	}
}

// raise lets a server out of maintenance. haproxy takes a server that leaves
// maintenance for up until a check says otherwise. If it may wait, it is told
// that it is down while no request goes to it, and comes up by its checks.
func (p *plan) raise(name string, wait bool) {
	if wait {
		p.set(name, "state drain")
		p.set(name, "health down")
	}
	p.set(name, "state ready")
}

// adjust makes l what s says.
func (p *plan) adjust(s *server, l *liveServer, spare bool) {
	checked, off := l.check&hasCheck != 0, l.admin&forcedMaint != 0
	moves := p.moves(s, l)
	wait := checked && spare && !s.disabled && (off || moves && l.up() && !s.option("on-marked-down"))
	if wait && !off {
		p.set(s.name, "state drain")
	}
	if moves {
		p.send(moved, s.name, "set server %s/%s addr %s port %d", p.backend.name, s.name, s.addr.Addr(), s.addr.Port())
	}
	switch w := p.weight(s, l); {
	case w == l.weight:
	case w == 0:
		p.last = append(p.last, command{fmt.Sprintf("set server %s/%s weight 0", p.backend.name, s.name), silence, s.name})
	default:
		p.set(s.name, fmt.Sprintf("weight %d", w))
	}
	if s.disabled {
		return
	}
	if off && checked && l.check&checkEnabled == 0 {
		p.send(silence, s.name, "enable health %s/%s", p.backend.name, s.name)
	}
	switch {
	case wait && !off:
		p.set(s.name, "health down")
		p.set(s.name, "state ready")
	case off:
		p.raise(s.name, wait)
	case l.admin&forcedDrain != 0:
		p.set(s.name, "state ready")
	}
	if checked && !spare && !off && !l.agent && l.op == opStopped && l.result != checkFailed {
		// It waits for its checks, and the one it could wait for goes.
		p.set(s.name, "health up")
	}
}

// weight is what l's shall be. Where the line does not say, it is haproxy's 1,
// but for slots, which go back to what they began with, and where a
// default-server may say something else.
func (p *plan) weight(s *server, l *liveServer) int {
	switch {
	case s.weight >= 0:
		return s.weight
	case p.backend.template.has(s.name):
		return l.initial
	case p.backend.defaulting || s.opaque != "":
		return l.weight
	}
	return 1
}
