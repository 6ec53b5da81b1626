// Guardian watches over a Serf cluster. When a member fails it asks others
// whether they miss it too, and tells everybody. It can also change the key.
//
//	guardian -name g1 -bind 127.0.0.9 -join 127.0.0.2,127.0.0.3 -ask role=web
package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"muster/cluster"
)

// A guardian is one of possibly several.
type guardian struct {
	node     *cluster.Node
	ask      map[string]string // whom to ask: by tags, anchored regular expressions
	judges   int               // how many guardians look into one failure
	patience time.Duration     // until the others have noticed, too
}

func main() {
	log.SetFlags(0)
	c := cluster.Config{Tags: map[string]string{"role": "guardian"}}
	g := guardian{ask: map[string]string{}}
	flag.StringVar(&c.Name, "name", "", "this node's `name` (default: the host's)")
	flag.StringVar(&c.Bind, "bind", "", "`address[:port]` to listen on")
	flag.StringVar(&c.EncryptKey, "encrypt", "", "the cluster's `key`, base64")
	flag.StringVar(&c.Profile, "profile", "lan", "timing: lan, wan or local")
	flag.IntVar(&g.judges, "judges", 2, "how `many` guardians look into one failure")
	flag.DurationVar(&g.patience, "patience", 2*time.Second, "wait so long before asking")
	flag.Func("join", "`addresses` of members, separated by commas", func(s string) error {
		c.Join = append(c.Join, strings.Split(s, ",")...)
		return nil
	})
	flag.Func("ask", "ask only members with this `tag=regexp`", func(s string) error {
		tag, pattern, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("%q is no tag=regexp", s)
		}
		g.ask[tag] = pattern
		return nil
	})
	rotate := flag.Duration("rotate", 0, "change the cluster's key once, after `so long`")
	flag.Parse()
	c.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := g.run(ctx, c, *rotate); err != nil {
		log.Fatal("guardian: ", err)
	}
}

func (g *guardian) run(ctx context.Context, c cluster.Config, rotate time.Duration) (err error) {
	if g.node, err = cluster.Join(c); err != nil {
		return err
	}
	if rotate > 0 {
		go g.rotateOnce(ctx, rotate)
	}
	events := g.node.Subscribe(256)
	defer events.Close()
	var mux cluster.Mux
	mux.Handle("member-failed", func(ctx context.Context, e cluster.Event) {
		for _, m := range e.Members {
			go func() { report(g.judge(ctx, m)) }()
		}
	})
	mux.Handle("user:guardian-verdict", func(_ context.Context, e cluster.Event) {
		fmt.Printf("verdict: %s\n", e.Payload)
	})
	go mux.Serve(ctx, events)
	return g.node.Run(ctx)
}

func report(err error) {
	if err != nil {
		log.Print(err)
	}
}

// judge finds out whether the others miss a member, too.
func (g *guardian) judge(ctx context.Context, m cluster.Member) error {
	// Of all guardians only some take up the case. Which, all agree on
	// without a word as long as they see the same members.
	view := g.node.View()
	judges := view.Leaders(m.Name, g.judges, func(m cluster.Member) bool { return m.Tags["role"] == "guardian" })
	if !slices.Contains(names(judges), view.Self) {
		return nil
	}
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(g.patience):
	}
	// The names must fit into one packet: a few witnesses will do.
	witnesses := names(g.node.View().Leaders(m.Name, 9, func(w cluster.Member) bool {
		for tag := range g.ask {
			if _, ok := w.Tags[tag]; !ok {
				return false
			}
		}
		return w.Name != view.Self
	}))
	if len(witnesses) == 0 {
		return fmt.Errorf("%s does not answer, and there is nobody to ask about it", m.Name)
	}
	answers, err := g.node.Query(ctx, cluster.Query{
		Name: "seen", Payload: []byte(m.Name), Nodes: witnesses, Tags: g.ask,
		Timeout: 20 * time.Second, // no longer than until all have answered
	})
	if err != nil {
		return err
	}
	defer answers.Close()
	var here, gone int
	for {
		a, err := answers.Next(ctx)
		if errors.Is(err, io.EOF) {
			break // all have answered, or the time is over
		}
		if err != nil {
			return err
		}
		fmt.Printf("%s says that %s is %s\n", a.From, m.Name, a.Payload)
		if string(a.Payload) == string(cluster.Alive) {
			here++
		} else {
			gone++
		}
	}
	verdict := "gone"
	switch {
	case here > 0:
		verdict = "disputed"
	case gone == 0:
		verdict = "unconfirmed"
	}
	// Several judges may say so at once: the latest is as good as any.
	text := fmt.Appendf(nil, "%s is %s (%d of %d miss it)", m.Name, verdict, gone, len(answers.Expected()))
	return g.node.Send(ctx, "guardian-verdict", text, true)
}

func names(members []cluster.Member) (out []string) {
	for _, m := range members {
		out = append(out, m.Name)
	}
	return out
}

// rotateOnce rotates after so long, and, until it has succeeded, after so long
// again: a busy member may answer late.
func (g *guardian) rotateOnce(ctx context.Context, after time.Duration) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(after):
		}
		if v := g.node.View(); !v.Settled || v.Alone() {
			continue // a key that nobody else has would keep it out
		}
		err := g.rotate(ctx)
		if err == nil {
			return
		}
		report(err)
	}
}

// rotate gives the cluster a new key: all learn it, then all use it, then all
// forget the old ones. A step that one of them missed ends it; nothing is lost.
func (g *guardian) rotate(ctx context.Context) error {
	before, err := g.node.ListKeys(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("keys: %d known to %d members\n", len(before.Keys), before.Nodes)
	var random [32]byte
	rand.Read(random[:])
	key := base64.StdEncoding.EncodeToString(random[:])
	for _, step := range []func(context.Context, string) (cluster.KeyReport, error){g.node.InstallKey, g.node.UseKey} {
		if err := all(step(ctx, key)); err != nil {
			return err
		}
	}
	for old := range before.Keys {
		if err := all(g.node.RemoveKey(ctx, old)); err != nil {
			return err
		}
	}
	after, err := g.node.ListKeys(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("rotated: %d key, used by %d of %d members\n", len(after.Keys), after.Primary[key], after.Nodes)
	return nil
}

// all makes an error of a report that some members have not obeyed.
func all(r cluster.KeyReport, err error) error {
	if err == nil && (r.Failed > 0 || r.Answered < r.Nodes) {
		return fmt.Errorf("%d of %d members failed and %d did not answer: %v", r.Failed, r.Nodes, r.Nodes-r.Answered, r.Messages)
	}
	return err
}
