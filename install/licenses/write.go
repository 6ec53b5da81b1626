package main

import (
	"fmt"
	"io"
	"strings"
)

const head = `muster is licensed under the Apache License, Version 2.0.

Linked into it, unmodified, are the modules below. The source form of each is
the Go module of that path and version: "go mod download PATH@VERSION" fetches
it. This holds for those under the Mozilla Public License 2.0, whose section
3.2 asks to say so, as for all others. The texts follow the list.

`

// write writes the list of modules and then their texts, each text once, under
// the names of all modules that carry it.
func write(w io.Writer, modules []module) error {
	var b strings.Builder
	b.WriteString(head)
	for _, m := range modules {
		fmt.Fprintf(&b, "%-52s %s\n", strings.TrimSpace(m.Path+" "+m.Version), m.Licence)
	}
	owners := map[string][]string{}
	var texts []string // in the order of their first owner
	for _, m := range modules {
		for _, text := range m.Texts {
			if owners[text] == nil {
				texts = append(texts, text)
			}
			owners[text] = append(owners[text], m.Path)
		}
	}
	for _, text := range texts {
		fmt.Fprintf(&b, "\n%s\n%s\n\n%s\n", strings.Repeat("=", 76), strings.Join(owners[text], "\n"), text)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
