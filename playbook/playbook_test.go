package playbook

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write writes a file of a new directory, and returns its path.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// described are the terms as a test writes them.
func described(terms []Term) []string {
	out := []string{}
	for _, t := range terms {
		if t.Pattern != nil {
			out = append(out, t.Pattern.String())
		} else {
			out = append(out, t.Name)
		}
	}
	return out
}

// What Ansible's own split_host_pattern and fnmatch make of them is in the
// comments of these functions; the script testdata/playbook.txtar asks Ansible.
func TestHosts(t *testing.T) {
	for hosts, want := range map[string][]string{
		"web":                      {"web"},
		`"web:db:!old:&dc1"`:       {"web", "db", "old", "dc1"},
		`"web, db ,, !old"`:        {"web", "db", "old"},
		"web db":                   {"web", "db"},
		"[web, 'db:cache', web]":   {"web", "db", "cache"},
		"\n  - web\n  - '&db'":     {"web", "db"},
		"web[0]":                   {"web"},
		"web[-1]":                  {"web"},
		"'web[1:3]:db[2:]'":        {"web", "db"},
		"web*":                     {"^(?s:web.*)$"},
		"'web*[0]'":                {"^(?s:web.*)$"},
		"'w?b.x'":                  {`^(?s:w.b\.x)$`},
		"'web[!ab]'":               {"^(?s:web[^ab])$"},
		`'a,web[^]\]x'`:            {"a", `^(?s:web[\^]\\\]x)$`},
		"'web[]*,web[!]*'":         {`^(?s:web\[\].*)$`, `^(?s:web\[!\].*)$`},
		"'~web(a|b)'":              {"^(?:web(a|b))"},
		"'!~web'":                  {"^(?:web)"},
		"all":                      {},
		"'*'":                      {},
		"'all:!localhost'":         {},
		"'ungrouped,127.0.0.1'":    {},
		"'::1'":                    {},
		"fd00::1":                  {},
		"'[fd00::1]:22'":           {},
		"10.0.0.1:22":              {},
		"web1.example.com:2222":    {},
		"web1.example.com":         {"web1.example.com"},
		"nginx-web_1":              {"nginx-web_1"},
		"&x web":                   {"web"}, // an anchor
		"!unsafe web":              {"web"},
		"!!str 7":                  {"7"},
		"|\n    web:db":            {"web", "db"},
		"[a,b]":                    {"a", "b"},
		"'{web'":                   nil,
		"'web/1'":                  nil,
		"'wäb'":                    nil,
		"_meta":                    nil,
		"'web[z-a]'":               nil,
		"'~('":                     nil,
		"7":                        nil,
		"":                         nil,
		"''":                       nil,
		"[]":                       nil,
		"{web: }":                  nil,
		"[web, [db]]":              nil,
		"[web, null]":              nil,
		"'x]\n [y'":                {"x", "y"},
		"\"web\\u202e\"":           nil,
		"\"a\\nb\"":                {"a", "b"}, // blanks are apart, as with Ansible
		"\"\\n[evil]\\nx\"":        {"^(?s:[evil])$", "x"},
		"\"a,b\\n[evil]\\nhost\"":  {"a", "^(?s:b\n[evil]\nhost)$"},
		"\"a,b\\nevil\\nhost\"":    nil,
		"\"a,-oProxyCommand=x\"":   nil,
		"\"a,.hidden\"":            nil,
		"'web[1:3].example.com'":   {`^(?s:web[1:3]\.example\.com)$`},
		"'{{ x }}'":                {},
		"'{% if x %}web{% endif'":  {},
		"[web, '{{ x }}:db', two]": {"web", "two"},
	} {
		terms, notes, err := Read(write(t, "site.yml", "- hosts: "+hosts+"\n"))
		switch {
		case want == nil && err == nil:
			t.Errorf("hosts: %s is %q, want a mistake", hosts, described(terms))
		case want == nil && !strings.Contains(err.Error(), "site.yml:1: "):
			t.Errorf("hosts: %s: %v", hosts, err)
		case want != nil && err != nil:
			t.Errorf("hosts: %s: %v", hosts, err)
		case want != nil && cmp.Diff(want, described(terms)) != "":
			t.Errorf("hosts: %s is %q, want %q", hosts, described(terms), want)
		}
		if (len(notes) > 0) != isTemplate(hosts) {
			t.Errorf("hosts: %s: notes %v", hosts, notes)
		}
	}
}

