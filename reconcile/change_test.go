package reconcile

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// changed fails unless the last change of the rule web is the one wanted.
func (h *host) changed(want Change) {
	h.Helper()
	want.Rule = "web"
	for i := range want.Files {
		want.Files[i].Path = h.path(want.Files[i].Path)
		want.Files[i].Diff = strings.ReplaceAll(want.Files[i].Diff, "ETC", h.etc)
	}
	if diff := cmp.Diff(want, h.r.LastChange("web"), cmpopts.EquateEmpty()); diff != "" {
		h.Fatalf("last change (-want +got):\n%s", diff)
	}
}

func TestLastChange(t *testing.T) {
	h := testHost(t)
	if c := h.r.LastChange("web"); !c.At.IsZero() || c.Rule != "web" || c.Files == nil {
		t.Errorf("before anything: %+v", c)
	}
	begin := h.clock
	u := h.unit("web", h.file("a.conf", "one\ntwo\nthree\n"), h.file("b.conf", "b\n"))
	h.converge(u.members("m,n", Guard{MaxLoss: 1}), InSync)
	first := Change{At: begin, Gained: names("m,n"), Files: []FileChange{
		{Path: "a.conf", Action: ActionCreate, Added: 3, Diff: "--- ETC/a.conf\n+++ ETC/a.conf\n@@ -0,0 +1,3 @@\n+one\n+two\n+three\n"},
		{Path: "b.conf", Action: ActionCreate, Added: 1, Diff: "--- ETC/b.conf\n+++ ETC/b.conf\n@@ -0,0 +1 @@\n+b\n"}}}
	h.changed(first)

	// A pass that changes nothing is no change, and neither is a reload.
	h.clock = h.clock.Add(time.Minute)
	h.converge(u.members("m,n", Guard{MaxLoss: 1}), InSync)

	// What was tried and did not last is told as such, without the output.
	h.clock = h.clock.Add(time.Minute)
	bad := h.unit("web", h.file("a.conf", "one\nbad\nthree\n"), h.file("b.conf", "b\n")).members("n,o", Guard{MaxLoss: 1})
	h.converge(bad, Failed)
	h.changed(Change{At: h.clock, Gained: names("o"), Lost: names("m"), RolledBack: true, Why: "check check: exit status 1", Files: []FileChange{
		{Path: "a.conf", Action: ActionUpdate, Added: 1, Removed: 1, Diff: "--- ETC/a.conf\n+++ ETC/a.conf\n@@ -1,3 +1,3 @@\n one\n-two\n+bad\n three\n"}}})
	if c := h.status("web").Check; c == nil || !strings.Contains(c.Output, ": bad") {
		t.Errorf("the check's output: %+v", c)
	}

	// So is a reload that fails; and a change that somebody else made before, and
	// an orphan that goes.
	h.clock = h.clock.Add(time.Hour)
	h.put("a.conf", "mine")
	good := h.unit("web", h.file("a.conf", "one\n")).members("n", Guard{MaxLoss: 1})
	good.OnOrphan = OrphanRemove
	want := Change{At: h.clock, Lost: names("m"), Files: []FileChange{
		{Path: "a.conf", Action: ActionUpdate, Added: 1, Removed: 1, Drift: true, Diff: "--- ETC/a.conf\n+++ ETC/a.conf\n@@ -1 +1 @@\n-mine\n\\ No newline at end of file\n+one\n"},
		{Path: "b.conf", Action: ActionRemove, Removed: 1, Diff: "--- ETC/b.conf\n+++ ETC/b.conf\n@@ -1 +0,0 @@\n-b\n"}}}
	h.failReloads = 1
	h.converge(good, Failed)
	failed := want
	failed.RolledBack, failed.Why = true, "reload reload: exit status 1"
	h.changed(failed)
	h.clock = h.clock.Add(time.Hour)
	h.converge(good, InSync)
	want.At, want.Files[0].Drift = h.clock, false // it was loaded meanwhile
	for i := range want.Files {                   // with their paths by now
		want.Files[i].Path = []string{"a.conf", "b.conf"}[i]
	}
	h.changed(want)

	h.r.Forget([]string{"web"})
	if c := h.r.LastChange("web"); !c.At.IsZero() {
		t.Errorf("of a rule that is gone: %+v", c)
	}
}

