package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/serf/serf"
)

// A Query is a question to the cluster, which any member may answer once.
type Query struct {
	Name    string
	Payload []byte
	// Nodes names the members that are asked; none means all. Tags are
	// regular expressions, anchored at both ends, that the tags of a member
	// must match to be asked; a tag that it lacks counts as empty.
	Nodes []string
	Tags  map[string]string
	// Ack makes every member say that it heard, too.
	Ack bool
	// Relay is how many other members each answer goes through besides the
	// direct way. However it comes, it arrives once.
	Relay uint8
	// Timeout is how long answers count, up to an hour; 0 is Serf's default,
	// which grows with the cluster: 16 gossip intervals for every digit of
	// its size.
	Timeout time.Duration
}

const (
	internalQuery   = "_serf_"       // begins the names of Serf's own queries
	pingQuery       = "_serf_ping"   // the one of them that anybody may ask
	maxQueryTimeout = time.Hour      // answers are waited for in memory
	queryProtocol   = uint8(4)       // of Serf's, the first with queries
	tagFilterKind   = byte(1)        // of a query's filters
	nodeFilterKind  = byte(0)        // likewise
	ackFlag         = uint32(1 << 0) // of a query's flags
)

// Query asks the members that q means. Where they are none, nothing is sent,
// and the answers are over at once. A filter that is no regular expression and
// a query that does not fit into Config.QuerySizeLimit or a packet are
// errors. Between two incarnations it waits, as long as ctx lasts and for ten
// seconds at most.
func (n *Node) Query(ctx context.Context, q Query) (*Answers, error) {
	err := checkEventName(q.Name)
	if err == nil && strings.HasPrefix(q.Name, internalQuery) && q.Name != pingQuery {
		err = fmt.Errorf("names that begin with %s are Serf's own", internalQuery)
	}
	var a *Answers
	if err == nil {
		a, err = n.ask(ctx, q)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot query %s: %w", quote(q.Name), err)
	}
	return a, nil
}

// ask is Query for any name.
func (n *Node) ask(ctx context.Context, q Query) (*Answers, error) {
	if q.Timeout < 0 || q.Timeout > maxQueryTimeout {
		return nil, fmt.Errorf("its time-out is %s; it may be up to %s", q.Timeout, maxQueryTimeout)
	}
	if n.c.Protocol < int(queryProtocol) {
		return nil, fmt.Errorf("this node speaks protocol %d, queries need %d", n.c.Protocol, queryProtocol)
	}
	tags, err := anchored(q.Tags)
	if err != nil {
		return nil, err
	}
	in, err := n.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer in.calls.Done()
	if size, limit := n.querySize(in, q), min(n.querySizeLimit(), in.room); size > limit {
		return nil, fmt.Errorf("encoded it takes %d bytes of %d; shorten its payload or name fewer nodes", size, limit)
	}
	a := &Answers{ack: q.Ack, missing: map[string]*missing{}, closed: make(chan struct{})}
	for _, m := range in.serf.Members() {
		if m.Status == serf.StatusAlive && m.DelegateCur >= queryProtocol && means(q.Nodes, tags, m) {
			name := m.Name
			a.expected = append(a.expected, name)
			if m := (missing{answer: q.Name != pingQuery, ack: q.Ack}); m.answer || m.ack {
				a.missing[name] = &m
			}
		}
	}
	if len(a.expected) == 0 {
		return a, nil
	}
	slices.Sort(a.expected)
	param := &serf.QueryParam{
		FilterNodes: q.Nodes, FilterTags: expressions(tags), RequestAck: q.Ack, RelayFactor: q.Relay, Timeout: q.Timeout,
	}
	n.asking.Lock() // two at a time could share a Lamport time, and lose their answers
	defer n.asking.Unlock()
	in.gate.tags.RLock()
	defer in.gate.tags.RUnlock()
	a.query, err = in.serf.Query(q.Name, bytes.Clone(q.Payload), param)
	if err != nil {
		return nil, err
	}
	a.acks, a.answers = a.query.AckCh(), a.query.ResponseCh()
	return a, nil
}

// querySizeLimit returns how many bytes an encoded query may have.
func (n *Node) querySizeLimit() int {
	if n.c.QuerySizeLimit > 0 {
		return n.c.QuerySizeLimit
	}
	return serf.DefaultConfig().QuerySizeLimit
}

