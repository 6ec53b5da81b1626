package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"muster/actions"
	"muster/reconcile"
	"muster/rules"
)

// Acts is the state of a rule that acts on events and keeps no file.
const Acts reconcile.State = "acts"

// Acting is how the rules and handlers that act on events are doing.
type Acting struct {
	// Refused says why rules may not act at all; empty: they may.
	Refused string `json:"refused,omitempty"`
	// Lost is how many events came faster than they could be taken in.
	Lost uint64 `json:"lost,omitempty"`
	// Problems are what keeps actions from being run or recorded.
	Problems []string         `json:"problems,omitempty"`
	Each     []actions.Status `json:"each"`
}

// An actor feeds the runner with the rules, the view and the events.
type actor struct {
	handlers []rules.Handler
	refused  string
}

// ErrCannotSend is returned by Send where the agent has no way to.
var ErrCannotSend = errors.New("cannot send an event: this agent is in no cluster")

// Send sends a user event to the cluster.
func (a *Agent) Send(ctx context.Context, name string, payload []byte, coalesce bool) error {
	if a.cfg.Send == nil {
		return ErrCannotSend
	}
	return a.cfg.Send(ctx, name, payload, coalesce)
}

// SetHandlers replaces Serf's event_handlers lines.
func (a *Agent) SetHandlers(ctx context.Context, handlers []rules.Handler) error {
	return a.ask(ctx, func(l *loop) {
		l.actor.handlers = handlers
		l.act()
	})
}

// act tells the runner what acts now.
func (l *loop) act() {
	if l.cfg.Actions == nil {
		return
	}
	var acting []*rules.Rule
	for _, c := range l.program.rules {
		if c.Acts() {
			acting = append(acting, c.Rule)
		}
	}
	refused := l.refusal()
	if refused != "" && refused != notStarted && refused != l.actor.refused && len(acting) > 0 {
		l.log.Error("rules that act are refused", "why", refused, "rules", len(acting))
		l.note(true, "rules that act are refused: %s", refused)
	}
	l.actor.refused = refused
	l.cfg.Actions.Use(actions.Set{
		Rules: acting, Handlers: l.actor.handlers, Dir: l.cfg.HandlersDir, Partial: l.problems.HasErrors(), Refuse: refused,
	})
}

// notStarted is why rules may not act before it is known where gossip listens.
const notStarted = "gossip has not started yet"

// refusal says why rules may not act: gossip that is neither encrypted nor
// kept on this host can be spoken by anyone.
func (l *loop) refusal() string {
	if l.cfg.InsecureGossip || l.cfg.Info == nil {
		return ""
	}
	info := l.cfg.Info()
	switch {
	case info.Through != "":
		return fmt.Sprintf("the agent at %s is followed over a network, in the clear, so that whoever is on the way could make them act: "+
			"follow one on this machine, perhaps through a tunnel, or set insecure_gossip = true", info.Through)
	case info.Encrypted:
		return ""
	case info.Epoch == 0:
		return notStarted
	}
	at := info.Bind
	if at == "" {
		at = info.Advertise
	}
	if addr, err := netip.ParseAddrPort(at); err == nil && addr.Addr().IsLoopback() {
		return ""
	}
	return fmt.Sprintf("gossip is not encrypted and %s is not a loopback address, so that whoever reaches it could make them act: "+
		"set encrypt_key or keyring_file, or insecure_gossip = true", at)
}

// perform runs what acts, and returns how to wait for its end, once ctx has
// ended.
func (l *loop) perform(ctx context.Context) (wait func()) {
	var running sync.WaitGroup
	if l.cfg.Actions != nil {
		running.Go(func() {
			if err := l.cfg.Actions.Run(ctx); err != nil {
				l.log.Error("nothing acts on events any more", "error", err)
			}
		})
	}
	running.Go(func() { l.listen(ctx) })
	return running.Wait
}

// listen takes in events as they come: it must not wait, or they are lost.
func (l *loop) listen(ctx context.Context) {
	for {
		select {
		case e := <-l.cfg.Events:
			if l.cfg.Actions != nil {
				l.cfg.Actions.Hear(e)
			}
			select {
			case l.heard <- e:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// acting is how those that act are doing.
func (l *loop) acting() Acting {
	out := Acting{Refused: l.actor.refused, Each: []actions.Status{}}
	if l.cfg.Lost != nil {
		out.Lost = l.cfg.Lost()
	}
	if l.cfg.Actions != nil {
		out.Problems = l.cfg.Actions.Problems()
		out.Each = append(out.Each, l.cfg.Actions.Status()...)
	}
	return out
}

// explainActing says how a rule that acts is doing; ok is false if there is
// none of that name.
func (l *loop) explainActing(name string) (e RuleExplanation, ok bool) {
	i := slices.IndexFunc(l.program.rules, func(c *compiled) bool { return c.Name == name && c.Acts() })
	if i < 0 {
		return e, false
	}
	rule := l.program.rules[i].Rule
	self := l.view.SelfMember()
	e.RuleStatus = RuleStatus{
		Rule: name, Description: rule.Description, File: rule.File, Line: rule.Line, State: Acts, Since: l.loaded,
		Why: l.actor.refused, Files: []reconcile.FileStatus{},
	}
	if !rule.InForce(self) {
		e.State, e.Why = NotInForce, "this node does not match the rule's self block"
	}
	for _, filter := range rule.On {
		e.On = append(e.On, filter.String())
	}
	e.Self = rule.SelfVerdict(self)
	selection := rule.NewSelection()
	selection.Update(time.Now(), l.view, nil)
	e.Selected = names(nil, selection.Members())
	for _, s := range l.acting().Each {
		if s.Kind == actions.KindRule && s.Name == name {
			e.Acting = &s
		}
	}
	return e, true
}
