package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

const head = `muster is licensed under the Apache License, Version 2.0.

Linked into it, unmodified, are the modules below. The source form of each is
the Go module of that path and version: "go mod download PATH@VERSION" fetches
it. This holds for those under the Mozilla Public License 2.0, whose section
3.2 asks to say so, as for all others. The texts follow the list.

`

// write writes the list of modules and then their texts. A text that several
// carry is there once, below their names and copyright notices.
func write(w io.Writer, modules []module) error {
	var b strings.Builder
	b.WriteString(head)
	for _, m := range modules {
		fmt.Fprintf(&b, "%-52s %s\n", strings.TrimSpace(m.Path+" "+m.Version), m.Licence)
	}
	var texts []*shared // in the order of their first owner
	byWords := map[string]*shared{}
	for _, m := range modules {
		for _, text := range m.Texts {
			notices, body := split(text)
			words := strings.Join(strings.Fields(body), " ")
			if byWords[words] == nil {
				byWords[words] = &shared{body: body}
				texts = append(texts, byWords[words])
			}
			s := byWords[words]
			s.owners = append(s.owners, strings.Join(append([]string{m.Path}, notices...), "\n    "))
		}
	}
	for _, s := range texts {
		fmt.Fprintf(&b, "\n%s\n%s\n", strings.Repeat("=", 76), strings.Join(s.owners, "\n"))
		if s.body != "" {
			fmt.Fprintf(&b, "\n%s\n", s.body)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// A shared text is one that modules have in common but for its copyright
// notices, which stand with the owners.
type shared struct {
	owners []string
	body   string
}

var notice = regexp.MustCompile(`(?i)^\s*(copyright|©) ?(\(c\)|©|[0-9]{4}|IBM|The )`)

// split takes the copyright notices out of a text.
func split(text string) (notices []string, body string) {
	var rest []string
	for line := range strings.SplitSeq(text, "\n") {
		if notice.MatchString(line) {
			notices = append(notices, strings.TrimSpace(line))
		} else {
			rest = append(rest, line)
		}
	}
	return notices, tidy(strings.Join(rest, "\n"))
}
