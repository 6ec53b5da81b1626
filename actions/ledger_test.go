package actions

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func noStep(string) error { return nil }

func openTest(t testing.TB, dir string) *ledger {
	t.Helper()
	l, notices, err := openLedger(dir, time.Now, noStep)
	if err != nil || len(notices) > 0 {
		t.Fatal(notices, err)
	}
	return l
}

func keyFor(rule string, n uint64, payload string) key { return keyOf(rule, user("e", n, payload)) }

// The ledger after any sequence of operations, crashes and failures of the
// disk is what the operations say.
func TestLedgerModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "ledger")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		now := time.Now()
		full := false
		step := func(string) error {
			if full {
				return syscall.ENOSPC
			}
			return nil
		}
		open := func() *ledger {
			l, notices, err := openLedger(dir, func() time.Time { return now }, step)
			if err != nil || len(notices) > 0 {
				t.Fatal(notices, err)
			}
			return l
		}
		l := open()
		model := map[key]string{} // state by key
		nonces := map[string]bool{}
		clock := uint64(0)
		pick := func(state ...string) *entry {
			for _, e := range l.entries {
				for _, s := range state {
					if model[e.key] == s {
						return e
					}
				}
			}
			return nil
		}
		t.Repeat(map[string]func(*rapid.T){
			"accept": func(t *rapid.T) {
				k := keyFor(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "rule"), rapid.Uint64Range(1, 8).Draw(t, "ltime"), rapid.SampledFrom([]string{"", "x", "\xff"}).Draw(t, "payload"))
				e := l.accept(k, []byte("inner"), "me")
				if _, known := model[k]; known != (e == nil) {
					t.Fatalf("known %v, accepted %v", known, e != nil)
				} else if !known {
					model[k] = "accepted"
					clock = max(clock, k.ltime)
				}
			},
			"claim": func(t *rapid.T) {
				if e := pick("accepted"); e != nil {
					if err := l.claim([]*entry{e}); (err == nil) == full {
						t.Fatalf("disk full %v: %v", full, err)
					}
				}
			},
			"start": func(t *rapid.T) {
				if e := pick("accepted"); e != nil && l.start(e) == nil {
					model[e.key] = "started"
				} else if e != nil {
					model[e.key] = "started" // in memory, as the Runner has it when it tries again
				}
			},
			"finish": func(t *rapid.T) {
				if e := pick("accepted", "started"); e != nil {
					l.finish(e, verdictOK)
					model[e.key] = "done"
				}
			},
			"witness": func(t *rapid.T) {
				n := rapid.Uint64Range(1, 20).Draw(t, "n")
				l.witness(n)
				clock = max(clock, n)
			},
			"use": func(t *rapid.T) {
				nonce := rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "nonce")
				if l.used(nonce) != nonces[nonce] {
					t.Fatalf("used %v", l.used(nonce))
				}
				l.use(nonce, now.Add(time.Hour))
				nonces[nonce] = true
			},
			"sync":    func(t *rapid.T) { _ = l.sync() },
			"fill":    func(t *rapid.T) { full = true },
			"free":    func(t *rapid.T) { full = false; now = now.Add(time.Minute) },
			"compact": func(t *rapid.T) { l.mu.Lock(); _ = l.rewrite(); l.mu.Unlock() },
			"crash": func(t *rapid.T) {
				full = false
				now = now.Add(time.Minute)
				if l.sync() != nil { // else what did not fit is gone, and that is another test's
					t.Fatal("the disk has room")
				}
				_ = l.file.Close()
				l = open()
			},
			"": func(t *rapid.T) {
				if l.clock != clock || len(l.entries) != len(model) {
					t.Fatalf("clock %d, want %d; %d entries, want %d", l.clock, clock, len(l.entries), len(model))
				}
				for k, want := range model {
					got := map[int]string{accepted: "accepted", claimed: "accepted", started: "started", done: "done"}[l.entries[k].state]
					if got != want {
						t.Fatalf("%v is %s, want %s", k, got, want)
					}
					if e := l.entries[k]; want != "done" && string(e.payload) != "inner" || e.signer != "me" {
						t.Fatalf("%+v", e)
					}
				}
			},
		})
		_ = l.close()
	})
}

