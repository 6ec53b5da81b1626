package reconcile

import (
	"context"
	"fmt"
	"time"

	"muster/command"
)

// A Verify tells, after a reload that succeeded, whether the service has really
// taken the files in: `nginx -s reload` succeeds when its signal was sent. It
// is either a Command or a Watch.
type Verify struct {
	// Command is run after the reload.
	Command *command.Command
	// Watch is called before the reload. What it returns is called after it, and
	// says what is wrong.
	Watch func() (after func(context.Context) error)
	// Name is what Watch waits for, in a few words.
	Name string
	// Within is how long Watch waits for it.
	Within time.Duration
}

// argv is the verification as plans and reports show it.
func (v *Verify) argv() []string {
	switch {
	case v == nil:
		return nil
	case v.Command != nil:
		return v.Command.Argv
	}
	return []string{v.Name}
}

// key is the same for two that do the same.
func (v *Verify) key() string {
	switch {
	case v == nil:
		return ""
	case v.Command != nil:
		return keyOf(*v.Command)
	}
	return v.Name
}

// timeout is how long it may take.
func (v *Verify) timeout() time.Duration {
	switch {
	case v == nil:
		return 0
	case v.Command != nil:
		return v.Command.Timeout
	}
	return v.Within
}

// A loading is what became of a reload.
type loading struct {
	err    error // why the service has not loaded the files; nil: it has
	search bool  // and it is worth trying each unit alone
}

// runReload runs the reload that the passes of set have in common, and verifies
// it; but not as long as files are in place that should not be.
func (r *Reconciler) runReload(ctx context.Context, set []*pass) loading {
	c, key := *set[0].unit.Reload, set[0].reloadKey
	if rule, stuck := r.stuckFor(key); stuck {
		res := command.Result{ExitCode: -1, Err: fmt.Errorf("not run: a failed change of rule %s is still in place", rule)}
		r.noteReload(set, newRan(c.Argv, r.now(), res, secret(set)))
		return loading{err: commandError("reload", c, secret(set), res)}
	}
	verifying := byKey(set, func(p *pass) string { return p.unit.Verify.key() })
	after := make([]func(context.Context) error, len(verifying))
	for i, same := range verifying {
		if v := same[0].unit.Verify; v != nil && v.Watch != nil {
			after[i] = v.Watch()
		}
	}
	at := r.now()
	res := r.cfg.run(ctx, c)
	r.noteReload(set, newRan(c.Argv, at, res, secret(set)))
	if !res.OK() {
		return loading{commandError("reload", c, secret(set), res), !res.TimedOut && res.Err == nil}
	}
	for i, same := range verifying {
		if err := r.verifyReload(ctx, same, after[i]); err != nil {
			return loading{err, true}
		}
	}
	return loading{}
}

// verifyReload verifies a reload for the passes of set, which do that alike.
func (r *Reconciler) verifyReload(ctx context.Context, set []*pass, after func(context.Context) error) error {
	v, at := set[0].unit.Verify, r.now()
	var res command.Result
	switch {
	case v == nil:
		return nil
	case v.Command != nil:
		res = r.cfg.run(ctx, *v.Command)
	default:
		if res.Err = after(ctx); res.Err != nil {
			res.ExitCode = -1
		}
		res.Duration = r.now().Sub(at)
	}
	ran := newRan(v.argv(), at, res, secret(set))
	if v.Watch != nil && ran.OK {
		ran.Verdict = "seen"
	}
	for _, p := range set {
		p.counts.VerifyFailures += one(!ran.OK)
		if p.ran.verify == nil || p.ran.verify.OK {
			p.ran.verify = ran
		}
	}
	if res.OK() {
		return nil
	}
	return fmt.Errorf("reload %s: it succeeded, but the service did not take the files in: %w",
		command.Line([]byte(set[0].unit.Reload.Argv[0]), 200), commandError("verify", command.Command{Argv: v.argv()}, secret(set), res))
}

// noteReload keeps how a reload went for the reports of set; the first failure
// stays to be seen.
func (r *Reconciler) noteReload(set []*pass, ran *Ran) {
	for _, p := range set {
		p.counts.Reloads++
		p.counts.ReloadFailures += one(!ran.OK)
		if p.ran.reload == nil || p.ran.reload.OK {
			p.ran.reload = ran
		}
	}
}
