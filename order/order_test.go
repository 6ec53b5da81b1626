package order

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

// A lamp is lit and put out, and says in which service.
type lamp struct {
	Lit string `json:"lit"`
}

var errBulb = errors.New("it has no bulb")

func (l lamp) After(o Order, _ time.Time) (lamp, error) {
	switch {
	case o.Service == "":
		return lamp{"half"}, errBulb
	case o.Do == "douse":
		return lamp{}, nil
	}
	return lamp{o.Service}, nil
}

func (l lamp) Text() string                  { return l.Lit }
func (l lamp) ShownBy(m cluster.Member) bool { return m.Tags["lamp"] == l.Lit }
func (l lamp) Answer() any                   { return answer{l.Lit != ""} }
func (l lamp) Attr() slog.Attr               { return slog.String("lit", l.Lit) }

type answer struct {
	On bool `json:"on"`
}

// kind is that of lamps, whose lines are the names of their fields.
var kind = Kind{
	File: "lamp.json", Query: cluster.OwnQuery + "lamp", Tag: "lamp", Do: "light", Undo: "douse",
	Lines: Lines{Done: "done", Refused: "refused", Lost: "lost", Unseen: "unseen", Again: "again"},
}

func light(service string) Order { return Order{"light", service} }
func douse(service string) Order { return Order{"douse", service} }

// A node is one as its cluster sees it.
type node struct {
	mu   sync.Mutex
	tags map[string]string
	fail error
	sets int
	log  strings.Builder
}

func newNode() *node { return &node{tags: map[string]string{"role": "web"}} }

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

func (n *node) tag() string { return n.self().Tags["lamp"] }

// says counts the lines of the log with that message.
func (n *node) says(line string) int { return strings.Count(n.log.String(), "msg="+line+" ") }

