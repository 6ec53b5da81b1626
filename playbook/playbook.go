// Package playbook reads which groups and hosts the plays of an Ansible
// playbook, and of those it imports, are about. Templates are not evaluated:
// only Ansible can. Who is in a group is left to package inventory.
package playbook

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// The bounds of what is read.
const (
	maxSize  = 1 << 20 // bytes of one file
	maxFiles = 100     // the playbook and its imports
)

// A Term is one part of what a play's `hosts` says, without the ! or & before
// it and the subscript behind it.
type Term struct {
	Name    string         // of a group or a host, as the play spells it: letters, digits and _.-
	Pattern *regexp.Regexp // instead of Name: the names it matches; from * ? [ ] or after ~
}

// A Note is about something that is left out, for Ansible alone knows what it
// means.
type Note struct {
	File string
	Line int
	Text string
}

func (n Note) String() string { return fmt.Sprintf("%s:%d: %s", n.File, n.Line, n.Text) }

// Read returns what the plays of a playbook name, each once, in the order in
// which they do, and notes about what cannot be told. The error has all
// mistakes, each with its file and line.
func Read(path string) ([]Term, []Note, error) {
	r := reader{read: map[string]bool{}}
	r.file(path, nil, place{})
	if len(r.mistakes) > 0 {
		return nil, nil, fmt.Errorf("cannot read the playbook: %w", errors.Join(r.mistakes...))
	}
	return r.terms, r.notes, nil
}

// A reader collects what the files say.
type reader struct {
	terms    []Term
	notes    []Note
	mistakes []error
	read     map[string]bool
}

// A place is a line of a file.
type place struct {
	file string
	line int
}

func (p place) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d", p.file, p.line)
}

func (r *reader) mistake(at place, format string, args ...any) {
	r.mistakes = append(r.mistakes, fmt.Errorf("%s: %s", at, fmt.Sprintf(format, args...)))
}

func (r *reader) note(at place, text string) {
	r.notes = append(r.notes, Note{File: at.file, Line: at.line, Text: text})
}

// file reads a playbook that the files of a chain import, one the other, the
// last of them at a place.
func (r *reader) file(path string, chain []string, from place) {
	if r.read[path] {
		return
	}
	r.read[path] = true
	if len(r.read) > maxFiles {
		r.mistake(place{file: path}, "more than %d playbooks import one another", maxFiles)
		return
	}
	text, err := readFile(path)
	if err != nil && len(chain) > 0 {
		r.mistake(from, "%v", err)
		return
	}
	if err != nil {
		r.mistakes = append(r.mistakes, err)
		return
	}
	list, at, err := entries(path, text)
	if err != nil {
		r.mistake(at, "%v", err)
		return
	}
	for _, entry := range list {
		r.entry(path, entry, append(slices.Clip(chain), path))
	}
}

// readFile reads a file of bounded size.
func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxSize {
		return nil, fmt.Errorf("%s: it is larger than 1 MiB", path)
	}
	return text, nil
}

// yamlPlace is where yaml says that a mistake is.
var yamlPlace = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?`)

// fromParser are the mistakes for which yaml counts lines from 0, and does not
// name the first. For others it counts from 1.
var fromParser = regexp.MustCompile(`^did not find expected (<|node content$|key$|'-' indicator$|',' or )`)

// placed is a mistake that yaml found in a file, and where that is.
func placed(path string, err error) (place, error) {
	found := yamlPlace.FindStringSubmatch(err.Error())
	if found == nil {
		return place{file: path}, err
	}
	line, _ := strconv.Atoi(found[1])
	text := strings.TrimPrefix(err.Error(), found[0])
	if fromParser.MatchString(text) {
		line++
	}
	return place{path, line}, errors.New(text)
}

// entries are the elements of the list that a playbook is.
func entries(path string, text []byte) ([]*yaml.Node, place, error) {
	at := place{file: path}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	var doc yaml.Node
	if err := decoder.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		at, err := placed(path, err)
		return nil, at, err
	}
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.SequenceNode || len(doc.Content[0].Content) == 0 {
		at.line = max(doc.Line, 1)
		return nil, at, errors.New("it is no playbook: that is a list of plays, each with `- hosts:`")
	}
	var next yaml.Node
	if err := decoder.Decode(&next); !errors.Is(err, io.EOF) {
		at.line = next.Line
		return nil, at, errors.New("a second document begins here: a playbook is one")
	}
	return doc.Content[0].Content, at, nil
}

// imports are the names of the statement that imports a playbook.
var imports = []string{"import_playbook", "ansible.builtin.import_playbook", "ansible.legacy.import_playbook"}

// entry reads a play, or the playbook that it imports.
func (r *reader) entry(path string, entry *yaml.Node, chain []string) {
	entry = follow(entry)
	at := place{path, entry.Line}
	if entry.Kind != yaml.MappingNode {
		r.mistake(at, "it is no play: that has `hosts:` and what is to be done")
		return
	}
	for _, name := range imports {
		if file := field(entry, name); file != nil {
			r.imported(at, file, chain)
			return
		}
	}
	hosts := field(entry, "hosts")
	switch {
	case hosts == nil:
		r.mistake(at, "the play has no `hosts`")
	case hosts.Kind == yaml.SequenceNode && len(hosts.Content) > 0:
		for _, item := range hosts.Content {
			r.hosts(path, follow(item))
		}
	default:
		r.hosts(path, hosts)
	}
}

// imported reads a playbook that another one imports.
func (r *reader) imported(at place, file *yaml.Node, chain []string) {
	words := strings.Fields(file.Value)
	switch {
	case file.Kind != yaml.ScalarNode || len(words) == 0:
		r.mistake(at, "`import_playbook` names no file")
	case isTemplate(file.Value):
		r.note(at, "which playbook is imported is a template, which only Ansible can evaluate: name it with --playbook, too")
	case collection.MatchString(words[0]):
		r.note(at, fmt.Sprintf("the playbook %s is a collection's, which only Ansible can find: name its file with --playbook, too", words[0]))
	default:
		path := words[0]
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(at.file), path)
		}
		if slices.Contains(chain, path) {
			r.mistake(at, "the playbook %s imports itself", path)
			return
		}
		r.file(path, chain, at)
	}
}

// collection is how a playbook of a collection is called.
var collection = regexp.MustCompile(`^[A-Za-z_]\w*\.[A-Za-z_]\w*\.[A-Za-z_]\w*$`)

// follow is what an alias stands for: never another alias.
func follow(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// field is the value of a key in a mapping, or in one that is merged into it;
// of two the last counts, as with Ansible. It is nil if there is none.
func field(mapping *yaml.Node, key string) *yaml.Node {
	return fieldOf(mapping, key, map[*yaml.Node]bool{})
}

// fieldOf looks into each mapping once: they may be merged into one another.
func fieldOf(mapping *yaml.Node, key string, seen map[*yaml.Node]bool) *yaml.Node {
	if seen[mapping] || mapping.Kind != yaml.MappingNode {
		return nil
	}
	seen[mapping] = true
	var found, merged *yaml.Node
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		name, value := mapping.Content[i], follow(mapping.Content[i+1])
		if name.Value == key {
			found = value
		}
		if name.Tag != "!!merge" {
			continue
		}
		sources := []*yaml.Node{value}
		if value.Kind == yaml.SequenceNode {
			sources = value.Content
		}
		for _, source := range sources {
			if merged == nil {
				merged = fieldOf(follow(source), key, seen)
			}
		}
	}
	if found != nil {
		return found
	}
	return merged
}
