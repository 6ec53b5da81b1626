package muster_test

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sync/errgroup"

	"muster/agent"
	"muster/rpc"
	"muster/web"
)

// flood is `flood N NAME`: it sends N user events called NAME (of many, a fifth
// under the race detector) through the RPC of the node lb, eight at a time.
// Then all who heard them account for every one: it was begun, waits, was
// dropped, refused or not wanted, or counts as lost.
func flood(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 || neg {
		ts.Fatalf("usage: flood N NAME")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	if raceEnabled && n > 1000 {
		n /= 5
	}
	status := func() agent.Acting {
		s, err := web.NewClient(ts.Getenv("MUSTER_SOCKET")).Status(context.Background())
		ts.Check(err)
		return s.Acting
	}
	before := status()
	client, err := rpc.Dial(context.Background(), "unix:"+ts.MkAbs("lb-rpc.sock"), rpc.Options{Timeout: patience})
	ts.Check(err)
	defer client.Close()
	var next atomic.Int64
	var group errgroup.Group
	for range 8 {
		group.Go(func() error {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				if err := client.Event(context.Background(), args[1], fmt.Append(nil, i), false); err != nil {
					return err
				}
			}
			return nil
		})
	}
	ts.Check(group.Wait())
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err := accounts(before, status(), uint64(n))
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("still not so after %v: %v", patience, err)
		}
	}
}

// accounts says who cannot account for n events between two moments. One that
// heard none of them has nothing to account for.
func accounts(before, after agent.Acting, n uint64) error {
	concerned := 0
	for i, now := range after.Each {
		sum := now.Run + now.Queued + now.Dropped + now.Unwanted
		for _, refused := range now.Refused {
			sum += refused
		}
		heard := now.Heard - before.Each[i].Heard
		switch lost := after.Lost - before.Lost; {
		case sum != now.Heard:
			return fmt.Errorf("heard is no sum: %+v", now)
		case heard > 0 && heard+lost != n:
			return fmt.Errorf("%d events, %d lost on the way: %+v", n, lost, now)
		case heard > 0:
			concerned++
		}
	}
	if concerned == 0 {
		return fmt.Errorf("nobody heard anything")
	}
	return nil
}
