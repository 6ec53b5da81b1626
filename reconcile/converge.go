package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Converge makes one pass: it compares the units with the disk and changes what
// differs, each unit as a whole or not at all. Units that change in the same
// call and have the same check or reload run it once; others run beside each
// other. It returns one outcome a unit, in their order, when all are done or,
// soon after the end of ctx, given up.
//
// It may be called concurrently with units that have neither rule, nor path, nor
// command in common. A rule must not be given twice in one call.
func (r *Reconciler) Converge(ctx context.Context, units []Unit) []Outcome {
	if r.cfg.ReadOnly {
		outcomes := make([]Outcome, len(units))
		for i, u := range units {
			outcomes[i] = Outcome{Rule: u.Rule, State: Failed, Err: errors.New("cannot converge: opened for reading only")}
		}
		return outcomes
	}
	passes, unlock := r.begin(units, true)
	defer unlock()
	r.unstick(passes)
	for _, p := range passes {
		if p.err == nil {
			r.inspect(p)
			r.keepTold(ctx, p)
		}
		for _, w := range p.wants {
			if w.seen.real != "" {
				r.sweepOnce(filepath.Dir(w.seen.real))
			}
		}
	}
	var wg sync.WaitGroup
	for _, group := range groups(passes) {
		wg.Go(func() {
			begin := time.Now()
			r.converge(ctx, group)
			for _, p := range group {
				p.out.Took = time.Since(begin)
			}
		})
	}
	wg.Wait()
	outcomes := make([]Outcome, len(passes))
	for i, p := range passes {
		r.finish(p)
		outcomes[i] = p.out
	}
	r.watch.poke()
	return outcomes
}

// begin prepares a pass for every unit, and locks their rules until unlock is
// called. Only for real do the units' paths become theirs, and new rules known.
func (r *Reconciler) begin(units []Unit, real bool) (passes []*pass, unlock func()) {
	passes = make([]*pass, len(units))
	r.mu.Lock()
	for i := range units {
		passes[i] = &pass{unit: &units[i], now: r.now(), st: r.ruleOf(units[i].Rule, real)}
		passes[i].out.Rule = units[i].Rule
	}
	r.mu.Unlock()
	locked := slices.SortedFunc(slices.Values(passes), func(a, b *pass) int { return strings.Compare(a.unit.Rule, b.unit.Rule) })
	for i, p := range locked {
		if i > 0 && locked[i-1].st == p.st {
			panic(fmt.Sprintf("reconcile: rule %q is given twice", p.unit.Rule))
		}
		p.st.busy.Lock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	claims := r.claims
	if !real {
		claims = maps.Clone(claims)
	}
	r.claim(claims, passes)
	orphans := r.orphansOf(claims, passes)
	for _, p := range passes {
		paths := orphans[p.unit.Rule]
		slices.Sort(paths)
		for _, path := range paths {
			w := r.journal.state.wrote[path]
			p.orphans = append(p.orphans, orphan{path: path, block: w.block, sensitive: w.sensitive})
		}
		if real {
			p.noteOrphans()
		}
	}
	return passes, func() {
		for _, p := range passes {
			p.st.busy.Unlock()
		}
	}
}

// recall fetches what the journal knows of p's rule.
func (r *Reconciler) recall(p *pass) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.loaded = nil
	if rec := r.journal.state.rules[p.unit.Rule]; rec != nil {
		p.loaded = maps.Clone(rec.loaded)
		if p.st.ref.applied == nil && p.st.ref.missed == nil {
			p.st.ref = rec.reference()
		}
		if p.st.acted.IsZero() {
			p.st.acted = time.UnixMilli(rec.at)
		}
	}
	p.secret = map[string]bool{}
	p.wrote = make(map[string]string, len(p.unit.Files)+len(p.orphans))
	for _, f := range p.unit.Files {
		was := r.journal.state.wrote[f.Path]
		p.wrote[f.Path] = was.sum
		if was.sensitive {
			p.secret[f.Path] = true
		}
	}
	for _, o := range p.orphans {
		p.wrote[o.path] = r.journal.state.wrote[o.path].sum
	}
}

