package order

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"muster/cluster"
	"muster/signing"
)

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

func seal(t *testing.T, key signing.Key, node string, o Order, at time.Time) []byte {
	t.Helper()
	payload, err := Seal(key, kind.Query, node, o, at)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// query is one that bears a payload; its answer goes to answer.
func query(payload []byte, answer func([]byte) error) cluster.Event {
	return cluster.Event{Type: cluster.EventQuery, Name: kind.Query, Payload: payload, From: "web9", Answer: answer}
}

// ask hands a request to k, and returns its answer.
func ask(t *testing.T, k *Kept[lamp], payload []byte) (bool, error) {
	t.Helper()
	var got []byte
	k.obey(t.Context(), query(payload, func(text []byte) error {
		got = text
		return nil
	}))
	if len(got) == 0 || len(got) > 900 {
		t.Fatalf("an answer of %d bytes", len(got))
	}
	a, err := ReadAnswer[answer](got)
	return a.On, err
}

// Only what a trusted key has signed for this node and this purpose is obeyed,
// once, and in order; also after a restart.
func TestSignedRequests(t *testing.T) {
	key, trusted := keyPair(t, "admin", "")
	stranger, _ := keyPair(t, "admin", "")
	limited, limits := keyPair(t, "ci", " events=deploy")
	n, dir := newNode(), t.TempDir()
	k := openOn(t, n, dir, trusted)
	start := time.Now()
	later := start.Add(time.Second)
	first := seal(t, key, "web1", light("hall"), start)
	if on, err := ask(t, k, first); err != nil || !on || n.tag() != "hall" || !strings.Contains(n.log.String(), "msg=done by=admin lit=hall") {
		t.Fatalf("%v, %v; tags %v, log %s", on, err, n.tags, &n.log)
	}
	if on, err := ask(t, k, seal(t, key, "web1", douse("hall"), start.Add(time.Millisecond))); err != nil || on {
		t.Fatalf("%v, %v", on, err)
	}
	text := []byte(`{"v":1,"node":"web1","do":"light","service":"hall"}`)
	forged := seal(t, key, "web1", light("hall"), later)
	forged[len(forged)-3] ^= 1
	sign := func(event, text string) []byte {
		payload, err := key.Sign(event, []byte(text), later)
		if err != nil {
			t.Fatal(err)
		}
		return payload
	}
	sets := n.sets
	for want, payload := range map[string][]byte{
		"cannot light service hall: the request is not newer": seal(t, key, "web1", light("hall"), start),
		"not newer than the last one that admin signed":       first,
		"the request is not to be trusted: signed by a key":   seal(t, stranger, "web1", light("hall"), later),
		"does not fit": forged,
		"signature":    sign("deploy", string(text)),
		"not signed":   text,
		"the request is for web2, and this is web1":                        seal(t, key, "web2", light("hall"), later),
		"the request is for " + strings.Repeat("x", 80) + "…, and this is": seal(t, key, strings.Repeat("x", 200), light("hall"), later),
		"too long ago":  seal(t, key, "web1", light("hall"), start.Add(-time.Hour)),
		"in the future": seal(t, key, "web1", light("hall"), start.Add(time.Hour)),
		`asks for "explode", neither light nor douse`:              sign(kind.Query, `{"v":1,"node":"web1","do":"explode"}`),
		"it is of version 2, and this muster knows version 1":      sign(kind.Query, `{"v":2,"node":"web1","do":"light"}`),
		"cannot read the request: it is not the JSON of a request": sign(kind.Query, `[]`),
		"it is not the JSON":           sign(kind.Query, string(text)+strings.Repeat(" ", maxMessage)),
		"cannot light: it has no bulb": seal(t, key, "web1", light(""), later),
		"is not to be trusted: no":     nil,
	} {
		if on, err := ask(t, k, payload); err == nil || on || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", want, on, err)
		}
	}
	if n.sets != sets || n.says("refused") != 16 || !strings.Contains(n.log.String(), "msg=refused from=web9 error=") {
		t.Errorf("what was refused was done, or nobody says so: log %s", &n.log)
	}

	// The order holds across a restart, and over what is done on the node.
	k = openOn(t, n, dir, trusted)
	give(t, k, douse("hall"))
	if on, err := ask(t, openOn(t, n, dir, trusted), first); err == nil || n.tag() != "" {
		t.Errorf("a copy of an old request works after a restart: %v", on)
	}
	if _, err := ask(t, openOn(t, n, t.TempDir(), limits), seal(t, limited, "web1", light("hall"), start)); err == nil || !strings.Contains(err.Error(), "may not sign") {
		t.Errorf("a key for deploy only: %v", err)
	}
	if _, err := ask(t, openOn(t, n, t.TempDir(), nil), first); err == nil {
		t.Error("a node that trusts nobody obeys")
	}
}

