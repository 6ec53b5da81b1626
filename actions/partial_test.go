package actions

import "testing"

// A mistake in a rule file at the start leaves the rule out, and what waits
// for it waits until the rule is back, or is gone for good.
func TestWhatWaitsForAMissingRule(t *testing.T) {
	b := open(t, "")
	if b.ledger.accept(keyOf("rule log", user("log", 1, "kept")), []byte("kept"), "") == nil {
		t.Fatal("not accepted")
	}
	b.start().stop()

	b = reopen(t, b.dir, "")
	b.Use(Set{Partial: true})
	b.start()
	b.Look(view(member("n", nil)))
	b.Use(Set{Rules: b.rules(logRule)})
	if s := b.idle("log"); s.Run != 1 || s.Heard != 1 {
		t.Errorf("with its rule back: %+v", s)
	}
}
