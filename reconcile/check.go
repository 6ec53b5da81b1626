package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"muster/command"
)

// A CheckMode says where a check sees the new files.
type CheckMode string

// The modes of a check.
const (
	// CheckStaged: before they are put in place, each where it is staged.
	CheckStaged CheckMode = "staged"
	// CheckWrapper: likewise, by way of a file that is written for the check.
	CheckWrapper CheckMode = "wrapper"
	// CheckOverlay: before they are put in place, each in its place; but in a
	// mount namespace that nobody else sees. It needs CAP_SYS_ADMIN.
	CheckOverlay CheckMode = "overlay"
	// CheckSwap: once they are in place, and before any reload.
	CheckSwap CheckMode = "swap"
	// CheckAuto: CheckOverlay where that is possible and the check was seen to
	// open the files there, else CheckSwap.
	CheckAuto CheckMode = "auto"
)

// A Check tells whether the service will take a unit's files.
type Check struct {
	Mode CheckMode
	// Command returns the command that checks the files. It may be called more
	// than once.
	Command func(at Standing) (command.Command, error)
	// Wrapper returns the text of the wrapper, given where the files stand; of
	// CheckWrapper only.
	Wrapper func(files map[string]string) ([]byte, error)
}

// A Standing says where a check finds what it is to look at.
type Standing struct {
	Files   map[string]string // path to where the file stands now
	Wrapper string            // path of the wrapper
}

// command returns the check's command for files in place, and what it is known
// by. What two units wrap is never the same to them.
func (c *Check) command(inPlace map[string]string) (command.Command, string, error) {
	cmd, err := c.Command(Standing{inPlace, "WRAPPER"})
	if err != nil {
		return cmd, "", fmt.Errorf("cannot tell the check command: %w", err)
	}
	key := keyOf(cmd)
	if c.Wrapper != nil {
		text, err := c.Wrapper(inPlace)
		if err != nil {
			return cmd, "", fmt.Errorf("cannot tell the check's wrapper: %w", err)
		}
		key = sumOf(fmt.Appendf(nil, "%s %q", key, text))
	}
	return cmd, key, nil
}

// ownCheck reports whether p's check is about p's files alone, where they are
// staged.
func (p *pass) ownCheck() bool {
	return p.unit.Check != nil && (p.unit.Check.Mode == CheckStaged || p.unit.Check.Mode == CheckWrapper)
}

// inPlace maps each file's path to itself.
func (p *pass) inPlace() map[string]string {
	files := make(map[string]string, len(p.wants))
	for _, w := range p.wants {
		files[w.file.Path] = w.file.Path
	}
	return files
}

// checkStaged runs p's check on its staged files, if that is how it works.
func (r *Reconciler) checkStaged(ctx context.Context, p *pass) error {
	if !p.ownCheck() {
		return nil
	}
	files := p.inPlace()
	for _, it := range p.tx.items {
		if _, wanted := files[it.Path]; wanted {
			files[it.Path] = it.Dir + "/" + it.Stage
		}
	}
	set := []*pass{p}
	if res := r.runCheck(ctx, set, p.unit.Check.Mode, files, nil); !res.OK() {
		p.owed = p.owed || !p.dirty()
		return p.checkError(set, res)
	}
	p.checked = true
	return nil
}

// checkInPlace runs the check that all of set share on what is on disk.
func (r *Reconciler) checkInPlace(ctx context.Context, set []*pass) command.Result {
	return r.runCheck(ctx, set, CheckSwap, set[0].inPlace(), nil)
}

// runCheck runs the check that all of set share.
func (r *Reconciler) runCheck(ctx context.Context, set []*pass, mode CheckMode, files map[string]string, shown []command.Shown) command.Result {
	p, at := set[0], r.now()
	c, done, err := r.checkCommand(p, files)
	res := command.Result{ExitCode: -1, Err: err}
	if err == nil {
		c.Show = shown
		res = r.cfg.run(ctx, c)
		done()
	}
	ran := newRan(p.check.Argv, at, res, secret(set))
	if ran.Mode = mode; err == nil && mode == CheckStaged {
		ran.Argv = c.Argv
	}
	for _, p := range set {
		p.counts.Checks++
		p.counts.CheckFailures += one(!ran.OK)
		if p.ran.check == nil || p.ran.check.OK { // a failure stays to be seen
			p.ran.check = ran
		}
	}
	return res
}

// checkCommand returns p's check of the files where they stand. done removes
// what was written for it.
func (r *Reconciler) checkCommand(p *pass, files map[string]string) (c command.Command, done func(), err error) {
	done = func() {}
	at := Standing{Files: files}
	if wrapper := p.unit.Check.Wrapper; wrapper != nil {
		text, err := wrapper(files)
		if err != nil {
			return c, done, fmt.Errorf("cannot tell the check's wrapper: %w", err)
		}
		if at.Wrapper, done, err = r.writeWrapper(p, text); err != nil {
			return c, done, err
		}
	}
	c, err = p.unit.Check.Command(at)
	if err != nil {
		done()
		return c, done, fmt.Errorf("cannot tell the check command: %w", err)
	}
	return c, done, nil
}

