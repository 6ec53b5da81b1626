package reconcile

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/command"
)

const restOfHosts = "127.0.0.1 localhost\n"

// block is a wanted block in a file.
func (h *host) block(name, text string) File {
	f := h.file(name, text)
	f.Block = "#"
	return f
}

func blockText(rule, text string) string {
	return "# BEGIN muster: kept by rule " + rule + ", what is changed in here is put back\n" + text + "# END muster\n"
}

// Whatever a file holds, cutting it and putting it together again changes
// nothing, and a block that is replaced leaves the rest alone.
func TestBlockKeepsTheRest(t *testing.T) {
	line := rapid.SampledFrom([]string{"127.0.0.1 localhost\n", "\n", "# BEGIN musters\n", " # BEGIN muster\n", "#BEGIN muster\n", "x", "\r\n", "a # END muster\n"})
	rapid.Check(t, func(t *rapid.T) {
		before := strings.Join(rapid.SliceOfN(line, 0, 5).Draw(t, "before"), "")
		after := strings.Join(rapid.SliceOfN(line, 0, 5).Draw(t, "after"), "")
		with := rapid.Bool().Draw(t, "with")
		if with && before != "" && !strings.HasSuffix(before, "\n") {
			before += "\n"
		}
		text := before + after
		if with {
			text = before + blockText("web", "x\n") + after
		}
		r, err := cut([]byte(text), "#")
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got := string(r.with()); got != text {
			t.Errorf("%q became %q", text, got)
		}
		if got := string(r.without()); got != before+after {
			t.Errorf("without the block %q, want %q", got, before+after)
		}
		fresh := blockText("web", "y\n")
		got, want := string(r.replace([]byte(fresh))), before+fresh+after
		if !with {
			if want = text; want != "" && !strings.HasSuffix(want, "\n") {
				want += "\n"
			}
			want += fresh
		}
		if got != want {
			t.Errorf("%q with another block is %q, want %q", text, got, want)
		}
	})
}

func TestBlockMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"a\n# BEGIN muster\n":                                       `the line "# END muster" is missing that ends the block: add it, or remove the block's first line`,
		"# END muster\n":                                            "line 1 ends a block that no line begins: remove it",
		"# BEGIN muster\n# END muster\n# END muster":                "line 3 ends a block that no line begins: remove it",
		"# BEGIN muster: x\n# END muster\n\n# BEGIN muster: x\r\n":  "line 4 begins a second block: remove one of them",
		"# BEGIN muster: x\n# BEGIN muster: x\n# END muster\nand x": "line 2 begins a second block: remove one of them",
	} {
		_, err := cut([]byte(text), "#")
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	h := testHost(t)
	u := h.unit("web", h.block("hosts", "# END muster\n"))
	if out := h.r.Converge(t.Context(), []Unit{u})[0]; out.State != Failed || !strings.Contains(out.Err.Error(), "leave them to muster") {
		t.Errorf("%+v", out)
	}
}

// Only the block counts: what others do to the rest is no drift, nothing is
// loaded for it, and nothing is owed, over a restart too.
func TestBlock(t *testing.T) {
	h := testHost(t)
	h.put("hosts", restOfHosts)
	u := h.unit("web", h.block("hosts", "one\n"))
	h.converge(u, InSync)
	h.expect("hosts", restOfHosts+blockText("web", "one\n"))
	ran := len(h.ran)

	h.put("hosts", blockText("web", "one\n")+"::1 localhost\n")
	if out := h.converge(u, InSync); len(out.Changed)+len(out.Drifted) > 0 || out.Reloaded {
		t.Errorf("%+v", out)
	}
	h.restart()
	if out := h.converge(u, InSync); len(out.Changed)+len(out.Drifted) > 0 || out.Reloaded || len(h.ran) != ran {
		t.Errorf("after a restart: %+v", out)
	}

	h.put("hosts", blockText("web", "two\n")+"::1 localhost\n")
	out := h.converge(u, InSync)
	h.expect("hosts", blockText("web", "one\n")+"::1 localhost\n")
	if len(out.Drifted) != 1 || !out.Reloaded {
		t.Errorf("a changed block: %+v", out)
	}

	// Another rule takes it over, and then nobody wants it.
	other := h.unit("other", h.block("hosts", "one\n"))
	h.r.Converge(t.Context(), []Unit{h.unit("web"), other})
	h.expect("hosts", blockText("other", "one\n")+"::1 localhost\n")
	other.Files, other.OnOrphan = nil, OrphanRemove
	h.converge(other, InSync)
	h.expect("hosts", "::1 localhost\n")
	if all := h.r.Status(); len(all[0].Files)+len(all[1].Files) > 0 {
		t.Errorf("status %+v", all)
	}
}

