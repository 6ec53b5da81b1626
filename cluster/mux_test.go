package cluster_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

// Handlers are run by name, by kind and for all, in that order, and in the
// order of their registration within.
func TestMuxOrder(t *testing.T) {
	var ran []string
	mux := &cluster.Mux{}
	for i, pattern := range []string{"*", "user", "query", "user:deploy", "member-join", "query:load", "user:deploy", "*", "user", "user:Deploy"} {
		mux.Handle(pattern, func(context.Context, cluster.Event) { ran = append(ran, pattern+strings.Repeat("'", i)) })
	}
	for _, c := range []struct {
		event cluster.Event
		want  string
	}{
		{cluster.Event{Type: cluster.EventUser, Name: "deploy"}, "user:deploy''' user:deploy'''''' user' user'''''''' * *'''''''"},
		{cluster.Event{Type: cluster.EventUser, Name: "*"}, "user' user'''''''' * *'''''''"},
		{cluster.Event{Type: cluster.EventQuery, Name: "load"}, "query:load''''' query'' * *'''''''"},
		{cluster.Event{Type: cluster.EventQuery, Name: "deploy"}, "query'' * *'''''''"},
		{cluster.Event{Type: cluster.EventJoin}, "member-join'''' * *'''''''"},
		{cluster.Event{Type: cluster.EventReap}, "* *'''''''"},
	} {
		ran = nil
		mux.Dispatch(t.Context(), c.event)
		if got := strings.Join(ran, " "); got != c.want {
			t.Errorf("%s %s ran %s, want %s", c.event.Type, c.event.Name, got, c.want)
		}
	}
}

func TestMuxRefusesPatterns(t *testing.T) {
	for pattern, why := range map[string]string{
		"":              "there is no such event",
		"member-joined": "there is no such event",
		"user:":         "the name is empty",
		"member-join:a": "member-join has no name",
		"*:a":           "there is no such event",
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, why) {
					t.Errorf("%q panics with %q, want %q", pattern, text, why)
				}
			}()
			new(cluster.Mux).Handle(pattern, func(context.Context, cluster.Event) {})
		}()
	}
}

// A handler may register another, which the next event meets; Serve ends with
// its context.
func TestMuxServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bus cluster.Bus
		sub := bus.Subscribe(4)
		defer sub.Close()
		var got []string
		mux := &cluster.Mux{}
		mux.Handle("user", func(_ context.Context, e cluster.Event) {
			got = append(got, e.Name)
			mux.Handle("user:second", func(context.Context, cluster.Event) { got = append(got, "by name") })
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, name := range []string{"first", "second"} {
			bus.Publish(cluster.Event{Type: cluster.EventUser, Name: name})
		}
		mux.Serve(ctx, sub)
		if diff := cmp.Diff([]string{"first", "by name", "second"}, got); diff != "" {
			t.Errorf("handlers ran (-want +got):\n%s", diff)
		}
	})
}