func openOn(t *testing.T, n *node, dir string, trusted *signing.Trusted) *Kept[lamp] {
	t.Helper()
	k, err := Open[lamp](Config{
		Dir: dir, Self: n.self, SetTags: n.setTags, Trusted: func() *signing.Trusted { return trusted }, MaxAge: 5 * time.Minute,
		Logger: slog.New(slog.NewTextHandler(&n.log, nil)),
	}, kind)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func give(t *testing.T, k *Kept[lamp], o Order) {
	t.Helper()
	if _, err := k.Give(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// What an order made of the node is in the tag, and there again after a restart
// or a hand on it; before the first order the tag is nobody's.
func TestOutlastsARestart(t *testing.T) {
	n, dir := newNode(), t.TempDir()
	n.tags["lamp"] = "by hand"
	k := openOn(t, n, dir, nil)
	if k.Keep(t.Context()); n.sets != 0 {
		t.Error("the tag is set though nobody said so")
	}
	if c, err := k.Give(t.Context(), light("hall")); err != nil || c.Lit != "hall" || n.tag() != "hall" || n.tags["role"] != "web" {
		t.Fatalf("%+v, %v; tags %v", c, err, n.tags)
	}

	n = newNode()
	k = openOn(t, n, dir, nil)
	k.Keep(t.Context())
	k.Keep(t.Context())
	if n.tag() != "hall" || n.sets != 1 || k.Content().Lit != "hall" {
		t.Errorf("after a restart: tags %v, set %d times, %+v", n.tags, n.sets, k.Content())
	}
	n.tags["lamp"] = "forged"
	if k.Keep(t.Context()); n.tag() != "hall" || n.says("again") != 2 {
		t.Errorf("the tag is not put back, or nobody says so: %v, log %s", n.tags, &n.log)
	}

	give(t, k, douse("hall"))
	if _, there := n.tags["lamp"]; there || k.Content() != (lamp{}) {
		t.Errorf("taken back: %+v, tags %v", k.Content(), n.tags)
	}
	n.tags["lamp"] = "old" // as a tags file may have it
	openOn(t, n, dir, nil).Keep(t.Context())
	if _, there := n.tags["lamp"]; there {
		t.Error("that it was taken back is forgotten")
	}
}

// That the tag cannot be put back is said once.
func TestUnseen(t *testing.T) {
	n := newNode()
	k := openOn(t, n, t.TempDir(), nil)
	give(t, k, light("hall"))
	delete(n.tags, "lamp")
	for _, n.fail = range []error{context.Canceled, errors.New("no room"), errors.New("no room"), nil, nil} {
		k.Keep(t.Context())
	}
	if n.says("unseen") != 1 || n.says("again") != 1 || n.tag() != "hall" {
		t.Errorf("tags %v, log %s", n.tags, &n.log)
	}
}

// What cannot be done leaves everything as it was.
func TestWholeOrNot(t *testing.T) {
	n, dir := newNode(), t.TempDir()
	k := openOn(t, n, dir, nil)
	n.tags["lamp"] = "by hand"
	refused := func(want string, ctx context.Context, o Order) {
		t.Helper()
		if c, err := k.Give(ctx, o); err == nil || !strings.Contains(err.Error(), want) || c != (lamp{}) {
			t.Errorf("%+v, %v; want %q", c, err, want)
		}
	}
	refused("cannot light: it has no bulb", t.Context(), light(""))
	n.fail = errors.New("encoded they take 520 bytes of 512")
	refused("cannot light service hall: encoded they take 520 bytes", t.Context(), light("hall"))
	n.fail = nil
	k.path = filepath.Join(dir, "missing", kind.File)
	refused("cannot light service hall: cannot keep it: ", t.Context(), light("hall"))
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	k.turn <- struct{}{}
	refused(context.Canceled.Error(), canceled, light("hall"))
	k.Keep(t.Context()) // out of turn, too
	if <-k.turn; n.tag() != "by hand" || k.Content() != (lamp{}) || openOn(t, n, dir, nil).Content() != (lamp{}) {
		t.Errorf("something is done all the same: tags %v, %+v", n.tags, k.Content())
	}
	k.path = filepath.Join(dir, kind.File)
	if k.Keep(t.Context()); n.tag() != "by hand" {
		t.Error("an order that failed makes the tag its own")
	}
}

// The file is what earlier versions read, to the byte.
func TestFile(t *testing.T) {
	for want, r := range map[string]record[lamp]{
		"{\n  \"version\": 1,\n  \"lit\": \"a\\\"b\"\n}\n":                                                {content: lamp{`a"b`}},
		"{\n  \"version\": 1,\n  \"lit\": \"\",\n  \"signers\": {\n    \"a\": 1,\n    \"b\": 2\n  }\n}\n": {signers: map[string]int64{"b": 2, "a": 1}},
	} {
		path := filepath.Join(t.TempDir(), kind.File)
		if err := r.write(path); err != nil {
			t.Fatal(err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != want {
			t.Errorf("%s, %v; want %s", text, err, want)
		}
		if again, err := read[lamp](path); err != nil || !again.given || again.content != r.content || !maps.Equal(again.signers, r.signers) {
			t.Errorf("%+v is read as %+v, %v", r, again, err)
		}
	}
	if text, err := object(struct{}{}, lamp{}, signers{}); err != nil || string(text) != `{"lit":""}` {
		t.Errorf("without fields: %s, %v", text, err)
	}
}

// A broken file does not keep the agent from starting, is kept, and said.
func TestBrokenFile(t *testing.T) {
	for _, text := range []string{"", "{", "[]", `{"version":2}`, `{"version":1,"lit":7}`, `{"version":1,"signers":7}`, `{"version":1,"lit":"x"}` + strings.Repeat(" ", maxFile)} {
		n, dir := newNode(), t.TempDir()
		path := filepath.Join(dir, kind.File)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		k := openOn(t, n, dir, nil)
		if k.Content() != (lamp{}) || k.record.given || n.says("lost") != 1 {
			t.Errorf("%.40q: %+v, log %s", text, k.Content(), &n.log)
		}
		if kept, err := os.ReadFile(path + ".broken"); err != nil || string(kept) != text {
			t.Errorf("%.40q is not kept: %v", text, err)
		}
		give(t, k, light("hall"))
	}
	dir := t.TempDir()
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, kind.File)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open[lamp](Config{Dir: dir}, kind); err == nil {
		t.Error("a link is followed")
	}
}
