package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"muster/cluster"
)

// AttachConfig says which agent to follow, and how. The zero value of each
// time is its default.
type AttachConfig struct {
	// Addr is the agent's RPC: "host:port", "unix:PATH" or "/path".
	Addr string
	// AuthKey is the agent's rpc_auth; empty where it has none.
	AuthKey string
	// Timeout is how long the agent may take to answer, before the connection
	// is given up; default 10s.
	Timeout time.Duration
	// Look is how often the members are listed without any event, default 1s;
	// less often where a list takes longer than half a percent of that.
	Look time.Duration
	// Quiet is how long nothing may change before the members count as
	// settled after a connection, default 1s; Settle is when they do so
	// anyhow, default 5s. Both count only while the agent lists somebody else
	// alive.
	Quiet, Settle time.Duration
	// Hold is how long a member that is not listed any more stays in the
	// view, and how long an agent must list nobody else alive to be believed;
	// default 30s.
	Hold time.Duration
	// Backoff is the first wait after a lost connection, default 500ms; it
	// doubles up to BackoffMax, default 15s.
	Backoff, BackoffMax time.Duration

	once bool // somebody looks, whose flags say where the agent is
	// MaxMembers is how many members are put up with; default 20,000.
	MaxMembers int
	// Logger takes the log; nil discards it.
	Logger *slog.Logger
}

