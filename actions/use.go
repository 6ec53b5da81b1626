package actions

import (
	"strconv"
	"strings"

	"muster/logs"
)

// Use makes s what acts from now on. Queues of rules that stay, by name, are
// kept, and what waits in them is done as the new rule says; what waits for a
// rule that is gone is dropped.
func (r *Runner) Use(s Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.set = s
	r.folder.open(s.Dir)
	r.arrange()
	r.resume()
}

// arrange makes lanes for all that acts.
func (r *Runner) arrange() {
	var next []*lane
	add := func(l lane) {
		old := r.byID[l.id]
		if old != nil && old.name != l.name { // a file of another directory
			r.retire(old)
			old = nil
		}
		if old == nil {
			old = &lane{kind: l.kind, name: l.name, id: l.id, handler: l.handler, event: l.event, lines: logs.Budget{Lines: maxLines, Window: logWindow}}
			r.byID[l.id] = old
		}
		old.gone = false
		if old.rule != l.rule {
			old.rule, old.sight, old.problem = l.rule, sight{rule: l.rule}, ""
		}
		next = append(next, old)
	}
	for _, rule := range r.set.Rules {
		if rule.Acts() {
			add(lane{kind: KindRule, name: rule.Name, id: "rule " + rule.Name, rule: rule})
		}
	}
	times := map[string]int{}
	for _, h := range r.set.Handlers {
		line := strings.ToValidUTF8(h.Line, "?")
		id := "line " + line
		if times[line]++; times[line] > 1 { // the same line twice runs twice
			id = "line/" + strconv.Itoa(times[line]) + " " + line
		}
		add(lane{kind: KindHandler, name: h.Line, id: id, handler: h})
	}
	for _, f := range r.folder.files {
		add(lane{kind: KindFile, name: f.path, id: "file " + f.event, event: f.event})
	}
	stays := map[*lane]bool{}
	for _, l := range next {
		stays[l] = true
	}
	for _, l := range r.byID {
		if !stays[l] {
			r.retire(l)
		}
	}
	r.lanes = next
	for _, l := range next {
		r.follow(l)
		r.wake(l)
	}
}

// retire drops what waits for l, which is not wanted any more.
func (r *Runner) retire(l *lane) {
	for _, j := range l.queue {
		if j.entry != nil {
			r.finish(j.entry, verdictGone)
		}
	}
	if n := l.queued(); n > 0 {
		r.log.Warn("what waited for a rule or handler that is gone is dropped", l.kind, l.name, "dropped", n)
	}
	l.dropped += l.queued()
	l.queue, l.early, l.gone = nil, nil, true
	l.stopWaiting()
	if !l.busy {
		delete(r.byID, l.id)
	}
}

// resume queues what an earlier run of the agent had accepted and not begun,
// and decides on what it had begun.
func (r *Runner) resume() {
	var missing []*entry
	for _, e := range r.recovered {
		l := r.byID[e.rule]
		switch {
		case l == nil && r.set.Partial:
			missing = append(missing, e)
		case l == nil:
			r.log.Warn("what waited for a rule or handler that is gone is dropped", "name", e.rule, "event", describe(e.event(), nil))
			r.finish(e, verdictGone)
		case e.state == started && !l.repeatable():
			r.log.Warn("an action was cut off", l.kind, l.name, "event", describe(e.event(), nil), "accepted", e.at)
			r.finish(e, verdictCutOff)
		default:
			l.heard++
			l.queue = append(l.queue, &job{event: e.event(), signer: e.signer, entry: e})
			r.wake(l)
		}
	}
	r.recovered = missing
}

func (r *Runner) finish(e *entry, verdict string) {
	r.ledger.finish(e, verdict)
	r.touch()
}

// Status returns how each rule and handler that acts is doing: rules in their
// order, then event_handlers lines, then the files of the directory.
func (r *Runner) Status() []Status {
	cut, stuck := r.ledger.cutOffs(), r.ledger.problem()
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Status, 0, len(r.lanes))
	for _, l := range r.lanes {
		s := Status{
			Name: l.name, Kind: l.kind, Heard: l.heard, Run: l.run, Failed: l.failed, Queued: l.queued(),
			Dropped: l.dropped, Unwanted: l.unwanted, Refused: copyOf(l.refused), CutOff: cut[l.id], Problem: l.problem,
		}
		s.CutOff = s.CutOff[max(0, len(s.CutOff)-maxCutOff):]
		if l.running != nil {
			running := *l.running
			s.Running = &running
		}
		if l.last != nil {
			last := *l.last
			s.Last = &last
		}
		switch {
		case r.set.Refuse != "" && l.kind != KindHandler:
			s.Problem = r.set.Refuse
		case l.stuck != "":
			s.Problem = l.stuck
		case stuck != "" && l.kind != KindHandler && len(l.queue) > 0:
			s.Problem = stuck
		}
		out = append(out, s)
	}
	return out
}

const maxCutOff = 16

// Problems says what keeps actions from being run or recorded as they should
// be, one line each.
func (r *Runner) Problems() []string {
	var out []string
	if p := r.ledger.problem(); p != "" {
		out = append(out, p+"; actions on user events wait until it can")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append(out, r.folder.problems...)
}

func copyOf(m map[string]uint64) map[string]uint64 {
	if m == nil {
		return nil
	}
	out := make(map[string]uint64, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
