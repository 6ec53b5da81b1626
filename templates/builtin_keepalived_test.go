package templates

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"muster/cluster"
)

// keepalivedTakes lets keepalived read a file. It has nothing to say.
func keepalivedTakes(t *testing.T, what string, file []byte) {
	t.Helper()
	if said, err := keepalivedSays(t, file); err != nil || said != "" {
		t.Errorf("%s: keepalived says: %v: %s\n%.2000s", what, err, said, file)
	}
}

func keepalivedSays(t *testing.T, file []byte) (string, error) {
	t.Helper()
	keepalived := program(t, "keepalived")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "keepalived.conf"), file)
	out, err := exec.Command(keepalived, "-t", "-f", filepath.Join(dir, "keepalived.conf"), "-p", filepath.Join(dir, "pid")).CombinedOutput()
	return string(out), err
}

func TestKeepalivedTakesBuiltin(t *testing.T) {
	for c, d := range builtinCases() {
		keepalivedTakes(t, c, renderBuiltin(t, "keepalived-real-servers", d).Bytes)
	}
	for _, vars := range []map[string]any{
		{"virtual": "10.9.9.9", "virtual_port": 80, "port": 8080},
		{"virtual": "fd00::9", "virtual_port": 80, "lvs_method": "DR", "port": 8080, "check": false},
		{"virtual": "10.9.9.9", "virtual_port": "443", "lvs_method": "TUN", "check": "http", "check_path": "/health?x=1&y=a b", "check_timeout": 1, "delay_loop": 2},
		{"virtual": "10.9.9.9", "virtual_port": 53, "protocol": "UDP", "lvs_sched": "sh", "persistence_timeout": 50, "sorry_server": "10.9.9.8", "sorry_port": 5353},
	} {
		for _, n := range []int{0, 1, 3, 500} {
			ms := crowd(n)
			r := renderBuiltin(t, "keepalived-real-servers", Data{Rule: "r", Members: ms, Vars: vars})
			keepalivedTakes(t, fmt.Sprintf("%v, %d members", vars, n), r.Bytes)
			want, six := 0, strings.Contains(vars["virtual"].(string), ":")
			for _, m := range ms {
				if vars["lvs_method"] == "TUN" || m.Addr.Is6() == six {
					want++
				}
			}
			if got := strings.Count(string(r.Bytes), "real_server "); got != max(want, 1) || len(r.Refused) != n-want {
				t.Errorf("%v: %d of %d members are servers, not %d; %d are left out", vars, got, n, want, len(r.Refused))
			}
		}
	}
}

// keepalived takes no server twice: -t fails for the whole configuration.
func TestKeepalivedHasEveryServerOnce(t *testing.T) {
	ms := crowd(3)
	ms[1].Addr = ms[0].Addr
	vars := map[string]any{"virtual": "10.9.9.9", "virtual_port": 80}
	r := renderBuiltin(t, "keepalived-real-servers", Data{Rule: "r", Members: ms, Vars: vars})
	keepalivedTakes(t, "an address twice", r.Bytes)
	if !strings.Contains(string(r.Bytes), "# node-1.example is left out: its address and port are taken\n") {
		t.Errorf("%s", r.Bytes)
	}
	ms[1].Tags["port"] = "81"
	r = renderBuiltin(t, "keepalived-real-servers", Data{Rule: "r", Members: ms, Vars: vars})
	keepalivedTakes(t, "an address with two ports", r.Bytes)
	if n := strings.Count(string(r.Bytes), "real_server "); n != 3 {
		t.Errorf("%d servers:\n%s", n, r.Bytes)
	}
}

func TestKeepalivedIsNotInjected(t *testing.T) {
	script := "80\n}\n}\nvrrp_script x {\n script \"/bin/touch /x\"\n}\n"
	attack := append(injections(), script, "80 {", "1 #", strings.Repeat("x ", 600)+"foo")
	var ms []cluster.Member
	for i, v := range attack {
		for j, tag := range []string{"port", "weight", "other"} {
			m := crowd(1)[0]
			m.Name, m.Addr = fmt.Sprintf("evil%d-%d", i, j), m.Addr.Next()
			m.Tags = map[string]string{tag: v, v: v}
			ms = append(ms, m)
		}
		ms = append(ms, cluster.Member{Name: v, Addr: crowd(1)[0].Addr}) // its name stands in the comment
	}
	cluster.SortMembers(ms)
	r := renderBuiltin(t, "keepalived-real-servers", Data{Rule: "r", Members: ms, Vars: map[string]any{"virtual": "10.9.9.9", "virtual_port": 80, "weight_tag": "weight"}})
	keepalivedTakes(t, "an attack", r.Bytes)
	if strings.Contains(string(r.Bytes), "vrrp_script") || len(r.Refused) < len(attack) {
		t.Errorf("%d members are left out of:\n%s", len(r.Refused), r.Bytes)
	}
}