func (c AttachConfig) withDefaults() AttachConfig {
	for value, usual := range map[*time.Duration]time.Duration{
		&c.Timeout: 10 * time.Second,
		&c.Look:    time.Second,
		&c.Quiet:   time.Second, &c.Settle: 5 * time.Second,
		&c.Hold:    30 * time.Second,
		&c.Backoff: 500 * time.Millisecond, &c.BackoffMax: 15 * time.Second,
	} {
		if *value <= 0 {
			*value = usual
		}
	}
	if c.MaxMembers <= 0 {
		c.MaxMembers = 20_000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// An Attached follows a Serf agent that runs already. It has the methods of a
// cluster.Node that make sense for somebody else's node. They may be called
// from any goroutine, before, while and after Run.
type Attached struct {
	c       AttachConfig
	log     *slog.Logger
	bus     cluster.Bus
	view    atomic.Pointer[cluster.View]
	changed chan struct{}
	dirty   chan struct{} // there is reason to list the members
	tagging chan struct{} // a token: changes of tags take turns

	mu     sync.Mutex
	client *Client // nil while there is no connection
	info   cluster.Info
}

// Attach checks c and returns an Attached. Nothing happens on the network
// before Run.
func Attach(c AttachConfig) (*Attached, error) {
	if err := checkAddr(c.Addr); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	a := &Attached{
		c: c, log: c.Logger, changed: make(chan struct{}, 1), dirty: make(chan struct{}, 1),
		tagging: make(chan struct{}, 1),
		info:    cluster.Info{Problem: fmt.Sprintf("there has been no connection to the Serf agent at %s yet", c.Addr)},
	}
	a.view.Store(&cluster.View{})
	return a, nil
}

// View returns the members as last listed; the zero View before the first
// list. Without a connection it stays as it was. A member that the agent does
// not list any more stays for AttachConfig.Hold.
func (a *Attached) View() cluster.View { return *a.view.Load() }

// Changed is signalled, one slot, whenever View may differ from what it was
// at the signal before.
func (a *Attached) Changed() <-chan struct{} { return a.changed }

// Subscribe returns a subscription to all events that the agent tells of,
// with room for size of them. It lasts across connections; what happens in
// between is not heard.
func (a *Attached) Subscribe(size int) *cluster.Subscription { return a.bus.Subscribe(size) }

// Info returns the state of things. Bind and Profile are not known.
func (a *Attached) Info() cluster.Info {
	a.mu.Lock()
	defer a.mu.Unlock()
	info := a.info
	info.Refused = maps.Clone(info.Refused)
	return info
}

// Send sends a user event through the agent.
func (a *Attached) Send(ctx context.Context, name string, payload []byte, coalesce bool) error {
	c, err := a.connection()
	if err != nil {
		return fmt.Errorf("cannot send the event %q: %w", name, err)
	}
	return c.Event(ctx, name, payload, coalesce)
}

// Query asks the members through the agent.
func (a *Attached) Query(ctx context.Context, q cluster.Query) (*Answers, error) {
	c, err := a.connection()
	if err != nil {
		return nil, fmt.Errorf("cannot ask the query %q: %w", q.Name, err)
	}
	return c.Query(ctx, q)
}

// Coordinate returns the network coordinate of a member, as the agent knows it.
func (a *Attached) Coordinate(ctx context.Context, member string) (*cluster.Coordinate, error) {
	c, err := a.connection()
	if err != nil {
		return nil, fmt.Errorf("cannot ask for the coordinate of %q: %w", member, err)
	}
	return c.Coordinate(ctx, member)
}

// SetTags lets change alter a copy of the agent's tags, and has the agent
// gossip what changed. What does not fit into 512 bytes is refused, before
// Serf's own agent writes it to its tags file.
func (a *Attached) SetTags(ctx context.Context, change func(map[string]string)) error {
	select {
	case a.tagging <- struct{}{}:
		defer func() { <-a.tagging }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	c, err := a.connection()
	if err != nil {
		return fmt.Errorf("cannot set tags: %w", err)
	}
	self := a.View().Self
	found, err := c.Members(ctx, Filter{Name: regexp.QuoteMeta(self)})
	if err != nil {
		return err
	}
	if len(found) != 1 {
		return fmt.Errorf("cannot set tags: the Serf agent at %s does not list itself, %q", a.c.Addr, self)
	}
	old := found[0].Tags
	tags := maps.Clone(old)
	if tags == nil {
		tags = map[string]string{}
	}
	change(tags)
	if _, unnamed := tags[""]; unnamed {
		return errors.New("cannot set tags: a tag has no name")
	}
	if n := cluster.TagSize(tags); n > maxTags {
		return fmt.Errorf("cannot set tags: encoded they take %d bytes of %d; shorten or drop some", n, maxTags)
	}
	var remove []string
	for key := range old {
		if _, kept := tags[key]; !kept {
			remove = append(remove, key)
		}
	}
	maps.DeleteFunc(tags, func(key, value string) bool {
		was, had := old[key]
		return had && was == value
	})
	if len(tags)+len(remove) == 0 {
		return nil
	}
	defer signal(a.dirty)
	return c.SetTags(ctx, tags, remove)
}

// maxTags is how many bytes tags take at most when gossiped.
const maxTags = 512

// connection returns the client of the connection, if there is one.
func (a *Attached) connection() (*Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.client != nil:
		return a.client, nil
	case a.info.Problem != "":
		return nil, errors.New(a.info.Problem)
	}
	return nil, fmt.Errorf("there is no connection to the Serf agent at %s at the moment", a.c.Addr)
}

// note changes what Info returns.
func (a *Attached) note(change func(*cluster.Info)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change(&a.info)
}

// publish makes v the view.
func (a *Attached) publish(v *cluster.View) {
	a.note(func(i *cluster.Info) {
		i.Name, i.Epoch, i.Advertise = v.Self, v.Epoch, ""
		if self := v.SelfMember(); self.Addr.IsValid() {
			i.Advertise = netip.AddrPortFrom(self.Addr, self.Port).String()
		}
	})
	a.view.Store(v)
	signal(a.changed)
}

// refuse counts what is kept out.
func (a *Attached) refuse(why string) {
	a.note(func(i *cluster.Info) {
		if i.Refused == nil {
			i.Refused = map[string]uint64{}
		}
		i.Refused[why]++
	})
}

// isMemberEvent tells the events that are reason to list the members.
func isMemberEvent(e cluster.Event) bool { return strings.HasPrefix(e.Type, "member-") }
