package launch

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/nodes"
)

// The command line says nothing that a member has said, and what a user adds
// does not choose the nodes.
func TestLay(t *testing.T) {
	evil := node("web2", 1, tags("muster", "launch", "x", `{{ lookup("pipe", "touch /pwned") }}`))
	other := node("web9", 1, tags("muster", "launch"))
	c := Config{
		Choice:   Choice{Order: Order{Service: "nginx"}, Picked: []nodes.Node{evil, node("web1", 2, nil)}},
		Playbook: "/etc/muster/playbooks/nginx.yml",
		Members:  []cluster.Member{Member(node("web1", 2, nil)), Member(evil), Member(other), Member(node(group, 3, tags("role", "web")))},
		Args:     []string{"--forks", "3"},
		Secrets:  []Secret{{Flag: "--become-password-file", Text: []byte("geheim")}},
		Env:      []string{"PATH=/bin", "PYTHONPATH=/mine", "ANSIBLE_CALLBACKS_ENABLED=timer"},
	}
	dir := t.TempDir()
	l, err := c.lay(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"ansible-playbook", "--forks", "3", "--become-password-file", dir + "/secret0", "--inventory", dir + "/inventory.yml",
		"--limit", "launch", "--extra-vars", "@" + dir + "/vars.json", dir + "/launch.yml"}
	if diff := cmp.Diff(want, l.argv); diff != "" {
		t.Errorf("command line (-want +got):\n%s", diff)
	}
	for _, entry := range []string{"PYTHONPATH=" + dir + ":/mine", "ANSIBLE_CALLBACKS_ENABLED=muster.launch.events,timer", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=true"} {
		if !slices.Contains(l.env, entry) {
			t.Errorf("the environment lacks %s", entry)
		}
	}
	text := func(name string) string {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	// A tag made its member part of another group, not of the one picked.
	if !strings.Contains(text("inventory.yml"), "    \"launch\":\n      hosts:\n        \"web1\":\n        \"web2\":\n    muster_launch:\n") {
		t.Errorf("the group is not those picked:\n%s", text("inventory.yml"))
	}
	// Nor is a member of its name in it: --limit would be that one.
	if inv := text("inventory.yml"); strings.Count(inv, `"launch":`) != 1 {
		t.Errorf("a host has the group's name:\n%s", inv)
	}
	if inv := text("inventory.yml"); strings.Count(inv, "{{") != strings.Count(inv, `!unsafe "{{`) {
		t.Errorf("a template:\n%s", inv)
	}
	info, err := os.Stat(filepath.Join(dir, "secret0"))
	if err != nil || info.Mode().Perm() != 0o600 || text("secret0") != "geheim\n" {
		t.Errorf("the password's file: %v, %v", info, err)
	}
	c.Playbook = "/srv/{{ x }}/nginx.yml"
	if _, err := c.lay(t.TempDir()); err == nil || !strings.Contains(err.Error(), "template") {
		t.Errorf("a template as a path: %v", err)
	}
}

func TestParseArgs(t *testing.T) {
	rest, secrets, err := ParseArgs([]string{"-u", "admin", "-kK", "--ask-become-pass", "-vvv", "-J", "--tags=x"})
	var flags []string
	for _, s := range secrets {
		flags = append(flags, s.Flag)
	}
	if err != nil || strings.Join(rest, " ") != "-u admin -vvv --tags=x" ||
		strings.Join(flags, " ") != "--connection-password-file --become-password-file --vault-password-file" {
		t.Errorf("rest %v, secrets %v, %v", rest, flags, err)
	}
	for _, arg := range []string{"-l", "-lweb1", "--limit", "--limit=web1", "--lim", "--limi=x"} {
		if _, _, err := ParseArgs([]string{"-v", arg}); err == nil {
			t.Errorf("%s is taken", arg)
		}
	}
	if _, _, err := ParseArgs([]string{"--list-tasks", "--check"}); err != nil {
		t.Error(err)
	}
}

// Playbooks are found by name, and one is had by one at a time.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.yml", "a.yml", "a.remove.yml", "x.remove.remove.yml", ".hidden.yml", "notes.txt", "ansible.cfg"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("[]"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for remove, want := range map[bool]string{false: "a b", true: "a"} {
		if names, err := Services(dir, remove); err != nil || strings.Join(names, " ") != want {
			t.Errorf("services %v, %v, want %s", names, err, want)
		}
	}
	p, err := Open(dir, Order{Service: "a"})
	if err != nil || p.Path != filepath.Join(dir, "a.yml") {
		t.Fatalf("%v, %v", p, err)
	}
	if _, err := Open(dir, Order{Service: "a"}); err == nil || !strings.Contains(err.Error(), "another muster launch") {
		t.Errorf("twice: %v", err)
	}
	away, err := Open(dir, Order{Service: "a", Remove: true})
	if err != nil {
		t.Fatal(err)
	}
	away.Close()
	p.Close()
	if p, err = Open(dir, Order{Service: "a"}); err != nil {
		t.Fatal(err)
	}
	p.Close()
	for service, want := range map[string]string{
		"c": "there are those for a, b", "a.remove": "takes a away", "../a": "no service's name", "{{ a }}": "no service's name",
	} {
		if _, err := Open(dir, Order{Service: service}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", service, err)
		}
	}
	if _, err := Open(t.TempDir(), Order{Service: "a"}); err == nil || !strings.Contains(err.Error(), "--playbooks") {
		t.Errorf("an empty directory: %v", err)
	}
}
