package human

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestClip(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{
		{"", 0, ""}, {"abc", 3, "abc"}, {"abcd", 3, "abc…"}, {"é", 2, "é"}, {"éé", 3, "é…"}, {"é", 1, "…"}, {"a漢b", 3, "a…"}, {"\xff\xff", 1, "\xff…"},
	} {
		if got := Clip(c.s, c.n); got != c.want {
			t.Errorf("Clip(%q, %d) = %q, want %q", c.s, c.n, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s, n := rapid.String().Draw(t, "s"), rapid.IntRange(0, 50).Draw(t, "n")
		got := Clip(s, n)
		if kept := strings.TrimSuffix(got, "…"); got != s && (len(kept) > n || !strings.HasPrefix(s, kept) || !utf8.ValidString(got)) {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0 nodes", 1: "1 node", 2: "2 nodes"} {
		if got := Count(n, "node"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestFew(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	for n, want := range map[int]string{0: "", 1: "a", 2: "a, b", 3: "a, b and 1 more", 4: "a, b and 2 more"} {
		if got := Few(names[:n], 2); got != want {
			t.Errorf("2 of %d: %q, want %q", n, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0 B", 9: "9 B", 1023: "1023 B", 1024: "1.0 KiB", 1 << 20: "1.0 MiB", 15 << 30: "15 GiB", math.MaxUint64: "16 EiB",
	} {
		if got := Size(n, " "); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	if got := Size(1536, ""); got != "1.5KiB" {
		t.Errorf("in a table: %q", got)
	}
}
