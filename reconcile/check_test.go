package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/command"
)

// overlaid is a unit whose check sees its files before they are in place.
func (h *host) overlaid(rule string, mode CheckMode, files ...File) Unit {
	u := h.unit(rule, files...)
	u.Check = checkBy(mode, "check")
	return u
}

// A file that does not pass is never in its place, and a good one is checked
// once.
func TestOverlay(t *testing.T) {
	for _, mode := range []CheckMode{CheckOverlay, CheckAuto} {
		h := testHost(t)
		h.converge(h.overlaid("web", mode, h.file("a.conf", "one")), InSync)
		if diff := cmp.Diff([]string{"check", "reload"}, h.commands()); diff != "" {
			t.Errorf("%s: %s", mode, diff)
		}
		if s := h.status("web"); s.Check.Mode != CheckOverlay {
			t.Errorf("%s: %+v", mode, s.Check)
		}
		h.hook = func(step, what string) error {
			if step == "swap" || step == "put" {
				t.Errorf("%s: %s %s", mode, step, what)
			}
			return nil
		}
		h.converge(h.overlaid("web", mode, h.file("a.conf", "bad"), h.file("b.conf", "two")), Failed)
		h.hook = nil
		h.expect("a.conf", "one")
		h.expect("b.conf", "")
		h.noLeftovers()
	}
}

// Units that share a check are checked together; if that fails, the bad one
// does not hold up the good ones, and what is good alone but not together with
// what came before it is bad.
func TestOverlayTogether(t *testing.T) {
	h := testHost(t)
	run := h.cfg.run
	h.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
		res := run(ctx, c)
		if c.Argv[0] == "check" && res.OK() {
			clash := 0
			for _, s := range c.Show {
				if b, err := os.ReadFile(s.From); err == nil && strings.Contains(string(b), "clash") {
					clash++
				}
			}
			if clash > 1 {
				res.ExitCode = 1
			}
		}
		return res
	}
	units := func(texts ...string) (units []Unit) {
		for i, text := range texts {
			rule := fmt.Sprintf("r%d", i)
			units = append(units, h.overlaid(rule, CheckAuto, h.file(rule+".conf", text)))
		}
		return units
	}
	for _, c := range []struct {
		texts []string
		want  []State
		ran   string
	}{
		{[]string{"1", "2", "3"}, []State{InSync, InSync, InSync}, "check reload"},
		{[]string{"4", "bad", "5"}, []State{InSync, Failed, InSync}, "check check check check check reload"},
		{[]string{"clash", "2", "clash too"}, []State{InSync, InSync, Failed}, "check check check check reload"},
	} {
		got := states(h.r.Converge(t.Context(), units(c.texts...)))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.texts, diff)
		}
		if ran := strings.Join(h.commands(), " "); ran != c.ran {
			t.Errorf("%v: ran %s, want %s", c.texts, ran, c.ran)
		}
	}
	// What is broken without any of them is nobody's fault, and is said of all.
	h.put("other.conf", "bad")
	got := states(h.r.Converge(t.Context(), units("6", "7", "8")))
	if diff := cmp.Diff([]State{Failed, Failed, Failed}, got); diff != "" {
		t.Error(diff)
	}
	if ran := strings.Join(h.commands(), " "); ran != "check check" {
		t.Errorf("ran %s", ran)
	}
}

// A check that did not look at the new files is run again in place, at once and
// the next time.
func TestBlindCheck(t *testing.T) {
	h := testHost(t)
	u := h.unit("web", h.file("a.conf", "one"))
	u.Check = checkBy(CheckAuto, "check-blind")
	h.converge(u, InSync)
	if diff := cmp.Diff([]string{"check-blind", "check-blind", "reload"}, h.commands()); diff != "" {
		t.Error(diff)
	}
	if s := h.status("web"); s.Check.Mode != CheckSwap {
		t.Errorf("%+v", s.Check)
	}
	u.Files = []File{h.file("a.conf", "bad")}
	h.converge(u, Failed)
	h.expect("a.conf", "one")
	if diff := cmp.Diff([]string{"check-blind"}, h.commands()); diff != "" {
		t.Error(diff)
	}
}

