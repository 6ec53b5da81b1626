package web

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"time"

	"muster/actions"
	"muster/agent"
	"muster/cluster"
	"muster/exposition"
	"muster/reconcile"
)

// metrics answers with all measurements in Prometheus' format.
func (a *API) metrics(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), aliveLimit)
	defer cancel()
	m, err := inTurn(ctx, a.turn, a.Agent.Metrics)
	if err != nil {
		answer(w, nil, err)
		return
	}
	families := aboutAgent(m, a.configured())
	families = append(families, aboutRules(m)...)
	families = append(families, aboutActing(m.Acting)...)
	families = append(families, a.aboutItself())
	if a.More != nil {
		families = append(families, a.More()...)
	}
	families = append(families, exposition.Process(a.started)...)
	w.Header().Set("Content-Type", exposition.ContentType)
	patient(w)
	_ = exposition.Write(w, families) // a client that went away is not worth a line of log
}

// single is a family of one series without labels.
func single(name string, kind exposition.Kind, help string, value float64) exposition.Family {
	return exposition.Family{Name: name, Kind: kind, Help: help, Series: []exposition.Series{{Value: value}}}
}

// seconds is a time since the epoch; of a time that never was, 0.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// aboutAgent is about the agent and its cluster. Its labels are of a fixed
// set: members choose none of them.
func aboutAgent(m agent.Metrics, configured bool) []exposition.Family {
	members := exposition.Family{Name: "muster_members", Kind: exposition.Gauge, Help: "Members known to this agent, itself among them, by status."}
	for _, status := range []cluster.Status{cluster.Alive, cluster.Leaving, cluster.Left, cluster.Failed} {
		members.Series = append(members.Series, exposition.Series{
			Labels: exposition.Labels("status", string(status)), Value: float64(m.Members[string(status)]),
		})
	}
	refused := exposition.Family{Name: "muster_gossip_refused_total", Kind: exposition.Counter, Help: "What the network said and was kept out, by reason."}
	for reason, n := range sorted(m.Node.Refused) {
		refused.Series = append(refused.Series, exposition.Series{Labels: exposition.Labels("reason", reason), Value: float64(n)})
	}
	return []exposition.Family{
		{Name: "muster_build_info", Kind: exposition.Gauge, Help: "The version that runs; always 1.",
			Series: []exposition.Series{{Labels: exposition.Labels("version", m.Version, "goversion", runtime.Version()), Value: 1}}},
		members,
		single("muster_joined", exposition.Gauge, "Whether the first join has settled.", exposition.Bool(m.Settled)),
		single("muster_alone", exposition.Gauge, "Whether no other member is alive.", exposition.Bool(m.Alone)),
		single("muster_isolation_doubt", exposition.Gauge, "Suspicion that this node is cut off, as Lifeguard's awareness; 0 is none.", float64(m.Doubt)),
		single("muster_members_unreachable", exposition.Gauge, "Members that are alive and do not answer this node's UDP.", float64(len(m.Node.Unreachable))),
		single("muster_name_conflicts", exposition.Gauge, "Names that two nodes have claimed, of the latest.", float64(len(m.Node.Conflicts))),
		refused,
		single("muster_config_last_reload_successful", exposition.Gauge, "Whether the configuration and the rules, as last read, are in force.",
			exposition.Bool(configured && !m.Problems.HasErrors())),
		single("muster_config_last_reload_success_timestamp_seconds", exposition.Gauge, "When the rules in force were read.", seconds(m.Loaded)),
	}
}

// states are those that a rule or a file can be in.
var states = []reconcile.State{
	reconcile.InSync, reconcile.Drifted, reconcile.Held, reconcile.Failed, reconcile.Owed,
	reconcile.Orphaned, reconcile.Pending, agent.NotInForce,
}

// A perRule is a family with one series for each rule.
type perRule struct {
	name, help string
	kind       exposition.Kind
	value      func(r agent.RuleStatus, m agent.RuleMetrics) float64
}

