package main

import "testing"

// Of the two units doctor looks at the one that is in use.
func TestUnitInUse(t *testing.T) {
	const root, user = "Id=muster.service\nActiveState=", "\n\nId=muster-unprivileged.service\nActiveState="
	for shown, want := range map[string]string{
		root + "active" + user + "inactive\n":   "muster.service",
		root + "inactive" + user + "active\n":   "muster-unprivileged.service",
		root + "inactive" + user + "failed\n":   "muster-unprivileged.service",
		root + "inactive" + user + "inactive\n": "muster.service",
	} {
		if got := inUse(shown)["Id"]; got != want {
			t.Errorf("of %q it looks at %s, want %s", shown, got, want)
		}
	}
}
