package reconcile

import "fmt"

// The actions of a FileDiff.
const (
	ActionNone   = "none"
	ActionCreate = "create"
	ActionUpdate = "update"
	ActionRemove = "remove"
)

// A Plan is what Converge would do for one unit now.
type Plan struct {
	Rule   string     `json:"rule"`
	State  State      `json:"state"` // in-sync, held, pending, owed: what the pass would find
	Files  []FileDiff `json:"files"`
	Check  []string   `json:"check,omitempty"`  // argv that would run; of staged files with their final paths
	Reload []string   `json:"reload,omitempty"` // argv that would run
	Verify []string   `json:"verify,omitempty"` // argv that would run, or what is watched
	Live   bool       `json:"live,omitempty"`   // the running service would be told, without a reload
	// Verdict is the guard's; if it holds, the files would stay as they are.
	Verdict Verdict  `json:"guard"`
	Gained  []string `json:"gained,omitempty"`
	Lost    []string `json:"lost,omitempty"`
	// Why says what stands in the way of the change.
	Why string `json:"why,omitempty"`
	Err error  `json:"-"`
}

// A FileDiff is one file's part in a Plan. Old and New are not given for a
// Sensitive file.
type FileDiff struct {
	Path      string `json:"path"`
	Action    string `json:"action"`
	Old       []byte `json:"old,omitempty"`
	New       []byte `json:"new,omitempty"`
	Sensitive bool   `json:"sensitive,omitempty"`
	Drift     bool   `json:"drift,omitempty"` // somebody else changed the file
	// Cut says that Old and New are missing: what is there is too large to be
	// compared, or cannot be read as it was seen.
	Cut bool `json:"cut,omitempty"`
}

// Changes reports whether the plan would touch any file or run any command.
func (p Plan) Changes() bool {
	for _, f := range p.Files {
		if f.Action != ActionNone {
			return true
		}
	}
	return p.State == Owed
}

// Plan says what Converge would do with units now, and does nothing. What the
// guard holds or time delays is in it, with the reason; an orphan that will be
// removed in a moment counts as removed. It waits for passes with the same rules
// that are under way.
func (r *Reconciler) Plan(units []Unit) []Plan {
	passes, unlock := r.begin(units, false)
	defer unlock()
	plans, left := make([]Plan, len(passes)), int64(mostCompared)
	for i, p := range passes {
		real := p.st
		p.st = real.copy()
		if p.err == nil {
			r.inspect(p)
		}
		plans[i] = p.plan(&left)
		p.st = real
	}
	return plans
}

// copy returns what a pass may change of st, without changing st.
func (st *ruleState) copy() *ruleState {
	return &ruleState{ref: st.ref.clone(), desired: st.desired, orphans: st.orphans, back: st.back, acted: st.acted, fight: st.fight}
}

// plan tells of p; left is how many bytes of files may yet be read for that.
func (p *pass) plan(left *int64) Plan {
	plan := Plan{Rule: p.unit.Rule, State: p.out.State, Verdict: p.out.Verdict, Gained: p.out.Gained, Lost: p.out.Lost, Err: p.err}
	changed := false
	for _, w := range p.wants {
		if w.file == nil {
			continue
		}
		d := FileDiff{Path: w.file.Path, Action: ActionNone, Sensitive: p.hides(w), Drift: w.drift}
		switch {
		case w.dirty && w.seen.exists:
			d.Action = ActionUpdate
		case w.dirty:
			d.Action = ActionCreate
		}
		if w.dirty {
			*left -= w.seen.id.size
		}
		d.show(w, *left >= 0)
		changed = changed || w.dirty
		plan.Files = append(plan.Files, d)
	}
	for _, o := range p.orphans {
		if o.remove {
			d := FileDiff{Path: o.path, Action: ActionRemove, Sensitive: o.sensitive}
			if o.block != "" {
				d.Action = ActionUpdate
			}
			if o.block != "" && !o.sensitive {
				d.Old, d.New = o.seen.rest.with(), o.seen.rest.without()
			}
			plan.Files = append(plan.Files, d)
			changed = true
		}
	}
	switch {
	case p.err != nil:
		plan.State, plan.Why = Failed, p.err.Error()
	case plan.Verdict.Held:
		plan.Why = plan.Verdict.Why
	case p.out.State == Drifted:
		plan.Why = "somebody else keeps changing the files"
	case p.out.State == Pending:
		plan.Why = fmt.Sprintf("every = %v", p.unit.Every)
	case p.out.Err != nil:
		plan.Why = p.out.Err.Error()
	case p.act && changed:
		plan.State = Pending
	case p.act:
		plan.State, plan.Why = Owed, "the service has not loaded what is on disk"
	}
	if plan.State != InSync && plan.State != Held {
		if p.checkKey != "" {
			plan.Check = p.check.Argv
		}
		plan.Live = p.unit.Live != nil && p.tellable() == nil
		if p.unit.Reload != nil && !plan.Live {
			plan.Reload = p.unit.Reload.Argv
			plan.Verify = p.unit.Verify.argv()
		}
	}
	return plan
}

// show fills in what is there and what is wanted; room says whether the former
// may be read.
func (d *FileDiff) show(w want, room bool) {
	switch {
	case d.Sensitive:
	case !w.dirty:
		d.Old, d.New = w.bytes, w.bytes
	case !room:
		d.Cut = true
	default:
		if d.Old, d.Cut = w.seen.text(); !d.Cut {
			d.New = w.bytes
		}
	}
}
