package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/agext/levenshtein"
)

// Suggest returns the candidate that name was most likely meant to be, or "".
func Suggest(name string, candidates []string) string {
	best, least := "", max(1, (len(name)+1)/3)+1
	for _, c := range candidates {
		if len(name) >= 3 && strings.HasPrefix(c, name) {
			return c
		}
		d := levenshtein.Distance(name, c, nil)
		if d == 2 && len(name) == len(c) && sameLetters(name, c) {
			d = 1 // two letters changed places
		}
		if d < least {
			best, least = c, d
		}
	}
	return best
}

func sameLetters(a, b string) bool {
	x, y := []byte(a), []byte(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// didYouMean returns "; did you mean `X`?", or nothing.
func didYouMean(name string, candidates []string) string {
	if s := Suggest(name, candidates); s != "" && s != name {
		return fmt.Sprintf("; did you mean `%s`?", s)
	}
	return ""
}

// quoteList writes words as a list of HCL strings.
func quoteList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strings.ReplaceAll(strings.ReplaceAll(strconv.Quote(w), "${", "$${"), "%{", "%%{")
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// printable returns s with everything that could disturb a terminal or a log
// escaped, and at most 160 characters of it.
func printable(s string) string {
	var b strings.Builder
	for i, r := range []rune(s) {
		if i == 160 {
			b.WriteString("…")
			break
		}
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}

// and joins words as a sentence does: a, b and c.
func and(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
