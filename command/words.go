package command

import "strings"

// Words is a program and its arguments for people to read, and to put into a
// shell: each word that a shell would not take as it is stands in single quotes.
// A lone word is left alone; it may be a few words of what is waited for.
func Words(argv []string) string {
	if len(argv) == 1 {
		return argv[0]
	}
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = word
		if word == "" || strings.ContainsFunc(word, meansSomething) {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// meansSomething reports whether a shell may not take r for itself. What is not
// ASCII is only itself.
func meansSomething(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r > 0x7f:
		return false
	}
	return !strings.ContainsRune("_-+=.,:/@%", r)
}
