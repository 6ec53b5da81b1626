package rpc

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"muster/cluster"
)

// Run follows the agent until ctx ends. A lost connection is made again, for
// ever.
func (a *Attached) Run(ctx context.Context) error {
	k := newKeeper(a.c)
	heard := newMemory()
	wait := a.c.Backoff
	for quiet := false; ; {
		began := time.Now()
		err := a.follow(ctx, k, heard)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > a.c.BackoffMax {
			wait, quiet = a.c.Backoff, false
		}
		a.note(func(i *cluster.Info) { i.Problem = err.Error() })
		if !quiet {
			a.log.Warn("not following the Serf agent, trying on", "error", err)
			quiet = true
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait/2 + rand.N(wait/2+1)):
		}
		wait = min(2*wait, a.c.BackoffMax)
	}
}

// follow does so for one connection, and returns why it ended. The stream is
// asked for before the first list, on the same connection: an agent begins
// with it before it looks at the next request, so no change falls in between.
func (a *Attached) follow(ctx context.Context, k *keeper, heard *memory) error {
	c, err := Dial(ctx, a.c.Addr, Options{AuthKey: a.c.AuthKey, Timeout: a.c.Timeout, attached: !a.c.once})
	if err != nil {
		return err
	}
	stream, err := c.Stream(ctx, "*")
	if err != nil {
		c.Close()
		return err
	}
	var pump sync.WaitGroup
	pump.Go(func() { a.pump(stream, heard) })
	defer pump.Wait()
	defer c.Close()
	defer a.use(nil)
	k.connect(time.Now())
	return a.watch(ctx, c, k, stream)
}

// use makes c the connection.
func (a *Attached) use(c *Client) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.client = c
}

// pump publishes what the stream brings until it ends.
func (a *Attached) pump(stream *Stream, heard *memory) {
	for {
		e, err := stream.Next(context.Background()) // ends with the connection
		switch {
		case err != nil:
			return
		case isMemberEvent(e):
			signal(a.dirty)
		}
		why := refuseEvent(&e, a.View())
		switch {
		case why != "":
			a.refuse(why)
		case e.Type == cluster.EventUser && !heard.isNew(e):
		default:
			a.bus.Publish(e)
		}
	}
}

// How much of the agent's time lists may take: the pause after one is at
// least busy times as long, where nothing was heard idle times.
const (
	busy, idle       = 10, 200
	minGap, maxGap   = 100 * time.Millisecond, 3 * time.Second
	maxLook          = 10 * time.Second
	lookWhileJoining = 4 // a part of Quiet
)

// watch lists the members, over and over, until the connection ends.
func (a *Attached) watch(ctx context.Context, c *Client, k *keeper, stream *Stream) error {
	var lost uint64
	for first := true; ; first = false {
		began := time.Now()
		if err := a.look(ctx, c, k, first); err != nil {
			return err
		}
		now := time.Now()
		took := now.Sub(began)
		if n := stream.Lost(); n != lost {
			a.log.Warn("events of the Serf agent came faster than they could be read", "lost", n-lost)
			lost = n
		}
		gap := min(max(busy*took, minGap), maxGap)
		next := min(max(idle*took, a.c.Look), max(maxLook, a.c.Look))
		if wake := k.wake(now); wake > 0 {
			next = min(next, max(wake, gap))
		}
		if !k.settled {
			next = min(next, max(a.c.Quiet/lookWhileJoining, gap))
		}
		if err := pause(ctx, c, gap, nil); err != nil {
			return err
		}
		if err := pause(ctx, c, next-gap, a.dirty); err != nil {
			return err
		}
	}
}

// pause waits for d, or until wake; the error is why there is nothing to wait
// for any more.
func pause(ctx context.Context, c *Client, d time.Duration, wake <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-c.Done():
		return c.Err()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// look lists the members and publishes a new view if anything differs.
func (a *Attached) look(ctx context.Context, c *Client, k *keeper, first bool) error {
	listed, err := c.Members(ctx, Filter{})
	if err != nil {
		return err
	}
	stats, err := c.Stats(ctx)
	if err != nil {
		return err
	}
	self := stats["agent"]["name"]
	if self == "" {
		return fmt.Errorf("cannot understand the Serf agent at %s: its figures lack its name", a.c.Addr)
	}
	now := time.Now()
	last := a.View()
	if first {
		last.Epoch++
		a.log.Info("following the Serf agent", "addr", a.c.Addr, "name", oneLine(self), "members", len(listed), "epoch", last.Epoch)
		a.use(c)
	}
	members, refused := k.accept(listed, self)
	for _, r := range refused {
		a.refuse(r.why)
	}
	if len(refused) > 0 {
		r := refused[0]
		a.log.Warn("refused members that the Serf agent lists", "count", len(refused), "first", oneLine(r.name), "error", oneLine(r.err.Error()))
	}
	changed := k.look(members, self, now)
	doubt, _ := strconv.Atoi(stats["serf"]["health_score"]) // 0 of an agent that has none
	a.note(func(i *cluster.Info) {
		i.Encrypted = stats["serf"]["encrypted"] == "true"
		i.Through = c.remote()
		i.Problem = k.problem(a.c.Addr)
	})
	if first || changed || k.settled != last.Settled || doubt != last.Doubt || self != last.Self {
		a.publish(&cluster.View{
			Epoch: last.Epoch, Self: self, Members: k.members, Settled: k.settled, Doubt: max(doubt, 0), At: now,
		})
	}
	return nil
}
