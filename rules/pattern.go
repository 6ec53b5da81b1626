package rules

import (
	"regexp"
	"slices"
	"strings"
)

// A pattern is a regular expression that a whole value must match, as with
// `serf members -tag`. Words, and alternatives of words, are compared
// directly: that is what most patterns are, and a regular expression costs
// fifty times as much.
type pattern struct {
	text  string
	words []string // the value must be one of them; nil: use re
	re    *regexp.Regexp
}

func compilePattern(text string) (pattern, error) {
	// As it stands, so that "a)(b" is refused, and a message shows what the
	// user wrote.
	if _, err := regexp.Compile(text); err != nil {
		return pattern{}, errText(strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	p := pattern{text: text}
	words := strings.Split(text, "|")
	if !slices.ContainsFunc(words, func(w string) bool { return regexp.QuoteMeta(w) != w }) {
		p.words = words
		return p, nil
	}
	re, err := regexp.Compile("^(?:" + text + ")$")
	p.re = re
	return p, err
}

// errText is an error that is nothing but its text.
type errText string

func (e errText) Error() string { return string(e) }

func (p *pattern) match(s string) bool {
	if p.re == nil {
		return slices.Contains(p.words, s)
	}
	return p.re.MatchString(s)
}
