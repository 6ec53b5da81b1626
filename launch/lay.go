package launch

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"muster/cluster"
	"muster/inventory"
)

// group is that of the nodes picked, in the inventory and on the command line.
// A group made of a tag has a _ in its name, so that no tag puts a node into it.
const group = "launch"

// events is the callback plugin. It is given as a collection beside Python's
// own modules, for a directory of plugins would take the place of the user's.
//
//go:embed events.py
var events []byte

const eventsPath, eventsName = "ansible_collections/muster/launch/plugins/callback/events.py", "muster.launch.events"

// laid is what one run needs, in its directory.
type laid struct {
	argv, env []string
	pipe      string
}

// lay writes into dir what a run needs.
func (c Config) lay(dir string) (laid, error) {
	at := func(name string) string { return filepath.Join(dir, name) }
	inv, _ := inventoryOf(c.Members)
	inv.Groups[group] = Names(c.Choice.Picked)
	slices.Sort(inv.Groups[group])
	vars, err := json.Marshal(map[string]string{"muster_service": c.Choice.Service, "muster_state": c.Choice.state()})
	if err != nil {
		return laid{}, err
	}
	playbook, err := whole(c.Playbook)
	if err != nil {
		return laid{}, err
	}
	out := laid{pipe: at("events")}
	// Ours comes last, and of two that say the same the last one counts.
	out.argv = append([]string{program}, c.Args...)
	files := map[string][]byte{"inventory.yml": inv.YAML(), "vars.json": vars, "launch.yml": playbook, eventsPath: events}
	for i, s := range c.Secrets {
		name := fmt.Sprintf("secret%d", i)
		files[name] = append(slices.Clip(s.Text), '\n')
		out.argv = append(out.argv, s.Flag, at(name))
	}
	out.argv = append(out.argv, "--inventory", at("inventory.yml"), "--limit", group, "--extra-vars", "@"+at("vars.json"), at("launch.yml"))
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(at(name)), 0o700); err != nil {
			return laid{}, err
		}
		if err := os.WriteFile(at(name), text, 0o600); err != nil {
			return laid{}, err
		}
	}
	out.env = c.environ(dir)
	return out, mkfifo(out.pipe)
}

// inventoryOf is the inventory of the living members, without one that is called
// like the group: to Ansible --limit would be that host, at whatever address.
func inventoryOf(all []cluster.Member) (inventory.Inventory, []inventory.Refusal) {
	return inventory.Of(slices.DeleteFunc(slices.Clone(all), func(m cluster.Member) bool { return m.Name == group }), false)
}

// state is what a playbook is to bring about, as Ansible's modules call it.
func (o Order) state() string {
	if o.Remove {
		return "absent"
	}
	return "present"
}

// whole is a playbook that runs another one, and after it a play that reaches
// a node only if nothing has failed there and nothing has stopped the run.
func whole(path string) ([]byte, error) {
	if strings.Contains(path, "{{") || strings.Contains(path, "{%") {
		return nil, errors.New("its path would be a template to Ansible")
	}
	quoted, err := json.Marshal(path)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `- import_playbook: %s
- name: muster launch
  hosts: %s
  gather_facts: false
  become: false
  strategy: linear
  tags: [always]
  tasks:
    - name: finished
      ansible.builtin.debug: {msg: finished}
`, quoted, group), nil
}

// environ is the user's environment, and what ours adds to it.
func (c Config) environ(dir string) []string {
	env := slices.Clone(c.Env)
	add := func(name, value, sep string) {
		if had := lookup(env, name); had != "" && sep != "" {
			value += sep + had
		}
		env = append(env, name+"="+value)
	}
	add("PYTHONPATH", dir, ":")
	add("ANSIBLE_CALLBACKS_ENABLED", eventsName, ",")
	add("ANSIBLE_COLLECTIONS_SCAN_SYS_PATH", "true", "")
	// An inventory that cannot be read is one of nobody, and a success.
	add("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "true", "")
	add("MUSTER_LAUNCH_EVENTS", filepath.Join(dir, "events"), "")
	add("MUSTER_LAUNCH_PLAYBOOK", filepath.Join(dir, "launch.yml"), "")
	beside := filepath.Join(filepath.Dir(c.Playbook), "ansible.cfg")
	if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() && lookup(env, "ANSIBLE_CONFIG") == "" {
		add("ANSIBLE_CONFIG", beside, "")
	}
	return env
}

// lookup returns the value of name in env; the last one wins.
func lookup(env []string, name string) string {
	for _, entry := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
