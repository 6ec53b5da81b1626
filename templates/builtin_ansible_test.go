package templates

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// An inventory is what Ansible knows: the variables of hosts, the hosts of groups.
type inventory struct {
	Hosts  map[string]map[string]any
	Groups map[string][]string
}

// ansible runs one of Ansible's programs on a file, and returns what it printed.
func ansible(t *testing.T, program string, file []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath("/usr/bin/" + program)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("this test needs %s, and on CI nothing may be missing", program)
		}
		t.Skipf("SKIPPED: this test needs %s: run `make deps`", program)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "muster"), file)
	cmd := exec.Command(path, append([]string{"-i", filepath.Join(dir, "muster")}, args...)...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/bin:/bin", "HOME=" + dir, "LC_ALL=C.UTF-8", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED=1", "ANSIBLE_LOCALHOST_WARNING=0"}
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", program, err, out, said.String())
	}
	if strings.Contains(said.String(), "WARNING") && !strings.Contains(said.String(), "No inventory was parsed") {
		t.Errorf("%s warns: %s", program, said.String())
	}
	return out
}

// ansibleReads returns what Ansible reads from a file.
func ansibleReads(t *testing.T, file []byte) inventory {
	t.Helper()
	var list map[string]json.RawMessage
	if err := json.Unmarshal(ansible(t, "ansible-inventory", file, "--list"), &list); err != nil {
		t.Fatal(err)
	}
	in := inventory{map[string]map[string]any{}, map[string][]string{}}
	for name, text := range list {
		var group struct {
			Hosts    []string
			HostVars map[string]map[string]any
		}
		if err := json.Unmarshal(text, &group); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		switch name {
		case "_meta":
			in.Hosts = group.HostVars
		case "all":
		default:
			slices.Sort(group.Hosts)
			in.Groups[name] = group.Hosts
		}
	}
	return in
}

// ansibleHosts is what Ansible is to read for members.
func ansibleHosts(ms []cluster.Member) inventory {
	in := inventory{map[string]map[string]any{}, map[string][]string{}}
	for _, m := range ms {
		in.Hosts[m.Name] = map[string]any{"ansible_host": m.Addr.String()}
		groups := map[string]bool{}
		for role := range strings.SplitSeq(m.Tags["role"], ",") {
			if role = strings.TrimSpace(role); role != "" {
				groups["role_"+strings.ReplaceAll(role, "-", "_")] = true
			}
		}
		if len(groups) == 0 {
			groups["ungrouped"] = true
		}
		for g := range groups {
			in.Groups[g] = append(in.Groups[g], m.Name)
		}
	}
	for _, hosts := range in.Groups {
		slices.Sort(hosts)
	}
	return in
}

func TestAnsibleTakesBuiltin(t *testing.T) {
	for _, n := range []int{0, 1, 3, 500} {
		ms := crowd(n)
		got := ansibleReads(t, renderBuiltin(t, "ansible-hosts", Data{Rule: "r", Members: ms}).Bytes)
		if diff := cmp.Diff(ansibleHosts(ms), got); diff != "" {
			t.Errorf("%d members (-want +got):\n%s", n, diff)
		}
	}
}

// Whatever members call themselves and their roles: Ansible reads those that
// are in the file, as they are, and nothing else; and it evaluates nothing.
func TestAnsibleIsNotInjected(t *testing.T) {
	owned := filepath.Join(t.TempDir(), "owned")
	lookup := "{{ lookup('pipe','touch " + owned + "') }}"
	debug := []string{"all", "-c", "local", "-m", "debug", "-a", "var=hostvars[inventory_hostname]"}

	// This is what would happen.
	ansible(t, "ansible", []byte("web1 ansible_host=10.0.0.1 x=\""+lookup+"\"\n"), debug...)
	if err := os.Remove(owned); err != nil {
		t.Fatalf("Ansible did not evaluate a variable, so this test shows nothing: %v", err)
	}

	file, in := attack(t, "ansible-hosts", nil, injections(lookup, "web,"+lookup, "web\n[all:vars]\nx="+lookup, "web:vars", "web:children", "web] x=1\n[y", "all", "Ungrouped",
		"127.0.0.1", "::1", "web1.yml", "WEB1.JSON", "web[1:3]", "web1:22", "web1 ansible_connection=local", "web,,db, web", ",", "1web", "web-1,web_1"), "role")
	if diff := cmp.Diff(ansibleHosts(in), ansibleReads(t, file)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ansible(t, "ansible", file, debug...)
	if _, err := os.Stat(owned); err == nil {
		t.Error("a tag was evaluated")
	}
	for _, name := range []string{"localhost", "LocalHost.", "127.0.0.1", "all", "web1.yml", "1"} {
		if slices.ContainsFunc(in, func(m cluster.Member) bool { return m.Name == name }) {
			t.Errorf("a member is called %s", name)
		}
	}
}

func TestAnsiblePings(t *testing.T) {
	vars := map[string]any{"connection": "local", "python": "/usr/bin/python3", "user": "deploy", "port": 2222, "prefix": ""}
	out := ansible(t, "ansible", renderBuiltin(t, "ansible-hosts", Data{Rule: "r", Members: crowd(3), Vars: vars}).Bytes, "all_nodes", "-m", "ping")
	if n := strings.Count(string(out), `"ping": "pong"`); n != 3 {
		t.Errorf("%d of 3 answered: %s", n, out)
	}
}
