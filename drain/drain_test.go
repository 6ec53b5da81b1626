package drain

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"muster/cluster"
	"muster/signing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A node is one as its cluster sees it.
type node struct {
	mu   sync.Mutex
	tags map[string]string
	fail error
	sets int
	log  strings.Builder
}

func (n *node) self() cluster.Member {
	n.mu.Lock()
	defer n.mu.Unlock()
	return cluster.Member{Name: "web1", Status: cluster.Alive, Tags: maps.Clone(n.tags)}
}

func (n *node) setTags(_ context.Context, change func(map[string]string)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fail != nil {
		return n.fail
	}
	n.sets++
	change(n.tags)
	return nil
}

func (n *node) draining() bool { return n.self().Draining() }

func newNode() *node { return &node{tags: map[string]string{"role": "web"}} }

func openOn(t *testing.T, n *node, dir string, trusted *signing.Trusted) *Drain {
	t.Helper()
	d, err := Open(Config{
		Dir: dir, Self: n.self, SetTags: n.setTags, Trusted: func() *signing.Trusted { return trusted }, MaxAge: 5 * time.Minute,
		Logger: slog.New(slog.NewTextHandler(&n.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func set(t *testing.T, d *Drain, drain bool) State {
	t.Helper()
	s, err := d.Set(t.Context(), drain)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A drain outlasts restarts and hands on the tag, until it is taken back; then
// the tag is nobody's.
func TestDrainOutlastsARestart(t *testing.T) {
	n, dir := newNode(), t.TempDir()
	d := openOn(t, n, dir, nil)
	if d.Keep(t.Context()); n.sets != 0 {
		t.Error("the tag is set though nobody said so")
	}
	first := set(t, d, true)
	if again := set(t, d, true); !first.Draining || first.Node != "web1" || first.Since.IsZero() || !again.Since.Equal(first.Since) {
		t.Errorf("drained: %+v, once more: %+v", first, again)
	}
	if !n.draining() || n.tags["role"] != "web" {
		t.Errorf("tags %v", n.tags)
	}

	n = newNode()
	d = openOn(t, n, dir, nil)
	d.Keep(t.Context())
	d.Keep(t.Context())
	if s := d.State(); !n.draining() || n.sets != 1 || !s.Draining || !s.Since.Equal(first.Since) {
		t.Errorf("after a restart: tags %v, set %d times, %+v", n.tags, n.sets, s)
	}
	delete(n.tags, Tag)
	if s := d.State(); !s.Draining {
		t.Error("a hand on the tag takes it back")
	}
	if d.Keep(t.Context()); !n.draining() || strings.Count(n.log.String(), "its tag says so again") != 2 {
		t.Errorf("the tag is not put back, or nobody says so: %v, log %s", n.tags, n.log.String())
	}
	if s := set(t, d, false); s.Draining || n.draining() || d.State().Draining {
		t.Errorf("taken back: %+v, tags %v", s, n.tags)
	}
	n.tags[Tag] = "by hand"
	d = openOn(t, n, dir, nil)
	d.Keep(t.Context())
	if s := d.State(); !s.Draining || !s.Since.IsZero() {
		t.Errorf("drained by hand: %+v", s)
	}
	if set(t, d, false); n.draining() {
		t.Error("what was drained by hand is not taken back")
	}
}

// What cannot be done leaves everything as it was.
func TestChangesAreWholeOrNot(t *testing.T) {
	n, dir := newNode(), t.TempDir()
	d := openOn(t, n, dir, nil)
	n.fail = errors.New("encoded they take 520 bytes of 512")
	if _, err := d.Set(t.Context(), true); err == nil || !strings.Contains(err.Error(), "cannot drain: encoded") {
		t.Errorf("a tag that does not fit: %v", err)
	}
	n.fail = nil
	d.path = filepath.Join(dir, "missing", fileName)
	if _, err := d.Set(t.Context(), true); err == nil || !strings.Contains(err.Error(), "cannot keep it") {
		t.Errorf("a file that cannot be written: %v", err)
	}
	if n.draining() || d.State().Draining || openOn(t, n, dir, nil).State().Draining {
		t.Error("it drains all the same")
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	d.turn <- struct{}{}
	if _, err := d.Set(canceled, true); !errors.Is(err, context.Canceled) {
		t.Errorf("out of turn: %v", err)
	}
}

// A broken file is kept, and said.
func TestBrokenFile(t *testing.T) {
	for _, text := range []string{"", "{", `{"version":2}`, "[]", strings.Repeat(" ", maxFile+1)} {
		n, dir := newNode(), t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, fileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d := openOn(t, n, dir, nil)
		kept, err := os.ReadFile(filepath.Join(dir, fileName+".broken"))
		if err != nil || string(kept) != text || d.State().Draining || !strings.Contains(n.log.String(), "it is lost whether") {
			t.Errorf("%.20q: kept %.20q, %v, log %s", text, kept, err, n.log.String())
		}
	}
}

// keys makes a key that is trusted and one that is not.
func keys(t *testing.T) (admin, stranger signing.Key, trusted *signing.Trusted) {
	t.Helper()
	admin, err := signing.Generate("admin")
	if err == nil {
		stranger, err = signing.Generate("stranger")
	}
	path := filepath.Join(t.TempDir(), "admin.pub")
	if err == nil {
		err = os.WriteFile(path, []byte(admin.Public()+"\n"), 0o600)
	}
	if err == nil {
		trusted, err = signing.ReadTrusted(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return admin, stranger, trusted
}

// Only what a trusted key has signed for this node and this purpose is obeyed,
// once, and in order; also after a restart.
func TestRequests(t *testing.T) {
	admin, stranger, trusted := keys(t)
	n, dir := newNode(), t.TempDir()
	d := openOn(t, n, dir, trusted)
	now := time.Now()
	seal := func(key signing.Key, node string, drain bool, at time.Time) []byte {
		text, err := Seal(key, node, drain, at)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	other, err := admin.Sign("deploy", []byte(`{"v":1,"node":"web1","do":"drain"}`), now)
	if err != nil {
		t.Fatal(err)
	}
	odd, err := admin.Sign(Query, []byte(`{"v":1,"node":"web1","do":"explode"}`), now)
	if err != nil {
		t.Fatal(err)
	}
	for want, payload := range map[string][]byte{
		"not signed":               []byte(`{"v":1,"node":"web1","do":"drain"}`),
		"not trusted here":         seal(stranger, "web1", true, now),
		"not to be trusted":        other,
		`asks for "explode"`:       odd,
		"for web2, and this is":    seal(admin, "web2", true, now),
		"the request is not to be": seal(admin, "web1", true, now.Add(-time.Hour)),
	} {
		if _, _, err := d.do(t.Context(), payload); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	if _, _, err := openOn(t, n, t.TempDir(), nil).do(t.Context(), seal(admin, "web1", true, now)); err == nil {
		t.Error("a node that trusts nobody obeys")
	}
	if n.sets != 0 {
		t.Fatal("what was refused was done")
	}
	request := seal(admin, "web1", true, now)
	if s, by, err := d.do(t.Context(), request); err != nil || by != "admin" || !s.Draining || !n.draining() {
		t.Fatalf("%+v by %q: %v", s, by, err)
	}
	if _, _, err := d.do(t.Context(), seal(admin, "web1", false, now.Add(time.Second))); err != nil || n.draining() {
		t.Fatalf("taken back: %v", err)
	}
	for range 2 {
		if _, _, err := d.do(t.Context(), request); err == nil || !strings.Contains(err.Error(), "not newer than the last one that admin signed") || n.draining() {
			t.Errorf("a copy: %v", err)
		}
		d = openOn(t, n, dir, trusted)
	}
}

// Answers of other nodes may be anything.
func TestReadReply(t *testing.T) {
	if on, err := ReadReply(reply{Draining: true}.encode()); err != nil || !on {
		t.Errorf("%v, %v", on, err)
	}
	if _, err := ReadReply(reply{Error: strings.Repeat("é", 1000)}.encode()); err == nil || len(err.Error()) > 410 {
		t.Errorf("a long reason: %v", err)
	}
	for _, text := range []string{"", "null", "{}", `{"v":2}`, `{"v":1,"error":"` + strings.Repeat("x", 2000) + `"}`} {
		if _, err := ReadReply([]byte(text)); err == nil || !strings.Contains(err.Error(), "cannot understand") {
			t.Errorf("%.20q: %v", text, err)
		}
	}
}

// Requests wait in a queue that has an end.
func TestRunObeys(t *testing.T) {
	admin, _, trusted := keys(t)
	n := newNode()
	d := openOn(t, n, t.TempDir(), trusted)
	payload, err := Seal(admin, "web1", true, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 * maxAsked {
		d.Hear(t.Context(), cluster.Event{Type: cluster.EventQuery, Name: Query, Payload: payload})
	}
	if len(d.asked) != maxAsked {
		t.Errorf("%d requests wait", len(d.asked))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = d.Run(ctx) })
	for len(d.asked) > 0 || !n.draining() {
		time.Sleep(time.Millisecond)
	}
	cancel()
	run.Wait()
	if sets := n.sets; sets != 1 {
		t.Errorf("the tag is set %d times for %d copies of a request", sets, maxAsked)
	}
}
