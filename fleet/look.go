package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"muster/cluster"
)

const (
	// Longest is how long a look takes at most.
	Longest = 8 * time.Second
	// rounds is how often a node is asked that does not even hear the question:
	// in a small cluster gossip loses one in some forty. One that has heard it
	// and does not answer is asked once less.
	rounds = 3
	// roundLength is how long the answers to one question count. It counts as
	// heard out when nothing has come for silence, or, if all have heard it, for
	// quiet; the next question is given twice as long.
	roundLength = 4 * time.Second
	silence     = 500 * time.Millisecond
	quiet       = 300 * time.Millisecond
	// gap is the least time between two looks.
	gap = 200 * time.Millisecond
	// maxNames is how many bytes of names a question is addressed to.
	maxNames = 400
)

// ErrQuestion is in the error about a question that cannot be asked.
var ErrQuestion = errors.New("no such question")

// Look asks the living members how their rules stand, and how these stand to
// the members named. Those that do not answer it asks again. Looks take turns. After limit, and after Longest, it tells what it has heard until then.
func (f *Fleet) Look(ctx context.Context, limit time.Duration, members []string) (Report, error) {
	payload, err := json.Marshal(question{version, members})
	if err == nil && (len(members) > maxMembers || len(payload) > maxQuestion/2) {
		err = fmt.Errorf("%w: it is about too many members, or their names are too long", ErrQuestion)
	}
	if err != nil {
		return Report{}, fmt.Errorf("cannot ask the fleet: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, min(limit, Longest))
	defer cancel()
	r := newReport(f.c.View())
	select {
	case f.turn <- struct{}{}:
		f.ask(limited, &r, payload)
		f.last = time.Now()
		<-f.turn
	case <-limited.Done():
		r.Problem = "others are asking all the time"
	}
	r.At = time.Now()
	return r, ctx.Err()
}

// ask asks round after round, for as long as ctx lasts.
func (f *Fleet) ask(ctx context.Context, r *Report, payload []byte) {
	select {
	case <-time.After(time.Until(f.last.Add(gap))):
	case <-ctx.Done():
	}
	for i := range rounds {
		waited := r.waited(i == rounds-1)
		if len(waited) == 0 || ctx.Err() != nil {
			break
		}
		if err := f.round(ctx, r, i, waited, payload); err != nil && ctx.Err() == nil {
			r.Problem = err.Error()
			break
		}
	}
	f.remember(r)
}

// remember takes no node for Serf's own that has ever answered: it is late, or
// its answer got lost.
func (f *Fleet) remember(r *Report) {
	known := make(map[string]bool, len(f.known))
	for i := range r.Nodes {
		n := &r.Nodes[i]
		if known[n.Name] = n.Kind == Muster || f.known[n.Name]; known[n.Name] && n.Kind == Serf {
			n.Kind = Silent
		}
	}
	f.known = known
}

// newReport is a report before anybody has been asked.
func newReport(v cluster.View) Report {
	r := Report{Self: v.Self, Alone: v.Alone(), Settled: v.Settled, Nodes: []Node{}}
	for _, m := range v.Members {
		if m.Status == cluster.Left {
			continue
		}
		n := Node{Name: m.Name, Addr: m.Addr, Status: m.Status, Draining: m.Draining()}
		if m.Status == cluster.Alive {
			n.Kind = Silent
		}
		r.Nodes = append(r.Nodes, n)
	}
	return r
}

// waited are the names of those that have not answered yet, or have not even
// heard the question.
func (r *Report) waited(deaf bool) []string {
	var names []string
	for _, n := range r.Nodes {
		if n.Kind == Silent || n.Kind == Serf && !deaf {
			names = append(names, n.Name)
		}
	}
	return names
}

// node returns the node of a name, or nil.
func (r *Report) node(name string) *Node {
	i, found := slices.BinarySearchFunc(r.Nodes, name, func(n Node, name string) int { return strings.Compare(n.Name, name) })
	if !found {
		return nil
	}
	return &r.Nodes[i]
}

// round asks for the ith time, those that are waited for or everybody, and
// listens until all have answered or nothing comes any more.
func (f *Fleet) round(ctx context.Context, r *Report, i int, waited []string, payload []byte) error {
	q := cluster.Query{Name: Query, Payload: payload, Ack: true, Timeout: roundLength}
	size := 0
	for _, name := range waited {
		size += len(name)
	}
	if size <= maxNames {
		q.Nodes = waited
	}
	answers, err := f.c.Ask(ctx, q)
	if err != nil {
		return err
	}
	defer answers.Close()
	deaf := map[string]bool{} // who has not even heard it
	for _, name := range waited {
		deaf[name] = true
	}
	left := len(waited)
	for end := time.Now().Add(roundLength); left > 0 && time.Now().Before(end); {
		patience := min(time.Until(end), silence<<i)
		if len(deaf) == 0 {
			patience = min(patience, quiet<<i)
		}
		wait, cancel := context.WithTimeout(ctx, patience)
		a, err := answers.Next(wait)
		cancel()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && ctx.Err() != nil:
			return err
		case err != nil: // nothing came
			return nil
		}
		delete(deaf, a.From)
		n := r.node(a.From)
		switch {
		case n == nil || n.Status != cluster.Alive || n.Kind == Muster: // nobody asked for it, or it is said already
		case a.Ack:
			n.Kind = Serf
		default:
			n.take(a.Payload)
			left--
		}
	}
	return nil
}
