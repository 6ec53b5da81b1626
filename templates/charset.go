package templates

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// A charset is a set of ASCII characters.
type charset [2]uint64

func (c *charset) has(b byte) bool { return b < 0x80 && c[b>>6]>>(b&63)&1 == 1 }

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
	alnum   = letters + digits
	symbols = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

// chars returns the set of the characters of s.
func chars(s string) *charset {
	var c charset
	for i := range len(s) {
		c[s[i]>>6] |= 1 << (s[i] & 63)
	}
	return &c
}

// allBut returns the set of the printable ASCII characters, space included,
// without those of s.
func allBut(s string) *charset {
	c, without := chars(" "+alnum+symbols), chars(s)
	c[0] &^= without[0]
	c[1] &^= without[1]
	return c
}

// and returns c with the characters of s.
func (c *charset) and(s string) *charset {
	more := chars(s)
	return &charset{c[0] | more[0], c[1] | more[1]}
}

const notUTF8 = "bytes that are not UTF-8"

// hidden reports whether r is a character that does not print, or that makes
// what is printed look like something else: controls, line and paragraph
// separators, what Unicode calls format characters (joiners, spaces of no
// width, the directional controls of UAX #9: CVE-2021-42574, tags), letters
// without a shape, and what is no character.
func hidden(r rune) bool {
	switch r {
	case '\u2028', '\u2029', '\u034f', '\u115f', '\u1160', '\u3164', '\uffa0':
		return true
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r >= 0xe0000 && r <= 0xe0fff ||
		r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef
}

// beyond says which characters beyond ASCII are allowed.
type beyond uint8

const (
	onlyASCII beyond = iota
	unspaced         // what is neither hidden nor a space
	unhidden         // what is not hidden
)

// offence returns what in s is neither in allowed nor in more, described for
// a message, or "".
func offence(s string, allowed *charset, more beyond) string {
	for i := 0; i < len(s); {
		if b := s[i]; b < utf8.RuneSelf {
			if !allowed.has(b) {
				return describe(rune(b))
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return notUTF8
		case more == onlyASCII, hidden(r), more == unspaced && unicode.IsSpace(r):
			return describe(r)
		}
		i += n
	}
	return ""
}

// describe names a character for a message.
func describe(r rune) string {
	switch r {
	case '\n':
		return "a line break"
	case '\r':
		return "a carriage return"
	case '\t':
		return "a tab"
	case ' ':
		return "a space"
	case 0x1b:
		return "an escape character"
	}
	if hidden(r) || unicode.IsSpace(r) {
		return fmt.Sprintf("the invisible character %U", r)
	}
	return fmt.Sprintf("the character %c", r)
}

// refused completes offence: "" or a reason that names the place.
func refused(s string, allowed *charset, more beyond, where string) string {
	if o := offence(s, allowed, more); o != "" {
		return fmt.Sprintf("it has %s, which is not allowed %s", o, where)
	}
	return ""
}
