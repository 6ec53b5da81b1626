package metadata

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"muster/cluster"
	"muster/signing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A node is one as its cluster sees it.
type node struct {
	mu   sync.Mutex
	name string
	tags map[string]string
	fail error
	sets int
	log  strings.Builder
}

func (n *node) self() cluster.Member {
	n.mu.Lock()
	defer n.mu.Unlock()
	return cluster.Member{Name: n.name, Status: cluster.Alive, Tags: maps.Clone(n.tags)}
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

func (n *node) tag() string { return n.self().Tags[Tag] }

func newNode() *node { return &node{name: "web1", tags: map[string]string{"role": "web"}} }

func openOn(t testing.TB, n *node, dir string, trusted *signing.Trusted) *Registry {
	t.Helper()
	r, err := Open(Config{
		Dir: dir, Self: n.self, SetTags: n.setTags, Trusted: func() *signing.Trusted { return trusted }, MaxAge: 5 * time.Minute,
		Logger: slog.New(slog.NewTextHandler(&n.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What was added is in the tag, and there again after a restart.
func TestListOutlastsARestart(t *testing.T) {
	n, dir := newNode(), t.TempDir()
	r := openOn(t, n, dir, nil)
	r.Keep(t.Context())
	if n.sets != 0 {
		t.Error("the tag is set though there is no list")
	}
	for _, name := range []string{"nginx", "api", "nginx"} {
		if _, err := r.Add(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if n.tag() != "api,nginx" || n.tags["role"] != "web" {
		t.Errorf("tags %v", n.tags)
	}
	again := newNode()
	r = openOn(t, again, dir, nil)
	r.Keep(t.Context())
	r.Keep(t.Context())
	if again.tag() != "api,nginx" || again.sets != 1 {
		t.Errorf("after a restart: tags %v, set %d times", again.tags, again.sets)
	}
	again.tags[Tag] = "forged" // by hand
	r.Keep(t.Context())
	for _, name := range []string{"nginx", "api", "never"} {
		if _, err := r.Remove(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if _, there := again.tags[Tag]; there || len(r.Services()) != 0 {
		t.Errorf("with an empty list: tags %v, services %v", again.tags, r.Services())
	}
	again.tags[Tag] = "old" // as a tags file may have it
	openOn(t, again, dir, nil).Keep(t.Context())
	if _, there := again.tags[Tag]; there {
		t.Error("an empty list is not kept")
	}
}

// What cannot be done leaves everything as it was.
func TestChangesAreWholeOrNot(t *testing.T) {
	n, dir := newNode(), t.TempDir()
	r := openOn(t, n, dir, nil)
	if _, err := r.Add(t.Context(), "nginx"); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "a,b", "a b", ".x", "-x", "ü", "x\n", strings.Repeat("x", 64), "../x", "<script>"} {
		if _, err := r.Add(t.Context(), bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("service %q: %v", bad, err)
		}
	}
	n.fail = errors.New("cannot set tags: encoded they take 600 bytes of 512")
	if _, err := r.Add(t.Context(), "api"); err == nil || !strings.Contains(err.Error(), "600 bytes of 512") {
		t.Errorf("a tag that does not fit: %v", err)
	}
	n.fail = nil
	r.path = filepath.Join(dir, "missing", fileName)
	if _, err := r.Add(t.Context(), "api"); err == nil || !strings.Contains(err.Error(), "cannot add service api: cannot keep it") {
		t.Errorf("a file that cannot be written: %v", err)
	}
	r.path = filepath.Join(dir, fileName)
	if got := openOn(t, newNode(), dir, nil).Services(); n.tag() != "nginx" || len(got) != 1 || len(r.Services()) != 1 {
		t.Errorf("tag %q, on disk %v, services %v", n.tag(), got, r.Services())
	}
	for i := range 100 {
		if _, err := r.Add(t.Context(), fmt.Sprintf("service-%d", i)); err != nil {
			if !errors.Is(err, ErrInvalid) || i < 10 {
				t.Errorf("service %d: %v", i, err)
			}
			break
		}
	}
	if len(n.tag()) > maxTag {
		t.Errorf("the tag has %d bytes", len(n.tag()))
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	r.turn <- struct{}{}
	if _, err := r.Add(canceled, "late"); !errors.Is(err, context.Canceled) {
		t.Errorf("a change that cannot have its turn: %v", err)
	}
	<-r.turn
}

// A broken file does not keep the agent from starting, and is kept.
func TestBrokenFile(t *testing.T) {
	for _, text := range []string{"", "{", `{"version":2}`, `{"version":1,"services":["a b"]}`, strings.Repeat("[", maxFile+1), `{"version":1,"services":[` + strings.Repeat(`"a",`, 40) + `"b"`} {
		dir := t.TempDir()
		path := filepath.Join(dir, fileName)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		n := newNode()
		r := openOn(t, n, dir, nil)
		if len(r.Services()) != 0 || !strings.Contains(n.log.String(), "list of services is lost") {
			t.Errorf("%.40q: services %v, log %s", text, r.Services(), &n.log)
		}
		if kept, err := os.ReadFile(path + ".broken"); err != nil || string(kept) != text {
			t.Errorf("%.40q is not kept: %v", text, err)
		}
		if _, err := r.Add(t.Context(), "nginx"); err != nil {
			t.Error(err)
		}
	}
	dir := t.TempDir()
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, fileName)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Config{Dir: dir}); err == nil {
		t.Error("a link is followed")
	}
}

// keyPair is a key, and the trust in it.
func keyPair(t *testing.T, name, limits string) (signing.Key, *signing.Trusted) {
	t.Helper()
	key, err := signing.Generate(name)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "trusted.pub")
	if err := os.WriteFile(path, []byte(key.Public()+limits+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	trusted, err := signing.ReadTrusted(path)
	if err != nil {
		t.Fatal(err)
	}
	return key, trusted
}

// ask hands a request to r, and returns its answer.
func ask(t *testing.T, r *Registry, payload []byte) ([]string, error) {
	t.Helper()
	var got []byte
	r.obey(t.Context(), cluster.Event{Type: cluster.EventQuery, Name: Query, Payload: payload, Answer: func(text []byte) error {
		got = text
		return nil
	}})
	if len(got) == 0 || len(got) > 900 {
		t.Fatalf("an answer of %d bytes", len(got))
	}
	return ReadReply(got)
}

func seal(t *testing.T, key signing.Key, node, do, service string, at time.Time) []byte {
	t.Helper()
	payload, err := Seal(key, node, do, service, at)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// Another node's request counts with a trusted signature, for this node, and
// once.
func TestSignedRequests(t *testing.T) {
	key, trusted := keyPair(t, "admin", "")
	stranger, _ := keyPair(t, "admin", "")
	limited, limits := keyPair(t, "ci", " events=deploy")
	n, dir := newNode(), t.TempDir()
	r := openOn(t, n, dir, trusted)
	start := time.Now()
	first := seal(t, key, "web1", Add, "nginx", start)
	if list, err := ask(t, r, first); err != nil || cmp.Diff([]string{"nginx"}, list) != "" || n.tag() != "nginx" {
		t.Fatalf("list %v, %v", list, err)
	}
	if _, err := ask(t, r, seal(t, key, "web1", Remove, "nginx", start.Add(time.Millisecond))); err != nil {
		t.Fatal(err)
	}
	forged := seal(t, key, "web1", Add, "nginx", start.Add(2*time.Millisecond))
	forged[len(forged)-3] ^= 1
	moved, err := key.Sign("deploy", forged[len(forged)-10:], start)
	if err != nil {
		t.Fatal(err)
	}
	odd, err := key.Sign(Query, []byte(`{"v":1,"node":"web1","do":"explode","service":"x"}`), start.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for what, payload := range map[string][]byte{
		"not newer":                seal(t, key, "web1", Add, "late", start),
		"not newer than":           first,
		"not trusted here":         seal(t, stranger, "web1", Add, "nginx", start.Add(time.Second)),
		"does not fit":             forged,
		"signature":                moved,
		"not signed":               []byte(`{"v":1,"node":"web1","do":"add","service":"nginx"}`),
		"is for web2":              seal(t, key, "web2", Add, "nginx", start.Add(time.Second)),
		"too long ago":             seal(t, key, "web1", Add, "nginx", start.Add(-time.Hour)),
		"in the future":            seal(t, key, "web1", Add, "nginx", start.Add(time.Hour)),
		`asks for "explode"`:       odd,
		"is not to be trusted: no": nil,
	} {
		if list, err := ask(t, r, payload); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v, %v", what, list, err)
		}
	}
	// The order holds across a restart.
	r = openOn(t, n, dir, trusted)
	if list, err := ask(t, r, first); err == nil || n.tag() != "" {
		t.Errorf("a copy of an old request works after a restart: %v", list)
	}
	r = openOn(t, n, t.TempDir(), limits)
	if _, err := ask(t, r, seal(t, limited, "web1", Add, "nginx", start)); err == nil || !strings.Contains(err.Error(), "may not sign") {
		t.Errorf("a key for deploy only: %v", err)
	}
	r = openOn(t, n, t.TempDir(), nil)
	if _, err := ask(t, r, first); err == nil {
		t.Error("nobody is trusted, and one is")
	}
	// What is too old to be obeyed again is forgotten.
	old := map[string]int64{"old": start.Add(-time.Hour).UnixMilli()}
	if signers, err := signing.Follow(old, signing.Signed{Signer: "new", Time: start}, start, time.Minute); err != nil || len(signers) != 1 {
		t.Errorf("signers %v, %v", signers, err)
	}
}

// Run obeys, and a flood waits in bounded room.
func TestRun(t *testing.T) {
	key, trusted := keyPair(t, "admin", "")
	n := newNode()
	r := openOn(t, n, t.TempDir(), trusted)
	answers := make(chan string, 100)
	hear := func(payload []byte) {
		r.Hear(t.Context(), cluster.Event{Type: cluster.EventQuery, Name: Query, Payload: payload, Answer: func(text []byte) error {
			answers <- string(text)
			return nil
		}})
	}
	hear(seal(t, key, "web1", Add, "nginx", time.Now()))
	for range 50 {
		hear([]byte("rubbish"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = r.Run(ctx) })
	for i := range maxAsked {
		got := <-answers
		if want := `{"v":1,"service":["nginx"]}`; i == 0 && got != want || i > 0 && !strings.Contains(got, "not signed") {
			t.Errorf("answer %d: %s", i, got)
		}
	}
	cancel()
	run.Wait()
	if len(answers) != 0 || n.tag() != "nginx" {
		t.Errorf("%d answers more, tag %q", len(answers), n.tag())
	}
}

// The list is a set in order, whatever is done.
func TestListIsASet(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		list, set := []string{}, map[string]bool{}
		for range rapid.IntRange(0, 40).Draw(t, "changes") {
			name, in := rapid.StringMatching(`[a-c][0-9]{0,1}`).Draw(t, "name"), rapid.Bool().Draw(t, "in")
			next, err := with(list, name, in)
			if err != nil {
				continue
			}
			list, set[name] = next, in
			if !in {
				delete(set, name)
			}
			if len(list) != len(set) {
				t.Fatalf("%v and %v", list, set)
			}
			m := cluster.Member{Tags: map[string]string{Tag: strings.Join(list, ",")}}
			if diff := cmp.Diff(append([]string(nil), list...), Of(m)); diff != "" {
				t.Fatal(diff)
			}
		}
		path := filepath.Join(dir, "list.json")
		if err := (content{Services: list}).write(path); err != nil {
			t.Fatal(err)
		}
		c, exists, err := read(path)
		if err != nil || !exists || len(c.Services) != len(set) {
			t.Fatalf("%v became %v, %v", list, c.Services, err)
		}
	})
}

// Who has it: living members, by whole names, whatever else their tags say.
func TestWorking(t *testing.T) {
	members := []cluster.Member{
		{Name: "a", Status: cluster.Alive, Tags: map[string]string{Tag: "api,nginx"}},
		{Name: "b", Status: cluster.Failed, Tags: map[string]string{Tag: "nginx"}},
		{Name: "c", Status: cluster.Alive, Tags: map[string]string{Tag: "nginx2,<script>,,nginx\n"}},
		{Name: "d", Status: cluster.Alive, Tags: map[string]string{Tag: "nginx"}},
		{Name: "e", Status: cluster.Alive},
	}
	var names []string
	for _, m := range Working(members, "nginx") {
		names = append(names, m.Name)
	}
	if diff := cmp.Diff([]string{"a", "d"}, names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"nginx2"}, Of(members[2])); diff != "" {
		t.Error(diff)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte(`{"v":1,"node":"a","do":"add","service":"x"}`))
	f.Add([]byte(`{"v":1,"service":["a"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := readRequest(text); err == nil && (r.Version != version || r.Do != Add && r.Do != Remove) {
			t.Fatalf("%q is taken for %+v", text, r)
		}
		_, _ = ReadReply(text)
		var c content
		if c.parse(text) == nil && check(c.Services) != nil {
			t.Fatalf("%q holds too much", text)
		}
	})
}
