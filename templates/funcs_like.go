package templates

import (
	"fmt"
	"regexp"
)

// patterns are the regular expressions that a template's like and unlike were
// given: as a rule constants, and few.
type patterns struct {
	t        *Template
	compiled map[string]*regexp.Regexp
}

// maxPatterns bounds those that are kept, should a template compute them.
const maxPatterns = 64

// like returns v, if the whole of it matches pattern; it is refused otherwise.
func (p *patterns) like(pattern, v any) (any, error) { return p.check(pattern, v, true) }

// unlike returns v, unless the whole of it matches pattern.
func (p *patterns) unlike(pattern, v any) (any, error) { return p.check(pattern, v, false) }

func (p *patterns) check(pattern, v any, want bool) (any, error) {
	if bad, ok := v.(notText); ok { // by the function before: it stays so
		return bad, nil
	}
	re, err := p.find(p.t.str(pattern))
	if err != nil {
		return nil, err
	}
	s := p.t.str(v)
	switch {
	case re.MatchString(s) == want:
		return s, nil
	case want:
		return notText{s, fmt.Sprintf("it does not match %s", p.t.str(pattern))}, nil
	}
	return notText{s, fmt.Sprintf("it matches %s", p.t.str(pattern))}, nil
}

func (p *patterns) find(pattern string) (*regexp.Regexp, error) {
	if re := p.compiled[pattern]; re != nil {
		return re, nil
	}
	if _, err := regexp.Compile(pattern); err != nil { // by itself: "a)(b" is none
		return nil, err
	}
	re, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return nil, err
	}
	if len(p.compiled) >= maxPatterns {
		clear(p.compiled)
	}
	p.compiled[pattern] = re
	return re, nil
}