// A power cut may lose what was written after the last sync. What was claimed
// may have been begun; what was not was not.
func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir)
	a, b, c := l.accept(keyFor("r", 1, ""), nil, ""), l.accept(keyFor("r", 2, ""), nil, ""), l.accept(keyFor("r", 3, ""), nil, "")
	if err := l.claim([]*entry{a, b}); err != nil {
		t.Fatal(err)
	}
	if err := l.start(a); err != nil {
		t.Fatal(err)
	}
	states := func() []int {
		l := openTest(t, dir)
		defer l.close()
		return []int{l.entries[a.key].state, l.entries[b.key].state, l.entries[c.key].state}
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{started, claimed, accepted}, states()); diff != "" {
		t.Errorf("after a kill:\n%s", diff)
	}
	path := filepath.Join(dir, ledgerName)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, record{Kind: recBoot, Boot: "another"}.encode(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{started, started, accepted}, states()); diff != "" {
		t.Errorf("after another boot:\n%s", diff)
	}
}

func TestTornAndDamaged(t *testing.T) {
	fill := func(dir string) (*ledger, string) {
		l := openTest(t, dir)
		for n := range uint64(5) {
			e := l.accept(keyFor("r", n+1, ""), []byte("p"), "")
			if n < 2 {
				l.finish(e, verdictOK)
			}
		}
		if err := l.close(); err != nil {
			t.Fatal(err)
		}
		return l, filepath.Join(dir, ledgerName)
	}
	_, path := fill(t.TempDir())
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// torn: everything before it counts, and nothing is said
	for cut := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 2; cut < len(whole); cut += 7 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ledgerName), whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		l := openTest(t, dir)
		if len(l.entries) != 4 || l.open()[0].state != accepted {
			t.Errorf("cut at %d: %d entries", cut, len(l.entries))
		}
		l.close()
	}
	// damaged: the rest counts, nothing of it is begun unasked, and it is said
	dir := t.TempDir()
	bad := bytes.Clone(whole)
	bad[bytes.Index(bad, []byte(`"lt":4`))+5] = '9'
	if err := os.WriteFile(filepath.Join(dir, ledgerName), bad, 0o600); err != nil {
		t.Fatal(err)
	}
	l, notices, err := openLedger(dir, time.Now, noStep)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	if len(notices) != 1 || !strings.Contains(notices[0], "the checksum does not fit") {
		t.Errorf("%q", notices)
	}
	if len(l.entries) != 4 || l.open()[0].state != started {
		t.Errorf("%d entries", len(l.entries))
	}
	if kept, err := os.ReadFile(filepath.Join(dir, badName)); err != nil || !bytes.Equal(kept, bad) {
		t.Errorf("the damaged one is not kept: %v", err)
	}
	openTest(t, dir).close() // no more said
}

func TestLedgerIsNoLink(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "passwd")
	write(t, target, "precious")
	if err := os.Symlink(target, filepath.Join(dir, ledgerName)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := openLedger(dir, time.Now, noStep); err == nil || !strings.HasPrefix(err.Error(), "cannot open the event ledger: ") {
		t.Errorf("a link was followed: %v", err)
	}
	if text, _ := os.ReadFile(target); string(text) != "precious" {
		t.Errorf("%q", text)
	}
}

