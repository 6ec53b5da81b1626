package load

import (
	"math"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const gib = 1 << 30

func machine(loadavg, meminfo, online string) fstest.MapFS {
	return fstest.MapFS{
		"proc/loadavg":                  {Data: []byte(loadavg)},
		"proc/meminfo":                  {Data: []byte(meminfo)},
		"sys/devices/system/cpu/online": {Data: []byte(online)},
	}
}

const meminfo = "MemTotal:       16777216 kB\nMemFree:         1048576 kB\nMemAvailable:    4194304 kB\nBuffers:          524288 kB\nCached:          2097152 kB\n"

func TestRead(t *testing.T) {
	want := Load{CPUs: 5, Load1: 0.52, Load5: 1.5, Load15: 12, MemTotal: 16 * gib, MemFree: 4 * gib}
	got, err := read(machine("0.52 1.50 12.00 1/389 4023\n", meminfo, "0-3,8\n"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("load (-want +got):\n%s", diff)
	}
	// A kernel that does not say what is available.
	old := strings.Replace(meminfo, "MemAvailable:    4194304 kB\n", "", 1)
	if got, err = read(machine("0 0 0 1/1 1", old, "0")); err != nil || got.MemFree != 3584<<20 || got.CPUs != 1 {
		t.Errorf("an old kernel: %+v, %v", got, err)
	}
}

func TestReadMistakes(t *testing.T) {
	for _, c := range []struct{ loadavg, meminfo, online, want string }{
		{"", meminfo, "0", "/proc/loadavg: there are no three averages"},
		{"a b c", meminfo, "0", `/proc/loadavg: "a" is no average`},
		{"NaN 0 0", meminfo, "0", "a load average of NaN"},
		{"-1 0 0", meminfo, "0", "a load average of -1"},
		{"0 0 0", "", "0", "0 bytes of memory"},
		{"0 0 0", "MemTotal: many kB", "0", "/proc/meminfo: MemTotal is no number of kB"},
		{"0 0 0", meminfo, "", `cpu/online: "" is no list of processors`},
		{"0 0 0", meminfo, "3-1", `cpu/online: "3-1" is no list of processors`},
	} {
		if _, err := read(machine(c.loadavg, c.meminfo, c.online)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if _, err := read(fstest.MapFS{}); err == nil {
		t.Error("a machine without files has a load")
	}
}

// This machine says something, as its kernel has it.
func TestReadThisMachine(t *testing.T) {
	l, err := Read("/")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\ncpu"); n != l.CPUs {
		t.Errorf("%d processors, and /proc/stat has %d", l.CPUs, n)
	}
	if l.MemFree == 0 || l.MemFree >= l.MemTotal {
		t.Errorf("%d of %d bytes are free", l.MemFree, l.MemTotal)
	}
}

// The formula, against sums done by hand.
func TestRate(t *testing.T) {
	for _, c := range []struct {
		l    Load
		want float64
	}{
		{Load{CPUs: 1, MemTotal: 1, MemFree: 1}, 0},
		{Load{CPUs: 1, MemTotal: 2, MemFree: 1}, 0.5},
		{Load{CPUs: 1, Load1: 4, MemTotal: 1, MemFree: 1}, 1},
		{Load{CPUs: 1, Load5: 4, MemTotal: 1, MemFree: 1}, 2},
		{Load{CPUs: 1, Load15: 4, MemTotal: 1, MemFree: 1}, 3},
		{Load{CPUs: 4, Load1: 4, Load5: 4, Load15: 4, MemTotal: 4, MemFree: 2}, 2},
		{Load{CPUs: 2, Load1: 1, Load5: 0.5, Load15: 0.25, MemTotal: 4, MemFree: 1}, (0.375 + 0.5 + 0.5 + 3) / 4},
	} {
		if got := c.l.Rate(); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("the rate of %+v is %g, want %g", c.l, got, c.want)
		}
	}
}

// Whatever a node says, a rate can be ordered, and busier is more.
func TestRateIsOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLoad(t)
		r := l.Rate()
		if math.IsNaN(r) || r < 0 {
			t.Fatalf("the rate of %+v is %g", l, r)
		}
		more := l
		more.Load15, more.Load1 = l.Load15+1, l.Load1+1
		if more.Rate() <= r {
			t.Fatalf("%+v is busier than %+v, but %g <= %g", more, l, more.Rate(), r)
		}
	})
}

func anyLoad(t *rapid.T) Load {
	average := rapid.Float64Range(0, 1000)
	total := rapid.Uint64Range(1, maxMemory).Draw(t, "total")
	return Load{
		CPUs: rapid.IntRange(1, 4096).Draw(t, "cpus"), Load1: average.Draw(t, "1"), Load5: average.Draw(t, "5"), Load15: average.Draw(t, "15"),
		MemTotal: total, MemFree: rapid.Uint64Range(0, total).Draw(t, "free"),
	}
}
