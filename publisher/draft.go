package publisher

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"muster/cluster"
	"muster/services"
)

// Budget is how many bytes a node's tags may take when gossiped.
const Budget = 512

// An outcome is what became of a service in the tag.
type outcome struct {
	in   bool
	over int // bytes by which it was too large
}

func (o outcome) why() string {
	return fmt.Sprintf("it takes %d bytes more than the tags have room for: shorten it, or take out another service or tag", o.over)
}

// A draft is what the tag is to become.
type draft struct {
	entries []*entry
	offers  []offer
	former  map[string]bool

	before *draft // the one written last, if any

	// What change found.
	after   map[string]string  // the tags
	outcome map[string]outcome // by key
	changed bool
	bytes   int   // of all tags
	unread  error // of the tag that was there
}

// An offer is an entry as it was when the draft was made.
type offer struct {
	services.Service
	known, wanted bool
}

func newDraft(entries []*entry, former map[string]bool, cloud string, self cluster.Member, before *draft) *draft {
	d := &draft{entries: slices.Clone(entries), former: maps.Clone(former), before: before}
	for _, e := range entries {
		s := e.Service.Service
		s.Host = Host(self.Name, cloud)
		if s.IP == "" {
			s.IP = AddrOf(self.Addr)
		}
		d.offers = append(d.offers, offer{s, e.known, e.wanted})
	}
	return d
}

// Host is the name under which a node's services are published.
func Host(node, cloud string) string {
	node, _, _ = strings.Cut(node, ".")
	return node + "." + cloud + ".local"
}

// AddrOf is an address as it is published; empty if there is none.
func AddrOf(addr netip.Addr) string {
	if !addr.IsValid() {
		return ""
	}
	return addr.Unmap().WithZone("").String()
}

// change brings the tag in step. Mostly everything is as it was left.
func (d *draft) change(tags map[string]string) {
	b := d.before
	d.before = nil
	if b != nil && maps.Equal(b.after, tags) && slices.Equal(b.offers, d.offers) && len(d.former) == 0 {
		d.after, d.outcome, d.bytes = b.after, b.outcome, b.bytes
		return
	}
	d.make(tags)
	d.after = maps.Clone(tags)
}

// make takes out what is ours, and puts in what is wanted as far as there is
// room, in the order of the configuration. What is not known yet stays as it
// is, in the tag or not, so that a restart of the agent changes nothing.
func (d *draft) make(tags map[string]string) {
	d.outcome = map[string]outcome{}
	old, err := services.Decode(tags[services.Tag])
	d.unread = err
	list := slices.DeleteFunc(slices.Clone(old), func(s services.Service) bool { return d.former[s.Key()] })
	for _, o := range d.offers {
		here := slices.ContainsFunc(list, func(s services.Service) bool { return s.Key() == o.Key() })
		if !o.known {
			d.outcome[o.Key()] = outcome{in: here}
			continue
		}
		list, _ = services.Remove(list, o.Type, o.Port)
	}
	slices.SortFunc(list, services.Compare)
	fits := maps.Clone(tags)
	d.set(fits, list)
	for _, o := range d.offers {
		if !o.known || !o.wanted {
			continue
		}
		next, with := maps.Clone(fits), services.Put(list, o.Service)
		if d.set(next, with); equal(with, old) { // its own text may be longer than ours
			next[services.Tag] = tags[services.Tag]
		}
		if over := cluster.TagSize(next) - Budget; over > 0 {
			d.outcome[o.Key()] = outcome{over: over}
			continue
		}
		d.outcome[o.Key()] = outcome{in: true}
		fits, list = next, with
	}
	d.bytes = cluster.TagSize(tags)
	if d.changed = err != nil || !equal(list, old); d.changed {
		delete(tags, services.Tag)
		if text, ok := fits[services.Tag]; ok {
			tags[services.Tag] = text
		}
		d.bytes = cluster.TagSize(fits)
	}
}

// set makes list the services in tags. Lists that no tag can hold are larger
// than any that fits.
func (d *draft) set(tags map[string]string, list []services.Service) {
	if err := services.Set(tags, list); err != nil {
		tags[services.Tag] = strings.Repeat(" ", 2*Budget)
	}
}

// equal reports whether two lists hold the same services.
func equal(a, b []services.Service) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.SortFunc(a, services.Compare)
	slices.SortFunc(b, services.Compare)
	return slices.Equal(a, b)
}
