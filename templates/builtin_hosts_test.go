package templates

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// getent asks the C library for names, with file in place of /etc/hosts: in a
// mount namespace of its own, which goes with it.
func getent(t *testing.T, file []byte, names ...string) map[string][]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts")
	write(t, path, file)
	script := `mount --bind "$0" /etc/hosts && getent -s files ahosts "$@"; [ $? -le 2 ]`
	flags := "-m"
	if os.Geteuid() != 0 {
		flags = "-Urm"
	}
	out, err := exec.Command("unshare", append([]string{flags, "sh", "-c", script, path}, names...)...).CombinedOutput()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("this test needs a mount namespace, and on CI nothing may be missing: %v: %s", err, out)
		}
		t.Skipf("SKIPPED: this test needs a mount namespace: %v: %s", err, out)
	}
	// ADDRESS STREAM NAME, then ADDRESS DGRAM and ADDRESS RAW.
	found, name := map[string][]string{}, ""
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) > 2 {
			name = words[2]
		}
		if len(words) > 1 && words[1] == "STREAM" {
			found[name] = append(found[name], words[0])
		}
	}
	return found
}

func TestGlibcReadsHostsBlock(t *testing.T) {
	own := "127.0.0.1 localhost\n10.5.5.5 own.example own # mine\n# BEGIN muster: kept by rule names, what is changed in here is put back\n%s# END muster\n10.5.5.6 last.example\n"
	for _, n := range []int{0, 1, 3, 500} {
		ms := crowd(n)
		names := []string{"localhost", "own.example", "last.example"}
		want := map[string]string{"localhost": "127.0.0.1", "own.example": "10.5.5.5", "last.example": "10.5.5.6"}
		for _, m := range ms {
			name := m.Name + ".serf"
			names = append(names, name)
			want[name] = m.Addr.String()
		}
		block := renderBuiltin(t, "hosts-block", Data{Rule: "names", Members: ms}).Bytes
		got := getent(t, fmt.Appendf(nil, own, block), names...)
		for name, addr := range want {
			if !slices.Equal(got[name], []string{addr}) {
				t.Errorf("%d members: %s is %v, not %s", n, name, got[name], addr)
			}
		}
	}
}

// No member takes a name of somebody else's.
func TestGlibcIsNotHijacked(t *testing.T) {
	for _, short := range []bool{false, true} {
		ms := crowd(1)
		for _, v := range injections("www.example.com", "example", "own", "OWN", "own.example", "x 10.6.6.6", "x\n10.6.6.6 www.example.com", "node-0.example.serf\t", "127.0.0.1", "Node-0.example") {
			m := crowd(1)[0]
			m.Name, m.Tags = v, map[string]string{v: v}
			m.Addr = m.Addr.Next()
			ms = append(ms, m)
		}
		block := renderBuiltin(t, "hosts-block", Data{Rule: "r", Members: ms, Vars: map[string]any{"short": short}}).Bytes
		file := append([]byte("127.0.0.1 localhost\n10.5.5.5 own.example\n"), block...)
		got := getent(t, file, "localhost", "own.example", "node-0.example.serf", "www.example.com", "www.example.com.serf", "localhost.localdomain", "ip6-loopback", "example")
		for name, want := range map[string][]string{"localhost": {"127.0.0.1"}, "own.example": {"10.5.5.5"}, "node-0.example.serf": {"10.0.0.0"},
			"www.example.com": nil, "www.example.com.serf": {"10.0.0.1"}, "localhost.localdomain": nil, "ip6-loopback": nil} {
			if !slices.Equal(got[name], want) {
				t.Errorf("%s is %v, not %v", name, got[name], want)
			}
		}
		if short != strings.Contains(string(block), " example\n") {
			t.Errorf("short %v: %s", short, block)
		}
	}
}
