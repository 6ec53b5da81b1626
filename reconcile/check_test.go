package reconcile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

	// A reload that is owed: the wrapper names the file in its place.
	h.failReloads = 2
	h.converge(unit("two"), Owed)
	h.expect("a.conf", "one")
	if out := h.converge(unit("one"), InSync); !out.Reloaded || held != "include "+h.path("a.conf") {
		t.Errorf("%+v, the wrapper held %q", out, held)
	}
	h.noLeftovers()
}
