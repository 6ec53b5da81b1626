package haproxy

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Pushable says whether a running haproxy that has loaded one configuration
// text can be brought to another over its socket alone. If it cannot, the error
// says why. Comments and blanks make no difference, nor does the order of
// servers; slots' comments do.
//
// It goes by the texts. What stands elsewhere, such as "balance source" in
// another file's defaults, only haproxy knows: then a push fails with
// ErrReload.
func Pushable(loaded, wanted []byte) error {
	if bytes.Equal(loaded, wanted) {
		return nil
	}
	if !isConfiguration(loaded) || !isConfiguration(wanted) {
		return errors.New("it is not the text of a configuration: only a reload has it read")
	}
	before, err := read(loaded)
	if err != nil {
		return fmt.Errorf("the loaded configuration is not understood: %w", err)
	}
	after, err := read(wanted)
	if err != nil {
		return fmt.Errorf("the configuration is not understood: %w", err)
	}
	for i := range max(len(before), len(after)) {
		switch {
		case i >= len(before):
			return fmt.Errorf("%s is new", title(after[i]))
		case i >= len(after):
			return fmt.Errorf("%s is gone", title(before[i]))
		}
		if err := pushable(before[i], after[i]); err != nil {
			return err
		}
	}
	return nil
}

// title names a section for people.
func title(s section) string {
	if len(s.head) == 0 {
		return "the text before the first section"
	}
	texts := make([]string, 0, 2)
	for _, w := range s.head[:min(2, len(s.head))] {
		texts = append(texts, strings.Trim(quoted(w.text), `"`))
	}
	return strings.Join(texts, " ")
}

func pushable(before, after section) error {
	if !slices.Equal(before.head, after.head) {
		return fmt.Errorf("%s stands where %s was", title(after), title(before))
	}
	for i := range max(len(before.lines), len(after.lines)) {
		var changed []word
		switch {
		case i >= len(before.lines):
			changed = after.lines[i]
		case i >= len(after.lines) || !slices.Equal(before.lines[i], after.lines[i]):
			changed = before.lines[i]
		default:
			continue
		}
		return fmt.Errorf("%s of %s changed", strings.Trim(quoted(changed[0].text), `"`), title(before))
	}
	if after.backend == nil {
		return nil
	}
	if err := before.backend.unique(); err != nil {
		return err
	}
	if err := after.backend.unique(); err != nil {
		return err
	}
	old := make(map[string]*server, len(before.backend.servers))
	for i := range before.backend.servers {
		old[before.backend.servers[i].name] = &before.backend.servers[i]
	}
	for i := range after.backend.servers {
		s := &after.backend.servers[i]
		why := ""
		if was := old[s.name]; was != nil {
			why = after.backend.turns(was, s)
		} else {
			why = after.backend.refuses(s)
		}
		if why != "" {
			return fmt.Errorf("server %s/%s: %s", after.backend.name, s.name, why)
		}
	}
	return nil
}

// turns says why a server cannot become another of its name, or "".
func (b *backend) turns(was, s *server) string {
	if slices.Equal(was.words, s.words) && was.defaults == s.defaults {
		return ""
	}
	if was.defaults != s.defaults {
		return "another default-server is in force for it"
	}
	if was.words[2] != s.words[2] && !(was.addr.IsValid() && s.addr.IsValid()) {
		return "only an IP address with a port can be changed over the socket"
	}
	if was.opaque != "" || s.opaque != "" {
		if slices.Equal(was.words[3:], s.words[3:]) {
			return ""
		}
		return "its options changed"
	}
	for i := range max(len(was.options), len(s.options)) {
		switch {
		case i >= len(was.options):
			return "option " + s.options[i].keyword + " cannot be added over the socket"
		case i >= len(s.options):
			return "option " + was.options[i].keyword + " cannot be removed over the socket"
		case was.options[i].keyword != s.options[i].keyword || !slices.Equal(was.options[i].args, s.options[i].args):
			return "option " + was.options[i].keyword + " cannot be changed over the socket"
		}
	}
	switch {
	case was.weight == s.weight:
	case b.table():
		return "its weight changed, which balance " + b.balance[0].text + " cannot do"
	case b.defaulting && (was.weight < 0 || s.weight < 0):
		return "its weight changed from or to what default-server says"
	}
	return ""
}

// refuses says why haproxy would not take s as a new server, or would make
// another of it than a reload, or "".
func (b *backend) refuses(s *server) string {
	switch {
	case !s.addr.IsValid():
		return "it has no IP address with a port"
	case s.opaque != "":
		return fmt.Sprintf("option %s is not understood", strings.Trim(quoted(s.opaque), `"`))
	case b.defaulting:
		return "default-server does not count for servers that are added over the socket"
	case b.table():
		return "balance " + b.balance[0].text + " takes no servers over the socket"
	case len(b.balance) > 0 && b.balance[0].text == "first":
		return "balance first goes by the order of the servers"
	}
	for _, o := range s.options {
		if !keywords[o.keyword].added {
			return "option " + o.keyword + " cannot be given over the socket"
		}
		for _, w := range o.args {
			if !w.sure || !isPlain(w.text) {
				return "what option " + o.keyword + " says cannot be sent over the socket"
			}
		}
	}
	return ""
}

// table reports whether the text says that the backend balances by a table
// that is made once.
func (b *backend) table() bool {
	if len(b.balance) == 0 {
		return false
	}
	algorithm, _, _ := strings.Cut(b.balance[0].text, "(")
	return static[algorithm] || hashing[algorithm] && !(len(b.hash) > 0 && b.hash[0].text == "consistent")
}
