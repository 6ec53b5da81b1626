package templates

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// A muninHome is a directory in which munin's programs run as the user munin,
// for munin-update refuses root; as another user, as that one.
type muninHome struct {
	t   *testing.T
	dir string
	as  *syscall.Credential
}

func newMuninHome(t *testing.T) *muninHome {
	t.Helper()
	dir, err := os.MkdirTemp("", "munin") // t.TempDir's is below one that only its owner may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &muninHome{t: t, dir: dir}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("munin")
		if err != nil {
			t.Fatal(err)
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err := cmp.Or(err1, err2, os.Chown(dir, uid, gid)); err != nil {
			t.Fatal(err)
		}
		h.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	for _, sub := range []string{"plugins", "plugin-conf.d", "state", "db", "log", "run", "html"} {
		if out, err := h.command("mkdir", sub).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	plugin := "#!/bin/sh\nif [ \"$1\" = config ]; then\n  echo 'graph_title T'; echo 'v.label v'\nelse\n  echo 'v.value 42'\nfi\n"
	if err := os.WriteFile(dir+"/plugins/answer", []byte(plugin), 0o755); err != nil {
		t.Fatal(err)
	}
	// The directories of munin-node stand in no configuration.
	h.write("Own.pm", "use Munin::Common::Defaults;\n$Munin::Common::Defaults::MUNIN_CONFDIR = '%[1]s';\n$Munin::Common::Defaults::MUNIN_PLUGSTATE = '%[1]s/state';\n1;\n", dir)
	return h
}

func (h *muninHome) write(name, format string, args ...any) {
	h.t.Helper()
	write(h.t, filepath.Join(h.dir, name), fmt.Appendf(nil, format, args...))
}

func (h *muninHome) command(argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = h.dir
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + h.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: h.as, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// node runs the munin-node of m until the test ends.
func (h *muninHome) node(program string, m cluster.Member, port uint16) {
	h.t.Helper()
	host := m.Addr.String()
	if m.Addr.Is6() {
		host = "[" + host + "]"
	}
	conf := fmt.Sprintf("log_file %[1]s/log/%[2]s.log\npid_file %[1]s/run/%[2]s.pid\nbackground 0\nsetsid 0\n"+
		"host_name %[2]s\nhost %[3]s\nport %[4]d\nallow ^127[.]0[.]0[.]1$\nallow ^::1$\n", h.dir, m.Name, host, port)
	if h.as != nil {
		conf += fmt.Sprintf("user %d\ngroup %d\n", h.as.Uid, h.as.Gid)
	}
	h.write(m.Name+".conf", "%s", conf)
	cmd := h.command("perl", "-T", "-I", h.dir, "-MOwn", program, "--config", filepath.Join(h.dir, m.Name+".conf"))
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the test may have failed because it has ended
		_ = cmd.Wait()
		if h.t.Failed() {
			h.t.Logf("munin-node %s: %s%s", m.Name, said.String(), h.log(m.Name))
		}
	})
	for tries := 0; ; tries++ {
		c, err := net.Dial("tcp", netip.AddrPortFrom(m.Addr, port).String())
		if err == nil {
			c.Close()
			return
		}
		if tries > 300 {
			h.t.Fatalf("munin-node does not listen: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// log returns what a program has written to its log.
func (h *muninHome) log(name string) string {
	text, err := os.ReadFile(filepath.Join(h.dir, "log", name+".log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// munin-update fetches from real munin-nodes for all whom the built-in names,
// every second one of them by IPv6, as the user munin. Each takes it a good part
// of a second, so 500 are for its parser alone: TestMuninTakesBuiltin.
func TestMuninFetches(t *testing.T) {
	needMunin(t)
	node := program(t, "munin-node")
	h := newMuninHome(t)
	port := 15000 + os.Getpid()%1000 // for both addresses, and none of those that connections get
	addrs := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()}
	for i, name := range []string{"four", "six.example"} {
		h.node(node, cluster.Member{Name: name, Addr: addrs[i]}, uint16(port))
	}
	for _, n := range []int{0, 1, 3, 30} {
		var members []cluster.Member
		want := map[string]bool{}
		for i := range n {
			m := cluster.Member{Name: fmt.Sprintf("n%d-%d.example", n, i), Addr: addrs[i%2], Tags: map[string]string{}}
			group := "muster"
			if i%3 == 0 {
				group, m.Tags["munin-group"] = "web", "web"
			}
			members = append(members, m)
			want[filepath.Join(h.dir, "db", group, m.Name+"-answer-v-g.rrd")] = true
		}
		cluster.SortMembers(members)
		hosts := renderBuiltin(t, "munin-hosts", Data{Rule: "r", Members: members, Vars: map[string]any{"port": port}}).Bytes
		h.write("munin.conf", "dbdir %[1]s/db\nhtmldir %[1]s/html\nlogdir %[1]s/log\nrundir %[1]s/run\n%[2]s", h.dir, hosts)
		out, err := h.command(muninUpdate, "--config_file", filepath.Join(h.dir, "munin.conf")).CombinedOutput()
		if err != nil {
			t.Fatalf("%d members: munin-update: %v\n%s", n, err, out)
		}
		files, err := filepath.Glob(filepath.Join(h.dir, "db", "*", fmt.Sprintf("n%d-*.rrd", n)))
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, f := range files {
			got[f] = true
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("%d members (-want +got):\n%.2000s\n%s\n%.4000s", n, diff, out, h.log("munin-update"))
		}
	}
}
