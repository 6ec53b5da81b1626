package templates

import (
	"slices"
	"strings"
)

// An outline says where a text's blocks do not match.
type outline struct {
	open    []opening // the blocks that are not ended
	surplus int       // where the first {{end}} or {{else}} stands that is in no block; -1
}

// An opening is an action that begins a block.
type opening struct {
	word  string
	pos   int // of its left delimiter
	depth int // how deep the block nests: each else if is one more
}

// outlineOf counts how deep blocks and parentheses are nested, before
// text/template's recursive parser sees the text: it has no bound of its own.
// It reads actions as text/template's lexer does and leaves every other
// mistake to it.
func outlineOf(o Options, text string) (outline, error) {
	l := outline{surplus: -1}
	if len(text) > MaxText {
		return l, errorAt(o.Name, text, 0, "", "the template has %d bytes: the limit is %d", len(text), MaxText)
	}
	depth := 0
	for pos := 0; ; {
		i := strings.Index(text[pos:], o.LeftDelim)
		if i < 0 {
			return l, nil
		}
		start := pos + i
		pos = start + len(o.LeftDelim)
		if body := strings.TrimPrefix(text[pos:], "- "); strings.HasPrefix(body, "/*") {
			end := strings.Index(body, "*/")
			if end < 0 {
				return l, nil
			}
			pos = len(text) - len(body) + end + 2
			continue
		}
		words, parens, end := readAction(text, pos, o.RightDelim)
		pos = end
		last := len(l.open) - 1
		switch word := words[0]; {
		case slices.Contains(opens, word):
			l.open = append(l.open, opening{word, start, 1})
			depth++
		case word != "else" && word != "end":
		case last < 0:
			if l.surplus < 0 {
				l.surplus = start
			}
		case word == "end":
			depth -= l.open[last].depth
			l.open = l.open[:last]
		case words[1] != "":
			l.open[last].depth++
			depth++
		}
		if depth+parens > MaxNesting {
			return l, errorAt(o.Name, text, start, "", "blocks and parentheses are nested more than %d deep here", MaxNesting)
		}
	}
}

// opens names the actions that begin a block.
var opens = []string{"if", "range", "with", "block", "define"}

// readAction reads an action's text from pos on: its first two words, how
// deep its parentheses are nested, and where it ends.
func readAction(text string, pos int, right string) (words [2]string, parens, end int) {
	depth, word := 0, 0
	for i := pos; i < len(text); i++ {
		switch b := text[i]; {
		case strings.HasPrefix(text[i:], right) && depth == 0:
			return words, parens, i + len(right)
		case b == '"' || b == '\'' || b == '`':
			i = skipQuoted(text, i)
		case b == '(':
			depth++
			parens = max(parens, depth)
		case b == ')':
			depth = max(depth-1, 0)
		case word < 2 && b >= 'a' && b <= 'z':
			words[word] += text[i : i+1]
			if i+1 < len(text) && !isName(text[i+1]) {
				word++
			}
		case word < 2 && !isBlank(b) && b != '\n' && b != '-':
			word = 2
		}
	}
	return words, parens, len(text)
}

// skipQuoted returns the place of the quote that ends the one at i.
func skipQuoted(text string, i int) int {
	quote := text[i]
	for i++; i < len(text); i++ {
		switch {
		case text[i] == quote:
			return i
		case text[i] == '\\' && quote != '`':
			i++
		case text[i] == '\n' && quote != '`':
			return i
		}
	}
	return i
}
