package agent

import (
	"slices"
	"strconv"

	"muster/cluster"
	"muster/services"
	"muster/templates"
)

// offers is the templates' function services: what live members offer of a
// type, on which the file then depends. The rule's guards are about those
// members. A tag that cannot be read is no tag, and reported.
func (d *draft) offers(typ string) []templates.Offer {
	d.reads.services = append(d.reads.services, typ)
	var offers []templates.Offer
	var members []cluster.Member
	for _, m := range d.view.Members {
		if m.Status != cluster.Alive {
			continue
		}
		list, err := d.rule.tags.Decode(m.Tags[services.Tag])
		if err != nil {
			d.unread(m, err)
		}
		before := len(offers)
		for _, s := range list {
			if offered(s, typ) {
				offers = append(offers, templates.Offer{Member: m, Service: s})
			}
		}
		if n := len(offers) - before; n > 0 {
			slices.SortFunc(offers[before:], func(a, b templates.Offer) int { return services.Compare(a.Service, b.Service) })
			members = append(members, m)
		}
	}
	d.about = append(d.about, members)
	return offers
}

// offered reports whether s is of a type; those without one are of none.
func offered(s services.Service, typ string) bool {
	return s.Type != "" && (typ == "" || s.Type == typ)
}

// unread notes a member whose tag cannot be read, once.
func (d *draft) unread(m cluster.Member, err error) {
	refusal := Refusal{Member: m.Name, Place: d.rule.File, Value: strconv.QuoteToASCII(shorten(m.Tags[services.Tag])), Reason: err.Error()}
	if !slices.Contains(d.refused, refusal) {
		d.refused = append(d.refused, refusal)
	}
}

// shorten cuts what somebody else wrote for a message.
func shorten(text string) string {
	const most = 40
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// offers reports whether a member's offer is among what was read: whether it
// is alive and has a service of one of the types, or a tag that is reported.
func (r *reads) offers(m *cluster.Member) bool {
	if m == nil || m.Status != cluster.Alive || len(r.services) == 0 {
		return false
	}
	list, err := r.tags.Decode(m.Tags[services.Tag])
	return err != nil || slices.ContainsFunc(r.services, func(typ string) bool {
		return slices.ContainsFunc(list, func(s services.Service) bool { return offered(s, typ) })
	})
}
