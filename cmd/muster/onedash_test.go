package main

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Flags are taken with one dash or two, as Serf's commands take theirs.
func TestOneDash(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"members -status=alive -tag role=web -detailed", "members --status=alive --tag role=web --detailed"},
		{"members --status alive -json", "members --status alive --json"},
		{"event -coalesce=false deploy v1", "event --coalesce=false deploy v1"},
		{"event scale -5", "event -- scale -5"},                // an argument
		{"event scale --nosuch", "event --nosuch scale"},       // a mistake, for the parser to find
		{"event -nosuch scale", "event --nosuch scale"},        // likewise, told by its whole name
		{"query load -timeout 5s", "query --timeout 5s load"},  // after the name, too
		{"query -timeout", "query --timeout"},                  // the value is missing
		{"query -node -x load", "query --node -x load"},        // a value is a value
		{"event -- -name -payload", "event -- -name -payload"}, // nothing behind -- is a flag
		{"event name -- -payload", "event name -- -payload"},   // but stays apart, for another program
		{"launch 2 x -sign k -- -K -sign", "launch --sign k 2 x -- -K -sign"},
		{"event scale -5 -- -6", "event -- scale -5 -6"},
		{"--color never keygen -json", "keygen --color never --json"}, // flags of every command
		{"keygen -h", "keygen -h"},                                    // one letter
		{"keygen -help", "keygen --help"},                             //
		{"agent -node=x -tag a=b -join 10.0.0.1", "agent --node=x --tag a=b --join 10.0.0.1"},
		{"render -", "render -"},
		{"keygen ---json", "keygen ---json"},
		{"nosuch -x", "nosuch -x"},
		{"-x", "-x"},
		{"", ""},
	} {
		got := strings.Join(oneDash(newRoot(io.Discard, io.Discard), strings.Fields(test.args)), " ")
		if got != test.want {
			t.Errorf("%q became %q, want %q", test.args, got, test.want)
		}
	}
}

func TestColumns(t *testing.T) {
	got := columns([][]string{
		{"node-two", "127.0.0.1:7946", "alive", "x=a"},
		{"n3", "127.0.0.1:80", "left", ""},
		{"é", "127.0.0.1:80", "alive", "note=\x1b[2J"},
		{"n4", "[::1]:80", "failed", ""},
	})
	want := "node-two  127.0.0.1:7946  alive   x=a\n" +
		"n3        127.0.0.1:80    left    \n" +
		"é         127.0.0.1:80    alive   \"note=\\x1b[2J\"\n" +
		"n4        [::1]:80        failed"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	if got := columns(nil); got != "" {
		t.Errorf("no rows are %q", got)
	}
}

// Nothing that a member says reaches a terminal as anything but text.
func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"load 0.5\tok": "load 0.5\tok", "häuser": "häuser", "": "",
		"a\nb": `"a\nb"`, "\x1b[2J": `"\x1b[2J"`, "a\rb": `"a\rb"`, "\u009b2J": `"\u009b2J"`, "\x9b2J": `"\x9b2J"`, "a\u202eb": `"a\u202eb"`,
	} {
		if got := plain(text); got != want {
			t.Errorf("plain(%q) = %s, want %s", text, got, want)
		}
	}
	if got, want := string(visible([]byte("{\"é\": \"\u009b\x7f\u202e\U000e0041\"}"))), `{"é": "\u009b\u007f\u202e\udb40\udc41"}`; got != want {
		t.Errorf("visible is %s, want %s", got, want)
	}
}
