package page

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"muster/human"
)

// pageSize is how many items of a long list are shown at once.
const pageSize = 100

// orders are the orders that nodes can be shown in, the first being the
// default.
var orders = []string{"name", "state", "phi", "load", "memory"}

// A query is what of a long list is shown, as in ?q=web+failed&sort=load&page=2.
type query struct {
	Q    string // words, each of which an item must have somewhere
	Sort string // one of orders
	Page int    // from 1
}

// queryOf reads a request's query; what makes no sense in it is not there.
func queryOf(r *http.Request) query {
	v := r.URL.Query()
	q := query{Q: human.Clip(strings.TrimSpace(v.Get("q")), 100), Sort: v.Get("sort"), Page: 1}
	if !slices.Contains(orders, q.Sort) {
		q.Sort = orders[0]
	}
	if n, err := strconv.Atoi(v.Get("page")); err == nil && n > 0 && n < 1e6 {
		q.Page = n
	}
	return q
}

// String is the query as in a URL, without what goes without saying.
func (q query) String() string {
	v := url.Values{}
	if q.Q != "" {
		v.Set("q", q.Q)
	}
	if q.Sort != orders[0] && q.Sort != "" {
		v.Set("sort", q.Sort)
	}
	if q.Page > 1 {
		v.Set("page", strconv.Itoa(q.Page))
	}
	return v.Encode()
}

// words are what is looked for, in lower case.
func (q query) words() []string { return strings.Fields(strings.ToLower(q.Q)) }

// searched is what is said of an item as one text. No word has a line break in
// it, and none goes from one thing said to the next.
func searched(said ...string) string { return strings.ToLower(strings.Join(said, "\n")) }

// matches reports whether each word is somewhere in the text of an item.
func matches(words []string, text string) bool {
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

// A pager says which items of a list are shown, and leads to the others.
type pager struct {
	Query              query
	What               string // of what there are Total
	From, To, Of, All  int    // of those that match, and of those there are
	Previous, Next     string // their addresses, with the place of the list
	HasPrevious, Later bool
	Whole              string // the address of the page that has all; empty: this one, or all are here
	Hidden             bool   // there is nothing to say
}

// parts are the pager above the list, and, where the list goes on, the same
// below it. Their ids begin with id.
func (p pager) parts(id string) []part {
	below := p
	below.Hidden = !p.HasPrevious && !p.Later && p.Whole == ""
	return []part{{id, "", "pager", p}, {id + "-below", "", "pager", below}}
}

// cut returns the items of q's page, and what says which these are. A page
// beyond the end is the last.
func cut[T any](items []T, q query, what string, all int) ([]T, pager) {
	n := len(items)
	q.Page = min(q.Page, max((n+pageSize-1)/pageSize, 1))
	from := (q.Page - 1) * pageSize
	to := min(from+pageSize, n)
	p := pager{Query: q, What: what, From: min(from+1, n), To: to, Of: n, All: all, HasPrevious: q.Page > 1, Later: to < n}
	other := q
	other.Page = q.Page - 1
	p.Previous = "?" + other.String() + "#pager"
	other.Page = q.Page + 1
	p.Next = "?" + other.String() + "#pager"
	return items[from:to], p
}
