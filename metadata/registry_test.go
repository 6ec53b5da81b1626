package metadata

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/cluster"
	"muster/order"
	"muster/signing"
)

// openOn opens the list kept in dir, on a node with those tags.
func openOn(t testing.TB, tags map[string]string, dir string, log *slog.Logger) *Registry {
	t.Helper()
	r, err := Open(order.Config{
		Dir:     dir,
		Self:    func() cluster.Member { return cluster.Member{Name: "web1", Status: cluster.Alive, Tags: tags} },
		SetTags: func(_ context.Context, change func(map[string]string)) error { change(tags); return nil },
		Logger:  log,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// What was added is in the tag, and nothing else, also after a restart.
func TestListOutlastsARestart(t *testing.T) {
	tags, dir := map[string]string{"role": "web"}, t.TempDir()
	r := openOn(t, tags, dir, nil)
	if list := r.Services(); list == nil || len(list) != 0 || r.Node() != "web1" {
		t.Errorf("%s begins with %v", r.Node(), list)
	}
	for _, name := range []string{"nginx", "api", "nginx"} {
		if _, err := r.Add(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	if tags[Tag] != "api,nginx" || tags["role"] != "web" {
		t.Errorf("tags %v", tags)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "metadata.json")); err != nil || string(text) != "{\n  \"version\": 1,\n  \"services\": [\n    \"api\",\n    \"nginx\"\n  ]\n}\n" {
		t.Errorf("kept as %s, %v", text, err)
	}
	tags[Tag] = "forged" // by hand
	r = openOn(t, tags, dir, nil)
	if r.Keep(t.Context()); tags[Tag] != "api,nginx" {
		t.Errorf("after a restart: tags %v", tags)
	}
	for _, name := range []string{"nginx", "api", "never"} {
		if list, err := r.Remove(t.Context(), name); err != nil || list == nil {
			t.Fatal(list, err)
		}
	}
	tags[Tag] = "old" // as a tags file may have it
	openOn(t, tags, dir, nil).Keep(t.Context())
	if _, there := tags[Tag]; there {
		t.Error("an empty list is not kept")
	}
}

// What is no name, or too much, can never be added.
func TestBounds(t *testing.T) {
	tags := map[string]string{}
	r := openOn(t, tags, t.TempDir(), nil)
	for _, bad := range []string{"", "a,b", "a b", ".x", "-x", "ü", "x\n", strings.Repeat("x", 64), "../x", "<script>"} {
		if _, err := r.Add(t.Context(), bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("service %q: %v", bad, err)
		}
	}
	for i := range 100 {
		if _, err := r.Add(t.Context(), fmt.Sprintf("service-%d", i)); err != nil {
			if !errors.Is(err, ErrInvalid) || i < 10 || !strings.HasPrefix(err.Error(), fmt.Sprintf("cannot add service service-%d: not possible: ", i)) {
				t.Errorf("service %d: %v", i, err)
			}
			break
		}
	}
	if len(tags[Tag]) > maxTag {
		t.Errorf("the tag has %d bytes", len(tags[Tag]))
	}
}

// A list may have been written by hand.
func TestListByHand(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "metadata.json"), []byte(`{"version":1,"services":["nginx","api","nginx"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"api", "nginx"}, openOn(t, nil, dir, nil).Services()); diff != "" {
		t.Error(diff)
	}
}

// A list that is none does not keep the agent from starting.
func TestBrokenList(t *testing.T) {
	var many []string
	for i := range maxServices + 1 {
		many = append(many, fmt.Sprintf(`"s%d"`, i))
	}
	for _, services := range []string{`["a b"]`, `[7]`, `"a"`, "[" + strings.Join(many, ",") + "]"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "metadata.json"), []byte(`{"version":1,"services":`+services+`}`), 0o600); err != nil {
			t.Fatal(err)
		}
		var log strings.Builder
		if r := openOn(t, nil, dir, slog.New(slog.NewTextHandler(&log, nil))); len(r.Services()) != 0 || !strings.Contains(log.String(), "list of services is lost") {
			t.Errorf("%.40q: services %v, log %s", services, r.Services(), &log)
		}
	}
}

// What is sent is for other versions, too.
func TestMessages(t *testing.T) {
	key, err := signing.Generate("admin")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := order.Seal(key, Query, "web1", order.Order{Do: Remove, Service: "nginx"}, time.Now())
	if payload, signed := signing.Open(sealed); err != nil || !signed || string(payload) != `{"v":1,"node":"web1","do":"remove","service":"nginx"}` {
		t.Errorf("%s, %v", payload, err)
	}
	if text, err := json.Marshal(content{names{"api"}}.Answer()); err != nil || string(text) != `{"service":["api"]}` {
		t.Errorf("answered with %s, %v", text, err)
	}
}

// The list is a set in order, whatever is done.
func TestListIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list, set := []string{}, map[string]bool{}
		for range rapid.IntRange(0, 40).Draw(t, "changes") {
			name, in := rapid.StringMatching(`[a-c][0-9]{0,1}`).Draw(t, "name"), rapid.Bool().Draw(t, "in")
			next, err := with(list, name, in)
			if err != nil {
				continue
			}
			list, set[name] = next, in
			if !in {
				delete(set, name)
			}
			if len(list) != len(set) {
				t.Fatalf("%v and %v", list, set)
			}
			m := cluster.Member{Tags: map[string]string{Tag: strings.Join(list, ",")}}
			if diff := cmp.Diff(append([]string(nil), list...), Of(m)); diff != "" {
				t.Fatal(diff)
			}
		}
		text, err := json.Marshal(content{list})
		if err != nil {
			t.Fatal(err)
		}
		var c content
		if err := json.Unmarshal(text, &c); err != nil || len(c.Services) != len(set) {
			t.Fatalf("%v became %v, %v", list, c.Services, err)
		}
	})
}

// Who has it: living members, by whole names, whatever else their tags say.
func TestWorking(t *testing.T) {
	members := []cluster.Member{
		{Name: "a", Status: cluster.Alive, Tags: map[string]string{Tag: "api,nginx"}},
		{Name: "b", Status: cluster.Failed, Tags: map[string]string{Tag: "nginx"}},
		{Name: "c", Status: cluster.Alive, Tags: map[string]string{Tag: "nginx2,<script>,,nginx\n"}},
		{Name: "d", Status: cluster.Alive, Tags: map[string]string{Tag: "nginx"}},
		{Name: "e", Status: cluster.Alive},
	}
	var names []string
	for _, m := range Working(members, "nginx") {
		names = append(names, m.Name)
	}
	if diff := cmp.Diff([]string{"a", "d"}, names); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"nginx2"}, Of(members[2])); diff != "" {
		t.Error(diff)
	}
}

func FuzzContent(f *testing.F) {
	f.Add([]byte(`{"version":1,"services":["a","b"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var c content
		if json.Unmarshal(text, &c) == nil && check(c.Services) != nil {
			t.Fatalf("%q holds too much", text)
		}
	})
}
