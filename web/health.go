package web

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"muster/agent"
	"muster/reconcile"
)

// aliveLimit is how long the agent may take to show that it is alive.
const aliveLimit = 2 * time.Second

// A Health says whether the agent is alive, or whether it is ready.
type Health struct {
	OK  bool     `json:"ok"`
	Why []string `json:"why,omitempty"` // if it is not; names of rules and their states, nothing else
}

// healthz answers 200 as long as the agent's loop goes round.
func (a *API) healthz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), aliveLimit)
	defer cancel()
	if err := a.Agent.Ping(ctx); err != nil {
		reply(w, http.StatusServiceUnavailable, Health{Why: []string{"the agent does not answer"}})
		return
	}
	reply(w, http.StatusOK, Health{OK: true})
}

// readyz answers 200 when the first join has settled and every rule's last
// pass went well.
func (a *API) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), aliveLimit)
	defer cancel()
	s, err := inTurn(ctx, a.turn, a.Agent.Status)
	if err != nil {
		reply(w, http.StatusServiceUnavailable, Health{Why: []string{"the agent does not answer"}})
		return
	}
	why := a.unready(s)
	status := http.StatusOK
	if len(why) > 0 {
		status = http.StatusServiceUnavailable
	}
	reply(w, status, Health{OK: len(why) == 0, Why: why})
}

// unready says what keeps an agent from being ready. It is told to everybody:
// no paths, no output of commands. A rule that a guard holds did render, and
// keeps its last good files: that is no reason.
func (a *API) unready(s agent.Status) (why []string) {
	if !s.Settled {
		why = append(why, "the first join has not settled")
	}
	if s.Problems.HasErrors() {
		why = append(why, "the rules on disk have mistakes")
	}
	if !a.configured() {
		why = append(why, "the configuration on disk has mistakes")
	}
	for _, r := range s.Rules {
		switch {
		case r.State == reconcile.Failed || r.State == reconcile.Owed:
			why = append(why, fmt.Sprintf("rule %s is %s", r.Rule, r.State))
		case r.Pass == nil && r.State == reconcile.Pending && s.Settled:
			why = append(why, fmt.Sprintf("rule %s has not been through a pass", r.Rule))
		}
	}
	return why
}

// configured reports whether the configuration read last is in force.
func (a *API) configured() bool { return a.Configured == nil || a.Configured() }

// inTurn asks the agent for what everybody may know, or for much. Such questions
// take turns, so that however many there are the agent has time for its own work.
func inTurn[T any](ctx context.Context, turn chan struct{}, ask func(context.Context) (T, error)) (answer T, err error) {
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
		return ask(ctx)
	case <-ctx.Done():
		return answer, ctx.Err()
	}
}
