package haproxy

import (
	"bytes"
	"fmt"
	"slices"
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

// isConfiguration reports whether a text is one that haproxy reads as its
// configuration, and not as a map, a list, an error page or a certificate: its
// first line begins a section, or a condition.
func isConfiguration(text []byte) bool {
	for raw := range bytes.Lines(text) {
		words, _, err := split(string(bytes.TrimSpace(raw)))
		if err != nil {
			return false
		}
		if len(words) > 0 {
			return strings.HasPrefix(words[0].text, ".") || slices.Contains(sectionKeywords, words[0].text)
		}
	}
	return false
}

// readBackends returns the backends of the texts. Texts that are no
// configuration have none.
func readBackends(texts [][]byte) ([]*backend, error) {
	var out []*backend
	seen := map[string]bool{}
	for _, text := range texts {
		if !isConfiguration(text) {
			continue
		}
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
