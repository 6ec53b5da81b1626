package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"muster/signing"
)

// A flood of events that claim to be signed reads the keys once a second, and
// logs once what is wrong with them.
func TestTrusted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trusted")
	key, err := signing.Generate("ops")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ask := trusted(path, slog.New(slog.NewTextHandler(&out, nil)))
		flood := func(want int) {
			t.Helper()
			for range 10_000 {
				if got := ask().Len(); got != want {
					t.Fatalf("%d keys, want %d", got, want)
				}
			}
		}
		flood(0)
		time.Sleep(trustedAge)
		flood(0)
		if n := strings.Count(out.String(), "no signature is trusted"); n != 1 {
			t.Errorf("%d lines: %.500s", n, &out)
		}
		if err := os.WriteFile(path, []byte(key.Public()), 0o600); err != nil {
			t.Fatal(err)
		}
		flood(0)
		time.Sleep(trustedAge)
		flood(1)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(trustedAge)
		flood(0)
		if n := strings.Count(out.String(), "no signature is trusted"); n != 2 {
			t.Errorf("%d lines: %.500s", n, &out)
		}
	})
}