var perRules = []perRule{
	{"muster_rule_members", "Members that the rule's files are about.", exposition.Gauge,
		func(r agent.RuleStatus, _ agent.RuleMetrics) float64 { return float64(r.Members) }},
	{"muster_rule_values_refused", "Values that the last render left out, because the file cannot hold them safely.", exposition.Gauge,
		func(r agent.RuleStatus, _ agent.RuleMetrics) float64 {
			if r.Pass == nil {
				return 0
			}
			return float64(len(r.Pass.Refused))
		}},
	{"muster_rule_last_success_timestamp_seconds", "When a pass last found the rule in sync, or left it so; 0 for never.", exposition.Gauge,
		func(_ agent.RuleStatus, m agent.RuleMetrics) float64 { return seconds(m.InSync) }},
	{"muster_rule_last_change_timestamp_seconds", "When a change or a reload last succeeded; 0 for never.", exposition.Gauge,
		func(r agent.RuleStatus, _ agent.RuleMetrics) float64 { return seconds(r.Applied) }},
	{"muster_passes_total", "How often the rule was looked at.", exposition.Counter,
		func(_ agent.RuleStatus, m agent.RuleMetrics) float64 { return float64(m.Passes) }},
	{"muster_changes_total", "Passes that changed files, and left them changed.", exposition.Counter,
		func(_ agent.RuleStatus, m agent.RuleMetrics) float64 { return float64(m.Changes) }},
	{"muster_holds_total", "Passes that a guard ended.", exposition.Counter,
		func(_ agent.RuleStatus, m agent.RuleMetrics) float64 { return float64(m.Held) }},
	{"muster_drifts_total", "How often somebody else's change to a file of the rule was found.", exposition.Counter,
		func(_ agent.RuleStatus, m agent.RuleMetrics) float64 { return float64(m.Drifts) }},
	{"muster_check_failures_total", "Checks that failed.", exposition.Counter,
		func(_ agent.RuleStatus, m agent.RuleMetrics) float64 { return float64(m.CheckFailures) }},
	{"muster_verify_failures_total", "Reloads that succeeded, although the service did not take the files in.", exposition.Counter,
		func(_ agent.RuleStatus, m agent.RuleMetrics) float64 { return float64(m.VerifyFailures) }},
	{"muster_rollbacks_total", "Changes in place that were undone.", exposition.Counter,
		func(_ agent.RuleStatus, m agent.RuleMetrics) float64 { return float64(m.Rollbacks) }},
	{"muster_live_updates_total", "Changes that the running service was told of, without a reload.", exposition.Counter,
		func(_ agent.RuleStatus, m agent.RuleMetrics) float64 { return float64(m.Told) }},
}

// aboutRules has a series or more for each rule. Their labels are the names of
// rules, which only rule files choose.
func aboutRules(m agent.Metrics) []exposition.Family {
	var families []exposition.Family
	for _, p := range perRules {
		f := exposition.Family{Name: p.name, Help: p.help, Kind: p.kind}
		for i, r := range m.Rules {
			f.Series = append(f.Series, exposition.Series{Labels: exposition.Labels("rule", r.Rule), Value: p.value(r, m.Measured[i])})
		}
		families = append(families, f)
	}
	return append(families, stateFamilies(m)...)
}

// stateFamilies are the measurements of rules that have more than one series.
func stateFamilies(m agent.Metrics) []exposition.Family {
	rules := exposition.Family{Name: "muster_rule_state", Kind: exposition.Gauge, Help: "1 for the state that the rule is in, 0 for the others."}
	files := exposition.Family{Name: "muster_rule_files", Kind: exposition.Gauge, Help: "Files of the rule in each state."}
	renders := exposition.Family{Name: "muster_renders_total", Kind: exposition.Counter, Help: "Renders of the rule, by result."}
	reloads := exposition.Family{Name: "muster_reloads_total", Kind: exposition.Counter, Help: "Reload commands run for the rule, by result; one that rules share counts for each."}
	rendering := exposition.Family{Name: "muster_render_duration_seconds", Kind: exposition.Histogram, Help: "Time that a render of the rule took."}
	converging := exposition.Family{Name: "muster_convergence_duration_seconds", Kind: exposition.Histogram,
		Help: "Time that a pass with something to do took from staging to the end of its last command."}
	for i, r := range m.Rules {
		measured := m.Measured[i]
		inState := map[reconcile.State]int{}
		for _, f := range r.Files {
			inState[f.State]++
		}
		for _, s := range states {
			labels := exposition.Labels("rule", r.Rule, "state", string(s))
			rules.Series = append(rules.Series, exposition.Series{Labels: labels, Value: exposition.Bool(r.State == s)})
			if s != agent.NotInForce {
				files.Series = append(files.Series, exposition.Series{Labels: labels, Value: float64(inState[s])})
			}
		}
		renders.Series = append(renders.Series, results(r.Rule, measured.Renders, measured.RenderFailures)...)
		reloads.Series = append(reloads.Series, results(r.Rule, measured.Reloads, measured.ReloadFailures)...)
		rendering.Series = append(rendering.Series, distribution(r.Rule, measured.RenderTime))
		converging.Series = append(converging.Series, distribution(r.Rule, measured.ConvergeTime))
	}
	return []exposition.Family{rules, files, renders, reloads, rendering, converging}
}

