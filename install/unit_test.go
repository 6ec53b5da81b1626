// Package install_test holds the systemd unit to what the tools of systemd say
// of it. The sample configuration beside it is tested by package config.
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

// analyze runs systemd-analyze on the unit, with a command in place of muster
// that is sure to be there, and returns what it prints.
func analyze(t *testing.T, args ...string) string {
	t.Helper()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no systemd-analyze on CI: .ci/deps should have installed it")
		}
		t.Skip("no systemd-analyze here (Debian: apt-get install systemd)")
	}
	unit, err := os.ReadFile("muster.service")
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "muster.service")
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
	if out := analyze(t, "verify", "--man=no"); out != "" {
		t.Errorf("systemd-analyze verify complains:\n%s", out)
	}
}

// The exposure, from 0 to 10, may not grow unseen. The unit that Debian's
// nginx has is at 9.6.
func TestUnitIsHardened(t *testing.T) {
	const limit = 3.5
	out := analyze(t, "security", "--offline=true", "--no-pager")
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
	unit, err := os.ReadFile("muster.service")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"Type=notify", // notify-reload came with systemd 253
		"ExecReload=/usr/bin/muster reload",
		"KillSignal=SIGTERM", "TimeoutStopSec=15", "WatchdogSec=30",
		"StateDirectory=muster", "RuntimeDirectory=muster",
	} {
		if !strings.Contains(string(unit), "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
}