// Where there are no mount namespaces, CheckAuto does without and CheckOverlay
// fails.
func TestNoNamespace(t *testing.T) {
	h := testHost(t)
	run := h.cfg.run
	h.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
		if len(c.Show) > 0 {
			return command.Result{ExitCode: -1, Err: fmt.Errorf("cannot run check: %w: not permitted", command.ErrNoNamespace)}
		}
		return run(ctx, c)
	}
	out := h.converge(h.overlaid("web", CheckOverlay, h.file("a.conf", "one")), Failed)
	if !errors.Is(out.Err, command.ErrNoNamespace) {
		t.Error(out.Err)
	}
	h.expect("a.conf", "")
	h.converge(h.overlaid("web", CheckAuto, h.file("a.conf", "one")), InSync)
	if s := h.status("web"); s.Check.Mode != CheckSwap || !s.Check.OK {
		t.Errorf("%+v", s.Check)
	}
}

// A wrapper is there for the check, names the staged files, and is gone after.
func TestWrapper(t *testing.T) {
	h := testHost(t)
	var wrapper, held string
	h.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
		if c.Argv[0] == "wrapped" {
			wrapper = c.Argv[1]
			b, err := os.ReadFile(wrapper)
			if err != nil {
				t.Error(err)
			}
			held = string(b)
			staged, err := os.ReadFile(strings.TrimPrefix(held, "include "))
			if err != nil {
				t.Error(err)
			}
			if strings.Contains(string(staged), "bad") {
				return command.Result{ExitCode: 1}
			}
			h.approved[string(staged)] = true
			return command.Result{}
		}
		return h.command(ctx, c)
	}
	unit := func(text string) Unit {
		u := h.unit("web", h.file("a.conf", text))
		u.Check = &Check{Mode: CheckWrapper,
			Command: func(at Standing) (command.Command, error) {
				return command.Command{Argv: []string{"wrapped", at.Wrapper}}, nil
			},
			Wrapper: func(files map[string]string) ([]byte, error) {
				return []byte("include " + files[h.path("a.conf")]), nil
			}}
		return u
	}
	h.converge(unit("one"), InSync)
	if !isHidden(filepath.Base(wrapper)) || !strings.HasPrefix(held, "include "+h.etc+"/.a.conf.muster-") {
		t.Errorf("%s: %q", wrapper, held)
	}
	h.noLeftovers()
	h.converge(unit("bad"), Failed)
	h.expect("a.conf", "one")
	h.noLeftovers()

	// Who runs the check can read it, nobody else where the rule is sensitive.
	u := unit("three")
	u.Files[0].Sensitive = true
	mode := fs.FileMode(0)
	u.Check.Command = func(at Standing) (command.Command, error) {
		if info, err := os.Stat(at.Wrapper); err == nil {
			mode = info.Mode()
		}
		return command.Command{Argv: []string{"wrapped", at.Wrapper}, User: strconv.Itoa(os.Geteuid())}, nil
	}
	h.converge(u, InSync)
	if mode != 0o600 {
		t.Errorf("the wrapper of a sensitive rule is %o", mode)
	}
	h.converge(unit("one"), InSync)

	// A reload that is owed: the wrapper names the file in its place.
	h.failReloads = 2
	h.converge(unit("two"), Owed)
	h.expect("a.conf", "one")
	if out := h.converge(unit("one"), InSync); !out.Reloaded || held != "include "+h.path("a.conf") {
		t.Errorf("%+v, the wrapper held %q", out, held)
	}
	h.noLeftovers()
}

// dependent makes the host's check fail where a file needs another that is not
// there, and reports a reload with such files.
func (h *host) dependent(t *testing.T) {
	run := h.cfg.run
	broken := func(files map[string]string) bool {
		all := ""
		for _, text := range files {
			all += text
		}
		return strings.Contains(all, "needs") && !strings.Contains(all, "base")
	}
	h.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
		res, files := run(ctx, c), h.all()
		for _, s := range c.Show {
			if delete(files, s.At); s.From != "" {
				text, err := os.ReadFile(s.From)
				if err != nil {
					t.Error(err)
				}
				files[s.At] = string(text)
			}
		}
		switch {
		case strings.HasPrefix(c.Argv[0], "check") && broken(files):
			res.ExitCode = 1
		case c.Argv[0] == "reload" && broken(files):
			t.Error("reloaded with files that have not passed together")
		}
		return res
	}
}

// Files that passed together are not loaded without one another.
func TestOverlaidTogetherSwappedAlone(t *testing.T) {
	h := testHost(t)
	h.dependent(t)
	h.hook = func(step, what string) error {
		if step == "put" && what == "a.conf" {
			return errors.New("the disk is full")
		}
		return nil
	}
	got := states(h.r.Converge(t.Context(), []Unit{
		h.overlaid("a", CheckAuto, h.file("a.conf", "base")), h.overlaid("b", CheckAuto, h.file("b.conf", "needs"))}))
	if diff := cmp.Diff([]State{Failed, Failed}, got); diff != "" {
		t.Error(diff)
	}
	h.expect("b.conf", "")
	h.noLeftovers()
}

