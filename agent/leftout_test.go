package agent

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// However many members say what cannot be printed, and however often they say
// something else, the log stays short.
func TestLeftOutIsLoggedWithinBounds(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	refusals := func(n int, value string) (all []Refusal) {
		for i := range n {
			all = append(all, Refusal{Member: fmt.Sprintf("m%05d", i), Place: "x.tmpl:3", Value: value, Reason: "it has a space"})
		}
		return all
	}
	lines := func(before, now []Refusal) int {
		out.Reset()
		logLeftOut(log, before, now)
		return strings.Count(out.String(), "\n")
	}
	if n := lines(nil, refusals(3, "a b")); n != 3 {
		t.Errorf("%d lines about three members", n)
	}
	if n := lines(nil, refusals(20_000, "a b")); n != mostLeftOut+1 || !strings.Contains(out.String(), fmt.Sprint("count=", 20_000-mostLeftOut)) {
		t.Errorf("%d lines about 20,000 members: %s", n, out.String())
	}
	if n := lines(refusals(20_000, "a b"), refusals(20_000, "c d")); n != 0 {
		t.Errorf("%d lines about other values of the same members", n)
	}
	keys := []Refusal{{Place: "x.hcl", Value: "a"}}
	if n := lines(keys, append(keys, Refusal{Place: "x.hcl", Value: "b"})); n != 1 {
		t.Errorf("%d lines about one more key", n)
	}
}
