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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// crowd is n members, every second one with an IPv6 address.
func crowd(n int) []cluster.Member {
	var ms []cluster.Member
	for i := range n {
		addr := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		if i%2 == 1 {
			addr = netip.MustParseAddr(fmt.Sprintf("fd00::%x", i))
		}
		ms = append(ms, cluster.Member{Name: fmt.Sprintf("node-%d.example", i), Addr: addr, Status: cluster.Alive,
			Tags: map[string]string{"role": fmt.Sprintf("r%d,all-nodes", i%7), "munin-group": fmt.Sprintf("g%d", i%7)}})
	}
	cluster.SortMembers(ms)
	return ms
}

// injections are the hostile values, and those that mean something to the
// consumers in question.
func injections(more ...string) []string { return slices.Concat(hostile, more) }

// attack renders a built-in for honest members and one for each hostile value
// in each place, and returns the members that are in the file. Each of the
// others must be reported.
func attack(t *testing.T, name string, values []string, tags ...string) (file []byte, in []cluster.Member) {
	t.Helper()
	honest := crowd(3)
	all := slices.Clone(honest)
	for i, v := range values {
		addr := netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)})
		named := cluster.Member{Name: v, Addr: addr, Tags: map[string]string{}}
		if !slices.ContainsFunc(all, func(m cluster.Member) bool { return m.Name == v }) { // names are unique
			all = append(all, named)
		}
		m := cluster.Member{Name: fmt.Sprintf("evil%d", i), Addr: addr, Tags: map[string]string{v: v, "other": v}}
		for _, tag := range tags {
			m.Tags[tag] = v
		}
		all = append(all, m)
	}
	cluster.SortMembers(all)
	r := renderBuiltin(t, name, Data{Rule: "r", Members: all})
	out := map[string]bool{}
	for _, f := range r.Refused {
		out[f.Member] = true
	}
	for _, m := range all {
		if !out[m.Name] {
			in = append(in, m)
		}
	}
	for _, m := range honest {
		if out[m.Name] {
			t.Errorf("%s is honest, and left out", m.Name)
		}
	}
	if len(out) < len(values)/2 {
		t.Errorf("only %d of %d hostile members are left out", len(out), len(all)-len(honest))
	}
	return r.Bytes, in
}

// readMunin is what munin reads from a file: a line for each host, and one for
// everything else that it was told.
const readMunin = `
use Munin::Master::Config; use Log::Log4perl; Log::Log4perl->easy_init($Log::Log4perl::ERROR);
my $c = Munin::Master::Config->instance->{config};
my %before = %$c;
$c->parse_config_from_file(shift);
sub walk {
  my ($x, $path) = @_;
  walk($x->{groups}{$_}, "$path$_;") for sort keys %{$x->{groups} || {}};
  for my $h (sort keys %{$x->{hosts} || {}}) {
    my $y = $x->{hosts}{$h};
    print "$path$h ", join(" ", map { "$_=$y->{$_}" } grep { !ref $y->{$_} } sort keys %$y), "\n";
  }
}
walk($c, "");
print "told: $_\n" for grep { $_ ne "groups" && (!exists $before{$_} || $before{$_} ne $c->{$_}) } sort keys %$c;
`

// muninReads returns the lines of readMunin.
func muninReads(t *testing.T, file []byte) string {
	t.Helper()
	needMunin(t)
	path := filepath.Join(t.TempDir(), "muster.conf")
	write(t, path, file)
	out, err := exec.Command("perl", "-e", readMunin, path).CombinedOutput()
	if err != nil {
		t.Fatalf("munin's parser: %v\n%s", err, out)
	}
	return string(out)
}

const muninUpdate = "/usr/share/munin/munin-update"

func needMunin(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(muninUpdate); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("this test needs munin, and on CI nothing may be missing")
		}
		t.Skip("SKIPPED: this test needs munin: run `make deps`")
	}
}

// muninHosts is what munin is to read for members.
func muninHosts(ms []cluster.Member) string {
	var lines []string
	for _, m := range ms {
		group := cmp.Or(m.Tags["munin-group"], "muster")
		lines = append(lines, fmt.Sprintf("%s;%s address=%s host_name=%[2]s port=4949 update=1 use_node_name=1\n", group, m.Name, m.Addr))
	}
	slices.SortFunc(lines, func(a, b string) int { // by group, then by host, as perl sorts
		ga, ha, _ := strings.Cut(a, ";")
		gb, hb, _ := strings.Cut(b, ";")
		na, _, _ := strings.Cut(ha, " ")
		nb, _, _ := strings.Cut(hb, " ")
		return cmp.Or(strings.Compare(ga, gb), strings.Compare(na, nb))
	})
	return strings.Join(lines, "")
}