// Likewise where one of them has to be checked in place.
func TestOverlaidTogetherWithBlind(t *testing.T) {
	h := testHost(t)
	h.dependent(t)
	run := h.r.cfg.run
	h.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
		res := run(ctx, c)
		switch n := len(c.Show); {
		case c.Argv[0] != "check":
		case n == 2 && strings.HasSuffix(c.Show[1].At, "/b.conf"): // nobody sees the second one being opened
			delete(res.Opened, c.Show[1].At)
		case n == 0: // in place it is no good
			if _, err := os.Stat(h.path("b.conf")); err == nil {
				res.ExitCode = 1
			}
		}
		return res
	}
	got := states(h.r.Converge(t.Context(), []Unit{
		h.overlaid("a", CheckAuto, h.file("a.conf", "one")), h.overlaid("b", CheckAuto, h.file("b.conf", "base")),
		h.overlaid("c", CheckAuto, h.file("c.conf", "needs")), h.overlaid("d", CheckAuto, h.file("d.conf", "bad"))}))
	if diff := cmp.Diff([]State{InSync, Failed, Failed, Failed}, got); diff != "" {
		t.Error(diff)
	}
	h.noLeftovers()
}

// What happens only now makes no check blind: it is tried again that way.
func TestNotBlind(t *testing.T) {
	h := testHost(t)
	run := h.cfg.run
	for _, failing := range []func(res *command.Result){
		func(res *command.Result) { res.ExitCode, res.Opened = 1, map[string]bool{} }, // another file is broken
		func(res *command.Result) { res.Opened = nil },                                // nobody could watch
		func(res *command.Result) { *res = command.Result{ExitCode: -1, Err: errors.New("no layer")} },
	} {
		h.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
			res := run(ctx, c)
			if len(c.Show) > 0 {
				failing(&res)
			}
			return res
		}
		h.converge(h.overlaid("web", CheckAuto, h.file("a.conf", "one")), InSync)
		if s := h.status("web"); s.Check.Mode != CheckSwap {
			t.Errorf("%+v", s.Check)
		}
		h.r.cfg.run = run
		h.converge(h.overlaid("web", CheckAuto, h.file("a.conf", "two")), InSync)
		if s := h.status("web"); s.Check.Mode != CheckOverlay {
			t.Errorf("%+v", s.Check)
		}
	}
	// Nor does a file that goes, which nobody can be seen to open.
	u := h.overlaid("web", CheckAuto, h.file("b.conf", "three"))
	u.OnOrphan = OrphanRemove
	h.converge(u, InSync)
	if s := h.status("web"); s.Check.Mode != CheckOverlay {
		t.Errorf("%+v", s.Check)
	}
	h.expect("a.conf", "")
}

// A check that was stopped because the agent stops says nothing: no file moves.
func TestOverlayIsStopped(t *testing.T) {
	h := testHost(t)
	ctx, cancel := context.WithCancel(t.Context())
	run := h.cfg.run
	h.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
		cancel()
		return run(ctx, c)
	}
	h.hook = func(step, what string) error {
		if step == "put" {
			t.Error("a file is put in place")
		}
		return nil
	}
	h.r.Converge(ctx, []Unit{h.overlaid("web", CheckAuto, h.file("a.conf", "one"))})
	h.noLeftovers()
}

// A check or a reload that writes to the files, or somebody who does at that
// time, is found out like any other.
func TestWrittenMeanwhile(t *testing.T) {
	for _, word := range []string{"check", "reload"} {
		h := testHost(t)
		run := h.cfg.run
		write := true
		h.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
			res := run(ctx, c)
			if c.Argv[0] == word && write {
				write = false
				path := h.path("a.conf")
				if len(c.Show) > 0 {
					path = c.Show[0].From
				}
				time.Sleep(2 * grain) // of an ordinary check
				if err := os.WriteFile(path, []byte("two"), 0o644); err != nil {
					t.Error(err)
				}
				time.Sleep(2 * grain)
			}
			return res
		}
		u := h.overlaid("web", CheckAuto, h.file("a.conf", "one"))
		h.r.Converge(t.Context(), []Unit{u})
		h.clock = h.clock.Add(backoffMost)
		h.converge(u, InSync)
		h.expect("a.conf", "one")
		h.noLeftovers()
	}
}
