package main

import "unicode/utf8"

// glob reports whether the whole of text matches a pattern in which * stands
// for any characters and ? for one. It takes time in proportion to the product
// of the lengths at worst: it goes back to the last * only.
func glob(pattern, text string) bool {
	star, resume := -1, 0 // behind the last *, and where in text to try next
	p, t := 0, 0
	for t < len(text) {
		_, size := utf8.DecodeRuneInString(text[t:])
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p+1, t
			p++
		case p < len(pattern) && pattern[p] == '?':
			p, t = p+1, t+size
		case p < len(pattern) && pattern[p] == text[t]:
			p, t = p+1, t+1
		case star >= 0:
			_, size := utf8.DecodeRuneInString(text[resume:])
			resume += size
			p, t = star, resume
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
