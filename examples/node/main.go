// Node is a member of a Serf cluster in a few lines of Go: it joins, prints
// what it hears, tells its load to whoever asks, and sets a tag.
//
//	node -name web1 -bind 127.0.0.1 -join 127.0.0.2,127.0.0.3 -tags role=web
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"muster/cluster"
)

func main() {
	log.SetFlags(0)
	c := cluster.Config{Tags: map[string]string{}}
	flag.StringVar(&c.Name, "name", "", "this node's `name` (default: the host's)")
	flag.StringVar(&c.Bind, "bind", "", "`address[:port]` to listen on")
	flag.StringVar(&c.EncryptKey, "encrypt", "", "the cluster's `key`, base64")
	flag.StringVar(&c.Discover, "discover", "", "find others of this `cluster` by multicast DNS")
	flag.StringVar(&c.Profile, "profile", "lan", "timing: lan, wan or local")
	flag.Func("join", "`addresses` of members, separated by commas", func(s string) error {
		c.Join = append(c.Join, strings.Split(s, ",")...)
		return nil
	})
	flag.Func("tags", "`key=value` pairs, separated by commas", func(s string) error {
		for pair := range strings.SplitSeq(s, ",") {
			key, value, ok := strings.Cut(pair, "=")
			if !ok {
				return fmt.Errorf("%q is no key=value", pair)
			}
			c.Tags[key] = value
		}
		return nil
	})
	flag.Parse()
	c.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, c); err != nil {
		log.Fatal("node: ", err)
	}
}

// run is a member of the cluster until ctx is done, and then leaves it.
func run(ctx context.Context, c cluster.Config) error {
	n, err := cluster.Join(c)
	if err != nil {
		return err
	}
	events := n.Subscribe(256)
	defer events.Close()
	mux := handlers(n)
	go mux.Serve(ctx, events)
	go follow(ctx, n)
	return n.Run(ctx)
}

// handlers says what to do about what is heard: first by name, then by kind,
// then about everything.
func handlers(n *cluster.Node) *cluster.Mux {
	mux := &cluster.Mux{}

	// Somebody asks how busy this node is.
	mux.Handle("query:load", func(_ context.Context, e cluster.Event) {
		load, err := os.ReadFile("/proc/loadavg")
		if err != nil {
			load = []byte("unknown")
		}
		respond(e, bytes.TrimSpace(load))
	})

	// Somebody asks what this node thinks of another.
	mux.Handle("query:seen", func(_ context.Context, e cluster.Event) {
		m, known := n.View().Member(string(e.Payload))
		if !known {
			m.Status = "unknown"
		}
		respond(e, []byte(m.Status))
	})

	// A new version is out: say that it runs here. SetTags waits for the
	// gossip, so it does not keep other events waiting.
	mux.Handle("user:deploy", func(ctx context.Context, e cluster.Event) {
		go func() {
			if err := n.SetTags(ctx, func(tags map[string]string) { tags["version"] = string(e.Payload) }); err != nil {
				log.Print(err)
			}
		}()
	})

	mux.Handle("query", func(_ context.Context, e cluster.Event) {
		fmt.Printf("%s asks %s\n", e.From, e.Name)
	})
	mux.Handle("member-failed", func(_ context.Context, e cluster.Event) {
		for _, m := range e.Members {
			fmt.Printf("%s at %s does not answer\n", m.Name, m.Addr)
		}
	})
	mux.Handle("*", func(_ context.Context, e cluster.Event) {
		var names []string
		for _, m := range e.Members {
			names = append(names, m.Name)
		}
		fmt.Printf("event: %s %s%s %q\n", e.Type, e.Name, strings.Join(names, ","), e.Payload)
	})
	return mux
}

func respond(e cluster.Event, payload []byte) {
	if err := e.Respond(payload); err != nil {
		log.Print(err)
	}
}

// follow prints the membership whenever it changes. The view is the truth;
// events only say that there is reason to look at it.
func follow(ctx context.Context, n *cluster.Node) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.Changed():
		}
		var members []string
		for _, m := range n.View().Members {
			tags := make([]string, 0, len(m.Tags))
			for _, key := range slices.Sorted(maps.Keys(m.Tags)) {
				tags = append(tags, key+"="+m.Tags[key])
			}
			members = append(members, fmt.Sprintf("%s:%s[%s]", m.Name, m.Status, strings.Join(tags, ",")))
		}
		fmt.Println("view:", strings.Join(members, " "))
	}
}
