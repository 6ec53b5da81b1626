package rpc

import (
	"context"
	"fmt"

	"muster/cluster"
)

// Look returns the members that an agent lists, once they are settled: about
// AttachConfig.Quiet after the connection where the agent lists somebody else
// alive, and after Hold where it does not. There is one attempt; ctx may end
// the waiting, whose error then says what was waited for.
func Look(ctx context.Context, c AttachConfig) (cluster.View, error) {
	c.once = true
	a, err := Attach(c)
	if err != nil {
		return cluster.View{}, err
	}
	following, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- a.follow(following, newKeeper(a.c), newMemory()) }()
	for {
		select {
		case <-a.changed:
			if v := a.View(); v.Settled {
				stop()
				<-ended
				return v, nil
			}
		case err := <-ended:
			if problem := a.Info().Problem; ctx.Err() != nil && a.View().Epoch > 0 && problem != "" {
				err = fmt.Errorf("%s (%w)", problem, context.Cause(ctx))
			}
			return cluster.View{}, err
		}
	}
}
