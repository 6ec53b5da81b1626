package reconcile

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"muster/command"
	"muster/statedir"
)

// The floor: what a change of one file costs at least, and promises next to
// nothing.
func BenchmarkFloor(b *testing.B) {
	for _, size := range []int{60_000, 600_000} {
		b.Run(fmt.Sprint(size/1000, "kB"), func(b *testing.B) {
			dir := b.TempDir()
			text := bytes.Repeat([]byte("server 10.0.0.1:8080 max_fails=3 fail_timeout=5s;\n"), size/50)
			cpu := cpuTime(b)
			for b.Loop() {
				f, err := os.Create(filepath.Join(dir, ".new"))
				must(b, err)
				_, err = f.Write(text)
				must(b, err)
				must(b, f.Sync())
				must(b, f.Close())
				must(b, os.Rename(filepath.Join(dir, ".new"), filepath.Join(dir, "web.conf")))
				must(b, statedir.Sync(dir))
			}
			b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// One change of one file as Converge makes it: compared, journaled, swapped,
// noted; commands are left out. 10,000 members are in the larger one.
func BenchmarkChange(b *testing.B) {
	for _, members := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(members*60/1000, "kB"), func(b *testing.B) {
			h := benchHost(b)
			var names [2][]string
			for i := range members {
				name := fmt.Sprintf("node-%05d", i)
				names[0] = append(names[0], name)
				if i > 0 {
					names[1] = append(names[1], name)
				}
			}
			var units [2]Unit
			for i := range units {
				text := bytes.Repeat([]byte("server 10.0.0.1:8080 max_fails=3 fail_timeout=5s;#########\n"), members)
				text[0] = byte('0' + i)
				u := h.unit("web", File{Path: h.path("web.conf"), Bytes: text})
				u.Static, u.Members = false, names[i]
				units[i] = u
			}
			h.converge(units[1], InSync)
			cpu, i := cpuTime(b), 0
			for b.Loop() {
				h.converge(units[i%2], InSync)
				i++
			}
			b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}

// A pass over 100 rules in which nothing changed.
func BenchmarkNothingChanged(b *testing.B) {
	for _, members := range []int{100, 10_000} {
		b.Run(fmt.Sprint(members, " members"), func(b *testing.B) {
			h := benchHost(b)
			var names []string
			for i := range members {
				names = append(names, fmt.Sprintf("node-%05d", i))
			}
			var units []Unit
			for i := range 100 {
				u := h.unit(fmt.Sprint("rule", i), File{Path: h.path(fmt.Sprint(i, ".conf")), Bytes: bytes.Repeat([]byte("x"), 60*members)})
				u.Static, u.Members = false, names
				units = append(units, u)
			}
			pass := func() {
				for _, o := range h.r.Converge(b.Context(), units) {
					if o.State != InSync {
						b.Fatal(o.Err)
					}
				}
			}
			pass()
			time.Sleep(2 * grain)
			pass() // from here on the sums are trusted
			for b.Loop() {
				pass()
			}
		})
	}
}

func benchHost(b *testing.B) *host {
	h := newHost(b, b.TempDir())
	h.cfg.hook = nil
	h.cfg.run = func(context.Context, command.Command) command.Result { return command.Result{} }
	h.open()
	b.Cleanup(func() { must(b, h.r.Close()) })
	return h
}

func cpuTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &use))
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}
