package muster_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/rogpeppe/go-internal/testscript"
)

// A browser is a chromium that a script drives. It starts with the first page
// that is opened, and ends with the script.
type browser struct {
	tab  context.Context // nil: not started
	stop func()

	mu       sync.Mutex
	problems []string // what scripts threw, and what the browser would not load
}

type browserKey struct{}

func theBrowser(ts *testscript.TestScript) *browser { return ts.Value(browserKey{}).(*browser) }

// browserCommand is `browser VERB ARG...`.
func browserCommand(ts *testscript.TestScript, neg bool, args []string) {
	b := theBrowser(ts)
	if neg || len(args) == 0 || args[0] != "open" && b.tab == nil {
		ts.Fatalf("usage: browser open URL, and then click, write, paste, press, is, view or quiet")
	}
	ts.Check(b.do(ts, args[0], args[1:]))
}

func (b *browser) do(ts *testscript.TestScript, verb string, args []string) error {
	switch {
	case verb == "open" && len(args) == 1:
		if err := b.start(ts); err != nil {
			return err
		}
		return b.run(chromedp.Navigate(args[0]))
	case verb == "click" && len(args) == 1:
		return b.run(chromedp.Click(chromedp.CSS(args[0])))
	case verb == "write" && len(args) == 2:
		if _, err := evaluate[string](b, fmt.Sprintf(`document.querySelector(%q).value = ""`, args[0])); err != nil {
			return err
		}
		return b.run(chromedp.SendKeys(chromedp.CSS(args[0]), args[1]))
	case verb == "paste" && len(args) == 2:
		text, err := os.ReadFile(ts.MkAbs(args[1]))
		if err != nil {
			return err
		}
		return b.do(ts, "write", []string{args[0], strings.TrimSpace(string(text))})
	case verb == "press" && len(args) == 1:
		key := args[0]
		if named := map[string]string{"Tab": kb.Tab, "Enter": kb.Enter, "Escape": kb.Escape}[key]; named != "" {
			key = named
		}
		return b.run(chromedp.KeyEvent(key))
	case verb == "is" && len(args) == 2:
		got, err := evaluate[any](b, args[1])
		if err != nil {
			return err
		}
		if fmt.Sprint(got) != args[0] {
			return fmt.Errorf("%s is %v, not %s", args[1], got, args[0])
		}
		return nil
	case verb == "view" && len(args) == 1:
		return b.view(args[0])
	case verb == "quiet" && len(args) == 0:
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.problems) > 0 {
			return fmt.Errorf("the browser complains:\n%s", strings.Join(b.problems, "\n"))
		}
		return nil
	}
	return fmt.Errorf("there is no browser %s with %d arguments", verb, len(args))
}

// run has the browser do something, within patience.
func (b *browser) run(steps ...chromedp.Action[chromedp.Void]) error {
	ctx, cancel := context.WithTimeout(b.tab, patience)
	defer cancel()
	return chromedp.Do(ctx, steps...)
}

// evaluate returns the value of an expression in the page.
func evaluate[T any](b *browser, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(b.tab, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression))
}

// start starts chromium, without what would call home.
func (b *browser) start(ts *testscript.TestScript) error {
	if b.tab != nil {
		return nil
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath("chromium"), chromedp.Headless, chromedp.NoSandbox, chromedp.NoFirstRun, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("no-proxy-server", true),
		chromedp.UserDataDir(filepath.Join(ts.Getenv("WORK"), "chromium")), chromedp.WSURLReadTimeout(patience),
	}
	ctx, end := chromedp.NewExecAllocator(context.Background(), options...)
	tab, _ := chromedp.NewContext(ctx)
	b.tab = tab
	b.stop = func() {
		_ = chromedp.Cancel(tab) // it waits for the process
		end()
	}
	if err := chromedp.Listen(tab, b.hear); err != nil {
		return err
	}
	_, err := chromedp.Call(tab, log.Enable, cdp.Empty{})
	if err == nil {
		_, err = chromedp.Call(tab, runtime.Enable, cdp.Empty{})
	}
	return err
}

// hear notes what goes wrong in the page: what a script throws, what the
// page's policy forbids, and a dialog that nobody of ours opens.
func (b *browser) hear(event any) {
	var problem string
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		problem = fmt.Sprintf("%+v", *e.ExceptionDetails)
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" && e.Entry.Source != "network" {
			problem = e.Entry.Text
		}
	case *page.EventJavascriptDialogOpening:
		problem = "a dialog: " + e.Message
	}
	if problem != "" {
		b.mu.Lock()
		b.problems = append(b.problems, problem)
		b.mu.Unlock()
	}
}

// sees reports whether what the elements of a selector show has a match of a
// pattern.
func (b *browser) sees(pattern, selector string) error {
	if b.tab == nil {
		return errors.New("no page is open")
	}
	text, err := evaluate[string](b, fmt.Sprintf(`[...document.querySelectorAll(%q)].map((e) => e.innerText).join("\n")`, selector))
	return errors.Join(err, match(pattern, text))
}

// view looks at the page at a desk, where tables only just are tables, on a
// tablet and on a phone, light and dark: it must fit, and is kept in
// $MUSTER_VIEWS, if that is set, for people to look at.
func (b *browser) view(name string) error {
	for _, screen := range []struct {
		name          string
		width, height int64
	}{{"desk", 1280, 900}, {"narrow", 1220, 800}, {"tablet", 834, 1112}, {"phone", 360, 740}} {
		for _, scheme := range []string{"light", "dark"} {
			if err := b.show(screen.width, screen.height, scheme); err != nil {
				return err
			}
			beyond, err := evaluate[int](b, `document.documentElement.scrollWidth - innerWidth`)
			if err != nil {
				return err
			}
			if beyond > 0 {
				return fmt.Errorf("%s is %d pixels too wide for a %s", name, beyond, screen.name)
			}
			if dir := os.Getenv("MUSTER_VIEWS"); dir != "" {
				picture, err := chromedp.Run(b.tab, chromedp.FullScreenshot(100))
				if err != nil {
					return err
				}
				if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%s-%s.png", name, screen.name, scheme)), picture, 0o644); err != nil {
					return err
				}
			}
		}
	}
	return b.run(chromedp.ResetViewport())
}

// show makes the screen so many pixels large, and light or dark.
func (b *browser) show(width, height int64, scheme string) error {
	if err := b.run(chromedp.EmulateViewport(width, height)); err != nil {
		return err
	}
	_, err := chromedp.Call(b.tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	return err
}

// end ends chromium, and waits for that.
func (b *browser) end() {
	if b.stop != nil {
		b.stop()
	}
}
