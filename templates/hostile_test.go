package templates

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// hostile are values that some format takes for more than a value.
var hostile = slices.Concat(hostileClasses()...)

// hostileClasses reads testdata/hostile.values, whose classes have headings.
func hostileClasses() [][]string {
	text, err := os.ReadFile("testdata/hostile.values")
	if err != nil {
		panic(err)
	}
	var classes [][]string
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" {
			classes = append(classes, nil)
		}
		if line == "" || line[0] == '#' {
			continue
		}
		times, quoted, repeated := strings.Cut(line, " * \"")
		n := 1
		if repeated {
			n, err = strconv.Atoi(times)
			quoted = `"` + quoted
		} else {
			quoted = line
		}
		v, bad := strconv.Unquote(quoted)
		if err != nil || bad != nil {
			panic(fmt.Sprintf("hostile.values:%d: %s", i+1, line))
		}
		last := len(classes) - 1
		classes[last] = append(classes[last], strings.Repeat(v, n))
	}
	return slices.DeleteFunc(classes, func(c []string) bool { return len(c) == 0 })
}

// TestHostileValues holds the list to what it promises: many values, none of
// them twice, and each kind of mischief that formats are known to fall for.
func TestHostileValues(t *testing.T) {
	if sorted := slices.Sorted(slices.Values(hostile)); len(slices.Compact(sorted)) != len(hostile) {
		t.Errorf("%d values, of which %d are different", len(hostile), len(slices.Compact(sorted)))
	}
	if len(hostile) < 60 || len(hostileClasses()) < 10 {
		t.Errorf("%d values in %d classes", len(hostile), len(hostileClasses()))
	}
	for _, want := range []string{"", "\n", "\r", "\x00", "\x1b", "\"", "'", "`", "\\", "{{", "${", "lookup(", "$request_body", "\u202e", "\xff", "localhost", "<script>", strings.Repeat("x", maxValue+1)} {
		if !slices.ContainsFunc(hostile, func(v string) bool { return strings.Contains(v, want) }) || !slices.Contains(hostile, "") {
			t.Errorf("no value has %.20q", want)
		}
	}
}
