package install_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// onCopy runs a shell script that sees a copy of /etc and /var/lib, and can do
// nothing to this machine's; it returns what the script prints.
func onCopy(t *testing.T, script string) string {
	t.Helper()
	programs(t, "unshare", "mount", "adduser", "deluser", "getent")
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can mount")
	}
	deb, err := filepath.Abs("deb")
	if err != nil {
		t.Fatal(err)
	}
	const copies = `set -e
mount -t tmpfs muster-test "$1"
for dir in etc var/lib; do
  mkdir -p "$1/$dir" "$1/scratch/$dir"
  mount -t overlay -o "lowerdir=/$dir,upperdir=$1/$dir,workdir=$1/scratch/$dir" muster-test /$dir
done
`
	dir := t.TempDir()
	refused(t, "no overlay", "unshare", "--mount", "sh", "-c", copies, "sh", dir)
	fakes := t.TempDir() // for what would speak to this machine's systemd
	for _, name := range []string{"systemctl", "deb-systemd-helper", "deb-systemd-invoke"} {
		if err := os.WriteFile(filepath.Join(fakes, name), []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("unshare", "--mount", "sh", "-c", copies+script, "sh", dir, deb)
	cmd.Env = append(os.Environ(), "PATH="+fakes+":/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// The package makes its user and takes it away again. Somebody else who is
// called muster does not get the keys, and stays; a system's user with a group
// of that name was made for it.
func TestMaintainerScripts(t *testing.T) {
	const install = `
mkdir -p /etc/muster
echo >/etc/muster/muster.hcl
sh "$2/postinst" configure "" 2>&1
stat -c '%U:%G %a' /etc/muster/muster.hcl
sh "$2/postinst" configure 1
`
	const purge = `
mkdir -p /var/lib/muster
sh "$2/postrm" purge
test ! -e /etc/muster
test ! -e /var/lib/muster
`
	out := onCopy(t, install+"id -gn muster\n"+purge+"! getent passwd muster\n")
	if !strings.HasPrefix(out, "root:muster 640\nmuster\n") {
		t.Errorf("with a user of its own:\n%s", out)
	}
	for name, other := range map[string]string{
		"a person":                   "useradd --uid 59999 --gid nogroup muster",
		"another package's":          "useradd --system --gid nogroup --home-dir /var/lib/other muster",
		"another package's, grouped": "useradd --system --user-group --home-dir /var/lib/other muster",
	} {
		out := onCopy(t, other+install+purge+"getent passwd muster | cut -d: -f1\n")
		if !strings.HasSuffix(out, "muster\n") || strings.Contains(out, "root:muster") != strings.HasSuffix(name, "grouped") {
			t.Errorf("with %s:\n%s", name, out)
		}
	}
}