// querySize returns how many bytes q takes, encoded.
func (n *Node) querySize(in *incarnation, q Query) int {
	m := queryMessage{
		ID: 1 << 30, Addr: in.advertise.Addr().AsSlice(), Port: in.advertise.Port(), SourceNode: n.c.Name,
		RelayFactor: q.Relay, Timeout: q.Timeout, Name: q.Name, Payload: q.Payload,
	}
	if len(q.Nodes) > 0 {
		m.Filters = append(m.Filters, encode(nodeFilterKind, q.Nodes))
	}
	for tag, expr := range q.Tags {
		m.Filters = append(m.Filters, encode(tagFilterKind, tagFilter{tag, anchor(expr)}))
	}
	return len(encode(msgQuery, m))
}

// anchor makes expr match a whole tag only.
func anchor(expr string) string { return "^(?:" + expr + ")$" }

// anchored compiles filters by tag, which Serf would only find wrong on the
// members.
func anchored(filters map[string]string) (map[string]*regexp.Regexp, error) {
	out := make(map[string]*regexp.Regexp, len(filters))
	var errs []error
	for _, tag := range slices.Sorted(maps.Keys(filters)) {
		// An expression by itself, for "a)(b" is none but its anchored form is.
		if _, err := regexp.Compile(filters[tag]); err != nil {
			errs = append(errs, fmt.Errorf("the filter of tag %s is no regular expression: %w", quote(tag), err))
			continue
		}
		expr, err := regexp.Compile(anchor(filters[tag]))
		if err != nil {
			errs = append(errs, fmt.Errorf("the filter of tag %s is too large: %w", quote(tag), err))
			continue
		}
		out[tag] = expr
	}
	return out, errors.Join(errs...)
}

// expressions returns the text of filters.
func expressions(filters map[string]*regexp.Regexp) map[string]string {
	out := make(map[string]string, len(filters))
	for tag, expr := range filters {
		out[tag] = expr.String()
	}
	return out
}

// means reports whether the filters of a query mean m, as m itself decides.
func means(nodes []string, tags map[string]*regexp.Regexp, m serf.Member) bool {
	if len(nodes) > 0 && !slices.Contains(nodes, m.Name) {
		return false
	}
	for tag, expr := range tags {
		if !expr.MatchString(m.Tags[tag]) {
			return false
		}
	}
	return true
}

// An Answer is what a member says to a query.
type Answer struct {
	From    string
	Ack     bool // it only says that it heard
	Payload []byte
}

// Answers are the answers to a query, as they come. What nobody fetches waits
// in memory, at most one answer and one acknowledgement of each member, until
// the query's time is over.
type Answers struct {
	expected []string
	ack      bool
	query    *serf.QueryResponse // nil: nobody was asked
	acks     <-chan string       // nil: none, or over
	answers  <-chan serf.NodeResponse
	missing  map[string]*missing // by name, of those expected

	once   sync.Once
	closed chan struct{}
}

// missing is what a member has not sent yet.
type missing struct{ answer, ack bool }

// Next waits for the next answer. It returns io.EOF when the time is over, or
// when all Expected members have answered (and acknowledged, if asked to); the
// error of ctx, after which it may be called again; and io.EOF after Close. It
// is for one goroutine at a time.
func (a *Answers) Next(ctx context.Context) (Answer, error) {
	for len(a.missing) > 0 && (a.acks != nil || a.answers != nil) {
		select {
		case <-a.closed:
			return Answer{}, io.EOF
		default:
		}
		select {
		case name, ok := <-a.acks:
			if !ok {
				a.acks = nil
				continue
			}
			a.note(name, true)
			return Answer{From: name, Ack: true}, nil
		case r, ok := <-a.answers:
			if !ok {
				a.answers = nil
				continue
			}
			a.note(r.From, false)
			return Answer{From: r.From, Payload: r.Payload}, nil
		case <-a.closed:
		case <-ctx.Done():
			return Answer{}, context.Cause(ctx)
		}
	}
	a.Close()
	return Answer{}, io.EOF
}

// note crosses off what a member has sent.
func (a *Answers) note(name string, ack bool) {
	m := a.missing[name]
	if m == nil {
		return
	}
	if ack {
		m.ack = false
	} else {
		m.answer = false
	}
	if !m.ack && !m.answer {
		delete(a.missing, name)
	}
}

// Expected lists the names of the living members that were meant when the
// query was asked, sorted.
func (a *Answers) Expected() []string { return slices.Clone(a.expected) }

// Close ends the waiting for answers; what comes later is dropped. It may be
// called from any goroutine, and more than once.
func (a *Answers) Close() {
	a.once.Do(func() {
		close(a.closed)
		if a.query != nil {
			a.query.Close()
		}
	})
}
