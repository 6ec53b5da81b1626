package cluster

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	dialers  = 8  // addresses tried at a time
	maxPeers = 16 // members tried in a round besides the seeds
)

// joiner makes this node know the others: whenever the viewer wants a join,
// and then again, ever less often, until it has happened.
func (in *incarnation) joiner(ctx context.Context) {
	retry := time.NewTimer(0)
	defer retry.Stop()
	wait, quiet := in.c.Backoff, false
	for {
		select {
		case <-ctx.Done():
			return
		case <-in.wanted:
			wait = in.c.Backoff
		case <-retry.C:
		}
		in.node.stamina.met = in.node.stamina.met || len(in.node.living()) > 0
		if !in.wantsJoin.Load() {
			wait, quiet = in.c.Backoff, false
			continue
		}
		if to := in.candidates(); len(to) > 0 && !in.joined.Load() {
			began := time.Now()
			addr, err := in.joinOne(ctx, to)
			switch {
			case ctx.Err() != nil:
				return
			case err == nil && addr == "":
				in.beFirst()
			case err == nil:
				in.joined.Store(true)
				in.discovery.joinedThrough(addr)
				signal(in.dirty)
				in.log.Info("joined", "through", addr)
				in.node.noteJoin(nil)
				quiet = false
			default:
				in.node.noteJoin(err)
				if err := in.node.stamina.failed(began, time.Now(), err); err != nil {
					in.gaveUp <- err
					return
				}
				if !quiet {
					in.log.Warn("cannot join yet, trying on", "error", err)
					quiet = true
				}
			}
		} else if len(to) == 0 && in.c.Discover != "" {
			in.beFirst()
		}
		retry.Reset(wait/2 + rand.N(wait/2+1))
		wait = min(2*wait, max(in.c.RetryInterval, in.c.Backoff))
	}
}

// beFirst says that there is nobody to look for, unless multicast DNS may yet
// find somebody.
func (in *incarnation) beFirst() {
	if in.searched.Load() {
		in.first.Store(true)
		signal(in.dirty)
	}
}

// candidates lists whom to join: living members first, then seeds, and then
// those once known alive.
func (in *incarnation) candidates() []string {
	var living, failed, once []string
	for _, m := range in.node.View().Members {
		switch {
		case m.Name == in.c.Name:
		case m.Status == Alive:
			living = append(living, netip.AddrPortFrom(m.Addr, m.Port).String())
		case m.Status == Failed:
			failed = append(failed, netip.AddrPortFrom(m.Addr, m.Port).String())
		}
	}
	for _, addr := range in.peers {
		once = append(once, addr.String())
	}
	var out []string
	add := func(addrs []string) {
		for _, a := range addrs {
			if !slices.Contains(out, a) && a != in.advertise.String() {
				out = append(out, a)
			}
		}
	}
	add(some(living))
	for _, seed := range in.c.Join {
		if host, port, err := splitAddr(seedAddr(seed), int(in.port)); err == nil {
			add([]string{net.JoinHostPort(host, fmt.Sprint(port))})
		}
	}
	for _, addr := range in.discovered(false) {
		add([]string{addr.String()})
	}
	add(some(failed))
	add(some(once))
	return out
}

// some returns at most maxPeers of addrs, any.
func some(addrs []string) []string {
	rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	return addrs[:min(len(addrs), maxPeers)]
}

// joinOne joins through the first of to that can be reached and answers, and
// returns its address; none and no error if all of them are this node. They
// are dialled side by side, so that a dead one costs nothing; Serf itself
// would wait for each in turn.
func (in *incarnation) joinOne(ctx context.Context, to []string) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	work, found := make(chan string), make(chan dialResult)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		defer close(work)
		for _, addr := range to {
			select {
			case work <- addr:
			case <-ctx.Done():
				return
			}
		}
	})
	for range min(dialers, len(to)) {
		wg.Go(func() {
			for addr := range work {
				select {
				case found <- in.reach(ctx, addr):
				case <-ctx.Done():
					return
				}
			}
		})
	}
	var errs []error
	for range to {
		var r dialResult
		select {
		case r = <-found:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		for _, addr := range r.addrs {
			// What is heard of the past is the history's to decide, not Serf's.
			if _, err := in.serf.Join([]string{addr}, false); err != nil {
				r.err = errors.Join(r.err, err)
				continue
			}
			return addr, nil
		}
		if r.err != nil {
			errs = append(errs, fmt.Errorf("%s: %s", r.seed, joinProblem(r.err)))
		}
	}
	return "", errors.Join(errs...)
}

// isSelf reports whether addr leads to this node. A host's own name often
// means loopback on the host itself.
func (in *incarnation) isSelf(addr netip.AddrPort) bool {
	if addr == in.advertise || addr == in.bound {
		return true
	}
	return in.bound.Addr().IsUnspecified() && addr.Port() == in.port && (addr.Addr().IsLoopback() || hostHas(addr.Addr()))
}

// A dialResult says at which addresses a seed answers.
type dialResult struct {
	seed  string
	addrs []string
	err   error
}

// reach resolves a seed and keeps the addresses that somebody listens at,
// this node's own left out.
func (in *incarnation) reach(ctx context.Context, seed string) dialResult {
	r := dialResult{seed: seed}
	host, port, err := splitAddr(seed, int(in.port))
	if err != nil {
		r.err = err
		return r
	}
	ips, err := lookup(ctx, host)
	if err != nil {
		r.err = err
		return r
	}
	d := net.Dialer{Timeout: in.streamTimeout}
	self := slices.ContainsFunc(ips, func(ip netip.Addr) bool {
		return in.isSelf(netip.AddrPortFrom(ip, uint16(port)))
	})
	for _, ip := range ips {
		addr := netip.AddrPortFrom(ip, uint16(port))
		if in.isSelf(addr) {
			continue
		}
		conn, err := d.DialContext(ctx, "tcp", addr.String())
		if err != nil {
			// The host's own name may have addresses that are not bound.
			if !self || !hostHas(ip) {
				r.err = errors.Join(r.err, err)
			}
			continue
		}
		conn.Close()
		r.addrs = append(r.addrs, addr.String())
	}
	return r
}
