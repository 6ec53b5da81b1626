package agent

import (
	"context"
	"slices"
	"strings"
	"time"

	"muster/cluster"
	"muster/publisher"
	"muster/reconcile"
	"muster/rules"
)

// NotInForce is the state of a rule whose `self` block this node does not
// match. The other states are reconcile's.
const NotInForce reconcile.State = "not-in-force"

// A Status is how an agent is.
type Status struct {
	Version string         `json:"version"`
	Node    cluster.Info   `json:"node"`
	Members map[string]int `json:"members"` // by status
	Settled bool           `json:"settled"` // the first join has come to rest
	Alone   bool           `json:"alone"`   // no other member is alive
	Doubt   int            `json:"doubt"`   // this node's suspicion that it is cut off; 0: none
	// Draining says that this node takes no new work.
	Draining bool         `json:"draining,omitempty"`
	Rules    []RuleStatus `json:"rules"`
	Acting   Acting       `json:"acting"`
	// Services is what this node publishes; nil: nobody does.
	Services *publisher.Report `json:"services,omitempty"`
	// Dir is where the rules are read from, Loaded when those in force were
	// read, and Problems the mistakes in those on disk.
	Dir      string         `json:"dir"`
	Loaded   time.Time      `json:"loaded,omitzero"`
	Problems rules.Problems `json:"problems,omitempty"`
}

// A RuleStatus is how one rule is.
type RuleStatus struct {
	Rule        string          `json:"rule"`
	Description string          `json:"description,omitempty"`
	File        string          `json:"file"`
	Line        int             `json:"line"`
	State       reconcile.State `json:"state"`
	Since       time.Time       `json:"since,omitzero"`
	Why         string          `json:"why,omitempty"` // of any state but in-sync
	// Busy says that the rule is to be looked at, or is being looked at: a
	// change has come that State does not tell of yet.
	Busy bool `json:"busy,omitempty"`
	// Retry is when it is looked at again though nothing changes.
	Retry time.Time `json:"retry,omitzero"`
	// Members is how many the files are about, Gained and Lost who came and
	// went with the last change.
	Members int      `json:"members"`
	Gained  []string `json:"gained,omitempty"`
	Lost    []string `json:"lost,omitempty"`

	Guard  reconcile.Verdict `json:"guard"`
	Check  *reconcile.Ran    `json:"check,omitempty"`  // the last
	Reload *reconcile.Ran    `json:"reload,omitempty"` // the last
	Verify *reconcile.Ran    `json:"verify,omitempty"`
	Told   *reconcile.Told   `json:"told,omitempty"` // what the running service was told last
	// Applied is when a change or a reload last succeeded.
	Applied time.Time              `json:"applied,omitzero"`
	Pass    *Report                `json:"pass,omitempty"` // the last
	Files   []reconcile.FileStatus `json:"files"`
}

// Status says how the agent is.
func (a *Agent) Status(ctx context.Context) (Status, error) {
	var s Status
	err := a.ask(ctx, func(l *loop) { l.tell(&s) })
	return s, err
}

// tell says in s how the agent is.
func (l *loop) tell(s *Status) {
	*s = Status{Version: l.cfg.Version, Members: map[string]int{}, Dir: l.cfg.RulesDir, Loaded: l.loaded, Problems: l.problems}
	if l.cfg.Info != nil {
		s.Node = l.cfg.Info()
	}
	if l.cfg.Services != nil {
		report := l.cfg.Services()
		s.Services = &report
	}
	for _, m := range l.view.Members {
		s.Members[string(m.Status)]++
	}
	s.Settled, s.Alone, s.Doubt = l.view.Settled, l.view.Alone(), l.view.Doubt
	s.Draining = l.view.SelfMember().Draining()
	s.Rules = append(l.status(l.states), l.remains()...)
	s.Acting = l.acting()
}

// Rules says how every rule is, also those that act, sorted by name.
func (a *Agent) Rules(ctx context.Context) ([]RuleStatus, error) {
	var all []RuleStatus
	err := a.ask(ctx, func(l *loop) {
		all = append(l.status(l.states), l.remains()...)
		for _, c := range l.program.rules {
			if e, ok := l.explainActing(c.Name); ok {
				all = append(all, e.RuleStatus)
			}
		}
	})
	slices.SortFunc(all, func(a, b RuleStatus) int { return strings.Compare(a.Rule, b.Rule) })
	return all, err
}

// status is how the rules of states are.
func (l *loop) status(states []*state) []RuleStatus {
	return ruleStatus(states, l.view, l.reconciler)
}

// ruleStatus puts together what the loop and the reconciler know.
func ruleStatus(states []*state, v cluster.View, r *reconcile.Reconciler) []RuleStatus {
	known := map[string]reconcile.Status{}
	for _, s := range r.Status() {
		known[s.Rule] = s
	}
	all := []RuleStatus{}
	for _, s := range states {
		status := fromReconciler(known[s.rule.Name])
		status.Rule, status.Description = s.rule.Name, s.rule.Description
		status.File, status.Line, status.Pass = s.rule.File, s.rule.Line, s.report
		status.Busy = s.busy()
		s.judge(&status, v)
		all = append(all, status)
	}
	return all
}

// judge says what the reconciler cannot know about the rule's state.
func (s *state) judge(status *RuleStatus, v cluster.View) {
	switch {
	case s.report != nil && s.report.Error != "":
		status.State, status.Why, status.Since = reconcile.Failed, s.report.Error, s.report.At
	case !v.Settled && s.report == nil:
		status.State, status.Why = reconcile.Pending, "waiting for the first join to settle"
	case s.running && s.report == nil:
		status.State, status.Why = reconcile.Pending, "the first pass is under way"
	case !s.inForce && (status.State == reconcile.InSync || status.State == ""):
		status.State, status.Why = NotInForce, "this node does not match the rule's self block"
	}
	if status.State == "" {
		status.State = reconcile.Pending
	}
	if s.report == nil {
		// The reconciler knows them from the journal, and not yet whether the
		// rule still wants them.
		for i := range status.Files {
			status.Files[i].State, status.Files[i].Why = reconcile.Pending, ""
		}
	}
}

// remains are rules that are gone but whose files are still there.
func (l *loop) remains() []RuleStatus {
	var all []RuleStatus
	for _, s := range l.reconciler.Status() {
		if !l.has(s.Rule) && len(s.Files) > 0 {
			status := fromReconciler(s)
			status.Why = "no rule of this name is in force, and muster wrote its files: bring the rule back, or remove them"
			all = append(all, status)
		}
	}
	return all
}

// fromReconciler takes over what the reconciler knows of a rule.
func fromReconciler(s reconcile.Status) RuleStatus {
	files := s.Files
	if files == nil {
		files = []reconcile.FileStatus{}
	}
	return RuleStatus{
		Rule: s.Rule, State: s.State, Since: s.Since, Why: s.Why, Retry: s.Retry, Members: len(s.Members),
		Gained: s.Gained, Lost: s.Lost, Guard: s.Guard, Check: s.Check, Reload: s.Reload, Verify: s.Verify, Told: s.Told,
		Applied: s.Applied, Files: files,
	}
}

// only picks the rules named.
func (s Status) only(names []string) []RuleStatus {
	picked := []RuleStatus{}
	for _, name := range names {
		for _, r := range s.Rules {
			if r.Rule == name {
				picked = append(picked, r)
			}
		}
	}
	return picked
}