// Answers of other nodes may be anything.
func TestAnswers(t *testing.T) {
	if text := encode(answer{true}, nil); string(text) != `{"v":1,"on":true}` {
		t.Errorf("%s", text)
	}
	if text := encode(answer{}, errors.New("no")); string(text) != `{"v":1,"on":false,"error":"no"}` {
		t.Errorf("%s", text)
	}
	if _, err := ReadAnswer[answer](encode(answer{}, errors.New(strings.Repeat("é", 1000)))); err == nil || len(err.Error()) != maxReason+len("…") {
		t.Errorf("a long reason: %v", err)
	}
	for _, text := range []string{"", "null", "{}", `{"v":2}`, `{"v":1,"on":7}`, `{"v":1,"on":true,"error":"` + strings.Repeat("x", 2000) + `"}`} {
		if a, err := ReadAnswer[answer]([]byte(text)); err == nil || a.On || !strings.Contains(err.Error(), "cannot understand") {
			t.Errorf("%.20q: %v, %v", text, a, err)
		}
	}
}

// Run obeys, and a flood waits in bounded room.
func TestRun(t *testing.T) {
	key, trusted := keyPair(t, "admin", "")
	n := newNode()
	k := openOn(t, n, t.TempDir(), trusted)
	answers := make(chan string, 100)
	hear := func(payload []byte) {
		k.Hear(t.Context(), query(payload, func(text []byte) error {
			answers <- string(text)
			return nil
		}))
	}
	hear(seal(t, key, "web1", light("hall"), time.Now()))
	for range 50 {
		hear([]byte("rubbish"))
	}
	ctx, cancel := context.WithCancel(t.Context())
	var run sync.WaitGroup
	run.Go(func() { _ = k.Run(ctx) })
	for i := range maxAsked {
		got := <-answers
		if want := `{"v":1,"on":true}`; i == 0 && got != want || i > 0 && !strings.Contains(got, "not signed") {
			t.Errorf("answer %d: %s", i, got)
		}
	}
	cancel()
	run.Wait()
	if len(answers) != 0 || n.sets != 1 || n.tag() != "hall" {
		t.Errorf("%d answers more, tag %q, set %d times", len(answers), n.tag(), n.sets)
	}
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte(`{"v":1,"node":"a","do":"light","service":"x"}`))
	f.Add([]byte(`{"v":1,"on":true}`))
	f.Add([]byte(`{"version":1,"lit":"x","signers":{"a":1}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := kind.readRequest(text); err == nil && (r.Version != version || r.Do != kind.Do && r.Do != kind.Undo) {
			t.Fatalf("%q is taken for %+v", text, r)
		}
		_, _ = ReadAnswer[answer](text)
		_, _ = parse[lamp](text)
	})
}

// Whoever can send queries cannot fill the log with what they are refused for,
// nor with their name.
func TestLogOfRefusals(t *testing.T) {
	key, trusted := keyPair(t, "admin", "")
	n := newNode()
	k := openOn(t, n, t.TempDir(), trusted)
	now := time.Now()
	k.now = func() time.Time { return now }
	for range 1000 {
		e := query([]byte("rubbish"), func([]byte) error { return nil })
		e.From = strings.Repeat("x", 9000)
		k.obey(t.Context(), e)
	}
	if lines := n.says("refused"); lines == 0 || lines > 20 || n.log.Len() > 20*300 {
		t.Errorf("%d lines of %d bytes", lines, n.log.Len())
	}
	if on, err := ask(t, k, seal(t, key, "web1", light("hall"), now)); err != nil || !on || n.says("done") != 1 {
		t.Errorf("%v, %v; log %s", on, err, &n.log)
	}
	lines := n.says("refused")
	now = now.Add(time.Minute)
	if _, err := ask(t, k, nil); err == nil || n.says("refused") != lines+1 {
		t.Errorf("a minute later nothing is said: %v", err)
	}
}
