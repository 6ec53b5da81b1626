package launch

import (
	"context"
	"net/netip"
	"time"
)

// A State is what has become of a node.
type State string

// The states of a node. Done is the only good one.
const (
	Picked       State = "picked"       // nothing has been done yet
	Succeeded    State = "succeeded"    // the playbook has; the node's list is still to be changed
	Done         State = "done"         // the playbook succeeded, and the node's list says so
	Unregistered State = "unregistered" // the playbook succeeded, and the node's list could not be changed
	Checked      State = "checked"      // the playbook would succeed: it was run with --check
	Failed       State = "failed"       // a task failed
	Unreachable  State = "unreachable"  // Ansible could not reach it
	Unfinished   State = "unfinished"   // stopped before its end
	Untouched    State = "untouched"    // the playbook did nothing there
)

// A Result is how one node has fared.
type Result struct {
	Node  string     `json:"node"`
	Addr  netip.Addr `json:"addr"`
	Rate  *float64   `json:"rate,omitempty"` // when it was picked; none: it had not told its load
	State State      `json:"state"`
	// Task is the one that failed last, and Why the reason of a State that is
	// not Done.
	Task string `json:"task,omitempty"`
	Why  string `json:"why,omitempty"`
	// How many tasks went which way; Changed are among OK.
	OK      int `json:"ok"`
	Changed int `json:"changed"`
	Skipped int `json:"skipped"`
	Ignored int `json:"ignored"` // failed, and the playbook ignores it

	bad         int // tasks that failed
	unreachable bool
	finished    bool
}

// An Outcome is what has become of a run.
type Outcome struct {
	Results     []Result // in the order in which the nodes were picked
	Check       bool     // it was run with --check
	Interrupted bool
	Ansible     string // how ansible-playbook ended, if not well
	Output      string // then: the last of what it printed
}

// Register has change called for each node where the playbook succeeded, one
// after the other, each for as long as limit and if need be twice, as an answer
// may be lost. What it does not return an error for is Done.
func (o *Outcome) Register(ctx context.Context, limit time.Duration, change func(ctx context.Context, node string) error) {
	for i := range o.Results {
		r := &o.Results[i]
		if r.State != Succeeded {
			continue
		}
		err := within(ctx, limit, r.Node, change)
		if err != nil {
			err = within(ctx, limit, r.Node, change)
		}
		if r.State = Done; err != nil {
			r.State, r.Why = Unregistered, err.Error()
		}
	}
}

func within(ctx context.Context, limit time.Duration, node string, change func(ctx context.Context, node string) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return change(ctx, node)
}

// A Report is what an order has come to, for programs.
type Report struct {
	Service     string   `json:"service"`
	Do          string   `json:"do"`                // launch or remove
	Asked       int      `json:"asked"`             // of how many nodes; 0: of all
	DryRun      bool     `json:"dry_run,omitempty"` // nothing was done
	Playbook    string   `json:"playbook"`
	Nodes       []Result `json:"nodes"`
	Spare       []Result `json:"spare,omitempty"` // with DryRun: who could have been picked
	Others      []Other  `json:"others,omitempty"`
	Interrupted bool     `json:"interrupted,omitempty"`
	Ansible     string   `json:"ansible,omitempty"` // how ansible-playbook ended, if not well
}

// Report is what a choice and its outcome come to; nil: nothing has been done.
func (c Choice) Report(playbook string, o *Outcome) Report {
	r := Report{Service: c.Service, Do: c.verb(), Asked: c.Count, DryRun: o == nil, Playbook: playbook, Others: c.Others}
	if o != nil {
		r.Nodes, r.Interrupted, r.Ansible = o.Results, o.Interrupted, o.Ansible
		return r
	}
	for _, n := range c.Picked {
		r.Nodes = append(r.Nodes, Result{Node: n.Name, Addr: n.Addr, Rate: n.Rate, State: Picked})
	}
	for _, n := range c.Spare {
		r.Spare = append(r.Spare, Result{Node: n.Name, Addr: n.Addr, Rate: n.Rate, State: "spare"})
	}
	return r
}

// Done reports whether all is as it was asked for: of a service that was to
// be taken off all, that nobody has kept it.
func (r Report) Done() bool {
	if r.Do == "remove" && r.Asked == 0 && len(r.Others) > 0 {
		return false
	}
	for _, n := range r.Nodes {
		if n.State != Done {
			return false
		}
	}
	return !r.Interrupted
}
