package page

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"

	"muster/human"
	"muster/publisher"
)

// A serviceRow is a service of a node.
type serviceRow struct {
	Type, Description, Host, Address, Port, Attributes, Node string
}

// servicesPage is the page of what live members offer.
func (p *Page) servicesPage(_ context.Context, s *snapshot, r *http.Request) (document, error) {
	q := queryOf(r)
	words, found := q.words(), []publisher.Found{}
	texts := s.servicesTexts.get(func() (texts []string) {
		for _, f := range s.services {
			texts = append(texts, searched(f.Type, f.Description, f.Host, f.IP, ":"+f.Port, f.Text, f.Node))
		}
		return texts
	})
	for i, f := range s.services {
		if matches(words, texts[i]) {
			found = append(found, f)
		}
	}
	shown, page := cut(found, q, "service", len(s.services))
	d := document{title: "services – muster", template: "services", query: q, lists: []string{"services"}, parts: page.parts("pager")}
	for _, f := range shown {
		row := serviceRow{f.Type, f.Description, f.Host, f.IP, f.Port, f.Text, f.Node}
		for _, text := range []*string{&row.Type, &row.Description, &row.Host, &row.Address, &row.Port, &row.Attributes} {
			*text = visible(human.Clip(*text, 200))
		}
		d.parts = append(d.parts, part{idOf(f), "services", "service-row", row})
	}
	return d, nil
}

// idOf tells a service from the others of its node, of which several may have
// its type and port.
func idOf(f publisher.Found) string {
	sum := fnv.New64a()
	fmt.Fprintf(sum, "%q", f.Service) // a hash takes everything
	return fmt.Sprintf("service:%s:%x", f.Node, sum.Sum(nil))
}
