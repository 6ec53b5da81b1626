package drain

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/cluster"
	"muster/order"
	"muster/signing"
)

// openOn opens what is kept in dir, on a node with those tags.
func openOn(t *testing.T, tags map[string]string, dir string, log io.Writer) *Drain {
	t.Helper()
	d, err := Open(order.Config{
		Dir:     dir,
		Self:    func() cluster.Member { return cluster.Member{Name: "web1", Status: cluster.Alive, Tags: tags} },
		SetTags: func(_ context.Context, change func(map[string]string)) error { change(tags); return nil },
		Logger:  slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func set(t *testing.T, d *Drain, drain bool) State {
	t.Helper()
	s, err := d.Set(t.Context(), drain)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A drain lasts from the first order until it is taken back; meanwhile the tag
// says so, and then the tag is nobody's.
func TestDrainOutlastsARestart(t *testing.T) {
	tags, dir, log := map[string]string{}, t.TempDir(), &strings.Builder{}
	d := openOn(t, tags, dir, log)
	first := set(t, d, true)
	if again := set(t, d, true); !first.Draining || first.Node != "web1" || first.Since.IsZero() || again != first || d.State() != first {
		t.Errorf("drained: %+v, once more: %+v, and now %+v", first, again, d.State())
	}
	if text, err := os.ReadFile(filepath.Join(dir, "drain.json")); err != nil || !strings.HasPrefix(string(text), "{\n  \"version\": 1,\n  \"draining\": true,\n  \"since\": 1") {
		t.Errorf("kept as %s, %v", text, err)
	}
	delete(tags, Tag)
	d = openOn(t, tags, dir, log)
	if s := d.State(); s != first {
		t.Errorf("after a restart, and a hand on the tag: %+v", s)
	}
	if d.Keep(t.Context()); tags[Tag] != shown {
		t.Errorf("the tag is not put back: %v", tags)
	}
	tags[Tag] = "maintenance" // which says so as well
	if d.Keep(t.Context()); tags[Tag] != "maintenance" {
		t.Errorf("the tag is changed: %v", tags)
	}
	if s := set(t, d, false); s.Draining || !s.Since.IsZero() || tags[Tag] != "" || d.State() != s {
		t.Errorf("taken back: %+v, tags %v", s, tags)
	}
	d.Keep(t.Context())
	tags[Tag] = "by hand"
	d.Keep(t.Context())
	if s := d.State(); !s.Draining || !s.Since.IsZero() {
		t.Errorf("drained by hand: %+v", s)
	}
	if set(t, d, false); tags[Tag] != "" {
		t.Error("what was drained by hand is not taken back")
	}
	if n := strings.Count(log.String(), "its tag says so again"); n != 1 {
		t.Errorf("that the tag is put back is said %d times: %s", n, log)
	}
}

// What is sent is for other versions, too.
func TestMessages(t *testing.T) {
	key, err := signing.Generate("admin")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := order.Seal(key, Query, "web1", order.Order{Do: Undo}, time.Now())
	if payload, signed := signing.Open(sealed); err != nil || !signed || string(payload) != `{"v":1,"node":"web1","do":"undrain"}` {
		t.Errorf("%s, %v", payload, err)
	}
	if text, err := json.Marshal(content{Draining: true, Since: 1}.Answer()); err != nil || string(text) != `{"draining":true}` {
		t.Errorf("answered with %s, %v", text, err)
	}
}
