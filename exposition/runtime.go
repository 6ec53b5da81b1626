package exposition

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// Process tells of this process and its Go runtime, under the names that
// Prometheus' own clients give to the same numbers. started is when it began.
func Process(started time.Time) []Family {
	return append(process(started), goRuntime()...)
}

// process tells what the kernel counts. What it does not tell is left out.
func process(started time.Time) []Family {
	families := []Family{{Name: "process_start_time_seconds", Kind: Gauge, Help: "When the process started, in seconds since the epoch.",
		Series: []Series{{Value: float64(started.UnixMilli()) / 1000}}}}
	add := func(name string, kind Kind, help string, v float64, ok bool) {
		if ok {
			families = append(families, Family{Name: name, Kind: kind, Help: help, Series: []Series{{Value: v}}})
		}
	}
	s, ok := readStat()
	add("process_cpu_seconds_total", Counter, "CPU time of the process, of user and system, without its children.", s.cpu, ok)
	add("process_resident_memory_bytes", Gauge, "Memory of the process in RAM.", s.resident, ok)
	add("process_virtual_memory_bytes", Gauge, "Address space of the process.", s.virtual, ok)
	fds, err := countFDs()
	add("process_open_fds", Gauge, "Open files and sockets.", float64(fds), err == nil)
	most, ok := maxFDs()
	add("process_max_fds", Gauge, "How many files and sockets may be open.", most, ok)
	return families
}

// A stat is what proc_pid_stat(5) tells, in seconds and bytes.
type stat struct{ cpu, virtual, resident float64 }

// ticks is what Linux counts CPU time in, on all architectures that Go knows:
// hundredths of a second (USER_HZ).
const ticks = 100

func readStat() (s stat, ok bool) {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return s, false
	}
	// The program's name may hold anything; it ends with the last parenthesis.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 22 {
		return s, false
	}
	number := func(field int) float64 { // as counted in the manual page
		v, bad := strconv.ParseFloat(fields[field-3], 64)
		ok = ok && bad == nil
		return v
	}
	ok = true
	s.cpu = (number(14) + number(15)) / ticks
	s.virtual = number(23)
	s.resident = number(24) * float64(os.Getpagesize())
	return s, ok
}

func countFDs() (int, error) {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	return len(names) - 1, err // without dir itself
}

func maxFDs() (float64, bool) {
	text, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, "Max open files"); found && len(strings.Fields(rest)) > 0 {
			v, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return v, err == nil
		}
	}
	return 0, false
}

// sampled are the numbers of the Go runtime that are told. Reading them does
// not stop the program, as reading runtime.MemStats does.
var sampled = []struct {
	from, name, help string
	kind             Kind
}{
	{"/sched/goroutines:goroutines", "go_goroutines", "Goroutines that there are.", Gauge},
	{"/gc/heap/allocs:bytes", "go_gc_heap_allocs_bytes_total", "Bytes allocated on the heap since the start.", Counter},
	{"/gc/cycles/total:gc-cycles", "go_gc_cycles_total_gc_cycles_total", "Collections of garbage that have ended.", Counter},
	{"/cpu/classes/gc/total:cpu-seconds", "go_cpu_classes_gc_total_cpu_seconds_total", "CPU time estimated to have gone into collecting garbage.", Counter},
	{"/memory/classes/heap/objects:bytes", "go_memstats_alloc_bytes", "Bytes on the heap in use by objects.", Gauge},
	{"/memory/classes/heap/released:bytes", "go_memstats_heap_released_bytes", "Bytes of the heap given back to the kernel.", Gauge},
	{"/memory/classes/total:bytes", "go_memstats_sys_bytes", "Bytes of address space taken from the kernel.", Gauge},
}

func goRuntime() []Family {
	families := []Family{{Name: "go_info", Kind: Gauge, Help: "The Go that this program was built with.",
		Series: []Series{{Labels: Labels("version", runtime.Version()), Value: 1}}}}
	samples := make([]metrics.Sample, len(sampled))
	for i, s := range sampled {
		samples[i].Name = s.from
	}
	metrics.Read(samples)
	for i, s := range sampled {
		var v float64
		switch samples[i].Value.Kind() {
		case metrics.KindUint64:
			v = float64(samples[i].Value.Uint64())
		case metrics.KindFloat64:
			v = samples[i].Value.Float64()
		default:
			continue // another version of Go has it no more
		}
		families = append(families, Family{Name: s.name, Kind: s.kind, Help: s.help, Series: []Series{{Value: v}}})
	}
	return families
}