// Of a sensitive file is told that it changed; also of one that was sensitive
// until now.
func TestLastChangeOfASensitiveFile(t *testing.T) {
	h := testHost(t)
	u := func(text string, sensitive bool) Unit {
		f := h.file("key", text)
		f.Sensitive = sensitive
		return h.unit("web", f)
	}
	for _, c := range []struct {
		text      string
		sensitive bool
		want      State
	}{{"s3cret 1\n", true, InSync}, {"s3cret 2\n", true, InSync}, {"bad s3cret\n", true, Failed}, {"public\n", false, InSync}} {
		h.converge(u(c.text, c.sensitive), c.want)
		got := h.r.LastChange("web")
		text, err := json.Marshal(got)
		must(t, err)
		if f := got.Files[0]; strings.Contains(string(text), "s3cret") || !f.Sensitive || f.Added+f.Removed != 0 || f.Diff != "" {
			t.Errorf("%s: it is told: %s", c.text, text)
		}
	}
	h.converge(u("public\nmore\n", false), InSync)
	if f := h.r.LastChange("web").Files[0]; f.Sensitive || f.Added != 1 || !strings.Contains(f.Diff, "+more") {
		t.Errorf("what is public now: %+v", f)
	}
}

// A block in somebody else's file, and a service that is told, are told alike.
func TestLastChangeOfABlockAndOfATold(t *testing.T) {
	h := testHost(t)
	h.put("a.conf", "127.0.0.1 localhost\n")
	f := h.file("a.conf", "10.0.0.1 web1\n")
	f.Block = "#"
	h.converge(h.unit("web", f), InSync)
	h.changed(Change{At: h.clock, Files: []FileChange{{Path: "a.conf", Action: ActionUpdate, Added: 3, Diff: "--- ETC/a.conf\n+++ ETC/a.conf\n@@ -1 +1,4 @@\n 127.0.0.1 localhost\n" +
		"+# BEGIN muster: kept by rule web, what is changed in here is put back\n+10.0.0.1 web1\n+# END muster\n"}}})
	gone := h.unit("web")
	gone.OnOrphan = OrphanRemove
	h.converge(gone, InSync)
	if c := h.r.LastChange("web").Files[0]; c.Action != ActionUpdate || c.Removed != 3 || c.Added != 0 {
		t.Errorf("a block that goes: %+v", c)
	}

	s := newLiveService(t)
	s.pass("a1\n", InSync, "check reload", "set a1\n")
	s.pass("a2\n", InSync, "check", "set a2\n")
	s.changed(Change{At: s.clock, Files: []FileChange{{Path: "a.conf", Action: ActionUpdate, Added: 1, Removed: 1, Diff: "--- ETC/a.conf\n+++ ETC/a.conf\n@@ -1 +1 @@\n-a1\n+a2\n"}}})
}

// An owed reload leaves the files in place, and is said.
func TestLastChangeThatIsOwed(t *testing.T) {
	s := newLiveService(t)
	s.stale = true
	u := s.unit("web", s.file("a.conf", "a1\n"))
	u.Reload = nil // so that telling it is all there is
	s.converge(u, Owed)
	if c := s.r.LastChange("web"); c.RolledBack || !strings.Contains(c.Why, "cannot tell the running service") || c.Files[0].Added != 1 {
		t.Errorf("%+v", c)
	}
}

// However much changes, what is kept of it is bounded, and says what is missing.
func TestLastChangeIsBounded(t *testing.T) {
	h := testHost(t)
	many := make([]string, 0, 150)
	for i := range 150 {
		many = append(many, fmt.Sprintf("m%03d", i))
	}
	big := func(word string) string {
		var text strings.Builder
		for i := range 10_000 {
			fmt.Fprintf(&text, "server web%05d 10.0.%d.%d:8080 %s\n", i, i/256, i%256, word)
		}
		return text.String()
	}
	one := strings.Replace(big("a"), "server web09000 ", "server db ", 1)
	for _, step := range []struct {
		text           string
		added, removed int
		cut            bool
	}{{big("a"), 10_000, 0, true}, {one, 1, 1, false}, {big("b"), 10_000, 10_000, true}} {
		u := h.unit("web", h.file("a.conf", step.text))
		u.Static, u.Members = false, many
		h.converge(u, InSync)
		c := h.r.LastChange("web")
		f := c.Files[0]
		if f.Cut != step.cut || f.Added != step.added || f.Removed != step.removed || len(f.Diff) > mostDiff || !strings.HasSuffix(f.Diff, "\n") || len(f.Diff) == 0 {
			t.Errorf("%d bytes of diff, %d added, %d removed, cut: %t", len(f.Diff), f.Added, f.Removed, f.Cut)
		}
		if step.added == 1 && f.Diff != fmt.Sprintf("--- %[1]s\n+++ %[1]s\n", f.Path)+
			"@@ -8998,7 +8998,7 @@\n server web08997 10.0.35.37:8080 a\n server web08998 10.0.35.38:8080 a\n server web08999 10.0.35.39:8080 a\n"+
			"-server web09000 10.0.35.40:8080 a\n+server db 10.0.35.40:8080 a\n"+
			" server web09001 10.0.35.41:8080 a\n server web09002 10.0.35.42:8080 a\n server web09003 10.0.35.43:8080 a\n" {
			t.Errorf("one line in the middle of many: %s", f.Diff)
		}
		if step.removed == 0 && (len(c.Gained) != mostListed || c.GainedMore != 50) {
			t.Errorf("%d gained, and %d more", len(c.Gained), c.GainedMore)
		}
	}
	var files []File
	for i := range 120 {
		files = append(files, h.file(fmt.Sprintf("f%03d", i), strings.Repeat("line\n", 100)))
	}
	h.converge(h.unit("web", append(files, h.file("a.conf", big("b")))...), InSync)
	c := h.r.LastChange("web")
	size, cut := 0, 0
	for _, f := range c.Files {
		size += len(f.Diff)
		if f.Added != 100 {
			t.Errorf("%+v", f)
		}
		if f.Cut {
			cut++
		}
	}
	if len(c.Files) != mostListed || c.More != 20 || size > mostDiff || cut < 50 || cut == mostListed {
		t.Errorf("%d files and %d more, %d bytes of diffs, %d cut", len(c.Files), c.More, size, cut)
	}
}

