package haproxy

import (
	"errors"
	"fmt"
	"strings"
)

// A word is one argument of a line of the configuration.
type word struct {
	text string // without its quotes

	// sure is false where only haproxy can tell what the word is: it holds a
	// variable or an escape.
	sure bool
}

// split takes a line apart: into words, and the comment behind them without
// its #. It follows "Quoting and escaping" of haproxy's configuration manual:
// quotes count anywhere in a word, and # begins a comment anywhere outside of
// them.
func split(line string) (words []word, comment string, err error) {
	for i := 0; i < len(line); {
		switch line[i] {
		case ' ', '\t':
			i++
			continue
		case '#':
			return words, line[i+1:], nil
		}
		w, n, err := firstWord(line[i:])
		if err != nil {
			return nil, "", err
		}
		if words == nil {
			words = make([]word, 0, 8)
		}
		words = append(words, w)
		i += n
	}
	return words, "", nil
}

// firstWord reads the word that s begins with, which has n bytes of s.
func firstWord(s string) (w word, n int, err error) {
	if n = strings.IndexAny(s, " \t#'\"\\"); n < 0 {
		n = len(s)
	}
	if n == len(s) || s[n] == ' ' || s[n] == '\t' || s[n] == '#' {
		return word{s[:n], true}, n, control(s[:n])
	}
	var text strings.Builder
	w.sure = true
	quote := byte(0)
	for n = 0; n < len(s); n++ {
		b := s[n]
		switch {
		case quote == 0 && (b == ' ' || b == '\t' || b == '#'):
			w.text = text.String()
			return w, n, control(w.text)
		case quote == 0 && (b == '\'' || b == '"'):
			quote = b
		case b == quote:
			quote = 0
		case quote != '\'' && b == '\\':
			w.sure = false
			text.WriteByte(b)
			if n++; n == len(s) {
				return w, n, errors.New("a line ends with a backslash")
			}
			text.WriteByte(s[n])
		default:
			if quote == '"' && b == '$' {
				w.sure = false
			}
			text.WriteByte(b)
		}
	}
	if quote != 0 {
		return w, n, errors.New("a quote is not closed")
	}
	w.text = text.String()
	return w, n, control(w.text)
}

// control refuses what no line of text holds.
func control(s string) error {
	for i := range len(s) {
		if s[i] < ' ' && s[i] != '\t' || s[i] == 0x7f {
			return fmt.Errorf("a line holds the control character %q", s[i])
		}
	}
	return nil
}

// isName reports whether haproxy takes s as the name of a server or proxy
// (invalid_char in its src/standard.c). Nothing else gets onto the socket as
// one.
func isName(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && !strings.ContainsRune("_.:-", rune(s[i])) {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

// isPlain reports whether s can stand on the socket as one argument: there a
// semicolon and a line break end a command, and a backslash escapes.
func isPlain(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && !strings.ContainsRune("_.:-/@+=,()", rune(s[i])) {
			return false
		}
	}
	return s != "" && len(s) <= maxName
}

// maxName bounds names and arguments, in bytes.
const maxName = 255

func isAlnum(b byte) bool {
	return 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9'
}
