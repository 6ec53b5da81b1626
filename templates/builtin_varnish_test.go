package templates

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"muster/cluster"
)

// varnishTakes compiles a file as Varnish does before it loads it.
func varnishTakes(t *testing.T, what string, file []byte) {
	t.Helper()
	if said, err := varnishSays(t, file); err != nil {
		t.Errorf("%s: varnishd: %v: %s\n%.2000s", what, err, said, file)
	}
}

func varnishSays(t *testing.T, file []byte, flags ...string) (string, error) {
	t.Helper()
	varnishd := program(t, "varnishd")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "x.vcl"), file)
	// Without the jail: the directory is nobody else's.
	out, err := exec.Command(varnishd, append(flags, "-C", "-j", "none", "-n", filepath.Join(dir, "work"), "-f", filepath.Join(dir, "x.vcl"))...).CombinedOutput()
	_, message, _ := strings.Cut(string(out), "Message from")
	return message, err
}

func TestVarnishTakesBuiltin(t *testing.T) {
	for c, d := range builtinCases() {
		varnishTakes(t, c, renderBuiltin(t, "varnish-directors", d).Bytes)
	}
	for _, kind := range []string{"round_robin", "fallback", "random", "hash", "shard"} {
		for _, n := range []int{0, 3} {
			vars := map[string]any{"director": "web", "port": 80, "kind": kind, "probe": "/up?a=1", "weight_tag": "weight"}
			r := renderBuiltin(t, "varnish-directors", Data{Rule: "r", Members: crowd(n), Vars: vars})
			varnishTakes(t, fmt.Sprintf("%s, %d members", kind, n), r.Bytes)
		}
	}
	for _, n := range []int{1, 500} {
		r := renderBuiltin(t, "varnish-directors", Data{Rule: "r", Members: crowd(n), Vars: map[string]any{"director": "web", "port": 80}})
		varnishTakes(t, fmt.Sprintf("%d members", n), r.Bytes)
		if got := strings.Count(string(r.Bytes), "web.add_backend("); got != n {
			t.Errorf("%d backends for %d members", got, n)
		}
	}
	// Included, as its users do, beside another director and other backends.
	dir := t.TempDir()
	for name, n := range map[string]int{"web": 3, "api": 0} {
		r := renderBuiltin(t, "varnish-directors", Data{Rule: "r", Members: crowd(n), Vars: map[string]any{"director": name, "port": 80}})
		write(t, filepath.Join(dir, name+".vcl"), r.Bytes)
	}
	for _, version := range []string{"4.0", "4.1"} {
		varnishTakes(t, version, fmt.Appendf(nil, `vcl %s;
import std;
import directors;
backend default { .host = "10.0.0.1"; }
include "%s/web.vcl";
include "%s/api.vcl";
sub vcl_recv { if (req.http.host == "api") { set req.backend_hint = api.backend(); } else { set req.backend_hint = web.backend(); } }
`, version, dir, dir))
	}
}

