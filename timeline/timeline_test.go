package timeline

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func texts(entries []Entry) string {
	var all []string
	for _, e := range entries {
		all = append(all, fmt.Sprintf("%d:%s", e.ID, e.Text))
	}
	return strings.Join(all, " ")
}

func TestAfterGivesTheLatest(t *testing.T) {
	l := New(4)
	if got := l.After(0, 10); got == nil || len(got) != 0 || l.Last() != 0 {
		t.Errorf("an empty log has %v", got)
	}
	for _, text := range []string{"a", "b", "c", "d", "e", "f"} {
		l.Add(Entry{Kind: Rule, Text: text})
	}
	for _, c := range []struct {
		id   uint64
		most int
		want string
	}{
		{0, 10, "3:c 4:d 5:e 6:f"},
		{0, 0, "3:c 4:d 5:e 6:f"},
		{1, 10, "3:c 4:d 5:e 6:f"}, // what is gone is gone
		{4, 10, "5:e 6:f"},
		{0, 2, "5:e 6:f"},
		{4, 1, "6:f"},
		{6, 10, ""},
		{7, 10, "3:c 4:d 5:e 6:f"}, // somebody who knew the agent before its restart
	} {
		if got := texts(l.After(c.id, c.most)); got != c.want {
			t.Errorf("after %d, %d of them: %q, want %q", c.id, c.most, got, c.want)
		}
	}
	if l.Last() != 6 {
		t.Errorf("the last is %d", l.Last())
	}
	l.After(0, 0)[0].Text = "mine"
	if got := texts(l.After(0, 1)); strings.Contains(got, "mine") {
		t.Error("what was returned is what is kept")
	}
}

// A flood of one kind leaves the others alone, and these do not starve it.
func TestFloodPushesOutItselfAlone(t *testing.T) {
	l := New(50)
	for i := range 10 {
		l.Add(Entry{Kind: Rule, Text: fmt.Sprint("rule ", i)})
		l.Add(Entry{Kind: Member, Text: fmt.Sprint("member ", i)})
	}
	for range 10000 {
		l.Add(Entry{Kind: Event, Text: "flood"})
	}
	l.Add(Entry{Kind: Action, Text: "acted"})
	got := map[Kind]int{}
	for _, e := range l.After(0, 0) {
		got[e.Kind]++
	}
	if diff := cmp.Diff(map[Kind]int{Rule: 10, Member: 10, Event: 29, Action: 1}, got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	for i := range 1000 { // nor do all kinds at once push out one
		for _, kind := range []Kind{Member, Event, Action, Agent} {
			l.Add(Entry{Kind: kind, Text: fmt.Sprint(i)})
		}
	}
	if n := strings.Count(texts(l.After(0, 0)), "rule "); n != 10 {
		t.Errorf("%d entries about rules are left", n)
	}
}

// Whatever is added: never more than size, in order, and the newest is there.
func TestLogIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 8).Draw(t, "size")
		l := New(size)
		for range rapid.IntRange(1, 60).Draw(t, "entries") {
			l.Add(Entry{Kind: rapid.SampledFrom([]Kind{Member, Rule, Event}).Draw(t, "kind")})
			all := l.After(0, 0)
			if len(all) > size || uint64(len(all)) < min(l.Last(), uint64(size)) {
				t.Fatalf("%d entries of %d", len(all), size)
			}
			for i, e := range all {
				if i > 0 && all[i-1].ID >= e.ID || e.At.IsZero() {
					t.Fatalf("out of order, or without a time: %+v", all)
				}
			}
			counted := map[Kind]int{}
			for _, e := range all {
				counted[e.Kind]++
			}
			for kind, n := range l.count {
				if n != counted[kind] {
					t.Fatalf("%d %s are counted, and %d are there", n, kind, counted[kind])
				}
			}
		}
	})
}

func TestTextIsOneHarmlessLine(t *testing.T) {
	l := New(1)
	for text, want := range map[string]string{
		"plain ä 漢":              "plain ä 漢",
		"two\nlines\r\t":         `two\nlines\r\t`,
		"\x1b[2J\x7f\u0085":      `\x1b[2J\x7f\u0085`,
		"\u202egpj.exe":          `\u202egpj.exe`,
		"\xff\xfe":               `\xff\xfe`,
		`a "quote" and a \`:      `a "quote" and a \`,
		strings.Repeat("x", 300): strings.Repeat("x", 300),
		strings.Repeat("x", 301): strings.Repeat("x", 297) + "…",
		strings.Repeat("漢", 101): strings.Repeat("漢", 99) + "…",
	} {
		l.Add(Entry{Text: text})
		if got := l.After(0, 0)[0].Text; got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\n\x00\xff漢…")
	f.Add(strings.Repeat("漢\x1b", 80))
	f.Fuzz(func(t *testing.T, text string) {
		got := line(text)
		if len(got) > maxText || !utf8.ValidString(got) {
			t.Errorf("%q: %d bytes", got, len(got))
		}
		if strings.IndexFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
			t.Errorf("%q has a control character", got)
		}
	})
}

// Who waits for a change misses none.
func TestChangedIsClosedAtTheNextAdd(t *testing.T) {
	l := New(10)
	const adders, each = 4, 100
	var adding sync.WaitGroup
	for range adders {
		adding.Go(func() {
			for range each {
				l.Add(Entry{Kind: Event})
			}
		})
	}
	for seen := uint64(0); seen < adders*each; {
		changed := l.Changed()
		if seen = l.Last(); seen < adders*each {
			<-changed
		}
	}
	adding.Wait()
	changed := l.Changed()
	select {
	case <-changed:
		t.Error("it is closed though nothing was added")
	default:
	}
}

// Where nobody looks, nothing is kept.
func TestNilLogKeepsNothing(t *testing.T) {
	var l *Log
	l.Add(Entry{Text: "x"})
	if l.Last() != 0 || len(l.After(0, 0)) != 0 || l.Changed() != nil {
		t.Error("it keeps something")
	}
}

// BenchmarkAdd is what an event of a flood costs.
func BenchmarkAdd(b *testing.B) {
	l := New(500)
	for range 100 {
		l.Add(Entry{Kind: Rule, Text: "x"})
	}
	for b.Loop() {
		l.Add(Entry{Kind: Event, Text: "user event deploy, 12 bytes"})
	}
}
