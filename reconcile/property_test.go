package reconcile

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A machine drives a host through anything that can happen to it.
type machine struct {
	*host
	t      *rapid.T
	rules  map[string]Unit
	texts  map[string]bool // every content that a file may ever have
	synced int64           // how much of the journal a power cut leaves
	serial int
}

var machineRules = []string{"alpha", "beta", "gamma"}

// Any sequence of desired sets, failures of check and reload, edits by others,
// full disks, kills, power cuts and restarts ends with disk = desired = loaded
// once the failures stop; and on the way no reader sees a half file, and no
// service is reloaded with unchecked bytes.
func TestAnythingConverges(t *testing.T) {
	base := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		root := filepath.Join(base, fmt.Sprint(n))
		m := &machine{host: newHost(t, root), t: t, rules: map[string]Unit{}, texts: map[string]bool{}}
		m.open()
		defer func() {
			m.r.journal.file.Close()
			m.r.release()
			os.RemoveAll(root)
		}()
		for _, rule := range machineRules {
			m.desire(rule, false)
		}
		t.Repeat(map[string]func(*rapid.T){
			"":       func(*rapid.T) { m.invariants() },
			"desire": func(*rapid.T) { m.desire(rapid.SampledFrom(machineRules).Draw(t, "rule"), true) },
			"pass":   func(*rapid.T) { m.pass(m.someRules()) },
			"edit":   func(*rapid.T) { m.edit() },
			"fail":   func(*rapid.T) { m.failures() },
			"wait": func(*rapid.T) {
				m.clock = m.clock.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "s")) * time.Second)
			},
			"restart": func(*rapid.T) { m.restart() },
			"kill":    func(*rapid.T) { m.kill(false) },
			"power":   func(*rapid.T) { m.kill(true) },
			"disk":    func(*rapid.T) { m.brokenDisk() },
			"hang":    func(*rapid.T) { m.hangChecks = !m.hangChecks },
		})
		m.end()
	})
}

// desire draws what a rule wants from now on.
func (m *machine) desire(rule string, badToo bool) {
	kinds := []string{"fine"}
	if badToo {
		kinds = []string{"fine", "fine", "fine", "bad", "unloadable"}
	}
	var files []File
	for i := range rapid.IntRange(0, 3).Draw(m.t, "files") {
		m.serial++
		text := fmt.Sprintf("%s %d", rapid.SampledFrom(kinds).Draw(m.t, "kind"), rapid.IntRange(0, 3).Draw(m.t, "version"))
		m.texts[text] = true
		files = append(files, m.file(fmt.Sprintf("%s-%d.conf", rule, i), text))
	}
	u := m.unit(rule, files...)
	u.OnOrphan = rapid.SampledFrom([]string{"", OrphanRemove}).Draw(m.t, "orphans")
	switch mode := rapid.SampledFrom([]CheckMode{CheckStaged, CheckSwap, CheckOverlay, CheckAuto}).Draw(m.t, "check"); {
	case mode == CheckStaged:
		u = u.withStagedCheck()
	case rapid.Bool().Draw(m.t, "own"):
		u.Check = checkBy(mode, "check-"+rule)
	case mode == CheckAuto && rapid.Bool().Draw(m.t, "blind"):
		u.Check = checkBy(mode, "check-blind")
	default:
		u.Check = checkBy(mode, "check")
	}
	m.rules[rule] = u
}

func (m *machine) someRules() []Unit {
	var units []Unit
	for _, rule := range machineRules {
		if rapid.Bool().Draw(m.t, rule) {
			units = append(units, m.rules[rule])
		}
	}
	return units
}

// pass makes one pass in a goroutine of its own, which the hook may end
// anywhere; it reports whether that happened.
func (m *machine) pass(units []Unit) (killed bool) {
	done := make(chan bool)
	go func() {
		finished := false
		defer func() { done <- !finished }()
		m.r.Converge(context.Background(), units)
		finished = true
	}()
	return <-done
}

// kill ends a pass at any step, as kill -9 does; power loses what was not
// synced of the journal, too.
func (m *machine) kill(power bool) {
	left := rapid.IntRange(0, 60).Draw(m.t, "steps")
	dead := false
	m.synced = m.journalLength()
	m.hook = func(step, what string) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if left--; left < 0 || dead {
			dead = true
			runtime.Goexit()
		}
		if step == "journal sync" {
			m.synced = m.journalLength()
		}
		return nil
	}
	m.pass(m.someRules())
	m.hook = nil
	m.r.journal.file.Close()
	m.r.release()
	if power && dead {
		end := rapid.Int64Range(min(m.synced, m.journalLength()), m.journalLength()).Draw(m.t, "journal")
		if err := os.Truncate(filepath.Join(m.root, "state", journalName), end); err != nil {
			m.Fatalf("%v", err)
		}
	}
	m.open()
}

