package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

func TestSetTags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tags.json")
	a := start(t, cluster.Config{Name: "a", Bind: loopback()})
	a.waitFor("a:alive")
	c := cluster.Config{
		Name: "b", Bind: loopback(), Join: []string{a.Info().Bind},
		Tags: map[string]string{"role": "web", "dc": "eu"}, TagsFile: file,
	}
	b := start(t, c)
	sees := func(want map[string]string) {
		t.Helper()
		a.wait(fmt.Sprintf("b has %v", want), func(v cluster.View) bool {
			m, _ := v.Member("b")
			return cmp.Equal(m.Tags, want)
		})
	}
	sees(map[string]string{"role": "web", "dc": "eu"})
	if err := b.SetTags(t.Context(), func(tags map[string]string) {
		tags["weight"], tags["dc"] = "7", "us"
	}); err != nil {
		t.Fatal(err)
	}
	sees(map[string]string{"role": "web", "dc": "us", "weight": "7"})
	if diff := cmp.Diff(map[string]string{"dc": "us", "weight": "7"}, readTags(t, file)); diff != "" {
		t.Errorf("tags file (-want +got):\n%s", diff)
	}

	// What does not fit is refused as a whole and written nowhere.
	err := b.SetTags(t.Context(), func(tags map[string]string) { tags["big"] = strings.Repeat("x", 500) })
	if err == nil || !strings.Contains(err.Error(), "533 bytes of 512") {
		t.Errorf("too long tags: %v", err)
	}
	if diff := cmp.Diff(map[string]string{"dc": "us", "weight": "7"}, readTags(t, file)); diff != "" {
		t.Errorf("tags file after the refusal (-want +got):\n%s", diff)
	}

	// At the next start what was set wins over the configuration, and what
	// was not set follows it.
	b.kill()
	c.Tags = map[string]string{"role": "db", "dc": "asia"}
	start(t, c)
	sees(map[string]string{"role": "db", "dc": "us", "weight": "7"})
}

func readTags(t *testing.T, path string) (tags map[string]string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &tags); err != nil {
		t.Fatal(err)
	}
	return tags
}

// Changes at the same time all happen, and survive a new incarnation.
func TestSetTagsTogether(t *testing.T) {
	h := &host{addr: addr(loopback())}
	n := startAt(t, cluster.Config{Name: "n", Bind: "127.0.0.1"}, h)
	n.waitFor("n:alive")
	var wg sync.WaitGroup
	want := map[string]string{}
	for i := range 20 {
		k := fmt.Sprintf("k%d", i)
		want[k] = "v"
		wg.Go(func() {
			if err := n.SetTags(context.Background(), func(tags map[string]string) { tags[k] = "v" }); err != nil {
				t.Error(err)
			}
		})
		if i == 10 {
			h.move(addr(loopback()))
		}
	}
	wg.Wait()
	n.wait("all tags in epoch 2", func(v cluster.View) bool {
		return v.Epoch == 2 && cmp.Equal(v.SelfMember().Tags, want)
	})
}

// Tags may be set before the node runs; a caller that gives up is let go.
func TestSetTagsBeforeRun(t *testing.T) {
	n, err := cluster.Join(cluster.Config{Name: "n", Bind: loopback()})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.SetTags(t.Context(), func(tags map[string]string) { tags["k"] = "v" }); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	block, entered := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = n.SetTags(t.Context(), func(map[string]string) { close(entered); <-block })
	})
	<-entered
	if err := n.SetTags(ctx, func(map[string]string) {}); err == nil {
		t.Error("a cancelled change waits its turn")
	}
	close(block)
	wg.Wait()
}

func TestTagSize(t *testing.T) {
	for _, c := range []struct {
		tags map[string]string
		want int
	}{
		{map[string]string{}, 2}, {map[string]string{"k": "v"}, 6},
		{map[string]string{"k": strings.Repeat("v", 505)}, 512},
	} {
		if got := cluster.TagSize(c.tags); got != c.want {
			t.Errorf("%d tags take %d bytes, want %d", len(c.tags), got, c.want)
		}
	}
}