// checkOverlaid checks those passes whose check sees the files in place before
// they are there, and returns all that have not failed. Those that passed are
// marked as checked.
func (r *Reconciler) checkOverlaid(ctx context.Context, passes []*pass) (good []*pass) {
	key := func(p *pass) string {
		if p.checkKey == "" || p.ownCheck() || p.unit.Check.Mode == CheckSwap || len(p.tx.items) == 0 ||
			p.unit.Check.Mode == CheckAuto && r.isBlind(p.checkKey) {
			return ""
		}
		return p.checkKey
	}
	for _, set := range byKey(passes, key) {
		if key(set[0]) != "" {
			set = r.overlay(ctx, set)
		}
		good = append(good, set...)
	}
	return good
}

// An overlaid says what a check in a mount namespace has shown.
type overlaid int

const (
	overlaidPassed overlaid = iota
	overlaidFailed
	overlaidUnknown // the check has to be run in place
)

// overlay checks the passes of set, which share a check, together; if that
// fails, one after the other, each with the good ones before it, so that the
// good ones do not wait for the bad one.
func (r *Reconciler) overlay(ctx context.Context, set []*pass) (good []*pass) {
	verdict, res := r.tryOverlay(ctx, set, set)
	switch verdict {
	case overlaidPassed:
		for _, p := range set {
			p.checked = true
		}
		return set
	case overlaidUnknown:
		for _, p := range set {
			p.ran.check = nil
		}
		return set
	}
	if len(set) == 1 || res.TimedOut || res.Err != nil || !r.checkInPlace(ctx, set).OK() {
		for _, p := range set {
			r.failOverlaid(p, p.checkError(set, res))
		}
		return nil
	}
	for _, p := range set {
		p.ran.check = nil // what all of them showed says nothing of this one
		verdict, res := r.tryOverlay(ctx, []*pass{p}, append(slices.Clone(good), p))
		if verdict == overlaidFailed {
			r.failOverlaid(p, p.checkError([]*pass{p}, res))
			continue
		}
		p.checked = verdict == overlaidPassed
		good = append(good, p)
	}
	if slices.ContainsFunc(good, func(p *pass) bool { return !p.checked }) {
		for _, p := range good { // they passed together with what has not
			p.checked = false
		}
	}
	return good
}

func (r *Reconciler) failOverlaid(p *pass, err error) {
	p.owed = p.owed || !p.applying || !p.dirty()
	p.fail(errors.Join(err, r.rollBack(p)))
}

// tryOverlay runs the check that all of set share with the new files of with
// shown in their places.
func (r *Reconciler) tryOverlay(ctx context.Context, set, with []*pass) (overlaid, command.Result) {
	var shown []command.Shown
	for _, p := range with {
		for _, it := range p.tx.items {
			s := command.Shown{At: it.Dir + "/" + it.Name}
			if it.Op != opRemove {
				s.From = it.Dir + "/" + it.Stage
			}
			shown = append(shown, s)
		}
	}
	res := r.runCheck(ctx, set, CheckOverlay, set[0].inPlace(), shown)
	verdict := r.judge(set, shown, res)
	if verdict == overlaidUnknown { // that was no check
		for _, p := range set {
			p.counts.Checks--
			p.counts.CheckFailures -= one(!res.OK())
		}
	}
	return verdict, res
}

// judge says what the result of a check with files shown in place is worth. In
// CheckAuto a check that left a file unread, as one does that asks somebody
// outside of the namespace, has said nothing of it.
func (r *Reconciler) judge(set []*pass, shown []command.Shown, res command.Result) overlaid {
	auto := !slices.ContainsFunc(set, func(p *pass) bool { return p.unit.Check.Mode == CheckOverlay })
	files, read := 0, 0
	for _, s := range shown {
		if s.From == "" { // nobody can be seen not to find it
			continue
		}
		if files++; res.Opened[s.At] {
			read++
		}
	}
	switch {
	case errors.Is(res.Err, context.Canceled), errors.Is(res.Err, context.DeadlineExceeded):
		return overlaidFailed
	case auto && errors.Is(res.Err, command.ErrNoNamespace):
		r.becomeBlind("")
		return overlaidUnknown
	case auto && (res.Opened == nil || files == 0), auto && !res.OK() && read == 0:
		return overlaidUnknown // this time
	case auto && res.OK() && read < files:
		r.becomeBlind(set[0].checkKey)
		return overlaidUnknown
	case res.OK():
		return overlaidPassed
	}
	return overlaidFailed
}

// isBlind reports whether the check of this key is known to see nothing in a
// mount namespace.
func (r *Reconciler) isBlind(checkKey string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.blind[""] || r.blind[checkKey]
}

// becomeBlind notes that the check of this key, or any ("") sees nothing there.
func (r *Reconciler) becomeBlind(checkKey string) {
	const most = 1 << 10
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.blind) >= most {
		maps.DeleteFunc(r.blind, func(key string, _ bool) bool { return key != "" })
	}
	r.blind[checkKey] = true
}
