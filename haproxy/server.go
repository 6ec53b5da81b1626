package haproxy

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A server is a server line, or a slot's comment.
type server struct {
	name     string
	line     int
	words    []word         // all of the line
	addr     netip.AddrPort // invalid, if it is no IP address with a port
	weight   int            // -1, if the line does not say
	disabled bool
	options  []option // without weight, disabled and enabled
	defaults int      // how many lines default-server stand before it
	opaque   string   // the word from which on the line is not understood
}

type option struct {
	keyword string
	args    []word
}

// A template is a server-template line: slots called PREFIX and a number from
// low to high.
type template struct {
	prefix    string
	low, high int
}

func (r *reader) server(b *backend, words []word) error {
	if len(words) < 3 {
		return fmt.Errorf("a server has a name and an address")
	}
	s := server{name: words[1].text, line: r.line, words: words, weight: -1, defaults: r.count}
	if !isName(s.name) {
		return fmt.Errorf("%.40q is no name of a server", s.name)
	}
	if words[2].sure {
		s.addr = readAddr(words[2].text)
	}
	s.readOptions(words[3:])
	b.servers = append(b.servers, s)
	return nil
}

// readAddr reads ADDRESS:PORT or [ADDRESS]:PORT; the result is invalid for
// every other way to write an address.
func readAddr(s string) netip.AddrPort {
	a, err := netip.ParseAddrPort(s)
	if err != nil || a.Addr().Zone() != "" || a.Addr().Is4In6() || a.Port() == 0 {
		return netip.AddrPort{}
	}
	return a
}

// readOptions reads what stands behind a server's address, as far as it is
// understood.
func (s *server) readOptions(words []word) {
	for i := 0; i < len(words); {
		w := words[i].text
		k, known := keywords[w]
		rest := words[i+1:]
		switch {
		case !words[i].sure:
			s.opaque = w
			return
		case w == "disabled" || w == "enabled":
			s.disabled = w == "disabled"
			i++
			continue
		case w == "weight":
			if len(rest) > 0 && rest[0].sure {
				if n, err := strconv.Atoi(rest[0].text); err == nil && n >= 0 && n <= maxWeight {
					s.weight = n
					i += 2
					continue
				}
			}
			s.opaque = w
			return
		case !known || len(rest) < k.args:
			s.opaque = w
			return
		}
		s.options = append(s.options, option{w, rest[:k.args]})
		i += 1 + k.args
	}
}

// template reads the words of a server-template line, which stays a line like
// others: it can only be changed by a reload.
func (r *reader) template(words []word) error {
	b := r.proxy
	switch {
	case b.name == "": // in defaults it has no place
		return nil
	case b.template != nil:
		return fmt.Errorf("backend %s has two server-templates", b.name)
	case len(words) < 4:
		return fmt.Errorf("a server-template has a prefix, a number and an address")
	}
	t := template{prefix: words[1].text, low: 1}
	low, high, isRange := strings.Cut(words[2].text, "-")
	var err1, err2 error
	if isRange {
		t.low, err1 = strconv.Atoi(low)
		t.high, err2 = strconv.Atoi(high)
	} else {
		t.high, err1 = strconv.Atoi(low)
	}
	if !words[1].sure || !words[2].sure || err1 != nil || err2 != nil || t.low < 0 || t.high < t.low || t.high-t.low >= maxSlots || !isName(t.prefix) || len(t.prefix) > maxName-20 {
		return fmt.Errorf("server-template %.40q %.20q is not understood", t.prefix, words[2].text)
	}
	b.template = &t
	return nil
}

// slot reads a comment "slot NAME ADDRESS:PORT [weight N]" below a
// server-template. It is none of haproxy's: it says who shall have a slot.
func (r *reader) slot(s *section, comment string) error {
	fields := strings.Fields(comment)
	if len(fields) == 0 || fields[0] != "slot" || s.backend == nil || s.backend.template == nil {
		return nil
	}
	m := server{line: r.line, weight: -1}
	if len(fields) >= 3 {
		m.name, m.addr = fields[1], readAddr(fields[2])
	}
	if len(fields) == 5 && fields[3] == "weight" {
		if n, err := strconv.Atoi(fields[4]); err == nil && n >= 0 && n <= maxWeight {
			m.weight = n
		}
	}
	if !isName(m.name) || !m.addr.IsValid() || len(fields) != 3 && m.weight < 0 {
		return fmt.Errorf("a slot is written: # slot NAME ADDRESS:PORT [weight N]")
	}
	s.backend.members = append(s.backend.members, m)
	return nil
}

// has reports whether name is one of the template's slots.
func (t *template) has(name string) bool {
	if t == nil {
		return false
	}
	digits, ok := strings.CutPrefix(name, t.prefix)
	n, err := strconv.Atoi(digits)
	return ok && err == nil && strconv.Itoa(n) == digits && n >= t.low && n <= t.high
}
