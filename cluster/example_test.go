package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"muster/cluster"
)

// The code of docs/api.md is that of these examples, word for word.

func ExampleJoin() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	n, err := cluster.Join(cluster.Config{
		Name:   "web1",
		Bind:   "10.0.0.1",
		Join:   []string{"10.0.0.2", "10.0.0.3"},
		Tags:   map[string]string{"role": "web"},
		Logger: slog.Default(),
	})
	if err != nil {
		log.Fatal(err) // every mistake in the configuration at once
	}
	if err := n.Run(ctx); err != nil { // leaves the cluster when ctx is done
		log.Fatal(err)
	}
}

func ExampleNode_View() {
	var n *cluster.Node
	ctx := context.Background()

	var last cluster.View
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.Changed():
		}
		view := n.View()
		if !view.Settled {
			continue // who is not there may just not have been heard of
		}
		for _, change := range view.Diff(last) {
			fmt.Println(change.Name(), "changed")
		}
		last = view
	}
}

func ExampleMux() {
	var n *cluster.Node
	ctx := context.Background()

	mux := &cluster.Mux{}
	mux.Handle("user:deploy", func(ctx context.Context, e cluster.Event) {
		fmt.Printf("deploying %s\n", e.Payload)
	})
	mux.Handle("query:load", func(ctx context.Context, e cluster.Event) {
		if err := e.Respond([]byte("0.17")); err != nil {
			log.Print(err)
		}
	})
	mux.Handle("member-failed", func(ctx context.Context, e cluster.Event) {
		fmt.Println("lost", e.Members[0].Name)
	})
	mux.Handle("*", func(ctx context.Context, e cluster.Event) {
		fmt.Println("heard", e.Type, e.Name)
	})

	events := n.Subscribe(256) // room for so many
	defer events.Close()
	mux.Serve(ctx, events)
}

func ExampleNode_Send() {
	var n *cluster.Node
	ctx := context.Background()

	if err := n.Send(ctx, "deploy", []byte("v2"), false); err != nil {
		log.Print(err)
	}
}

func ExampleNode_Query() {
	var n *cluster.Node
	ctx := context.Background()

	answers, err := n.Query(ctx, cluster.Query{
		Name:  "load",
		Nodes: []string{"web1", "web2"},               // none: any
		Tags:  map[string]string{"role": "web|cache"}, // anchored regular expressions
	})
	if err != nil {
		log.Fatal(err)
	}
	defer answers.Close()
	for {
		a, err := answers.Next(ctx)
		if errors.Is(err, io.EOF) {
			break // all have answered, or the time is over
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s\n", a.From, a.Payload)
	}
}

func ExampleNode_SetTags() {
	var n *cluster.Node
	ctx := context.Background()

	err := n.SetTags(ctx, func(tags map[string]string) {
		tags["version"] = "v2"
		delete(tags, "draining")
	})
	if err != nil {
		log.Print(err) // they would not fit, for example; nothing has changed
	}
}

func ExampleNode_InstallKey() {
	var n *cluster.Node
	ctx, key, old := context.Background(), "", ""

	for _, step := range []func() (cluster.KeyReport, error){
		func() (cluster.KeyReport, error) { return n.InstallKey(ctx, key) }, // all understand it
		func() (cluster.KeyReport, error) { return n.UseKey(ctx, key) },     // all speak it
		func() (cluster.KeyReport, error) { return n.RemoveKey(ctx, old) },  // nobody understands the old one
	} {
		report, err := step()
		if err != nil {
			log.Fatal(err)
		}
		if report.Failed > 0 || report.Answered < report.Nodes {
			log.Fatalf("not all have followed: %v", report.Messages)
		}
	}
}

func ExampleView_Leaders() {
	view := cluster.View{Self: "web1", Members: []cluster.Member{
		{Name: "db1", Status: cluster.Alive},
		{Name: "web1", Status: cluster.Alive, Tags: map[string]string{"role": "web"}},
		{Name: "web2", Status: cluster.Failed, Tags: map[string]string{"role": "web"}},
		{Name: "web3", Status: cluster.Alive, Tags: map[string]string{"role": "web"}},
	}}

	for _, m := range view.Leaders("nightly backup", 2, func(m cluster.Member) bool { return m.Tags["role"] == "web" }) {
		fmt.Println(m.Name, m.Name == view.Self)
	}
	// Output:
	// web3 false
	// web1 true
}

func ExampleCoalescer() {
	in := make(chan cluster.Event)
	go func() {
		defer close(in)
		web := cluster.Member{Name: "web", Status: cluster.Alive}
		in <- cluster.Event{Type: cluster.EventJoin, Members: []cluster.Member{web}}
		web.Tags = map[string]string{"version": "v2"}
		in <- cluster.Event{Type: cluster.EventUpdate, Members: []cluster.Member{web}}
	}()

	c := cluster.Coalescer{Period: 3 * time.Second, Quiet: time.Second} // Serf's own
	c.Run(context.Background(), in, func(e cluster.Event) {
		fmt.Println(e.Type, e.Members[0].Tags)
	})
	// Output: member-join map[version:v2]
}

// Two nodes in one program: one asks, the other answers.
func Example() {
	ctx, stop := context.WithCancel(context.Background())
	run := func(c cluster.Config) (*cluster.Node, <-chan error) {
		c.Profile = "local" // the timing of one machine
		n, err := cluster.Join(c)
		if err != nil {
			log.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- n.Run(ctx) }()
		return n, done
	}
	a, doneA := run(cluster.Config{Name: "a", Bind: "127.45.0.1"})
	b, doneB := run(cluster.Config{Name: "b", Bind: "127.45.0.2", Join: []string{"127.45.0.1"}})

	var mux cluster.Mux
	mux.Handle("query:greet", func(_ context.Context, e cluster.Event) {
		_ = e.Respond([]byte("hello " + e.From))
	})
	events := b.Subscribe(16)
	defer events.Close()
	go mux.Serve(ctx, events)

	for !a.View().Settled || a.View().Alone() {
		<-a.Changed()
	}
	answers, err := a.Query(ctx, cluster.Query{Name: "greet", Nodes: []string{"b"}, Timeout: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	answer, err := answers.Next(ctx)
	fmt.Printf("%s says %s, %v\n", answer.From, answer.Payload, err)
	answers.Close()

	stop()
	fmt.Println(<-doneA, <-doneB)
	// Output:
	// b says hello a, <nil>
	// <nil> <nil>
}
