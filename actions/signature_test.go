package actions

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/signing"
)

func TestSignature(t *testing.T) {
	key, err := signing.Generate("ops")
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := signing.Generate("ops")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "trusted")
	write(t, path, key.Public()+"\n")
	trusted, err := signing.ReadTrusted(path)
	if err != nil {
		t.Fatal(err)
	}
	trust := true
	hcl := `
rule "reboot" {
  on        = ["user:reboot"]
  signature = "required"
  self { tags = { role = "db" } }
  run { command = ["sh", "-c", "echo $1 $2 >>DIR/out", "sh", event.payload, event.signer] }
}
rule "any" {
  on = ["user:reboot"]
  run { command = ["sh", "-c", "cat >>DIR/any"] }
}`
	config := func(c *Config) {
		c.Trusted = func() *signing.Trusted {
			if !trust {
				return nil
			}
			return trusted
		}
	}
	b := open(t, hcl, config)
	now := time.Now()
	b.now = func() time.Time { return now }
	b.start()
	db := view(member("n", map[string]string{"role": "db"}))
	b.Look(db)
	seal := func(k signing.Key, name, payload string, at time.Time) string {
		e, err := k.Sign(name, []byte(payload), at)
		if err != nil {
			t.Fatal(err)
		}
		return string(e)
	}
	good := seal(key, "reboot", "db1", now)
	check := func(what string, run uint64, reason string, refused uint64) {
		t.Helper()
		if s := b.idle("reboot"); s.Run != run || s.Refused[reason] != refused {
			t.Errorf("%s: %+v", what, s)
		}
	}
	b.Hear(user("reboot", 1, good))
	check("good", 1, RefusedReplay, 0)
	b.Hear(user("reboot", 1, good))
	check("heard twice", 1, RefusedReplay, 1)
	b.Hear(user("reboot", 2, good))
	check("sent again", 1, RefusedReplay, 2)
	b.Hear(user("reboot", 3, "db1"))
	check("unsigned", 1, RefusedSignature, 1)
	b.Hear(user("reboot", 4, seal(stranger, "reboot", "db1", now)))
	check("a stranger's", 1, RefusedSignature, 2)
	b.Hear(user("reboot", 5, seal(key, "deploy", "db1", now)))
	check("another event's", 1, RefusedSignature, 3)
	b.Hear(user("reboot", 6, seal(key, "reboot", "old", now.Add(-6*time.Minute))))
	check("stale", 1, RefusedStale, 1)
	b.Hear(user("reboot", 7, seal(key, "reboot", "future", now.Add(6*time.Minute))))
	check("from the future", 1, RefusedStale, 2)
	trust = false
	b.Hear(user("reboot", 8, seal(key, "reboot", "db2", now)))
	check("nobody is trusted", 1, RefusedSignature, 4)
	trust = true
	// heard while the rule was not in force, and sent again when it is
	unused := seal(key, "reboot", "db3", now)
	b.Look(view(member("n", nil)))
	b.Hear(user("reboot", 9, unused))
	b.Look(db)
	b.Hear(user("reboot", 10, unused))
	check("kept for later", 1, RefusedReplay, 3)
	b.idle("any")
	b.stop()

	// a restart forgets no envelope
	b = reopen(t, b.dir, hcl, config)
	b.now = func() time.Time { return now }
	b.start()
	b.Look(db)
	b.Hear(user("reboot", 11, good))
	check("after a restart", 0, RefusedReplay, 1)
	b.Hear(user("reboot", 12, seal(key, "reboot", "db4", now)))
	check("good", 1, RefusedReplay, 1)
	if got := b.text("out"); got != "db1 ops\ndb4 ops\n" {
		t.Errorf("ran %q", got)
	}
	s := b.idle("any")
	if got, want := b.text("any"), "db1\ndb1\ndb1\ndb1\ndb1\nold\nfuture\ndb2\ndb3\ndb3\ndb1\ndb4\n"; s.Run != 2 || got != want {
		t.Errorf("without a signature: %q", got)
	}
}

// What was accepted with a signature is done with it after a restart.
func TestSignerIsRemembered(t *testing.T) {
	b := open(t, "")
	e := b.ledger.accept(keyOf("rule r", user("x", 1, "sealed")), []byte("inner"), "ops")
	if e == nil {
		t.Fatal("not accepted")
	}
	b.start().stop()
	b = reopen(t, b.dir, `
rule "r" {
  on        = ["user:x"]
  signature = "required"
  run { command = ["sh", "-c", "echo $1 $2 >>DIR/out", "sh", event.payload, event.signer] }
}`).start()
	b.Look(view(member("n", nil)))
	if s := b.idle("r"); s.Run != 1 || s.Heard != 1 || b.text("out") != "inner ops\n" {
		t.Errorf("%+v, %q", s, b.text("out"))
	}
}

// What was accepted from anybody is not done once the rule demands a
// signature.
func TestSignatureIsDemandedLater(t *testing.T) {
	hcl := `
rule "r" {
  on = ["user:x"]
  SIGNATURE
  run { command = ["sh", "-c", "echo $1 >>DIR/out", "sh", event.payload] }
}`
	b := open(t, strings.ReplaceAll(hcl, "SIGNATURE", ""))
	b.Look(view(member("n", nil)))
	b.Hear(user("x", 1, "queued"))
	b.Use(Set{Rules: b.rules(strings.ReplaceAll(hcl, "SIGNATURE", `signature = "required"`))})
	b.start()
	if s := b.idle("r"); s.Run != 0 || s.Refused[RefusedSignature] != 1 || b.text("out") != "" {
		t.Errorf("%+v, %q", s, b.text("out"))
	}
}

// One envelope is good for all rules that wait for a view with it, and for no
// copy of it.
func TestSignedBeforeThereIsAView(t *testing.T) {
	key, err := signing.Generate("ops")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "trusted")
	if err := os.WriteFile(path, []byte(key.Public()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rule := `
rule "NAME" {
  on        = ["user:x"]
  signature = "required"
  run { command = ["sh", "-c", "echo NAME $1 >>DIR/out", "sh", event.payload] }
}`
	b := open(t, strings.ReplaceAll(rule, "NAME", "one")+strings.ReplaceAll(rule, "NAME", "two"), func(c *Config) {
		c.Trusted = func() *signing.Trusted {
			trusted, err := signing.ReadTrusted(path)
			if err != nil {
				t.Error(err)
			}
			return trusted
		}
	}).start()
	sealed, err := key.Sign("x", []byte("early"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.Hear(user("x", 1, string(sealed)))
	b.Hear(user("x", 2, string(sealed)))
	b.Look(view(member("n", nil)))
	for _, name := range []string{"one", "two"} {
		if s := b.idle(name); s.Run != 1 || s.Refused[RefusedReplay] != 1 {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// An event without a signature makes nobody read the trusted keys: everybody
// can send such.
func TestUnsignedCostsNothing(t *testing.T) {
	read := 0
	b := open(t, `
rule "r" {
  on        = ["user:x"]
  signature = "required"
  run { command = ["true"] }
}`, func(c *Config) { c.Trusted = func() *signing.Trusted { read++; return nil } })
	b.Look(view(member("n", nil)))
	b.Hear(user("x", 1, "bare"))
	if s := b.of("r"); s.Refused[RefusedSignature] != 1 || read != 0 {
		t.Errorf("%+v, the keys were read %d times", s, read)
	}
}
