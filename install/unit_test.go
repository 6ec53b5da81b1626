// Package install_test holds the package to what Debian's tools say of it, the
// units to what systemd's do, and both to what a booted machine makes of them. The sample configuration beside it is tested by package config.
package install_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// units are held to these exposures, from 0 to 10. The unit that Debian's nginx
// has is at 9.6.
var units = map[string]float64{"muster.service": 2.5, "muster-unprivileged.service": 1.5}

// analyze runs systemd-analyze on the unit, with a command in place of muster
// that is sure to be there, and returns what it prints.
func analyze(t *testing.T, name string, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no systemd-analyze on CI: .ci/deps should have installed it")
		}
		t.Skip("no systemd-analyze here (Debian: apt-get install systemd)")
	}
	unit, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(copied, []byte(strings.ReplaceAll(string(unit), "/usr/bin/muster", "/bin/true")), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, append(args, copied)...).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestUnitIsValid(t *testing.T) {
	for name := range units {
		if out := analyze(t, name, "verify", "--man=no"); out != "" {
			t.Errorf("systemd-analyze verify %s complains:\n%s", name, out)
		}
	}
}

// The exposure may not grow unseen.
func TestUnitIsHardened(t *testing.T) {
	for name, limit := range units {
		hardened(t, name, limit)
	}
}

func hardened(t *testing.T, name string, limit float64) {
	t.Helper()
	out := analyze(t, name, "security", "--offline=true", "--no-pager")
	m := regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no exposure level in:\n%s", out)
	}
	if level, err := strconv.ParseFloat(m[1], 64); err != nil || level > limit {
		t.Errorf("exposure %s, want at most %v (%v):\n%s", m[1], limit, err, out)
	}
}

// The settings that commands of rules, and the agent's own promises, rely on.
func TestUnitKeepsItsPromises(t *testing.T) {
	both := []string{
		"Type=notify", // notify-reload came with systemd 253
		"ExecReload=/usr/bin/muster reload",
		"KillSignal=SIGTERM", "TimeoutStopSec=15", "WatchdogSec=30", "RuntimeDirectory=muster",
	}
	for name, own := range map[string][]string{
		"muster.service":              {"StateDirectory=muster", "Delegate=yes"},
		"muster-unprivileged.service": {"User=muster", "CapabilityBoundingSet=", "Conflicts=muster.service", "After=muster.service"},
	} {
		unit, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range append(own, both...) {
			if !strings.Contains(string(unit), "\n"+line+"\n") {
				t.Errorf("%s lacks %s", name, line)
			}
		}
	}
}