func (r *Reconciler) ruleOf(name string, keep bool) *ruleState {
	st := r.rules[name]
	if st == nil {
		st = &ruleState{orphans: map[string]time.Time{}}
		if keep {
			r.rules[name] = st
		}
	}
	return st
}

// reference is what a restarted process measures losses against.
func (rec *ruleRecord) reference() reference {
	ref := reference{applied: rec.members, missed: make(map[string]time.Time, len(rec.missed))}
	for name, since := range rec.missed {
		ref.missed[name] = time.UnixMilli(since)
	}
	return ref
}

// claim gives every path to the rule that wants it. A path that another rule
// wants too is an error of the later one.
func (r *Reconciler) claim(claims map[string]string, passes []*pass) {
	rules := map[string]bool{}
	for _, p := range passes {
		rules[p.unit.Rule] = true
	}
	maps.DeleteFunc(claims, func(_, rule string) bool { return rules[rule] })
	for _, p := range passes {
		for i, f := range p.unit.Files {
			switch owner, taken := claims[f.Path]; {
			case taken && owner == p.unit.Rule:
				p.fail(fmt.Errorf("cannot write %s: the rule names it twice", f.Path))
			case taken:
				p.fail(fmt.Errorf("cannot write %s: rule %s writes it too", f.Path, owner))
			default:
				claims[f.Path] = p.unit.Rule
			}
			if i > 0 && p.unit.Files[i-1].Path > f.Path {
				panic(fmt.Sprintf("reconcile: files of rule %q are not sorted", p.unit.Rule))
			}
		}
	}
}

// orphansOf lists, by rule, the paths that muster wrote for passes' rules and
// that nobody wants now.
func (r *Reconciler) orphansOf(claims map[string]string, passes []*pass) map[string][]string {
	orphans := map[string][]string{}
	for _, p := range passes {
		orphans[p.unit.Rule] = nil
	}
	for path, w := range r.journal.state.wrote {
		if _, wanted := claims[path]; wanted {
			continue
		}
		if _, ours := orphans[w.rule]; ours {
			orphans[w.rule] = append(orphans[w.rule], path)
		}
	}
	return orphans
}

// noteOrphans remembers since when p's orphans are nobody's.
func (p *pass) noteOrphans() {
	if len(p.orphans) == 0 && len(p.st.orphans) == 0 {
		return
	}
	since := make(map[string]time.Time, len(p.orphans))
	for _, o := range p.orphans {
		since[o.path] = p.now
		if at, known := p.st.orphans[o.path]; known {
			since[o.path] = at
		}
	}
	p.st.orphans = since
}

// groups parts the passes that have something to do so that no two groups have
// a check or a reload in common.
func groups(passes []*pass) [][]*pass {
	var all [][]*pass
	for _, p := range passes {
		if !p.act || p.err != nil {
			continue
		}
		group := []*pass{p}
		var others [][]*pass
		for _, g := range all {
			if slices.ContainsFunc(g, p.shares) {
				group = append(g, group...)
			} else {
				others = append(others, g)
			}
		}
		all = append(others, group)
	}
	return all
}

// shares reports whether p and q have a check or a reload in common. A check of
// staged files is each unit's own.
func (p *pass) shares(q *pass) bool {
	return p.reloadKey != "" && p.reloadKey == q.reloadKey ||
		p.checkKey != "" && p.checkKey == q.checkKey && !p.ownCheck() && !q.ownCheck()
}

// byKey parts passes by what key says, in the order of their first.
func byKey(passes []*pass, key func(*pass) string) [][]*pass {
	var keys []string
	sets := map[string][]*pass{}
	for _, p := range passes {
		k := key(p)
		if sets[k] == nil {
			keys = append(keys, k)
		}
		sets[k] = append(sets[k], p)
	}
	list := make([][]*pass, len(keys))
	for i, k := range keys {
		list[i] = sets[k]
	}
	return list
}
