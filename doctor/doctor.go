// Package doctor examines why a cluster does not come together, or an agent
// does not do its work: what it finds, each with its remedy. It looks at this
// machine, asks the agent that runs here, and tries the way to other nodes. It
// changes nothing, and joins nothing.
//
// How a node is probed is for cluster, what is wrong with a configuration for
// config and with rules for agent; how findings are shown is the caller's.
package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"sync"
	"time"

	"muster/agent"
	"muster/cluster"
	"muster/config"
	"muster/nodes"
	"muster/rules"
)

// A Level is how bad a finding is.
type Level string

// The levels. Only a Problem is one: a Warning may be meant, and what is
// Skipped could not be looked at.
const (
	OK      Level = "ok"
	Warning Level = "warning"
	Problem Level = "problem"
	Skipped Level = "skipped"
)

// Levels are all of them, the worst first.
var Levels = []Level{Problem, Warning, OK, Skipped}

// A Finding is what one check has found.
type Finding struct {
	Check  string `json:"check"` // what was looked at, one word of docs/doctor.md
	Level  Level  `json:"level"`
	Text   string `json:"text"`             // what is so
	Remedy string `json:"remedy,omitempty"` // what to do; of each problem and warning
}

// Findings are those of one examination, in the order of its checks.
type Findings []Finding

// Healthy reports whether there is no problem among fs.
func (fs Findings) Healthy() bool {
	return !slices.ContainsFunc(fs, func(f Finding) bool { return f.Level == Problem })
}

// most is how many findings of one check are told: what members say can make
// any number of them.
const most = 20

// mostNamed is how many members or files a finding names.
const mostNamed = 5

// shortened is what one check has found, the worst of it if there is much.
func (fs Findings) shortened() Findings {
	if len(fs) <= most {
		return fs
	}
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Compare(slices.Index(Levels, a.Level), slices.Index(Levels, b.Level))
	})
	next := fs[most-1]
	rest := Finding{Check: next.Check, Level: next.Level, Text: fmt.Sprintf("and %d more", len(fs)-most+1)}
	if next.Remedy != "" {
		rest.Remedy = "Begin with those above, and look again."
	}
	return append(fs[:most-1:most-1], rest)
}

// Count returns how many of fs are of a level.
func (fs Findings) Count(l Level) (n int) {
	for _, f := range fs {
		if f.Level == l {
			n++
		}
	}
	return n
}

// Config is what there is to examine.
type Config struct {
	// Config is what the agent is told, and Problems what is wrong with it.
	Config   config.Config
	Problems rules.Problems
	// To are other nodes, by name or "host[:port]", to try the way to; none:
	// those that the agent cannot reach, or is to join.
	To []string

	// What the running agent says. Status fails where none runs; then the
	// others are not called.
	Status  func(ctx context.Context) (agent.Status, error)
	Members func(ctx context.Context) ([]cluster.Member, error)
	Nodes   func(ctx context.Context) (nodes.Report, error)
	// Keys asks all nodes for their keys.
	Keys func(ctx context.Context) (cluster.KeyReport, error)
	// Unit asks the service manager for a property of the agent's unit; nil:
	// there is none.
	Unit func(ctx context.Context) (map[string]string, error)
}

// Longest is how long an examination takes at most.
const Longest = 40 * time.Second

// Examine looks at everything.
func Examine(ctx context.Context, c Config) Findings {
	ctx, cancel := context.WithTimeout(ctx, Longest)
	defer cancel()
	e := &examination{Config: c}
	e.ask(ctx)
	parts := e.parts()
	found := make([]Findings, len(parts))
	var wg sync.WaitGroup
	for i, part := range parts {
		wg.Go(func() { found[i] = part(ctx).shortened() })
	}
	wg.Wait()
	return slices.Concat(found...)
}

// parts are the checks, in the order in which they are told. They run side by
// side.
func (e *examination) parts() []func(context.Context) Findings {
	parts := []func(context.Context) Findings{
		e.configuration, e.rulesOf, e.programs, e.destinations, e.state, e.secrets, e.http, e.unit,
		e.running, e.listening, e.membership, e.names, e.keys, e.tags, e.clocks, e.multicast,
	}
	for _, to := range e.targets() {
		parts = append(parts, func(ctx context.Context) Findings { return e.way(ctx, to) })
	}
	return parts
}

// An examination is what its checks share; none of them changes it.
type examination struct {
	Config
	status  *agent.Status // nil: no agent answers
	failure error         // why not
	members []cluster.Member
	of      process        // the agent's, or this one
	bound   error          // of an agent that does not run: why it could not listen
	own     netip.AddrPort // what the others are told, or would be; zero: not known
	program *agent.Program
	faults  rules.Problems // of the rules
}

// ask asks the agent, if there is one, and reads the rules.
func (e *examination) ask(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	status, err := e.Status(limited)
	if e.failure = err; err == nil {
		e.status = &status
		e.members, _ = e.Members(limited) // without them there is less to tell
		e.of = processAt(e.Config.Config.HTTP.Socket)
		e.own, _ = netip.ParseAddrPort(status.Node.Advertise)
	} else if !e.attached() {
		e.own, e.bound = e.Config.Config.Cluster.CheckBind(ctx)
	}
	e.program, _, e.faults = agent.Compile(e.rulesDir())
}

// rulesDir is where the agent's rules are.
func (e *examination) rulesDir() string {
	if e.status != nil {
		return cmp.Or(e.status.Dir, e.Config.Config.Rules.Dir)
	}
	return e.Config.Config.Rules.Dir
}

// attached reports whether the agent follows another one, which has the way to
// the others.
func (e *examination) attached() bool { return e.Config.Config.Attach != "" }

// barred reports whether an agent may well run, of which this user may not ask
// anything: whose rights it has is not known then.
func (e *examination) barred() bool { return errors.Is(e.failure, fs.ErrPermission) }

// A report gathers the findings of one check.
type report struct {
	check string
	found Findings
}

func (r *report) add(l Level, remedy, format string, args ...any) {
	r.found = append(r.found, Finding{Check: r.check, Level: l, Text: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (r *report) ok(format string, args ...any)   { r.add(OK, "", format, args...) }
func (r *report) skip(format string, args ...any) { r.add(Skipped, "", format, args...) }

// orOK says that all is well where nothing was found.
func (r *report) orOK(format string, args ...any) Findings {
	if len(r.found) == 0 {
		r.ok(format, args...)
	}
	return r.found
}
