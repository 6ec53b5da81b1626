package reconcile

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"
)

// compare fills in the diff, of limit bytes at most, and the counts.
func (t *tried) compare(limit int) {
	switch {
	case t.Sensitive:
		return
	case t.unknown:
		t.Cut = true
		return
	}
	before, after := common(t.old, t.new)
	was, is := t.old[before:len(t.old)-after], t.new[before:len(t.new)-after]
	head, ahead := string(window(was)), string(window(is))
	edits := udiff.Lines(head, ahead)
	if t.Cut = len(head) < len(was) || len(ahead) < len(is); t.Cut {
		t.Added, t.Removed = tally(string(was), string(is))
		// What is at the end of a window may differ from what is beyond the other.
		if last := len(edits) - 1; last > 0 && edits[last].End == len(head) {
			edits = edits[:last]
		}
	} else {
		for _, e := range edits {
			t.Added += countLines(e.New)
			t.Removed += countLines(head[e.Start:e.End])
		}
	}
	above := lastLines(t.old[:before], udiff.DefaultContextLines)
	text := string(above) + head
	if !t.Cut {
		text += string(firstLines(t.old[len(t.old)-after:], udiff.DefaultContextLines))
	}
	for i := range edits {
		edits[i].Start += len(above)
		edits[i].End += len(above)
	}
	diff, err := udiff.ToUnified(t.Path, t.Path, text, edits, udiff.DefaultContextLines)
	if err != nil { // the edits do not fit the text: there are none like that
		t.Cut = true
		return
	}
	diff = lower(diff, bytes.Count(t.old[:before-len(above)], newline))
	t.Diff = strings.ToValidUTF8(diff, "\ufffd")
	if len(t.Diff) > limit {
		t.Diff, t.Cut = t.Diff[:strings.LastIndexByte(t.Diff[:max(limit, 0)], '\n')+1], true
	}
}

var newline = []byte("\n")

// common returns how many bytes of whole lines a and b have in common at their
// beginnings, and how many at their ends.
func common(a, b []byte) (before, after int) {
	const block = 4 << 10 // compared at once, for speed
	n, i := min(len(a), len(b)), 0
	for n-i >= block && bytes.Equal(a[i:i+block], b[i:i+block]) {
		i += block
	}
	for i < n && a[i] == b[i] {
		i++
	}
	if i == len(a) && i == len(b) {
		return i, 0
	}
	before = bytes.LastIndexByte(a[:i], '\n') + 1
	a, b, n = a[before:], b[before:], n-before
	j := 0
	for n-j >= block && bytes.Equal(a[len(a)-j-block:len(a)-j], b[len(b)-j-block:len(b)-j]) {
		j += block
	}
	for j < n && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	if at := bytes.IndexByte(a[len(a)-j:], '\n'); at >= 0 {
		after = j - at - 1
	}
	return before, after
}

// firstLines returns the first n lines of text.
func firstLines(text []byte, n int) []byte {
	end := 0
	for ; n > 0 && end < len(text); n-- {
		i := bytes.IndexByte(text[end:], '\n')
		if i < 0 {
			return text
		}
		end += i + 1
	}
	return text[:end]
}

// lastLines returns the last n lines of text, which ends with one.
func lastLines(text []byte, n int) []byte {
	begin := len(text)
	for ; n > 0 && begin > 0; n-- {
		begin = bytes.LastIndexByte(text[:begin-1], '\n') + 1
	}
	return text[begin:]
}

var hunk = regexp.MustCompile(`(?m)^@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@$`)

// lower is a diff of text that begins so many lines further down.
func lower(diff string, lines int) string {
	if lines == 0 {
		return diff
	}
	return hunk.ReplaceAllStringFunc(diff, func(head string) string {
		m := hunk.FindStringSubmatch(head)
		from, _ := strconv.Atoi(m[1]) // digits
		to, _ := strconv.Atoi(m[3])
		return fmt.Sprintf("@@ -%d%s +%d%s @@", from+lines, m[2], to+lines, m[4])
	})
}

// window is as much of the beginning of text as is compared, in whole lines.
func window(text []byte) []byte {
	if len(text) <= mostWindow {
		return text
	}
	return text[:bytes.LastIndexByte(text[:mostWindow], '\n')+1]
}

// tally counts the lines of is that are not in was, and of was that are not in
// is, wherever they stand.
func tally(was, is string) (added, removed int) {
	lines := map[string]int{}
	for line := range strings.Lines(was) {
		lines[line]++
	}
	for line := range strings.Lines(is) {
		if lines[line] > 0 {
			lines[line]--
		} else {
			added++
		}
	}
	for _, n := range lines {
		removed += n
	}
	return added, removed
}

// countLines counts the last line, too, if it has no end.
func countLines(text string) int {
	n := strings.Count(text, "\n")
	if text != "" && !strings.HasSuffix(text, "\n") {
		n++
	}
	return n
}
