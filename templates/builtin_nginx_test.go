package templates

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// nginxTakes lets nginx read a file at the http level.
func nginxTakes(t *testing.T, what string, file []byte) {
	t.Helper()
	nginx := program(t, "nginx")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "muster.conf"), file)
	conf := fmt.Sprintf("pid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\n access_log off;\n include %s/muster.conf;\n}\n", dir, dir)
	write(t, filepath.Join(dir, "nginx.conf"), []byte(conf))
	out, err := exec.Command(nginx, "-t", "-q", "-e", "stderr", "-p", dir, "-c", filepath.Join(dir, "nginx.conf")).CombinedOutput()
	if err != nil {
		t.Errorf("%s: nginx: %v: %s\n%.2000s", what, err, out, file)
	}
}

func TestNginxTakesMapsAndUpstreams(t *testing.T) {
	for c, d := range builtinCases() {
		nginxTakes(t, c, renderBuiltin(t, "nginx-map", d).Bytes)
	}
	for _, n := range []int{0, 1, 3, 500} {
		nginxTakes(t, fmt.Sprint(n), renderBuiltin(t, "nginx-upstream", Data{Rule: "r", Members: crowd(n), Vars: map[string]any{"upstream": "web", "port": 80}}).Bytes)
		for _, vars := range []map[string]any{{}, {"domain": "Nodes.Example.org", "hostnames": true, "default": "web"}, {"key_tag": "role", "source": "$cookie_node", "default": ""}} {
			vars["variable"], vars["port"] = "$node", 80
			nginxTakes(t, fmt.Sprint(n, vars), renderBuiltin(t, "nginx-map", Data{Rule: "r", Members: crowd(n), Vars: vars}).Bytes)
		}
	}
}

// mapped returns the keys and values of nginx-map.
func mapped(t *testing.T, d Data) map[string]string {
	t.Helper()
	r := renderBuiltin(t, "nginx-map", d)
	nginxTakes(t, "a map", r.Bytes)
	got := map[string]string{}
	for line := range strings.Lines(string(r.Bytes)) {
		if words := strings.Fields(line); len(words) == 2 && !strings.HasPrefix(words[0], "#") {
			got[words[0]] = strings.TrimSuffix(words[1], ";")
		}
	}
	return got
}

// A key is the first member's, and the next one's when that is left out.
func TestNginxHasEveryKeyOnce(t *testing.T) {
	ms := crowd(4)
	for i, hosts := range []string{"www.example, Shop.Example", "shop.example,,blog.example", "", "blog.example"} {
		ms[i].Tags["hosts"] = hosts
	}
	d := Data{Rule: "r", Members: ms, Vars: map[string]any{"variable": "$node", "port": 80, "key_tag": "hosts"}}
	want := map[string]string{"www.example": "10.0.0.0:80", "shop.example": "10.0.0.0:80", "blog.example": "[fd00::1]:80"}
	if diff := cmp.Diff(want, mapped(t, d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ms[0].Tags["port"] = "none"
	want = map[string]string{"shop.example": "[fd00::1]:80", "blog.example": "[fd00::1]:80"}
	if diff := cmp.Diff(want, mapped(t, d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	d.Vars["domain"] = "example.org"
	for key := range mapped(t, d) {
		if !strings.HasSuffix(key, ".example.org") {
			t.Errorf("the key %s", key)
		}
	}
}

// No member takes what is nginx's own, or another's, or makes nginx refuse the
// whole configuration.
func TestNginxMapIsNotInjected(t *testing.T) {
	attack := injections("default", "Default", "hostnames", "volatile", "include", "~.*", "~*.*", `\~x`, ".node-0.example", "*.example", "node-0.example.", "NODE-0.example",
		"node-0.example,x", "a..b", strings.Repeat("k", 46), strings.Repeat("k", 47), " node-0.example", "x 10.6.6.6:1;}", "10.0.0.1")
	for _, tag := range []string{"", "key"} {
		ms := crowd(3)
		for i := range ms {
			ms[i].Tags["key"] = ms[i].Name
		}
		for i, v := range attack {
			m := cluster.Member{Name: v, Addr: ms[0].Addr.Next().Next(), Tags: map[string]string{v: v}}
			if tag != "" {
				m.Name, m.Tags[tag] = fmt.Sprintf("tail%d", i), v // after the honest ones
			}
			ms = append(ms, m)
		}
		cluster.SortMembers(ms)
		got := mapped(t, Data{Rule: "r", Members: ms, Vars: map[string]any{"variable": "$node", "port": 80, "key_tag": tag}})
		for i, want := range []string{"10.0.0.0:80", "[fd00::1]:80", "10.0.0.2:80"} {
			if k := fmt.Sprintf("node-%d.example", i); got[k] != want {
				t.Errorf("key %q: %s is %q", tag, k, got[k])
			}
		}
		for _, k := range []string{"default", "hostnames", "volatile", "include", strings.Repeat("k", 47), "node-0.example."} {
			if got[k] != "" {
				t.Errorf("key %q: %s is %q", tag, k, got[k])
			}
		}
	}
}
