package install_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Debian's packages in the machine, beside debootstrap's minimum.
const packages = "systemd-sysv,dbus,libpam-systemd,polkitd,nginx-light,haproxy,procps,iproute2,adduser"

// The addresses of the machine and of what is outside of it, in network
// namespaces that nothing else is in.
const (
	inside  = "10.99.7.1"
	outside = "10.99.7.2"
)

// A machine is a Debian with its own systemd, network and processes.
type machine struct {
	t      *testing.T
	root   string // its file system
	leader string // process id of its init
	away   string // network namespace outside of it
}

// programs skips without them; on CI that is a failure.
func programs(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("no %s on CI: .ci/deps should have installed it", name)
			}
			t.Skipf("SKIPPED: no %s here; make deps installs it", name)
		}
	}
}

// run runs a command that must succeed.
func run(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, out)
	}
	return string(out)
}

// refused skips where the kernel does not let us do what a machine takes: that
// is no fault of what is tested, on CI neither.
func refused(t *testing.T, what string, argv ...string) {
	t.Helper()
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no machine can be booted here: %s: %v: %s", what, err, bytes.TrimSpace(out))
	}
}

// debian makes a Debian 12 in memory, with the keys and from the archive of
// this machine.
func debian(t *testing.T) (root string) {
	t.Helper()
	dir := t.TempDir()
	refused(t, "it cannot be kept in memory", "mount", "-t", "tmpfs", "-o", "mode=0755", "muster-test", dir)
	t.Cleanup(func() { run(t, "umount", "--recursive", "--lazy", dir) })
	root = filepath.Join(dir, "root")
	argv := []string{"debootstrap", "--variant=minbase", "--include=" + packages, "bookworm", root}
	if mirror := archive(); mirror != "" {
		argv = append(argv, mirror)
	}
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		tail := out[max(0, len(out)-2000):]
		if os.Getenv("CI") != "true" && bytes.Contains(out, []byte("Failed getting release file")) {
			t.Skipf("SKIPPED: Debian's archive is out of reach: %s", tail)
		}
		t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, tail)
	}
	return root
}

// archive is where this machine has its Debian from; empty: debootstrap's own.
func archive() string {
	out, _ := exec.Command("apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)", "Created-By: Packages").Output()
	for line := range strings.Lines(string(out)) {
		if uri, ok := strings.CutPrefix(strings.TrimSpace(line), "bookworm main "); ok {
			return uri
		}
	}
	return ""
}

// network makes two network namespaces that reach each other.
func network(t *testing.T) (in, out string) {
	t.Helper()
	in, out = fmt.Sprintf("muster-in-%d", os.Getpid()), fmt.Sprintf("muster-out-%d", os.Getpid())
	for _, ns := range []string{in, out} {
		refused(t, "no network namespace", "ip", "netns", "add", ns)
		t.Cleanup(func() { run(t, "ip", "netns", "del", ns) })
	}
	refused(t, "no veth", "ip", "link", "add", "host0", "netns", in, "type", "veth", "peer", "name", "host0", "netns", out)
	for ns, addr := range map[string]string{in: inside, out: outside} {
		run(t, "ip", "-n", ns, "addr", "add", addr+"/24", "dev", "host0")
		run(t, "ip", "-n", ns, "link", "set", "host0", "up")
		run(t, "ip", "-n", ns, "link", "set", "lo", "up")
	}
	return in, out
}

// ownGroup makes a control group of version 2 for the machine.
func ownGroup(t *testing.T) *os.File {
	t.Helper()
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		place, kind, _ := strings.Cut(line, " - ")
		f := strings.Fields(place)
		if !strings.HasPrefix(kind, "cgroup2 ") || len(f) < 5 {
			continue
		}
		path := filepath.Join(f[4], fmt.Sprintf("muster-test-%d", os.Getpid()))
		refused(t, "no control group", "mkdir", path)
		t.Cleanup(func() {
			await(t, "the control groups are gone", func() error {
				// systemd-nspawn makes one of that name in other hierarchies, too.
				groups, _ := filepath.Glob("/sys/fs/cgroup/*/" + filepath.Base(path))
				for _, group := range append(groups, path) {
					_ = exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";").Run()
					if _, err := os.Stat(group); err == nil {
						return fmt.Errorf("%s is still there", group)
					}
				}
				return nil
			})
		})
		dir, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { dir.Close() })
		return dir
	}
	t.Skip("SKIPPED: no machine can be booted here: control groups of version 2 are not mounted")
	return nil
}

