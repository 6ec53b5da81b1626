package publisher

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/cluster"
	"muster/services"
)

// Whatever the tags are and whatever is wanted: they stay within their bytes,
// what is not ours stays, what is reported is so, and the second time there is
// nothing to do.
func TestDraftProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		service := func(typ string) services.Service {
			text := rapid.StringMatching(`[a-z0-9]{0,40}`).Draw(t, "text")
			return services.Service{Type: typ, Port: fmt.Sprint(rapid.IntRange(1, 4).Draw(t, "port")), Description: text}
		}
		tags := map[string]string{"role": strings.Repeat("x", rapid.IntRange(0, 200).Draw(t, "other"))}
		var others []services.Service
		for range rapid.IntRange(0, 3).Draw(t, "others") {
			others = services.Put(others, service("theirs"))
		}
		here := others
		var entries []*entry
		for i := range rapid.IntRange(0, 5).Draw(t, "ours") {
			s := Service{Name: fmt.Sprint(i), Service: service(fmt.Sprintf("ours%d", i))}
			e := newEntry(s, time.Now())
			e.known, e.wanted = rapid.Bool().Draw(t, "known"), rapid.Bool().Draw(t, "wanted")
			entries = append(entries, e)
			if rapid.Bool().Draw(t, "here") {
				here = services.Put(here, s.Service)
			}
		}
		former := map[string]bool{"ours9:1": true}
		here = services.Put(here, services.Service{Type: "ours9", Port: "1"})
		if err := services.Set(tags, here); err != nil || cluster.TagSize(tags) > Budget {
			t.Skip("more than there can be")
		}
		self := cluster.Member{Name: "n", Addr: netip.MustParseAddr("10.0.0.1")}
		d := newDraft(entries, former, "cloud", self, nil)
		d.change(tags)
		if n := cluster.TagSize(tags); n > Budget || n != d.bytes {
			t.Fatalf("%d bytes, and %d are told", n, d.bytes)
		}
		list, err := services.Decode(tags[services.Tag])
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range others {
			if !slices.Contains(list, s) {
				t.Fatalf("%+v is gone from %+v", s, list)
			}
		}
		rest := len(others)
		for _, e := range entries {
			in := slices.ContainsFunc(list, func(s services.Service) bool { return s.Key() == e.Key() })
			was := slices.ContainsFunc(here, func(s services.Service) bool { return s.Key() == e.Key() })
			o := d.outcome[e.Key()]
			if in != o.in || !e.known && in != was || e.known && in != (e.wanted && o.over == 0) {
				t.Fatalf("%s: known %v, wanted %v, was there %v, is %v: %+v", e.Name, e.known, e.wanted, was, in, o)
			}
			if in {
				rest++
			}
		}
		if rest != len(list) {
			t.Fatalf("%d services, want %d", len(list), rest)
		}
		before := maps.Clone(tags)
		again := newDraft(entries, nil, "cloud", self, d)
		again.change(tags)
		if again.changed || !maps.Equal(before, tags) || !maps.Equal(again.outcome, d.outcome) {
			t.Fatalf("again: %+v and %+v", again.outcome, d.outcome)
		}
	})
}
