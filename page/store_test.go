package page

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A screen is a browser as page.js has it: elements by id, and lists.
type screen struct {
	since string
	html  map[string]string
	lists map[string][]string
}

// loaded is what a browser has after it has loaded the document.
func loaded(v sight) *screen {
	s := &screen{since: v.since, html: map[string]string{}, lists: map[string][]string{}}
	for _, list := range v.lists {
		s.lists[list] = []string{}
	}
	for _, p := range v.parts {
		s.html[p.ID] = p.HTML
		if p.List != "" {
			s.lists[p.List] = append(s.lists[p.List], p.ID)
		}
	}
	return s
}

// apply does what page.js does with a message. An item that a list is to have
// and that is not there is a mistake of the server's.
func (s *screen) apply(m message) error {
	for _, p := range m.Parts {
		s.html[p.ID] = p.HTML
	}
	for list, ids := range m.Lists {
		for _, id := range s.lists[list] {
			if !slices.Contains(ids, id) {
				delete(s.html, id)
			}
		}
		for _, id := range ids {
			if _, ok := s.html[id]; !ok {
				return fmt.Errorf("the list %s is to have %s, which was never sent", list, id)
			}
		}
		s.lists[list] = ids
	}
	return nil
}

// Whatever happens, and however often and for how long a browser is away: when
// it has been told, it shows what is.
func TestBrowsersConverge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store := newStore("e1")
		// A world of a few nodes, of which the document shows those of a query.
		world := map[string]int{}
		only := rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "only")
		document := func() document {
			d := document{path: "/?q=" + only, template: "overview", lists: []string{"rules", "nodes", "happened"}}
			d.parts = append(d.parts, part{"health", "", "health", health{Node: fmt.Sprint(len(world))}})
			names := slices.Sorted(maps.Keys(world))
			if len(world)%2 == 1 {
				slices.Reverse(names)
			}
			for _, name := range names {
				if strings.Contains(name, only) {
					d.parts = append(d.parts, part{"node:" + name, "nodes", "node-row", nodeRow{Name: name, RTT: fmt.Sprint(world[name])}})
				}
			}
			return d
		}
		show := func() sight {
			v, err := store.show(document())
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		browser := loaded(show())
		line := &stream{after: store.after(browser.since)}
		first := true
		look := func() {
			v := show()
			if first {
				line.resume(&v)
				first = false
			}
			m, _ := v.news(line.after, line.has)
			line.has, line.after, browser.since = v.ids(), v.version, v.since
			if err := browser.apply(m); err != nil {
				t.Fatal(err)
			}
			want := loaded(v)
			if diff := cmp.Diff(want.lists, browser.lists); diff != "" {
				t.Fatalf("lists (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.html, browser.html); diff != "" {
				t.Fatalf("elements (-want +got):\n%s", diff)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				world[rapid.SampledFrom([]string{"a1", "a2", "b1", "b2", "ab"}).Draw(t, "node")] = rapid.IntRange(0, 3).Draw(t, "value")
			},
			"remove": func(t *rapid.T) {
				delete(world, rapid.SampledFrom([]string{"a1", "a2", "b1", "b2", "ab"}).Draw(t, "node"))
			},
			"look": func(*rapid.T) { look() },
			"somebody else looks": func(*rapid.T) {
				old := only
				only = "a"
				show()
				only = old
			},
			"away": func(*rapid.T) { line, first = &stream{after: store.after(browser.since)}, true },
			"forgotten": func(*rapid.T) {
				clear(store.parts)
			},
			"restart": func(*rapid.T) {
				store = newStore(store.epoch + "x")
				line, first = &stream{after: store.after(browser.since)}, true
			},
		})
		look()
	})
}

// What has not changed is not rendered again, and not sent.
func TestNothingNew(t *testing.T) {
	store := newStore("e")
	d := document{path: "/", lists: []string{"nodes"}, parts: []part{
		{"health", "", "health", health{Node: "lb"}}, {"node:a", "nodes", "node-row", nodeRow{Name: "a", Tags: []tag{{"x", "1"}}}},
	}}
	v, err := store.show(d)
	if err != nil {
		t.Fatal(err)
	}
	again, err := store.show(d)
	if err != nil || again.since != v.since {
		t.Fatalf("%s became %s, %v", v.since, again.since, err)
	}
	if m, any := again.news(v.version, v.ids()); any {
		t.Errorf("news: %+v", m)
	}
	d.parts[1].model = nodeRow{Name: "a", Tags: []tag{{"x", "2"}}}
	changed, err := store.show(d)
	if err != nil {
		t.Fatal(err)
	}
	m, _ := changed.news(v.version, v.ids())
	if len(m.Parts) != 1 || m.Parts[0].ID != "node:a" || !strings.Contains(m.Parts[0].HTML, "x=2") || len(m.Lists) != 0 {
		t.Errorf("of one changed row it is told %+v", m)
	}
}

// Who asks for ever other searches makes the store forget what he looked at
// first, and nothing that others look at.
func TestStoreIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newStore("e")
		look := func(path string) sight {
			v, err := store.show(document{path: path, lists: []string{"nodes"}, parts: []part{
				{"health", "", "health", health{}}, {"node:a", "nodes", "node-row", nodeRow{Name: "a"}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		was := look("/")
		for i := range mostKept {
			time.Sleep(time.Millisecond)
			look(fmt.Sprint("/?q=", i))
			if i%1000 == 0 {
				if _, any := (&sight{document: was.document, parts: look("/").parts, order: was.order}).news(was.version, was.ids()); any {
					t.Fatalf("after %d searches, what a stream shows is told again", i)
				}
			}
			if n := len(store.parts); n > mostKept {
				t.Fatalf("after %d searches %d parts are kept", i, n)
			}
		}
		time.Sleep(2 * keepFor)
		look("/")
		if n := len(store.parts); n != 3 {
			t.Errorf("%d parts are kept that nobody looks at", n-3)
		}
	})
}

// Also of a moment that is over before any time has passed no more is kept.
func TestStoreIsBoundedAtOnce(t *testing.T) {
	store := newStore("e")
	for i := range mostKept + 1 {
		store.parts[fmt.Sprint(i)] = &kept{used: time.Unix(1, 0)}
	}
	store.prune(time.Unix(1, 0))
	if n := len(store.parts); n > mostKept {
		t.Errorf("%d parts are kept", n)
	}
}

// What a browser says that it has may be anything.
func TestAfter(t *testing.T) {
	store := newStore("e1")
	for since, want := range map[string]uint64{"e1-7": 7, "": 0, "e2-7": 0, "e1-": 0, "e1--1": 0, "e1-1e3": 0, "7": 0, "e1-99999999999999999999999": 0} {
		if got := store.after(since); got != want {
			t.Errorf("%q: %d", since, got)
		}
	}
}
