package templates

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
func attack(t *testing.T, name string, vars map[string]any, values []string, tags ...string) (file []byte, in []cluster.Member) {
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
	r := renderBuiltin(t, name, Data{Rule: "r", Vars: vars, Members: all})
	out := map[string]bool{}
	for _, f := range r.Refused {
		checkRefusal(t, name, f)
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
		addr := m.Addr.String()
		if m.Addr.Is6() {
			addr = "[" + addr + "]"
		}
		group := cmp.Or(m.Tags["munin-group"], "muster")
		lines = append(lines, fmt.Sprintf("%s;%s address=%s host_name=%[2]s port=4949 update=1 use_node_name=1\n", group, m.Name, addr))
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
	file, in := attack(t, "munin-hosts", nil, injections("web;x", "a]b", "web]\ncontact.x.command touch /tmp/x\n[a", "..", ".", "../..", "datafile", "LIMITS", "index.html",
		"ssh://10.0.0.1", "a:b", "web1\n  address ssh://x", "htmlconf.storable", "a;b;c"), "munin-group")
	if diff := gocmp.Diff(muninHosts(in), muninReads(t, file)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
