package templates

import (
	"fmt"
	"strings"
)

// readVCL reads words, strings and the characters between them, as
// vcc_Lexer does.
func readVCL(s string) ([]string, error) {
	var out []string
	until := func(open, end string) (string, error) {
		text, rest, ok := strings.Cut(s[len(open):], end)
		if !ok {
			return "", fmt.Errorf("no end of %s", open)
		}
		s = rest
		return text, nil
	}
	for s != "" {
		var err error
		var text string
		switch {
		case strings.HasPrefix(s, "#"), strings.HasPrefix(s, "//"):
			_, s, _ = strings.Cut(s, "\n")
			continue
		case strings.HasPrefix(s, "/*"):
			if text, err = until("/*", "*/"); strings.Contains(text, "/*") {
				err = fmt.Errorf("a comment in a comment")
			}
			if err != nil {
				return nil, err
			}
			continue
		case strings.HasPrefix(s, "C{"):
			return nil, fmt.Errorf("inline C")
		case strings.HasPrefix(s, `"""`):
			text, err = until(`"""`, `"""`)
		case strings.HasPrefix(s, `{"`):
			text, err = until(`{"`, `"}`)
		case s[0] == '"':
			if text, err = until(`"`, `"`); strings.ContainsAny(text, "\r\n") {
				err = fmt.Errorf("a line break in a string")
			}
		case strings.ContainsRune(alnum+"_", rune(s[0])):
			n := len(s) - len(strings.TrimLeft(s, alnum+"_-."))
			out, s = append(out, s[:n]), s[n:]
			continue
		default:
			if strings.IndexByte(" \t\r\n", s[0]) < 0 {
				out = append(out, "("+s[:1]+")")
			}
			s = s[1:]
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, "(string)", text)
	}
	return out, nil
}

// readKeepalived reads words and line ends as keepalived does: at most 1,023
// bytes of a line at a time.
func readKeepalived(s string) ([]string, error) {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		for more := true; more; {
			part := line
			if more = len(line) > 1023; more {
				part, line = line[:1023], line[1023:]
			}
			words, err := keepalivedWords(part)
			if err != nil {
				return nil, err
			}
			out = append(append(out, words...), "(line)")
		}
	}
	return out, nil
}

func keepalivedWords(line string) ([]string, error) {
	var words []string
	var word []byte
	in, quote := false, byte(0)
	end := func() {
		if in {
			words = append(words, string(word))
		}
		in, word = false, nil
	}
	for i := 0; i < len(line); i++ {
		b := line[i]
		switch {
		case b == '$' || b == '~':
			return nil, fmt.Errorf("%q, which is replaced or repeats the line", b)
		case b == '\\' && i+1 < len(line):
			i++
			word, in = append(word, '\\', line[i]), true
		case quote != 0 && b == quote:
			quote = 0
		case quote != 0:
			word = append(word, b)
		case b == '#' || b == '!':
			i = len(line)
		case b == '"':
			quote, in = b, true
		case strings.IndexByte(" \t\r\v\f", b) >= 0:
			end()
		case b == '{' || b == '}':
			end()
			words = append(words, "("+string(b)+")")
		default:
			word, in = append(word, b), true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("an open quote")
	}
	end()
	raw := strings.TrimLeft(line, " \t") // an @ counts before quotes are taken away
	if len(words) > 0 && (strings.HasPrefix(words[0], "include") || strings.HasPrefix(raw, "@") && !strings.HasPrefix(raw, "@main")) {
		return nil, fmt.Errorf("the line begins with %s", words[0])
	}
	return words, nil
}
