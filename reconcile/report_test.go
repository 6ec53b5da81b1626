package reconcile

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"muster/command"
)

func TestStatusTellsWhy(t *testing.T) {
	h := testHost(t)
	u := h.unit("web", h.file("a.conf", "one")).members("a,b", Guard{MaxLoss: 1})
	h.converge(u, InSync)
	begin := h.clock
	h.clock = h.clock.Add(time.Minute)
	h.converge(h.unit("web", h.file("a.conf", "bad")).members("b,c", Guard{MaxLoss: 1}), Failed)
	h.clock = h.clock.Add(time.Second / 2)
	h.converge(h.unit("web", h.file("a.conf", "bad")).members("b,c", Guard{MaxLoss: 1}), Failed)
	since := begin.Add(time.Minute)
	why := "check check: exit status 1: " + h.path("a.conf") + ": bad"
	want := Status{
		Rule: "web", State: Failed, Since: since, Why: why, Retry: since.Add(time.Second),
		Files: []FileStatus{{Path: h.path("a.conf"), State: Failed, Since: since, Why: why,
			Desired: short(sumOf([]byte("bad"))), Disk: short(sumOf([]byte("one"))), Loaded: short(sumOf([]byte("one")))}},
		Members: names("a,b"), Gained: names("a,b"), Applied: begin,
		Check:  &Ran{Argv: []string{"check"}, At: since, Mode: CheckSwap, Verdict: "exit status 1", ExitCode: 1, Output: h.path("a.conf") + ": bad\n"},
		Reload: &Ran{Argv: []string{"reload"}, At: begin, OK: true, Verdict: "exit status 0"},
		Counts: Counts{Changes: 1, Checks: 2, CheckFailures: 1, Reloads: 1, Rollbacks: 1},
	}
	got := h.status("web")
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Ran{}, "Took")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	var back Status
	b, err := json.Marshal(got)
	must(t, err)
	must(t, json.Unmarshal(b, &back))
	if diff := cmp.Diff(got, back); diff != "" {
		t.Errorf("through JSON\n%s", diff)
	}
}

// Not a byte of a sensitive file shows anywhere.
func TestSensitive(t *testing.T) {
	h := testHost(t)
	h.put("key", "old s3cret")
	f := h.file("key", "bad s3cret")
	f.Sensitive = true
	u := h.unit("web", f)
	h.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
		b, err := os.ReadFile(h.path("key"))
		must(t, err)
		return command.Result{ExitCode: 1, Output: b} // as a careless validator does
	}
	plan := h.r.Plan([]Unit{u})
	out := h.converge(u, Failed)
	matches(t, out.Err, `exit status 1 \(its output is withheld: it may show a sensitive file\)$`)
	all, err := json.Marshal([]any{plan, h.r.Status(), out.Err.Error()})
	must(t, err)
	journal, err := os.ReadFile(h.root + "/state/" + journalName)
	must(t, err)
	if text := string(all) + string(journal); strings.Contains(text, "s3cret") {
		t.Errorf("it shows in %s", text)
	}
	if s := h.status("web"); !s.Check.Withheld || !s.Files[0].Sensitive || plan[0].Files[0].Action != ActionUpdate {
		t.Errorf("status %+v, plan %+v", s, plan)
	}
}

// What was written as sensitive does not show, though the rule no longer says
// that it is: the old text is on disk still.
func TestFileThatWasSensitive(t *testing.T) {
	h := testHost(t)
	f := h.file("key", "s3cret\n")
	f.Sensitive = true
	h.converge(h.unit("web", f), InSync)
	public := h.unit("web", h.file("key", "public\n"))
	plan := h.r.Plan([]Unit{public})[0]
	if f := plan.Files[0]; f.Action != ActionUpdate || !f.Sensitive || len(f.Old)+len(f.New) > 0 {
		t.Errorf("it shows %q and %q: %+v", f.Old, f.New, f)
	}
	// As the check refuses what is public, the old text stays.
	run := h.r.cfg.run
	h.r.cfg.run = func(context.Context, command.Command) command.Result {
		return command.Result{ExitCode: 1, Output: []byte("it was s3cret")}
	}
	h.converge(public, Failed)
	h.r.cfg.run = run
	if s := h.status("web"); !s.Files[0].Sensitive || !s.Check.Withheld || strings.Contains(s.Why+s.Check.Output, "s3cret") {
		t.Errorf("its sum and what the check says of it show: %+v", s)
	}
	h.clock = h.clock.Add(time.Hour)
	h.converge(public, InSync)
	if s := h.status("web"); s.Files[0].Sensitive {
		t.Errorf("what is public now: %+v", s.Files[0])
	}
	if f := h.r.Plan([]Unit{h.unit("web", h.file("key", "more\n"))})[0].Files[0]; f.Sensitive || string(f.Old) != "public\n" || string(f.New) != "more\n" {
		t.Errorf("what is public now: %+v", f)
	}
}

