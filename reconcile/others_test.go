package reconcile

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// Who may change a part of a path must not have muster tell what stands in
// files that are none of theirs: a diff is shown to more than may read those.
func TestDiffOfAnothersLink(t *testing.T) {
	h := testHost(t)
	h.theirs(t, "theirs")
	must(t, os.Mkdir(h.path("system"), 0o755))
	h.put("system/key.pem", "secret\n")
	must(t, os.Symlink(h.path("system"), h.path("theirs/conf")))
	u := h.unit("web", h.file("theirs/conf/key.pem", "new\n"))
	for _, f := range h.r.Plan([]Unit{u})[0].Files {
		if bytes.Contains(f.Old, []byte("secret")) {
			t.Errorf("the plan tells %q", f.Old)
		}
	}
	matches(t, h.converge(u, Failed).Err, `the link stands in .*/theirs, which `)
	for _, f := range h.r.LastChange("web").Files {
		if bytes.Contains([]byte(f.Diff), []byte("secret")) {
			t.Errorf("the last change tells %q", f.Diff)
		}
	}
	h.expect("system/key.pem", "secret\n")
}

// What takes a file's place between looking and showing is not shown, and does
// not keep a plan waiting.
func TestPlanShowsOnlyWhatItSaw(t *testing.T) {
	h := testHost(t)
	h.put("secret", "secret\n")
	for name, swap := range map[string]func(path string) error{
		"link": func(path string) error { return os.Symlink("secret", path) },
		"pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		h.put(name, "old\n")
		u := h.unit(name, h.file(name, "new\n"))
		passes, unlock := h.r.begin([]Unit{u}, false)
		h.r.inspect(passes[0])
		must(t, passes[0].err)
		must(t, os.Remove(h.path(name)))
		must(t, swap(h.path(name)))
		done := make(chan Plan, 1)
		go func() {
			left := int64(mostCompared)
			done <- passes[0].plan(&left)
		}()
		select {
		case plan := <-done:
			if f := plan.Files[0]; f.Old != nil || f.New != nil || !f.Cut {
				t.Errorf("%s: %+v", name, f)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: the plan waits", name)
		}
		unlock()
	}
}

// A file in a rule's place that is larger than any configuration is not read
// into memory to be shown.
func TestPlanOfAHugeFile(t *testing.T) {
	h := testHost(t)
	h.put("huge", "")
	must(t, os.Truncate(h.path("huge"), 100<<20)) // a hole
	f := h.r.Plan([]Unit{h.unit("web", h.file("huge", "new\n"))})[0].Files[0]
	if f.Action != ActionUpdate || !f.Cut || len(f.Old) > 0 {
		t.Errorf("%s, cut %t, %d bytes", f.Action, f.Cut, len(f.Old))
	}
}

// A file that cannot be renamed over is never open to more than may read what
// it held and what it shall hold.
func TestOverwriteShowsNobodyMore(t *testing.T) {
	h := testHost(t)
	for _, mode := range [][2]os.FileMode{{0o644, 0o600}, {0o600, 0o644}} {
		h.put("old", "old")
		h.put("new", "newer")
		must(t, os.Chmod(h.path("old"), mode[0]))
		must(t, os.Chmod(h.path("new"), mode[1]))
		p, err := openPlace(h.etc)
		must(t, err)
		from, err := p.openRegular("new", os.O_RDONLY)
		must(t, err)
		h.hook = func(step, _ string) error {
			if step == "truncate" && h.mode("old") != "0600" {
				t.Errorf("%o becomes %o: for a moment it is %s", mode[0], mode[1], h.mode("old"))
			}
			return nil
		}
		must(t, h.r.overwrite(p, "old", from))
		h.hook = nil
		h.expect("old", "newer")
		if got := fmt.Sprintf("%04o", mode[1]); h.mode("old") != got {
			t.Errorf("the mode is %s, not %s", h.mode("old"), got)
		}
		from.Close()
		must(t, p.Close())
	}
}
