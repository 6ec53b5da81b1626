package cluster

import (
	"context"
	"time"
)

// viewer keeps the node's view: it looks whenever the pump has heard of a
// member, and at intervals for what no event tells. In a storm it spends at
// most a fifth of its time looking.
func (in *incarnation) viewer(ctx context.Context) {
	tick := time.NewTicker(in.c.Look)
	defer tick.Stop()
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		began := time.Now()
		wake := in.look(began)
		pause.Reset(4 * time.Since(began))
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		var settle <-chan time.Time
		if wake > 0 {
			settle = time.After(wake)
		}
		select {
		case <-ctx.Done():
			return
		case <-in.dirty:
		case <-settle:
		case <-tick.C:
		}
	}
}

// look compares Serf's members with those last seen and publishes a new view
// if anything differs. It returns when time alone may change the view; 0 is
// never.
func (in *incarnation) look(now time.Time) time.Duration {
	changed := in.mirror.update(in.serf.Members())
	joined := in.joined.Swap(false)
	in.settler.first = in.settler.first || in.first.Load()
	settled := in.settler.look(in.mirror.sorted, in.c.Name, changed, joined, now)
	doubt := in.serf.Memberlist().GetHealthScore()
	if changed || settled != in.last.Settled || doubt != in.last.Doubt || in.last.Epoch == 0 {
		in.last = &View{
			Epoch: in.epoch, Self: in.c.Name, Members: in.mirror.sorted,
			Settled: settled, Doubt: doubt, At: now,
		}
		in.node.publish(in.last)
	}
	in.want(in.settler.needsSync(), in.settler.alone)
	return in.settler.wake(now)
}

// want tells the joiner whether a join is wanted, at once where it was not or
// where there is now somebody to join.
func (in *incarnation) want(join, alone bool) {
	before := in.wantsJoin.Swap(join)
	if join && (!before || in.wasAlone && !alone) {
		signal(in.wanted)
	}
	in.wasAlone = alone
}
