package templates

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An Error is a mistake in a template, or in what it was given, with its
// place in the template's text.
type Error struct {
	Name    string // Options.Name
	Line    int    // from 1
	Column  int    // in bytes, from 1
	Message string
	Hint    string // what to do; may be empty

	// EachKey says that what cannot be printed is .Each.Key, which may come
	// from a member: this file cannot be made, those of other keys can.
	EachKey bool
	// NoVar is the var that is printed and that there is not; empty: another
	// mistake.
	NoVar string
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", e.Name, e.Line, e.Column, e.Message)
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// place turns a byte offset in text into a line and a column.
func place(text string, pos int) (line, column int) {
	pos = min(max(pos, 0), len(text))
	before := text[:pos]
	return 1 + strings.Count(before, "\n"), pos - strings.LastIndexByte(before, '\n')
}

// errorAt returns an Error at a byte offset of text.
func errorAt(name, text string, pos int, hint, format string, args ...any) *Error {
	line, column := place(text, pos)
	return &Error{Name: name, Line: line, Column: column, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// maxQuoted bounds the values that messages quote, in bytes.
const maxQuoted = 64

// quoted returns s quoted for a message: printable, on one line, bounded.
func quoted(s string) string {
	if len(s) <= maxQuoted {
		return strconv.QuoteToASCII(s)
	}
	cut := maxQuoted
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes)", strconv.QuoteToASCII(s[:cut]), len(s))
}

// didYouMean returns a hint that names the one of names nearest to s, or "".
func didYouMean(s string, names []string) string {
	if n := nearest(s, names); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return ""
}

// nearest returns the one of names that s is most likely a misspelling of:
// at most a third of its letters differ. "" when there is none.
func nearest(s string, names []string) string {
	best, least := "", len(s)/3+1
	if len(s) > 64 {
		return ""
	}
	for _, n := range names {
		if d := distance(strings.ToLower(s), strings.ToLower(n)); d <= least && (best == "" || d < least) {
			best, least = n, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with
// the next to get from a to b (optimal string alignment).
func distance(a, b string) int {
	two, one, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		two, one, row = one, row, two
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(one[j]+1, row[j-1]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