// Aliases and merged mappings are followed, imports relative to their file.
func TestForms(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"site.yml": `---
# comment
- &play {name: one, hosts: &h [web, db]}
- hosts: *h
- <<: *play
- <<: [{gather_facts: no}, {hosts: merged}]
- {hosts: first, hosts: last}
- name: vault
  hosts: !vault-free secret
  vars: {x: !vault "abc"}
- import_playbook: sub/a.yml tags=x
- ansible.builtin.import_playbook: sub/a.yml
- import_playbook: "{{ which }}.yml"
- import_playbook: my.collection.site
...
`,
		"sub/a.yml": "- import_playbook: b.yml\n- hosts: a\n",
		"sub/b.yml": "- hosts: b\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	terms, notes, err := Read(filepath.Join(dir, "site.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"web", "db", "merged", "last", "secret", "b", "a"}, described(terms)); diff != "" {
		t.Errorf("terms (-want +got):\n%s", diff)
	}
	if len(notes) != 2 || notes[0].Line != 13 || notes[1].Line != 14 {
		t.Errorf("notes %v", notes)
	}
}

// What is too large, too deep or runs in circles ends, with an error.
func TestBounds(t *testing.T) {
	dir := t.TempDir()
	for i := range maxFiles + 1 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.yml", i)), fmt.Appendf(nil, "- import_playbook: %d.yml\n", i+1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// Each mapping is merged a hundred times into the next.
	loops := &strings.Builder{}
	fmt.Fprint(loops, "- hosts: web\n  m0: &m0 {}\n")
	for i := range 20 {
		fmt.Fprintf(loops, "  m%d: &m%d {<<: [%s]}\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*m%d,", i), 100))
	}
	fmt.Fprint(loops, "- <<: *m20\n")
	for path, want := range map[string]string{
		write(t, "large.yml", "- hosts: web\n"+strings.Repeat("#", maxSize)):                 "larger than 1 MiB",
		write(t, "deep.yml", "- hosts: "+strings.Repeat("[", maxSize-100)):                   "exceeded max depth",
		write(t, "blocks.yml", "- hosts: web\n  x:\n  "+strings.Repeat("- ", maxSize/2-100)): "", // some error, or none
		write(t, "maps.yml", "- hosts: web\n  x:\n    "+strings.Repeat("? ", maxSize/2-100)): "",
		filepath.Join(dir, "0.yml"):                                            "more than 100 playbooks",
		write(t, "self.yml", "- import_playbook: ./self.yml\n"):                "imports itself",
		write(t, "loop.yml", "- &a {<<: ["+strings.Repeat("*a,", 1000)+"]}\n"): "no `hosts`",
		write(t, "loops.yml", loops.String()):                                  "no `hosts`",
		write(t, "bytes.yml", "- hosts: \xff\xfe\n"):                           "",
		write(t, "empty.yml", ""):                                              "no playbook",
		write(t, "comment.yml", "# nothing\n"):                                 "no playbook",
		write(t, "none.yml", "[]\n"):                                           "no playbook",
		filepath.Join(dir, "nosuch.yml"):                                       "no such file",
		dir:                                                                    "is a directory",
	} {
		_, _, err := Read(path)
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", filepath.Base(path), err, want)
		}
		t.Logf("%s: %.200v", filepath.Base(path), err)
	}
}

// The line of a mistake in the YAML is the right one.
func TestYAMLMistakes(t *testing.T) {
	for text, line := range map[string]int{
		"- {hosts: web\n":                         2, // where the file ends
		"[\n":                                     2,
		"- hosts: web\n- hosts: [a\n- b\n":        2,
		"- hosts: web\n  tasks: []\n tags: x\n":   3,
		"- hosts: web\n\n\n  x: 'a\n":             4,
		"- hosts: web\n\n\n\tx: a\n":              4,
		"- hosts: web\n  x: a: b\n":               2,
		"- hosts: web\n  x: |\n    a\n   b: c\n":  4,
		"- hosts: web\n- x: \"\\q\"\n":            2,
		"- hosts: web\n- hosts: {{ x }}:web\n-\n": 2,
	} {
		_, _, err := Read(write(t, "site.yml", text))
		if want := fmt.Sprintf("site.yml:%d: ", line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// Whatever a playbook says, every name can be written into an inventory.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"- hosts: web:db\n- hosts: [a, '!b*', '~c']\n", "- &a {hosts: &h [x]}\n- <<: *a\n- hosts: *h\n",
		"- hosts: 'w[1:2]:[fd00::1]:22,x[!a]'\n", "- import_playbook: nosuch.yml\n", "- hosts: '{{ x }}'\n",
	} {
		f.Add(text)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(dir, "site.yml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		terms, _, err := Read(path)
		if err != nil && len(terms) > 0 {
			t.Fatalf("%v and %v", terms, err)
		}
		for _, term := range terms {
			if (term.Pattern == nil) == (term.Name == "") || term.Pattern == nil && CheckGroup(term.Name) != nil {
				t.Fatalf("%+v", term)
			}
		}
	})
}
