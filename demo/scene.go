package demo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/aymanbagabas/go-udiff"

	"muster/agent"
	"muster/reconcile"
)

// A scene is one act, from its beginning: what the files were, and how soon
// they became what was expected.
type scene struct {
	*stage
	before map[string]string
	began  time.Time
	took   map[string]time.Duration
}

// A want is what a file is to say, or not to say, because of an act.
type want struct {
	file, text string
	absent     bool
}

func has(file, text string) want   { return want{file: file, text: text} }
func lacks(file, text string) want { return want{file: file, text: text, absent: true} }

func (w want) String() string {
	if w.absent {
		return fmt.Sprintf("%s lacks %q", w.file, w.text)
	}
	return fmt.Sprintf("%s has %q", w.file, w.text)
}

func (w want) met(text string) bool { return text != "" && strings.Contains(text, w.text) != w.absent }

// beat is the time to read what happened before the next act.
const beat = time.Second

// act says what is about to be done, and takes note of how things are before.
func (s *stage) act(ctx context.Context, what string) (*scene, error) {
	if s.acts > 0 {
		select {
		case <-time.After(beat):
		case <-ctx.Done():
			return nil, ErrStopped
		}
	}
	s.acts++
	s.say("\n%s", s.bold(fmt.Sprintf("%d. %s", s.acts, what)))
	before, err := s.read()
	return &scene{stage: s, before: before, began: time.Now(), took: map[string]time.Duration{}}, err
}

// read reads the files kept; one that is not there is empty.
func (s *stage) read() (map[string]string, error) {
	texts := map[string]string{}
	for _, name := range kept {
		text, err := os.ReadFile(s.path(name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot read a file kept: %w", err)
		}
		texts[name] = string(text)
	}
	return texts, nil
}

// follow waits until the files say what is wanted and their rules have taken
// note, then prints what changed, how soon after the act, and what was run.
func (c *scene) follow(ctx context.Context, after string, wanted ...want) error {
	for _, w := range wanted {
		err := c.until(ctx, w.String(), func() bool {
			text, _ := os.ReadFile(c.path(w.file)) // not there: not met
			if !w.met(string(text)) {
				return false
			}
			c.took[w.file] = max(c.took[w.file], time.Since(c.began))
			return true
		})
		if err != nil {
			return err
		}
	}
	status, err := c.inSync(ctx, func(path string, r agent.RuleStatus) bool {
		_, wanted := c.took[path]
		return !wanted || appliedSince(r, c.began)
	})
	if err != nil {
		return err
	}
	now, err := c.read()
	if err != nil {
		return err
	}
	for _, name := range kept {
		label := name
		if took, ok := c.took[name]; ok {
			label += "\t" + span(took) + " " + after
		}
		c.cfg.PrintDiff("   ", udiff.Unified(name, label, c.before[name], now[name]))
	}
	c.say("   In sync: %s.", aftermath(status.Rules, c.began))
	return nil
}

// inSync waits until every rule of lb's is in sync, with the bytes that are on
// disk now, and news holds for each of its files.
func (s *stage) inSync(ctx context.Context, news func(file string, r agent.RuleStatus) bool) (agent.Status, error) {
	var status agent.Status
	why := ""
	err := s.until(ctx, "every rule is in sync", func() bool {
		var err error
		if status, err = s.client.Status(ctx); err != nil {
			why = err.Error()
			return false
		}
		for _, r := range status.Rules {
			if r.State != reconcile.InSync {
				why = fmt.Sprintf("rule %s is %s: %s", r.Rule, r.State, r.Why)
				return false
			}
			for _, f := range r.Files {
				why = f.Path + " is on its way"
				text, err := os.ReadFile(f.Path)
				sum := fmt.Sprintf("%x", sha256.Sum256(text))
				if err != nil || f.Loaded == "" || !strings.HasPrefix(sum, f.Loaded) || !news(strings.TrimPrefix(f.Path, s.dir+"/"), r) {
					return false
				}
			}
		}
		return len(status.Rules) > 0
	})
	if err != nil && why != "" {
		err = fmt.Errorf("%w: %s", err, why)
	}
	return status, err
}

// until looks every other millisecond whether something has come about. It
// gives up when patience or ctx ends, or a child does that nobody told to.
func (s *stage) until(ctx context.Context, what string, ok func() bool) error {
	deadline := time.Now().Add(patience)
	for !ok() {
		select {
		case <-ctx.Done():
			return ErrStopped
		case <-time.After(2 * time.Millisecond):
		}
		if err := s.lost(ctx); err != nil {
			return fmt.Errorf("waited in vain until %s: %w", what, err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %s in vain until %s", span(patience), what)
		}
	}
	return nil
}

// lost reports a child that ended by itself. A signal from the terminal ends
// the children as well, and this process hears of it a moment later.
func (s *stage) lost(ctx context.Context) error {
	for _, p := range s.children {
		if err := p.lost(); err != nil {
			select {
			case <-ctx.Done():
				return ErrStopped
			case <-time.After(300 * time.Millisecond):
				return err
			}
		}
	}
	return nil
}