func TestMuninTakesBuiltin(t *testing.T) {
	for _, n := range []int{0, 1, 3, 500} {
		ms := crowd(n)
		got := muninReads(t, renderBuiltin(t, "munin-hosts", Data{Rule: "r", Members: ms}).Bytes)
		if diff := gocmp.Diff(muninHosts(ms), got); diff != "" {
			t.Errorf("%d members (-want +got):\n%s", n, diff)
		}
	}
}

// Whatever members call themselves and their groups: munin reads those that
// are in the file, as they are, and nothing else.
func TestMuninIsNotInjected(t *testing.T) {
	file, in := attack(t, "munin-hosts", injections("web;x", "a]b", "web]\ncontact.x.command touch /tmp/x\n[a", "..", ".", "../..", "datafile", "LIMITS", "index.html",
		"ssh://10.0.0.1", "a:b", "web1\n  address ssh://x", "htmlconf.storable", "a;b;c"), "munin-group")
	if diff := gocmp.Diff(muninHosts(in), muninReads(t, file)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// munin-update fetches from real munin-nodes whom the built-in names, one of
// them by IPv6, as the user munin.
func TestMuninFetches(t *testing.T) {
	needMunin(t)
	node := program(t, "munin-node")
	dir, err := os.MkdirTemp("", "munin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var as *syscall.Credential // munin-update refuses root
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
		as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	run := func(argv ...string) *exec.Cmd {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + dir}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: true, Pdeathsig: syscall.SIGKILL}
		return cmd
	}
	for _, sub := range []string{"plugins", "plugin-conf", "db", "log", "run", "html"} {
		if out, err := run("mkdir", sub).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	plugin := "#!/bin/sh\nif [ \"$1\" = config ]; then\n  echo 'graph_title T'; echo 'v.label v'\nelse\n  echo 'v.value 42'\nfi\n"
	if err := os.WriteFile(dir+"/plugins/answer", []byte(plugin), 0o755); err != nil {
		t.Fatal(err)
	}
	// One port on both addresses.
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	members := []cluster.Member{
		{Name: "four", Addr: netip.MustParseAddr("127.0.0.1"), Tags: map[string]string{"munin-group": "web"}},
		{Name: "six.example", Addr: netip.MustParseAddr("::1"), Tags: map[string]string{}},
	}
	for _, m := range members {
		conf := fmt.Sprintf("log_level 4\nlog_file %[1]s/log/node-%[2]s.log\npid_file %[1]s/run/%[2]s.pid\nbackground 0\nsetsid 0\nhost_name %[2]s\nhost %[3]s\nport %[4]d\ncidr_allow 127.0.0.0/8\ncidr_allow ::1/128\n",
			dir, m.Name, m.Addr, port)
		if as != nil {
			conf += fmt.Sprintf("user %d\ngroup %d\n", as.Uid, as.Gid)
		}
		write(t, dir+"/"+m.Name+".conf", []byte(conf))
		cmd := run(node, "--config", dir+"/"+m.Name+".conf", "--servicedir", dir+"/plugins", "--sconfdir", dir+"/plugin-conf")
		var said strings.Builder
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			_ = cmd.Wait()
			if t.Failed() {
				t.Logf("munin-node: %s", said.String())
			}
		})
		for tries := 0; ; tries++ {
			c, err := net.Dial("tcp", netip.AddrPortFrom(m.Addr, uint16(port)).String())
			if err == nil {
				c.Close()
				break
			}
			if tries > 300 {
				t.Fatalf("munin-node does not listen: %v", err)
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
	vars := map[string]any{"port": port}
	write(t, dir+"/hosts.conf", renderBuiltin(t, "munin-hosts", Data{Rule: "r", Members: members, Vars: vars}).Bytes)
	hosts, err := os.ReadFile(dir + "/hosts.conf")
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir+"/munin.conf", fmt.Appendf(nil, "dbdir %[1]s/db\nhtmldir %[1]s/html\nlogdir %[1]s/log\nrundir %[1]s/run\n%[2]s", dir, hosts))
	out, err := run(muninUpdate, "--config_file", dir+"/munin.conf", "--nofork").CombinedOutput()
	if err != nil {
		t.Fatalf("munin-update: %v\n%s", err, out)
	}
	for _, want := range []string{"web/four-answer-v-g.rrd", "muster/six.example-answer-v-g.rrd"} {
		if _, err := os.Stat(filepath.Join(dir, "db", want)); err != nil {
			log, _ := os.ReadFile(dir + "/log/munin-update.log")
			t.Errorf("%v\n%s\n%s", err, out, log)
		}
	}
}
