package haproxy

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Bounds of what is read.
const (
	maxText  = 16 << 20 // bytes of one text
	maxSlots = 10_000   // of one server-template
	// maxWeight is haproxy's SRV_UWGHT_MAX.
	maxWeight = 256
)

// A section is what begins with one of haproxy's section keywords.
type section struct {
	head    []word // "backend", "web"; nil for what stands before the first
	lines   [][]word
	backend *backend // nil where servers are something else
}

// A backend is a section with servers, backend or listen.
type backend struct {
	name     string
	servers  []server
	template *template
	members  []server // for the template's slots: what the comments say

	balance    []word // the arguments in force; nil where the text does not say
	hash       []word // likewise, of hash-type
	defaulting bool   // default-server is in force for servers
}

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

// sections are the keywords that begin one ("Sections" in haproxy's
// configuration manual).
var sectionKeywords = []string{"acme", "backend", "cache", "crt-store", "defaults", "fcgi-app", "frontend", "global", "http-errors", "listen",
	"log-forward", "log-profile", "mailers", "peers", "program", "resolvers", "ring", "traces", "userlist"}

// read takes a configuration text apart. What it cannot be sure of is an
// error.
func read(text []byte) ([]section, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("the configuration has more than %d MiB", maxText>>20)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return nil, fmt.Errorf("the configuration's last line does not end")
	}
	r := reader{sections: []section{{}}, defaults: map[string]*backend{}}
	for raw := range bytes.Lines(text) {
		r.line++
		words, comment, err := split(string(bytes.TrimSuffix(raw, []byte("\n"))))
		if err == nil {
			err = r.add(words, comment)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", r.line, err)
		}
	}
	return r.sections, nil
}

// A reader is at one line of a text.
type reader struct {
	line     int
	sections []section
	count    int                 // lines default-server of this section
	proxy    *backend            // this section's, if it is a backend, a listen or a defaults
	defaults map[string]*backend // by name; "" is the latest
}

func (r *reader) add(words []word, comment string) error {
	s := &r.sections[len(r.sections)-1]
	if len(words) == 0 {
		return r.slot(s, comment)
	}
	first := words[0].text
	if strings.HasPrefix(first, ".") {
		return fmt.Errorf("%.20q: conditional blocks are not understood", first)
	}
	if slices.Contains(sectionKeywords, first) {
		return r.begin(words)
	}
	if s.backend != nil && first == "server" {
		return r.server(s.backend, words)
	}
	s.lines = append(s.lines, words)
	if r.proxy == nil {
		return nil
	}
	switch first {
	case "balance":
		r.proxy.balance = words[1:]
	case "hash-type":
		r.proxy.hash = words[1:]
	case "default-server":
		r.proxy.defaulting = true
		r.count++
	case "server-template":
		return r.template(words)
	}
	return nil
}

// begin begins a section.
func (r *reader) begin(words []word) error {
	s := section{head: words}
	r.count, r.proxy = 0, nil
	name, from := "", ""
	if len(words) > 1 {
		name = words[1].text
	}
	if len(words) == 4 && words[2].text == "from" {
		from = words[3].text
	}
	switch words[0].text {
	case "backend", "listen":
		if !isName(name) {
			return fmt.Errorf("%.40q is no name of a backend", name)
		}
		s.backend = &backend{name: name}
		if d := r.defaults[from]; d != nil {
			s.backend.balance, s.backend.hash, s.backend.defaulting = d.balance, d.hash, d.defaulting
		}
		r.proxy = s.backend
	case "defaults":
		r.proxy = &backend{}
		r.defaults[""] = r.proxy
		if name != "" {
			r.defaults[name] = r.proxy
		}
	}
	r.sections = append(r.sections, s)
	return nil
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

// readBackends returns the backends of the texts.
func readBackends(texts [][]byte) ([]*backend, error) {
	var out []*backend
	seen := map[string]bool{}
	for _, text := range texts {
		sections, err := read(text)
		if err != nil {
			return nil, fmt.Errorf("cannot read the configuration to push: %w", err)
		}
		for _, s := range sections {
			if s.backend == nil {
				continue
			}
			if seen[s.backend.name] {
				return nil, fmt.Errorf("cannot push: there are two backends %s", s.backend.name)
			}
			seen[s.backend.name] = true
			if err := s.backend.unique(); err != nil {
				return nil, fmt.Errorf("cannot push: %w", err)
			}
			out = append(out, s.backend)
		}
	}
	return out, nil
}

// unique says what stands twice in b.
func (b *backend) unique() error {
	seen := make(map[string]bool, len(b.servers)+len(b.members))
	for _, s := range b.servers {
		if seen[s.name] || b.template.has(s.name) {
			return fmt.Errorf("backend %s has two servers %s", b.name, s.name)
		}
		seen[s.name] = true
	}
	clear(seen)
	for _, m := range b.members {
		if seen[m.name] {
			return fmt.Errorf("backend %s has two slots for %s", b.name, m.name)
		}
		seen[m.name] = true
	}
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