// However many events there are, file and memory stay small, and what is
// recent is remembered.
func TestLedgerIsBounded(t *testing.T) {
	dir := t.TempDir()
	l := openTest(t, dir)
	waits := l.accept(keyFor("r", 1, "waits"), []byte("waits"), "")
	largest := int64(0)
	const n = 30_000
	for i := range uint64(n) {
		e := l.accept(keyFor("r", i+1, "p"), bytes.Repeat([]byte("p"), 100), "")
		l.finish(e, verdictOK)
		largest = max(largest, l.size)
	}
	if largest > 8<<20 || len(l.entries) != keepDone+1 {
		t.Errorf("%d bytes, %d entries", largest, len(l.entries))
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	l = openTest(t, dir)
	defer l.close()
	if l.known(keyFor("r", n, "p")) == nil || l.known(keyFor("r", n-4000, "p")) == nil || l.known(keyFor("r", 1, "p")) != nil {
		t.Error("it does not remember the right ones")
	}
	if e := l.known(waits.key); e == nil || string(e.payload) != "waits" {
		t.Errorf("what waits is forgotten: %+v", e)
	}
	l.now = func() time.Time { return time.Now().Add(keepFor + time.Minute) }
	l.mu.Lock()
	err := l.rewrite()
	l.mu.Unlock()
	if err != nil || len(l.entries) != 1 || l.latest() != n {
		t.Errorf("%d entries after a week, clock %d, %v", len(l.entries), l.latest(), err)
	}
}

// Those who need the disk at the same time share one sync.
func TestGroupCommit(t *testing.T) {
	var syncs atomic.Int64
	step := func(what string) error {
		if what == "sync" {
			syncs.Add(1)
			time.Sleep(20 * time.Millisecond) // an SD card
		}
		return nil
	}
	l, _, err := openLedger(t.TempDir(), time.Now, step)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	var all sync.WaitGroup
	for i := range uint64(50) {
		all.Go(func() {
			e := l.accept(keyFor(fmt.Sprint("r", i), i+1, ""), nil, "")
			if err := l.claim([]*entry{e}); err != nil {
				t.Error(err)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.synced == 0 {
				t.Error("claimed before anything was synced")
			}
		})
	}
	all.Wait()
	if n := syncs.Load(); n > 10 {
		t.Errorf("%d syncs for 50 claims at a time", n)
	}
}

func TestFailedSyncIsNoSync(t *testing.T) {
	fail := true
	l, _, err := openLedger(t.TempDir(), time.Now, func(what string) error {
		if what == "sync" && fail {
			return errors.New("input/output error")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	e := l.accept(keyFor("r", 1, ""), nil, "")
	if err := l.claim([]*entry{e}); err == nil || err.Error() != "cannot write the event ledger: input/output error" {
		t.Errorf("got %v", err)
	}
	if l.problem() == "" {
		t.Error("no problem")
	}
	fail = false
	l.now = func() time.Time { return time.Now().Add(time.Minute) }
	base := l.base
	if err := l.claim([]*entry{e}); err != nil || l.base == base || l.problem() != "" {
		t.Errorf("it was not written afresh: %v", err)
	}
}

// Whatever is in the file, opening it ends, and what it gives makes sense.
func FuzzLedger(f *testing.F) {
	f.Add([]byte("x\n"))
	e := &entry{key: keyFor("r", 1, "p"), id: 1, at: time.UnixMilli(1), payload: []byte("p")}
	text := e.record().encode(nil)
	f.Add(text)
	f.Add(append(text, record{Kind: recClaim, IDs: []uint64{1, 2}}.encode(nil)...))
	f.Add(record{Kind: recDone, ID: 1}.encode(text[:len(text):len(text)]))
	f.Add(text[:len(text)-3])
	f.Fuzz(func(t *testing.T, text []byte) {
		// as if every line had a sum that fits
		var fixed []byte
		for line := range bytes.Lines(text) {
			body := bytes.TrimSuffix(line, []byte("\n"))
			if len(body) > sumDigits {
				fixed = append(fmt.Appendf(fixed, "%08x %s", checksum(body[sumDigits+1:]), body[sumDigits+1:]), '\n')
			}
		}
		for _, text := range [][]byte{text, fixed} {
			s, _, _, err := replay(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			var again []byte
			for _, r := range s.snapshot() {
				again = r.encode(again)
			}
			s2, torn, damages, err := replay(bytes.NewReader(again))
			if err != nil || torn >= 0 || len(damages) > 0 {
				t.Fatalf("%v %v %v in\n%s", torn, damages, err, again)
			}
			if len(s2.entries) != len(s.entries) || s2.clock != s.clock || len(s2.nonces) != len(s.nonces) || len(s2.ended) != len(s.ended) {
				t.Fatalf("%+v became %+v", s, s2)
			}
			for k, e := range s.entries {
				o := s2.entries[k]
				if o == nil || o.state != e.state || o.id != e.id || !bytes.Equal(o.payload, e.payload) || o.verdict != e.verdict {
					t.Fatalf("%+v became %+v", e, o)
				}
			}
		}
	})
}
