package page

import (
	"context"
	"errors"
	"net/http"
	"time"

	"muster/actions"
	"muster/agent"
	"muster/human"
	"muster/reconcile"
	"muster/timeline"
)

// mostNames is how many members a rule's page names.
const mostNames = 200

// A rulePage is how a rule is; what it wrote last, and what it ran, are parts of
// their own.
type rulePage struct {
	ruleRow
	File         string
	Line         int
	Applied      time.Time
	Retry        time.Time
	Guard        reconcile.Verdict
	Gained, Lost []string
	Selected     []string
	More         int // members that are not named
	On           []string
	Acting       *actions.Status
	Event        string // the latest that was acted on
}

// A changePage is what a rule wrote last.
type changePage struct {
	reconcile.Change
	None bool
}

// A ranPage is a command that a rule ran last.
type ranPage struct {
	What  string
	None  bool
	State state
	*reconcile.Ran
	Output string
}

// rule is the page of one rule.
func (p *Page) rule(ctx context.Context, _ *snapshot, r *http.Request) (document, error) {
	name := r.PathValue("rule")
	e, err := p.c.Agent.ExplainRule(ctx, name)
	if err != nil {
		return document{}, err
	}
	change, err := p.c.Agent.LastChange(ctx, name)
	if err != nil && !errors.Is(err, agent.ErrUnknown) { // it may act, and keep no file
		return document{}, err
	}
	d := document{
		title: name + " – muster", template: "rule", lists: []string{"happened"},
		parts: []part{
			{"rule", "", "rule-page", newRulePage(e)},
			{"change", "", "rule-change", changePage{change, change.At.IsZero()}},
		},
	}
	for _, ran := range []struct {
		what string
		*reconcile.Ran
	}{{"check", e.Check}, {"reload", e.Reload}, {"verify", e.Verify}} {
		d.parts = append(d.parts, part{ran.what, "", "rule-ran", newRanPage(ran.what, ran.Ran)})
	}
	d.parts = append(d.parts, p.happened(func(e timeline.Entry) bool { return e.Rule == name })...)
	return d, nil
}

func newRulePage(e agent.RuleExplanation) rulePage {
	out := rulePage{
		ruleRow: newRuleRow(e.RuleStatus), File: e.File, Line: e.Line, Applied: e.Applied, Retry: e.Retry, Guard: e.Guard,
		Gained: e.Gained, Lost: e.Lost, Selected: e.Selected, On: e.On, Acting: e.Acting,
	}
	if e.Acting != nil && e.Acting.Last != nil {
		out.Event = visible(human.Clip(e.Acting.Last.Event, 200))
	}
	if n := len(out.Selected); n > mostNames {
		out.Selected, out.More = out.Selected[:mostNames], n-mostNames
	}
	return out
}

func newRanPage(what string, ran *reconcile.Ran) ranPage {
	if ran == nil {
		return ranPage{What: what, None: true}
	}
	out := ranPage{What: what, Ran: ran, State: state{"✕", ran.Verdict, "bad"}, Output: printed(ran.Output)}
	if ran.OK {
		out.State = state{"✓", ran.Verdict, "good"}
	}
	return out
}
