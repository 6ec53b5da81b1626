package install_test

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// pack builds the Debian package of a version for this machine.
func pack(t *testing.T, version, dir string, env ...string) (file string) {
	t.Helper()
	return packing(t, version, dir, env...)()
}

// packing begins to; what it returns waits for the end.
func packing(t *testing.T, version, dir string, env ...string) (file func() string) {
	t.Helper()
	programs(t, "dpkg-deb")
	arch := strings.TrimSpace(run(t, "dpkg", "--print-architecture"))
	cmd := exec.Command("deb/build", version, arch, dir)
	cmd.Env = append(append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000"), env...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wait := sync.OnceValue(cmd.Wait)
	t.Cleanup(func() { _ = wait() })
	return func() string {
		if err := wait(); err != nil {
			t.Fatalf("deb/build: %v\n%s", err, complaint.Bytes())
		}
		return strings.TrimSpace(out.String())
	}
}

// Built twice, in other places, under other users' settings: the same bytes.
func TestPackage(t *testing.T) {
	programs(t, "lintian")
	first := pack(t, "v1.2.3", t.TempDir())
	second := pack(t, "v1.2.3", t.TempDir(), "MUSTER_SOCKET=/elsewhere", "TZ=Asia/Tokyo", "LANG=de_DE.UTF-8", "TMPDIR="+t.TempDir())
	a, _ := os.ReadFile(first)
	b, _ := os.ReadFile(second)
	if len(a) < 1<<20 || sha256.Sum256(a) != sha256.Sum256(b) {
		t.Errorf("built twice, the packages differ: %d and %d bytes", len(a), len(b))
	}
	if name := filepath.Base(first); !strings.HasPrefix(name, "muster_1.2.3_") {
		t.Errorf("the package is called %s", name)
	}
	lint := exec.Command("lintian", "--allow-root", "--fail-on", "error,warning", first)
	lint.Env = append(os.Environ(), "TMPDIR="+t.TempDir()) // it leaves a file there
	if out, err := lint.CombinedOutput(); err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}
	if conffiles := run(t, "dpkg-deb", "-I", first, "conffiles"); conffiles != "/etc/muster/muster.hcl\n" {
		t.Errorf("conffiles: %q", conffiles)
	}
	contents := run(t, "dpkg-deb", "-c", first)
	for _, want := range []string{
		"/usr/bin/muster\n", "/lib/systemd/system/muster.service\n", "/lib/systemd/system/muster-unprivileged.service\n", "/etc/muster/rules.d/\n",
		"/usr/share/man/man1/muster.1.gz\n", "/usr/share/man/man1/muster-plan.1.gz\n",
		"/usr/share/bash-completion/completions/muster\n", "/usr/share/zsh/vendor-completions/_muster\n", "/usr/share/fish/vendor_completions.d/muster.fish\n",
		"/usr/share/doc/muster/copyright\n", "/usr/share/doc/muster/changelog.Debian.gz\n", "/usr/share/doc/muster/licenses.txt.gz\n",
	} {
		if !strings.Contains(contents, want) {
			t.Errorf("the package lacks %s", want)
		}
	}
	root := t.TempDir()
	run(t, "dpkg-deb", "-x", first, root)
	manPages(t, filepath.Join(root, "usr/share/man/man1"))
	manual(t, filepath.Join(root, "usr/share/doc/muster"))
}

// manPages: what --help says, to be typed as it stands.
func manPages(t *testing.T, dir string) {
	t.Helper()
	for page, want := range map[string][]string{
		"muster":                 {"\\fBdoctor\\fP\nFind out why", ".SH EXIT STATUS", ".SH FILES", "/run/muster/api.sock"},
		"muster-agent":           {"\\fB--bind\\fP=ADDR[:PORT]\n", "\\fB--rejoin\\fP\n"},
		"muster-plan":            {"\\fB--json\\fP\n", "also MUSTER_SOCKET (default /run/muster/api.sock)"},
		"muster-completion-bash": {"source <(muster completion bash)", "/etc/bash_completion.d/muster"},
	} {
		text := run(t, "zcat", filepath.Join(dir, page+".1.gz"))
		for _, want := range want {
			if !strings.Contains(text, want) {
				t.Errorf("%s(1) lacks %q:\n%s", page, want, text)
			}
		}
	}
}

// manual: the pages that the sample configuration and the man pages speak of,
// with no link between them that leads nowhere.
func manual(t *testing.T, dir string) {
	t.Helper()
	link := regexp.MustCompile(`\]\(([^)#:]+)[)#]`)
	pages, err := filepath.Glob(filepath.Join(dir, "docs", "*.md"))
	if err != nil || len(pages) < 20 {
		t.Fatalf("the package has only %d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if strings.HasPrefix(m[1], "../") {
				continue // of the source
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
}

func TestDebianVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v1.2.3": "1.2.3", "v1.2.3-rc1": "1.2.3~rc1", "v1.2.3-4-gabcdef0": "1.2.3+4.gabcdef0",
		"v1.2.3-4-gabcdef0-dirty": "1.2.3+4.gabcdef0+dirty", "v1.2.3-rc.1-2-gabc1234": "1.2.3~rc.1+2.gabc1234",
		"abcdef0": "0~20231114.abcdef0", "abcdef0-dirty": "0~20231114.abcdef0+dirty", "unknown": "0~20231114.unknown",
	} {
		if got := strings.TrimSpace(run(t, "deb/version", version, "1700000000")); got != want {
			t.Errorf("%s is %s, want %s", version, got, want)
		}
	}
}

func TestDebianChangelog(t *testing.T) {
	changelog := func(text string) (string, error) {
		cmd := exec.Command("deb/changelog", "1.1.0", "1700000000")
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	got, err := changelog("# Changelog\n\n## [Unreleased]\n\nWords.\n\n### Added\n\n- One `thing`, which takes more than the width of a line to be\n  told about.\n- Two.\n\n" +
		"### Fixed\n\n- Three.\n\n## [1.0.0] - 2023-01-31\n\n- First.\n")
	want := `muster (1.1.0) unstable; urgency=medium

  [ Added ]
  * One thing, which takes more than the width of a line to be told about.
  * Two.

  [ Fixed ]
  * Three.

 -- The muster authors <muster@packages.invalid>  Tue, 14 Nov 2023 22:13:20 +0000

muster (1.0.0) unstable; urgency=medium

  * First.

 -- The muster authors <muster@packages.invalid>  Tue, 31 Jan 2023 00:00:00 +0000
`
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
	for _, bad := range []string{"", "## [1.0.0]\n- no date\n", "no heading\n- at all\n"} {
		if got, err := changelog(bad); err == nil || !strings.Contains(got, "cannot read the changelog") {
			t.Errorf("%q: %v, %s", bad, err, got)
		}
	}
}
