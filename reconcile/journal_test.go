package reconcile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestJournalTornTail(t *testing.T) {
	h := testHost(t)
	u := h.unit("web", h.file("a.conf", "one"))
	h.converge(u, InSync)
	path := filepath.Join(h.root, "state", journalName)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(`{"kind":"intent","at":1,"rule":"we`)
	must(t, err)
	must(t, f.Close())
	h.restart()
	h.commands()
	h.converge(u, InSync) // nothing is lost by half a line
	if ran := h.commands(); len(ran) > 0 {
		t.Errorf("ran %v", ran)
	}
	h.converge(h.unit("web", h.file("a.conf", "two")), InSync)
	b, err := os.ReadFile(path)
	must(t, err)
	if bytes.Contains(b, []byte(`"we`+"\n")) || bytes.Contains(b, []byte(`"we{`)) {
		t.Errorf("the torn line is still there:\n%s", b)
	}
}

func TestJournalDamaged(t *testing.T) {
	h := testHost(t)
	u := h.unit("web", h.file("a.conf", "one")).members("a,b", Guard{MaxLoss: 1})
	h.converge(u, InSync)
	path := filepath.Join(h.root, "state", journalName)
	must(t, h.r.Close())
	b, err := os.ReadFile(path)
	must(t, err)
	damaged := append([]byte("\x00\x00\x00\nnot json\n"), b...)
	must(t, os.WriteFile(path, damaged, 0o600))
	h.open()
	h.commands()
	h.converge(u, InSync)
	if diff := cmp.Diff([]string{"check", "reload"}, h.commands()); diff != "" {
		t.Errorf("commands (-want +got)\n%s", diff)
	}
	if bad, err := os.ReadFile(filepath.Join(h.root, "state", badName)); err != nil || !bytes.Equal(bad, damaged) {
		t.Errorf("the damaged journal was not kept: %v", err)
	}
	h.restart()
	h.converge(u, InSync)
	if ran := h.commands(); len(ran) > 0 {
		t.Errorf("ran %v once more", ran)
	}
}

// A change of one member among many costs bytes, not the whole list.
func TestJournalIsSmall(t *testing.T) {
	h := testHost(t)
	var many []string
	for i := range 10_000 {
		many = append(many, fmt.Sprintf("node-%05d.example", i))
	}
	with := func(n int) Unit {
		u := h.unit("web", h.file("a.conf", fmt.Sprint(n)))
		u.Static, u.Members = false, many[:n]
		return u
	}
	h.converge(with(10_000), InSync)
	before := h.journalSize(t)
	h.converge(with(9_999), InSync)
	if grown := h.journalSize(t) - before; grown > 2000 {
		t.Errorf("one member cost %d bytes", grown)
	}
}

func TestJournalIsCompacted(t *testing.T) {
	h := testHost(t)
	h.converge(h.unit("web", h.file("a.conf", "one")), InSync)
	h.r.note(record{Kind: recForgot, Rule: strings.Repeat("x", compactFrom)})
	if size := h.journalSize(t); size > 10_000 {
		t.Errorf("%d bytes", size)
	}
	h.restart()
	h.commands()
	h.converge(h.unit("web", h.file("a.conf", "one")), InSync)
	if ran := h.commands(); len(ran) > 0 {
		t.Errorf("ran %v", ran)
	}
	if st := stat(t, filepath.Join(h.root, "state", journalName)); st.Mode&0o777 != 0o600 {
		t.Errorf("mode %o", st.Mode&0o777)
	}
}

func TestLock(t *testing.T) {
	h := testHost(t)
	_, err := Open(h.cfg)
	matches(t, err, fmt.Sprintf(`^cannot use state directory .*/state: another muster uses it \(process %d\): stop that one or choose another with --state$`, os.Getpid()))
	cfg := h.cfg
	cfg.ReadOnly = true
	r, err := Open(cfg)
	must(t, err)
	if out := r.Converge(t.Context(), []Unit{h.unit("web", h.file("a.conf", "one"))})[0]; out.State != Failed {
		t.Errorf("it converged: %+v", out)
	}
	if plan := r.Plan([]Unit{h.unit("web", h.file("a.conf", "one"))})[0]; plan.Files[0].Action != ActionCreate {
		t.Errorf("%+v", plan)
	}
	h.expect("a.conf", "")
	must(t, r.Close())
	_, err = Open(Config{})
	matches(t, err, "it has no name")
	_, err = Open(Config{StateDir: "/dev/null/x"})
	matches(t, err, "^cannot use state directory /dev/null/x: not a directory$")
}

// Whatever a journal holds, reading it neither fails nor leads out of what
// muster may touch; and writing what was read gives the same again.
func FuzzJournal(f *testing.F) {
	h := newHost(f, f.TempDir())
	h.open()
	h.converge(h.unit("web", h.file("a.conf", "one"), h.file("b.conf", "two")).members("a,b,c", Guard{MaxLoss: 1}), InSync)
	h.converge(h.unit("web", h.file("a.conf", "two")).members("a,d", Guard{MaxLoss: 1}), InSync)
	h.converge(h.unit("web", h.file("a.conf", "bad")), Failed)
	must(f, h.r.Close())
	b, err := os.ReadFile(filepath.Join(h.root, "state", journalName))
	must(f, err)
	f.Add(b)
	f.Add(b[:len(b)-7])
	f.Add([]byte(`{"kind":"intent","id":"1","rule":"r","changes":[{"op":"remove","path":"/etc/x","dir":"/etc","name":"../passwd","backup":"x"}]}` + "\n"))
	f.Add([]byte(`{"kind":"rule","rule":"r","gained":["b","a"],"owed":true}` + "\n\n{}\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, _, err := replay(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range s.open {
			for _, c := range rec.Changes {
				if c.Stage != "" && !isHidden(c.Stage) || c.Backup != "" && !isHidden(c.Backup) ||
					filepath.Base(c.Name) != c.Name || !filepath.IsAbs(c.Dir) {
					t.Errorf("%+v", c)
				}
			}
		}
		var out bytes.Buffer
		for _, rec := range s.snapshot() {
			line, err := json.Marshal(rec)
			if err != nil {
				t.Fatal(err)
			}
			out.Write(append(line, '\n'))
		}
		again, damages, err := replay(bytes.NewReader(out.Bytes()))
		if err != nil || len(damages) > 0 {
			t.Fatalf("%v %v\n%s", err, damages, out.Bytes())
		}
		if diff := cmp.Diff(s.snapshot(), again.snapshot(), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	})
}