// What compiles may still not be loaded: a director takes no backend that is
// none. So a running Varnish loads it.
func TestVarnishLoadsBuiltin(t *testing.T) {
	varnishd := program(t, "varnishd")
	dir := t.TempDir()
	write(t, filepath.Join(dir, "base.vcl"), []byte("vcl 4.1;\nbackend default none;\n"))
	work := filepath.Join(dir, "work")
	cmd := exec.Command(varnishd, "-F", "-j", "none", "-n", work, "-a", "127.0.0.1:0", "-f", filepath.Join(dir, "base.vcl"), "-s", "malloc,8m")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // how it ends is not the question
		if t.Failed() {
			t.Logf("varnishd: %s", log.String())
		}
	}()
	adm := func(args ...string) (string, error) {
		out, err := exec.Command("varnishadm", append([]string{"-n", work, "-t", "30"}, args...)...).CombinedOutput()
		return string(out), err
	}
	for range 600 {
		if out, _ := adm("status"); strings.Contains(out, "running") {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, kind := range []string{"round_robin", "fallback", "random", "hash", "shard"} {
		for _, n := range []int{0, 1, 3} {
			ms := crowd(n)
			for i := range ms {
				ms[i].Tags["weight"] = fmt.Sprint(5*i + 1)
			}
			vars := map[string]any{"director": "web", "port": 9, "kind": kind, "probe": "/up", "weight_tag": "weight", "host_header": "x", "max_connections": 5}
			name := fmt.Sprintf("%s%d", kind, n)
			file := filepath.Join(dir, name+".vcl")
			write(t, file, renderBuiltin(t, "varnish-directors", Data{Rule: "r", Members: ms, Vars: vars}).Bytes)
			if out, err := adm("vcl.load", name, file, "cold"); err != nil {
				t.Errorf("%s: %v: %s", name, err, out)
				continue
			}
			if out, err := adm("vcl.discard", name); err != nil {
				t.Errorf("%s: %v: %s", name, err, out)
			}
		}
	}
}

func TestVarnishIsNotInjected(t *testing.T) {
	sub := "x\nsub vcl_recv { return(synth(200)); }\n"
	attack := injections(sub, "80\"; }\nbackend y { .host = \"10.6.6.6", "web", "none", "-none", "WEB", "vcl_x", "if", "a_b", "a.b", "A.b", "a-.b", "a._b", "a__b", "_a", "a_")
	var ms []cluster.Member
	for i, v := range attack {
		for j, tag := range []string{"port", "weight", "other"} {
			m := crowd(1)[0]
			m.Name = fmt.Sprintf("evil%d-%d", i, j)
			m.Tags = map[string]string{tag: v, v: v}
			ms = append(ms, m)
		}
		ms = append(ms, cluster.Member{Name: v, Addr: crowd(1)[0].Addr})
	}
	cluster.SortMembers(ms)
	ms = slices.CompactFunc(ms, func(a, b cluster.Member) bool { return a.Name == b.Name })
	vars := map[string]any{"director": "web", "port": 80, "kind": "random", "weight_tag": "weight"}
	r := renderBuiltin(t, "varnish-directors", Data{Rule: "r", Members: ms, Vars: vars})
	varnishTakes(t, "an attack", r.Bytes)
	if strings.Contains(string(r.Bytes), "vcl_recv") || strings.Contains(string(r.Bytes), `host = "10.6.6.6`) || len(r.Refused) < len(attack) {
		t.Errorf("%d members are left out of:\n%s", len(r.Refused), r.Bytes)
	}
}

// No two members have one backend: VCL would take neither, nor any other.
func TestVarnishNamesAreOneToOne(t *testing.T) {
	tm := parseBuiltin(t, "varnish-directors")
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringOfN(rapid.SampledFrom([]rune("abAB1._-")), 1, 8, -1), 1, 12, rapid.ID[string]).Draw(t, "names")
		var ms []cluster.Member
		for _, n := range names {
			ms = append(ms, cluster.Member{Name: n, Addr: crowd(1)[0].Addr})
		}
		r, err := tm.Execute(Data{Rule: "r", Members: ms, Vars: map[string]any{"director": "web", "port": 80, "kind": "random"}})
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Refused) == len(ms) {
			return
		}
		es, err := directorEntries(string(r.Bytes))
		if err != nil || len(es) != len(ms)-len(r.Refused) {
			t.Fatalf("%d members, %d left out, %d backends: %v in\n%s", len(ms), len(r.Refused), len(es), err, r.Bytes)
		}
		seen := map[string]bool{}
		for line := range strings.Lines(strings.ToLower(string(r.Bytes))) {
			if strings.HasPrefix(line, "backend ") && seen[line] {
				t.Fatalf("%s twice", line)
			}
			seen[line] = true
		}
		for _, e := range es {
			if !slices.Contains(names, e.name) {
				t.Fatalf("a backend of %q, who is no member", e.name)
			}
		}
	})
}