func TestPlan(t *testing.T) {
	h := testHost(t)
	with := func(members string, files ...File) Unit {
		u := h.unit("web", files...).members(members, Guard{MaxLoss: 0.5, Hold: time.Minute})
		u.OnOrphan = OrphanRemove
		return u
	}
	plan := func(u Unit) Plan {
		t.Helper()
		before, journal := h.all(), h.journalSize(t)
		p := h.r.Plan([]Unit{u})[0]
		if diff := cmp.Diff(before, h.all()); diff != "" || h.journalSize(t) != journal || len(h.commands()) > 0 {
			t.Errorf("a plan changed something: %s", diff)
		}
		return p
	}
	check := func(name string, got, want Plan) {
		t.Helper()
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
	}
	a, b, c := h.file("a.conf", "a"), h.file("b.conf", "b"), h.file("c.conf", "c")
	h.put("b.conf", "mine")
	commands := Plan{Rule: "web", State: Pending, Check: []string{"check"}, Reload: []string{"reload"}}

	want := commands
	want.Gained = names("m,n")
	want.Files = []FileDiff{{Path: a.Path, Action: ActionCreate, New: a.Bytes}, {Path: b.Path, Action: ActionUpdate, Old: []byte("mine"), New: b.Bytes}}
	check("first", plan(with("m,n", a, b)), want)
	h.converge(with("m,n", a, b), InSync)
	h.commands()

	want = Plan{Rule: "web", State: InSync, Files: []FileDiff{
		{Path: a.Path, Action: ActionNone, Old: a.Bytes, New: a.Bytes}, {Path: b.Path, Action: ActionNone, Old: b.Bytes, New: b.Bytes}}}
	got := plan(with("m,n", a, b))
	check("nothing", got, want)
	if got.Changes() {
		t.Error("nothing is a change")
	}

	want = commands
	want.Lost = names("m")
	want.Verdict.Lost, want.Verdict.Since = names("m"), h.clock
	want.Files = []FileDiff{{Path: a.Path, Action: ActionNone, Old: a.Bytes, New: a.Bytes}, {Path: c.Path, Action: ActionCreate, New: c.Bytes},
		{Path: b.Path, Action: ActionRemove}}
	got = plan(with("n", a, c))
	check("orphan", got, want)
	if !got.Changes() {
		t.Error("that is a change")
	}

	got = plan(with("", a, c))
	if got.State != Held || !got.Verdict.Held || got.Why != got.Verdict.Why || got.Check != nil || len(got.Files) != 3 {
		t.Errorf("held: %+v", got)
	}
	h.put("a.conf", "by hand")
	if got = plan(with("m,n", a, b)); !got.Files[0].Drift || string(got.Files[0].Old) != "by hand" {
		t.Errorf("drift: %+v", got)
	}
	if got = plan(with("m,n", h.file("a.conf/x", "y"))); got.State != Failed || got.Err == nil || got.Why == "" {
		t.Errorf("impossible: %+v", got)
	}
	// plans leave no trace in what comes after
	h.converge(with("n", a, b), InSync)
}

func TestWatch(t *testing.T) {
	h := testHost(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- h.r.Watch(ctx) }()
	heard := func(what string) {
		t.Helper()
		select {
		case <-h.r.Changed():
		case <-time.After(time.Minute):
			t.Fatalf("%s: not a word", what)
		}
	}
	must(t, os.Mkdir(h.path("sub"), 0o755))
	must(t, os.Mkdir(h.path("links"), 0o755))
	h.put("links/real", "one")
	must(t, os.Symlink("links/real", h.path("link")))
	u := h.unit("web", h.file("sub/a.conf", "one"), h.file("link", "one"))
	// converges until the watcher is at rest: it speaks when it begins to watch,
	// and about its own writes at most while they are made
	rest := func() {
		t.Helper()
		for {
			h.converge(u, InSync)
			select {
			case <-h.r.Changed():
			case <-time.After(time.Second):
				return
			}
		}
	}
	rest()
	if got := h.r.Disturbed(); len(got) != 0 {
		t.Errorf("disturbed, though nobody did anything: %v", got)
	}
	h.put("sub/a.conf", "by hand")
	heard("an edit")
	if got := h.r.Disturbed(); !slices.Equal(got, []string{"web"}) {
		t.Errorf("disturbed: %v", got)
	}
	rest()
	h.expect("sub/a.conf", "one")
	must(t, os.Remove(h.path("sub/a.conf")))
	heard("a removal")
	rest()
	h.put("links/real", "by hand")
	heard("an edit behind a link")
	rest()
	must(t, os.RemoveAll(h.path("sub")))
	heard("the directory's removal")
	must(t, os.Mkdir(h.path("sub"), 0o755))
	heard("the directory's return")
	rest()
	h.expect("sub/a.conf", "one")
	h.put("sub/a.conf", "by hand")
	heard("an edit in the new directory")
	rest()
	h.put("sub/other", "none of ours")
	select {
	case <-h.r.Changed():
		t.Error("a stranger's file is a reason to look")
	case <-time.After(100 * time.Millisecond):
	}
	cancel()
	must(t, <-ended)
}

// What cannot even be looked at has failed, and other reasons to look at it do
// not make its back-off grow.
func TestAFileThatCannotBeLookedAt(t *testing.T) {
	h := testHost(t)
	must(t, os.Mkdir(h.path("a.conf"), 0o755))
	u := h.unit("web", h.file("a.conf", "one"))
	var next time.Time
	for range 5 {
		out := h.converge(u, Failed)
		if next.IsZero() {
			next = out.Retry
		}
		if !out.Retry.Equal(next) {
			t.Errorf("looked at before its time, it is tried again at %v instead of %v", out.Retry, next)
		}
	}
	if status := h.r.Status(); status[0].Files[0].State != Failed {
		t.Errorf("the file is %s", status[0].Files[0].State)
	}
}
