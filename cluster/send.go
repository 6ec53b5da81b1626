package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/serf/serf"
)

// checkEventName reports a name that no user event or query should have. It
// becomes a word of filters, logs and environments.
func checkEventName(name string) error {
	switch {
	case name == "":
		return errors.New("it has no name")
	case len(name) > MaxEventName:
		return fmt.Errorf("its name is %d bytes long, more than %d", len(name), MaxEventName)
	case !utf8.ValidString(name):
		return errors.New("its name is not UTF-8")
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("its name has a %q; printable characters may be used", r)
		}
	}
	return nil
}

// Send gossips a user event. All members hear it, this one at once. coalesce
// says that of several events of that name only the latest matters.
//
// Name and payload, encoded, must fit into Config.UserEventSizeLimit, and into
// one packet of gossip, which holds a little less than 1,400 bytes: a longer
// one would reach the others by chance within minutes and stay in the queue
// for ever. Between two incarnations Send waits, as long as ctx lasts and for
// ten seconds at most.
func (n *Node) Send(ctx context.Context, name string, payload []byte, coalesce bool) error {
	fail := func(err error) error { return fmt.Errorf("cannot send user event %s: %w", quote(name), err) }
	if err := checkEventName(name); err != nil {
		return fail(err)
	}
	in, err := n.enter(ctx)
	if err != nil {
		return fail(err)
	}
	defer in.calls.Done()
	size := len(encode(msgUserEvent, userEventMessage{Name: name, Payload: payload, CC: coalesce}))
	if err := n.checkEventSize(size, in.room); err != nil {
		return fail(err)
	}
	// Two at a time could share a Lamport time; if they were equal, one of
	// them would count as a copy of the other.
	n.sending.Lock()
	defer n.sending.Unlock()
	if err := in.serf.UserEvent(name, bytes.Clone(payload), coalesce); err != nil {
		return fail(err)
	}
	return nil
}

// userEventSizeLimit returns how many bytes an encoded user event may have.
func (n *Node) userEventSizeLimit() int {
	if n.c.UserEventSizeLimit > 0 {
		return n.c.UserEventSizeLimit
	}
	return serf.DefaultConfig().UserEventSizeLimit
}

// checkEventSize reports a user event that is too long for the limit, or for
// the room of a packet.
func (n *Node) checkEventSize(size, room int) error {
	const remedy = "send less, such as the place where the rest can be fetched"
	if limit := n.userEventSizeLimit(); size > limit {
		if limit < room {
			return fmt.Errorf("encoded it takes %d bytes of %d; %s, or raise user_event_size_limit to at most %d", size, limit, remedy, room)
		}
		return fmt.Errorf("encoded it takes %d bytes of %d; %s", size, min(limit, room), remedy)
	}
	if size > room {
		return fmt.Errorf("encoded it takes %d bytes, more than the %d of a packet of gossip, whatever user_event_size_limit says; %s", size, room, remedy)
	}
	return nil
}

// JoinThrough joins the cluster through addrs, "host[:port]" each, and returns
// through how many of them. It is an error only if that is none. They are
// dialled side by side; this node's own addresses are passed over. With replay
// the user events that they remember are heard, too.
func (n *Node) JoinThrough(ctx context.Context, addrs []string, replay bool) (int, error) {
	if len(addrs) == 0 {
		return 0, errors.New("cannot join: no address is given")
	}
	in, err := n.enter(ctx)
	if err != nil {
		return 0, fmt.Errorf("cannot join: %w", err)
	}
	joined := make(chan int, 1)
	err = in.do(ctx, func() error {
		n, err := in.joinAll(ctx, addrs, replay)
		joined <- n
		return err
	})
	select {
	case n := <-joined:
		if n > 0 {
			return n, nil
		}
	default: // given up
	}
	return 0, fmt.Errorf("cannot join: %w", err)
}

// joinAll joins through each of addrs that answers.
func (in *incarnation) joinAll(ctx context.Context, addrs []string, replay bool) (joined int, err error) {
	defer in.node.history.joining(replay)()
	found := make([]dialResult, len(addrs))
	var wg sync.WaitGroup
	slots := make(chan struct{}, dialers)
	for i, addr := range addrs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			found[i] = in.reach(ctx, seedAddr(addr))
		})
	}
	wg.Wait()
	var errs []error
	for _, r := range found {
		if r.err == nil && len(r.addrs) == 0 {
			r.err = errors.New("it is this node")
		}
		for _, addr := range r.addrs {
			if ctx.Err() != nil {
				return joined, context.Cause(ctx)
			}
			if _, err := in.serf.Join([]string{addr}, false); err != nil {
				r.err = errors.Join(r.err, err)
				continue
			}
			joined++
			in.joined.Store(true)
			signal(in.dirty)
			r.err = nil
			break
		}
		if r.err != nil {
			errs = append(errs, fmt.Errorf("%s: %s", r.seed, joinProblem(r.err)))
		}
	}
	return joined, errors.Join(errs...)
}

// ForceLeave makes the cluster take a failed member for one that left; with
// prune it is forgotten altogether. A name that is not known here is passed on
// to the others. A living member is not pruned: it would be missing from the
// list of those who do so for good, although it lives.
func (n *Node) ForceLeave(ctx context.Context, name string, prune bool) error {
	fail := func(err error) error { return fmt.Errorf("cannot force %s to leave: %w", quote(name), err) }
	if err := checkName(name); err != nil {
		return fail(err)
	}
	in, err := n.enter(ctx)
	if err != nil {
		return fail(err)
	}
	for _, m := range in.serf.Members() {
		if prune && m.Name == name && m.Status == serf.StatusAlive {
			in.calls.Done()
			return fail(errors.New("it is alive and would never show up again; stop it first, then prune it"))
		}
	}
	remove := in.serf.RemoveFailedNode
	if prune {
		remove = in.serf.RemoveFailedNodePrune
	}
	if err := in.do(ctx, func() error { return remove(name) }); err != nil {
		return fail(err)
	}
	return nil
}