// boot boots a machine and waits until it is up. It is gone after the test.
func boot(t *testing.T) *machine {
	t.Helper()
	programs(t, "debootstrap", "systemd-nspawn", "ip", "nsenter", "mount", "curl", "dpkg-deb")
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: only root can boot a machine")
	}
	in, out := network(t)
	group := ownGroup(t)
	root := debian(t)
	name := filepath.Base(group.Name())
	nspawn := func(argv ...string) *exec.Cmd {
		cmd := exec.Command("systemd-nspawn", append([]string{"--quiet", "--directory=" + root, "--machine=" + name,
			"--register=no", "--keep-unit", "--network-namespace-path=/run/netns/" + in, "--console=pipe"}, argv...)...)
		cmd.Env = append(os.Environ(), "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(group.Fd()), Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	if out, err := nspawn("true").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED: no machine can be booted here: systemd-nspawn: %v: %s", err, out)
	}
	cmd := nspawn("--boot")
	var console bytes.Buffer
	cmd.Stdout, cmd.Stderr = &console, &console
	if err := cmd.Start(); err != nil {
		t.Skipf("SKIPPED: no machine can be booted here: %v", err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // the machine shuts down
		select {
		case <-ended:
		case <-time.After(time.Minute):
			_ = os.WriteFile(filepath.Join(group.Name(), "cgroup.kill"), []byte("1"), 0)
			<-ended
		}
		_ = os.Remove("/run/systemd/nspawn/propagate/" + name)
		if t.Failed() {
			t.Logf("console:\n%s", console.Bytes()[max(0, console.Len()-3000):])
		}
	})
	m := &machine{t: t, root: root, away: out}
	await(t, "the machine is up", func() error {
		select {
		case <-ended:
			t.Fatalf("the machine did not boot:\n%s", console.Bytes())
		default:
		}
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
		if m.leader = string(bytes.TrimSpace(children)); err != nil || m.leader == "" {
			return errors.New("no init yet")
		}
		state, err := m.try("systemctl", "is-system-running")
		if strings.TrimSpace(state) != "running" {
			return fmt.Errorf("%w: %s", err, state)
		}
		return nil
	})
	return m
}

// try runs a command in the machine.
func (m *machine) try(argv ...string) (string, error) {
	argv = append([]string{"nsenter", "--target", m.leader, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--",
		"/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"}, argv...)
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	return string(out), err
}

// do runs a command in the machine that must succeed, and returns what it
// prints, without the last line's end.
func (m *machine) do(argv ...string) string {
	m.t.Helper()
	out, err := m.try(argv...)
	if err != nil {
		logs, _ := m.try("journalctl", "--no-pager", "--lines=40", "--output=cat")
		m.t.Fatalf("%s: %v\n%s\njournal:\n%s", strings.Join(argv, " "), err, out, logs)
	}
	return strings.TrimRight(out, "\n")
}

// eventually waits until a command succeeds and prints text.
func (m *machine) eventually(text string, argv ...string) {
	m.t.Helper()
	await(m.t, strings.Join(argv, " ")+" prints "+text, func() error {
		out, err := m.try(argv...)
		if err != nil || !strings.Contains(out, text) {
			return fmt.Errorf("%v: %s", err, out)
		}
		return nil
	})
}

// write writes a file in the machine.
func (m *machine) write(path, text string) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		m.t.Fatal(err)
	}
}

// read reads a file in the machine.
func (m *machine) read(path string) string {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.root, path))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(text)
}

// beside starts a command outside of the machine, where the machine can reach
// it; it ends with the test.
func (m *machine) beside(argv ...string) {
	m.t.Helper()
	cmd := exec.Command("ip", append([]string{"netns", "exec", m.away}, argv...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if m.t.Failed() {
			m.t.Logf("%s:\n%s", argv[0], out.Bytes()[max(0, out.Len()-2000):])
		}
	})
}

// await tries until there is no error, for five minutes.
func await(t *testing.T, what string, try func() error) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not for five minutes: %s: %v", what, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// outsideGet fetches a page from outside of the machine; it is web1's.
func (m *machine) outsideGet(url string) (string, error) {
	out, err := exec.Command("ip", "netns", "exec", m.away, "curl", "--silent", "--show-error", "--fail", "--max-time", "2", url).CombinedOutput()
	if err == nil && !bytes.Contains(out, []byte("web1 is here")) {
		err = fmt.Errorf("it says %q", out)
	}
	return string(out), err
}