// What is not cut, applied to the old text, gives the new one; and the counts
// are those of its lines.
func TestDiffsApply(t *testing.T) {
	text := rapid.Custom(func(t *rapid.T) string {
		lines := rapid.SliceOfN(rapid.SampledFrom([]string{"a\n", "b\n", "c\n", "\n", "ä\n"}), 0, 12).Draw(t, "lines")
		return strings.Join(lines, "") + rapid.SampledFrom([]string{"", "end"}).Draw(t, "end")
	})
	rapid.Check(t, func(t *rapid.T) {
		old, new := text.Draw(t, "old"), text.Draw(t, "new")
		file := tried{FileChange: FileChange{Path: "x"}, old: []byte(old), new: []byte(new)}
		file.compare(1 << 20)
		got, err := applied(file.Diff, old)
		if err != nil || got != new || file.Cut {
			t.Fatalf("%v: %q to %q by\n%s\ngives %q", err, old, new, file.Diff, got)
		}
		added, removed := 0, 0
		for line := range strings.Lines(file.Diff) {
			switch {
			case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"):
			case line[0] == '+':
				added++
			case line[0] == '-':
				removed++
			}
		}
		if added != file.Added || removed != file.Removed {
			t.Fatalf("%d added and %d removed, counted %d and %d:\n%s", added, removed, file.Added, file.Removed, file.Diff)
		}
	})
}

// applied is old with a unified diff applied to it.
func applied(diff, old string) (string, error) {
	lines, out, at := strings.SplitAfter(old, "\n"), "", 0
	diff = strings.ReplaceAll(diff, "\n\\ No newline at end of file\n", "$\n")
	for line := range strings.Lines(diff) {
		line = strings.TrimSuffix(line, "$\n")
		var from int
		switch {
		case strings.HasPrefix(line, "---"), strings.HasPrefix(line, "+++"):
		case strings.HasPrefix(line, "@@"):
			if _, err := fmt.Sscanf(line, "@@ -%d", &from); err != nil {
				return "", err
			}
			for ; at < from-1; at++ {
				out += lines[at]
			}
		case line[0] == '+':
			out += line[1:]
		case at == len(lines) || lines[at] != line[1:]:
			return "", fmt.Errorf("line %d is not %q", at+1, line[1:])
		default:
			if line[0] == ' ' {
				out += line[1:]
			}
			at++
		}
	}
	return out + strings.Join(lines[at:], ""), nil
}

// A file that cannot be read any more is told without its text.
func TestLastChangeWithoutTheOldText(t *testing.T) {
	file := tried{FileChange: FileChange{Path: "x"}, unknown: true}
	if file.compare(mostDiff); !file.Cut || file.Diff != "" {
		t.Errorf("%+v", file.FileChange)
	}
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/x", []byte("one"), 0o644))
	seen, err := new(sums).look(dir + "/x")
	must(t, err)
	must(t, os.WriteFile(dir+"/x", []byte("another one"), 0o644))
	if _, unknown := seen.text(); !unknown {
		t.Error("a file that was replaced is taken for the one seen")
	}
}

// BenchmarkTell is what telling a change costs: 10,000 lines of which one, or
// every one, is another.
func BenchmarkTell(b *testing.B) {
	var text [2]strings.Builder
	for i := range 10_000 {
		for j := range text {
			fmt.Fprintf(&text[j], "server web%05d 10.0.%d.%d:8080 max_fails=%d\n", i, i/256, i%256, j)
		}
	}
	old := text[0].String()
	for name, new := range map[string]string{"one": strings.Replace(old, "web05000", "db", 1), "all": text[1].String(),
		"scattered": strings.ReplaceAll(old, "77:8080", "77:80")} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				file := tried{old: []byte(old), new: []byte(new)}
				file.compare(mostDiff)
			}
		})
	}
}