func (m *machine) journalLength() int64 {
	info, err := os.Stat(filepath.Join(m.root, "state", journalName))
	if err != nil {
		m.Fatalf("%v", err)
	}
	return info.Size()
}

// brokenDisk makes a pass on a disk that is full, or fails, some of the time.
func (m *machine) brokenDisk() {
	from, to := rapid.IntRange(0, 40).Draw(m.t, "from"), rapid.IntRange(1, 40).Draw(m.t, "for")
	n := 0
	m.hook = func(step, what string) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if n++; n > from && n <= from+to {
			return syscall.ENOSPC
		}
		return nil
	}
	m.pass(m.someRules())
	m.hook = nil
}

func (m *machine) failures() {
	m.failChecks = rapid.IntRange(0, 3).Draw(m.t, "checks")
	m.failReloads = rapid.IntRange(0, 3).Draw(m.t, "reloads")
}

// edit is somebody else's hand.
func (m *machine) edit() {
	name := fmt.Sprintf("%s-%d.conf", rapid.SampledFrom(machineRules).Draw(m.t, "rule"), rapid.IntRange(0, 3).Draw(m.t, "file"))
	if rapid.Bool().Draw(m.t, "delete") {
		os.Remove(m.path(name))
		return
	}
	text := "by hand " + rapid.StringMatching("[a-c]").Draw(m.t, "text")
	m.texts[text] = true
	m.approved[text] = true // a hand's doing is not muster's fault
	m.put(name, text)
}

func (m *machine) invariants() {
	for _, v := range m.violations {
		m.Fatalf("%s", v)
	}
	for path, text := range m.all() {
		if !m.texts[text] {
			m.Fatalf("%s holds %q, which nobody wrote", path, text)
		}
		// what cannot be put back on a broken disk stays, and is not loaded
		if strings.HasPrefix(text, "bad") && len(m.r.stuck) == 0 {
			m.Fatalf("%s was left %q between passes", path, text)
		}
	}
}

// end stops the failures, and expects everything to come right.
func (m *machine) end() {
	m.failChecks, m.failReloads, m.hangChecks, m.hook = 0, 0, false, nil
	var units []Unit
	for _, rule := range machineRules {
		m.desire(rule, false)
		units = append(units, m.rules[rule])
	}
	// A power cut can lose the word that there was work in a directory. It is
	// swept when a rule has a file there.
	m.texts["last"] = true
	units = append(units, m.unit("last", m.file("last.conf", "last")))
	for try := 0; ; try++ {
		m.clock = m.clock.Add(backoffMost)
		outs := m.r.Converge(context.Background(), units)
		m.invariants()
		if !slices.ContainsFunc(outs, func(o Outcome) bool { return o.State != InSync }) {
			break
		}
		if try == 10 {
			m.Fatalf("does not converge: %+v", outs)
		}
	}
	want := map[string]string{}
	for _, u := range units {
		for _, f := range u.Files {
			want[f.Path] = string(f.Bytes)
		}
	}
	disk := m.all()
	for path, text := range want {
		if disk[path] != text {
			m.Fatalf("%s holds %q, want %q", path, disk[path], text)
		}
		if m.loaded[path] != text {
			m.Fatalf("%s: the service has %q, want %q", path, m.loaded[path], text)
		}
	}
	m.restart()
	m.commands()
	for _, o := range m.r.Converge(context.Background(), units) {
		if o.State != InSync || len(o.Changed) > 0 {
			m.Fatalf("not at rest: %+v", o)
		}
	}
	if ran := m.commands(); len(ran) > 0 {
		m.Fatalf("at rest, and yet ran %v", ran)
	}
	m.noLeftovers()
	replayed, damages, err := replay(strings.NewReader(string(m.journalText())))
	if err != nil || len(damages) > 0 {
		m.Fatalf("journal: %v %v", damages, err)
	}
	if diff := cmp.Diff(m.r.journal.state.snapshot(), replayed.snapshot()); diff != "" {
		m.Fatalf("the journal says otherwise (-memory +journal)\n%s", diff)
	}
}

func (m *machine) journalText() []byte {
	b, err := os.ReadFile(filepath.Join(m.root, "state", journalName))
	if err != nil {
		m.Fatalf("%v", err)
	}
	return b
}
