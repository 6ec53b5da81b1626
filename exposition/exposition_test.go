package exposition

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func written(t *testing.T, families ...Family) string {
	t.Helper()
	var out strings.Builder
	if err := Write(&out, families); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWrite(t *testing.T) {
	got := written(t,
		Family{Name: "a_total", Kind: Counter, Help: "Back\\slash\nand break.", Series: []Series{
			{Labels: Labels("rule", "x\"\\\n\xff"), Value: 1},
			{Labels: Labels("rule", "web", "result", "ok"), Value: 1e21},
		}},
		Family{Name: "nothing", Kind: Gauge},
		Family{Name: "g", Kind: Gauge, Help: "G.", Series: []Series{{Value: math.Inf(-1)}}},
		Family{Name: "h_seconds", Kind: Histogram, Help: "H.", Series: []Series{{
			Labels: Labels("rule", "web"),
			Dist:   &Distribution{Bounds: []float64{0.005, 1}, Counts: []uint64{2, 0, 1}, Count: 3, Sum: 2.25},
		}}},
		Family{Name: "s_seconds", Kind: Summary, Help: "S.", Series: []Series{{Dist: &Distribution{Count: 2, Sum: 0.5}}}},
	)
	want := `# HELP a_total Back\\slash\nand break.
# TYPE a_total counter
a_total{rule="x\"\\\n�"} 1
a_total{rule="web",result="ok"} 1e+21
# HELP g G.
# TYPE g gauge
g -Inf
# HELP h_seconds H.
# TYPE h_seconds histogram
h_seconds_bucket{rule="web",le="0.005"} 2
h_seconds_bucket{rule="web",le="1"} 2
h_seconds_bucket{rule="web",le="+Inf"} 3
h_seconds_sum{rule="web"} 2.25
h_seconds_count{rule="web"} 3
# HELP s_seconds S.
# TYPE s_seconds summary
s_seconds_sum 0.5
s_seconds_count 2
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

type full struct{}

var errFull = errors.New("full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriteFails(t *testing.T) {
	var families []Family
	for i := range 10_000 {
		families = append(families, Family{Name: fmt.Sprintf("a%d", i), Kind: Gauge, Series: []Series{{}}})
	}
	if err := Write(full{}, families); !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
}

// What is told of the process is what ps and the kernel tell, and Prometheus
// itself finds nothing to complain about.
func TestProcess(t *testing.T) {
	text := written(t, Process(time.Now())...)
	for _, name := range []string{
		"process_start_time_seconds", "process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
		"process_open_fds", "process_max_fds", "go_info", "go_goroutines", "go_memstats_alloc_bytes", "go_memstats_sys_bytes",
		"go_gc_cycles_total_gc_cycles_total", "go_cpu_classes_gc_total_cpu_seconds_total", "go_gc_heap_allocs_bytes_total", "go_memstats_heap_released_bytes",
	} {
		if !strings.Contains(text, "\n"+name+" ") && !strings.Contains(text, "\n"+name+"{") {
			t.Errorf("%s is missing:\n%s", name, text)
		}
	}
	s, ok := readStat()
	if !ok || s.resident < 1<<20 || s.virtual < s.resident {
		t.Errorf("read %+v, %v", s, ok)
	}
	before, err := countFDs()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if after, err := countFDs(); after != before+1 {
		t.Errorf("%d files were open, now %d (%v)", before, after, err)
	}
	lint(t, text)
}

// lint has Prometheus read text.
func lint(t *testing.T, text string) {
	t.Helper()
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is missing")
		}
		t.Skip("SKIPPED: promtool is missing")
	}
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s\n%s", err, out, text)
	}
}

func BenchmarkWrite(b *testing.B) {
	var families []Family
	for i := range 50 {
		f := Family{Name: fmt.Sprintf("muster_some_%d", i), Kind: Gauge, Help: "Some."}
		for j := range 100 {
			f.Series = append(f.Series, Series{Labels: Labels("rule", fmt.Sprintf("rule-%d", j)), Value: float64(j)})
		}
		families = append(families, f)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := Write(io.Discard, families); err != nil {
			b.Fatal(err)
		}
	}
}
