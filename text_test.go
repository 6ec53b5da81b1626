package muster_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// forbidden is what no file of the repository holds: directories that exist
// only on the machine it was written on, and work put off.
var forbidden = regexp.MustCompile(`/(work|root)/[a-z.]|\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`)

// finds returns "file:line: text" for every line of content that holds it.
func finds(file string, content []byte) []string {
	var out []string
	for i, line := range strings.Split(string(content), "\n") {
		if forbidden.MatchString(line) {
			out = append(out, fmt.Sprintf("%s:%d: %s", file, i+1, strings.TrimSpace(line)))
		}
	}
	return out
}

func TestNoForbiddenText(t *testing.T) {
	read := 0
	for _, file := range files(t) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// Others' licences say what they say.
		if bytes.IndexByte(content, 0) >= 0 || file == filepath.FromSlash("cmd/muster/licenses.txt") {
			continue
		}
		read++
		for _, f := range finds(file, content) {
			t.Error(f)
		}
	}
	if read < 10 {
		t.Errorf("read only %d files", read)
	}
}

// files lists what belongs to the repository: what git tracks or would, or all
// files where there is no git.
func files(t *testing.T) []string {
	t.Helper()
	var names []string
	if out, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output(); err == nil {
		names = strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
	} else {
		err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				names = append(names, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var existing []string
	for _, n := range names {
		if info, err := os.Lstat(n); err == nil && info.Mode().IsRegular() {
			existing = append(existing, n)
		}
	}
	return existing
}

func TestForbiddenTextIsFound(t *testing.T) {
	content := "see /wo" + "rk/x\nfine, /usr/bin/work\n// TO" + "DO: later\npath = /ro" + "ot/go\nTODOS are fine\n"
	want := []string{"f:1: see /wo" + "rk/x", "f:3: // TO" + "DO: later", "f:4: path = /ro" + "ot/go"}
	if diff := cmp.Diff(want, finds("f", []byte(content))); diff != "" {
		t.Errorf("finds (-want +got):\n%s", diff)
	}
}
