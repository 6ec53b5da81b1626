package agent

import (
	"context"

	"muster/reconcile"
)

// LastChange tells what the last pass that changed a file of the rule changed,
// or tried to. It has no At where nothing has changed since the agent started,
// as with every rule that acts and keeps no file. ErrUnknown is in the error
// about a rule that is not in force.
func (a *Agent) LastChange(ctx context.Context, rule string) (reconcile.Change, error) {
	var err error
	asked := a.ask(ctx, func(l *loop) {
		if _, acts := l.explainActing(rule); !acts {
			_, err = l.named([]string{rule})
		}
	})
	if asked != nil {
		err = asked
	}
	if err != nil {
		return reconcile.Change{}, err
	}
	return a.reconciler.LastChange(rule), nil
}