// results are the series of what may succeed or fail.
func results(rule string, all, failed uint64) []exposition.Series {
	return []exposition.Series{
		{Labels: exposition.Labels("rule", rule, "result", "success"), Value: float64(all - failed)},
		{Labels: exposition.Labels("rule", rule, "result", "failure"), Value: float64(failed)},
	}
}

// distribution is the series of a rule's durations.
func distribution(rule string, h agent.Histogram) exposition.Series {
	d := &exposition.Distribution{Counts: h.Counts, Count: h.Count, Sum: h.Sum.Seconds()}
	for _, bound := range h.Bounds {
		d.Bounds = append(d.Bounds, bound.Seconds())
	}
	return exposition.Series{Labels: exposition.Labels("rule", rule), Dist: d}
}

// aboutActing is about the rules that act, one by one, and about handlers, of
// each kind as a whole: their names are lines of shell and paths.
func aboutActing(acting agent.Acting) []exposition.Family {
	sums := map[[2]string]*actions.Status{}
	var order [][2]string
	for _, s := range acting.Each {
		key := [2]string{s.Kind, ""}
		if s.Kind == actions.KindRule {
			key[1] = s.Name
		}
		sum := sums[key]
		if sum == nil {
			sum = &actions.Status{Refused: map[string]uint64{}}
			sums[key] = sum
			order = append(order, key)
		}
		sum.Heard += s.Heard
		sum.Run += s.Run
		sum.Failed += s.Failed
		sum.Queued += s.Queued
		sum.Dropped += s.Dropped
		for reason, n := range s.Refused {
			sum.Refused[reason] += n
		}
	}
	each := func(name string, kind exposition.Kind, help string, value func(*actions.Status) uint64) exposition.Family {
		f := exposition.Family{Name: name, Kind: kind, Help: help}
		for _, key := range order {
			f.Series = append(f.Series, exposition.Series{Labels: exposition.Labels("kind", key[0], "rule", key[1]), Value: float64(value(sums[key]))})
		}
		return f
	}
	refused := exposition.Family{Name: "muster_actions_refused_total", Kind: exposition.Counter, Help: "Occasions that must not be acted on, by reason."}
	for _, key := range order {
		for reason, n := range sorted(sums[key].Refused) {
			refused.Series = append(refused.Series, exposition.Series{
				Labels: exposition.Labels("kind", key[0], "rule", key[1], "reason", reason), Value: float64(n)})
		}
	}
	return []exposition.Family{
		single("muster_acting_refused", exposition.Gauge, "Whether rules may not act at all, as where gossip can be forged.", exposition.Bool(acting.Refused != "")),
		single("muster_events_lost_total", exposition.Counter, "Events that came faster than they could be taken in.", float64(acting.Lost)),
		each("muster_actions_heard_total", exposition.Counter, "Occasions to act that were heard.", func(s *actions.Status) uint64 { return s.Heard }),
		each("muster_actions_run_total", exposition.Counter, "Actions that were begun.", func(s *actions.Status) uint64 { return s.Run }),
		each("muster_actions_failed_total", exposition.Counter, "Of the actions that were begun, those that failed.", func(s *actions.Status) uint64 { return s.Failed }),
		each("muster_actions_dropped_total", exposition.Counter, "Occasions that did not fit into the queue.", func(s *actions.Status) uint64 { return s.Dropped }),
		each("muster_actions_queued", exposition.Gauge, "Occasions that wait for their turn.", func(s *actions.Status) uint64 { return s.Queued }),
		refused,
	}
}

// aboutItself is about what the gate refused.
func (a *API) aboutItself() exposition.Family {
	f := exposition.Family{Name: "muster_http_refused_total", Kind: exposition.Counter, Help: "Requests over TCP that were refused, by reason."}
	for i := range a.refused {
		f.Series = append(f.Series, exposition.Series{Labels: exposition.Labels("reason", reasonNames[i]), Value: float64(a.refused[i].Load())})
	}
	return f
}

// sorted goes through a map in the order of its keys, so that two scrapes of
// the same numbers are the same bytes.
func sorted(m map[string]uint64) iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}