// Somebody edits the file between the look and the swap: that edit stays.
func TestBlockMeetsAnotherWriter(t *testing.T) {
	h := testHost(t)
	h.put("hosts", restOfHosts)
	h.hook = func(step, _ string) error {
		if step == "sync" {
			h.hook = nil
			h.put("hosts", "127.0.0.1 other\n")
		}
		return nil
	}
	u := h.unit("web", h.block("hosts", "one\n"))
	out := h.converge(u, Failed)
	if !strings.Contains(out.Err.Error(), "somebody else changed it just now") {
		t.Errorf("%v", out.Err)
	}
	h.expect("hosts", "127.0.0.1 other\n")
	h.clock = h.clock.Add(backoffFirst)
	h.converge(u, InSync)
	h.expect("hosts", "127.0.0.1 other\n"+blockText("web", "one\n"))
	h.noLeftovers()
}

// Killed at every step of a change that replaces one block and removes another,
// the rest of both files is never touched.
func TestBlockKilledAtEveryStep(t *testing.T) {
	for at := 0; ; at++ {
		h := newHost(t, t.TempDir())
		h.open()
		h.put("a", "rest a\n")
		h.put("b", "rest b\n")
		u := h.unit("web", h.block("a", "old\n"), h.block("b", "old\n"))
		u.OnOrphan = OrphanRemove
		h.converge(u, InSync)
		next := h.unit("web", h.block("a", "new\n"))
		next.OnOrphan = OrphanRemove
		if killed, _ := h.kill(next, at); !killed {
			if at < 10 {
				t.Errorf("only %d steps", at)
			}
			return
		}
		h.open()
		old := []string{"rest a\n" + blockText("web", "old\n"), "rest b\n" + blockText("web", "old\n")}
		want := []string{"rest a\n" + blockText("web", "new\n"), "rest b\n"}
		got := []string{h.text("a"), h.text("b")}
		if !cmp.Equal(old, got) && !cmp.Equal(want, got) {
			t.Errorf("killed after step %d: %q", at, got)
		}
		h.converge(next, InSync)
		if diff := cmp.Diff(want, []string{h.text("a"), h.text("b")}); diff != "" {
			t.Errorf("killed after step %d (-want +got):\n%s", at, diff)
		}
		h.noLeftovers()
		must(t, h.r.Close())
	}
}

func (h *host) text(name string) string {
	h.Helper()
	b, err := os.ReadFile(h.path(name))
	if err != nil {
		h.Fatalf("%v", err)
	}
	return string(b)
}

// What others write to the rest of the file stays when a change is undone,
// however late that is.
func TestBlockUndoneAfterAnotherWriter(t *testing.T) {
	for name, c := range map[string]struct{ before, meanwhile, after string }{
		"changed": {restOfHosts + blockText("web", "one\n"), "127.0.0.1 other\n" + blockText("web", "unloadable\n"), "127.0.0.1 other\n" + blockText("web", "one\n")},
		"new":     {restOfHosts, restOfHosts + blockText("web", "unloadable\n") + "more\n", restOfHosts + "more\n"},
		"created": {"", blockText("web", "unloadable\n") + "more\n", "more\n"},
		"mangled": {restOfHosts + blockText("web", "one\n"), "# BEGIN muster\n", "# BEGIN muster\n"},
		"removed": {restOfHosts + blockText("web", "one\n"), "", restOfHosts + blockText("web", "one\n")},
	} {
		t.Run(name, func(t *testing.T) {
			h := testHost(t)
			if c.before != "" {
				h.put("hosts", c.before)
			}
			edited := false
			h.r.cfg.run = func(ctx context.Context, cmd command.Command) command.Result {
				res := h.command(ctx, cmd)
				if cmd.Argv[0] == "reload" && !edited {
					edited = true
					if c.meanwhile == "" {
						must(t, os.Remove(h.path("hosts")))
					} else {
						h.put("hosts", c.meanwhile)
					}
				}
				return res
			}
			h.approved[c.after], h.approved[c.meanwhile] = true, true
			h.r.Converge(t.Context(), []Unit{h.unit("web", h.block("hosts", "unloadable\n"))})
			h.expect("hosts", c.after)
			h.noLeftovers()
		})
	}
}

// The block of a sensitive file is not shown when it goes either.
func TestSensitiveBlockGoes(t *testing.T) {
	h := testHost(t)
	h.put("hosts", restOfHosts)
	f := h.block("hosts", "secret\n")
	f.Sensitive = true
	h.converge(h.unit("web", f), InSync)
	for _, restart := range []bool{false, true} {
		if restart {
			h.restart()
		}
		u := h.unit("web")
		u.OnOrphan = OrphanRemove
		plan := h.r.Plan([]Unit{u})[0]
		if len(plan.Files) != 1 || plan.Files[0].Action != ActionUpdate || !plan.Files[0].Sensitive || len(plan.Files[0].Old)+len(plan.Files[0].New) > 0 {
			t.Errorf("%+v", plan.Files)
		}
	}
}
