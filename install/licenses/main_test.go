package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The file that `muster version --licenses` prints names every module that is
// linked now, in its present version, with its text.
func TestLicencesAreComplete(t *testing.T) {
	t.Chdir("../..")
	modules, err := linked("./cmd/muster")
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := write(&want, modules); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("cmd/muster/licenses.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(want.String(), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("cmd/muster/licenses.txt is out of date, run `make licenses` (-want +got):\n%.4000s", diff)
	}
}

func TestLinkedFindsRealModules(t *testing.T) {
	modules, err := linked("github.com/hashicorp/serf/serf")
	if err != nil {
		t.Fatal(err)
	}
	licence := map[string]string{}
	for _, m := range modules {
		licence[m.Path] = m.Licence
		if len(m.Texts) == 0 {
			t.Errorf("%s has no text", m.Path)
		}
	}
	for path, want := range map[string]string{
		"Go's runtime and standard library": "BSD-3-Clause",
		"github.com/hashicorp/serf":         "MPL-2.0",
		"github.com/hashicorp/memberlist":   "MPL-2.0",
		"github.com/google/btree":           "Apache-2.0",
		"github.com/miekg/dns":              "BSD-3-Clause",
	} {
		if licence[path] != want {
			t.Errorf("licence of %s = %q, want %q", path, licence[path], want)
		}
	}
}

func TestReadRefusesTheUnknown(t *testing.T) {
	file := t.TempDir() + "/LICENSE"
	if err := os.WriteFile(file, []byte("All rights reserved.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err := read("example.com/m", "v1.0.0", []string{file}); err == nil {
		t.Errorf("read() = %+v, want an error", m)
	}
	if _, err := read("example.com/m", "v1.0.0", nil); err == nil {
		t.Error("a module without a licence file passed")
	}
}

func TestWriteGivesEachTextOnce(t *testing.T) {
	var out bytes.Buffer
	err := write(&out, []module{
		{Path: "example.com/a", Version: "v1.0.0", Licence: "MIT", Texts: []string{"MIT\n\nCopyright (c) 2013 A\n\ntext one"}},
		{Path: "example.com/b", Version: "v2.0.0", Licence: "MIT", Texts: []string{"Copyright 2014 B. All rights reserved.\nMIT\n\ntext\none", "a notice"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	rule := strings.Repeat("=", 76)
	want := head + `example.com/a v1.0.0                                 MIT
example.com/b v2.0.0                                 MIT

` + rule + `
example.com/a
    Copyright (c) 2013 A
example.com/b
    Copyright 2014 B. All rights reserved.

MIT


text one

` + rule + `
example.com/b

a notice
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("write (-want +got):\n%s", diff)
	}
}
