package timeline

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxText bounds the text of an entry, in bytes.
const maxText = 300

// line is text as one line that fits and that nobody obeys. What is cut ends
// with "…".
func line(text string) string {
	const more = "…"
	var out strings.Builder
	fits := 0 // how much of out can stay where more follows
	for rest := text; rest != ""; {
		c, size := utf8.DecodeRuneInString(rest)
		switch {
		case c == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, rest[0])
		case strconv.IsPrint(c):
			out.WriteRune(c)
		default:
			quoted := strconv.QuoteRune(c)
			out.WriteString(quoted[1 : len(quoted)-1])
		}
		if out.Len() > maxText {
			return out.String()[:fits] + more
		}
		if out.Len() <= maxText-len(more) {
			fits = out.Len()
		}
		rest = rest[size:]
	}
	return out.String()
}
