package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"muster/actions"
	"muster/agent"
	"muster/cluster"
	"muster/drain"
	"muster/fleet"
	"muster/load"
	"muster/metadata"
	"muster/nodes"
	"muster/order"
	"muster/page"
	"muster/services"
	"muster/timeline"
)

// village is a membership that a test makes up.
type village cluster.View

func (v village) View() cluster.View       { return cluster.View(v) }
func (v village) Changed() <-chan struct{} { return nil }

// ruleSet has a rule for most of what a rule can be. DIR is the directory of
// its files.
const ruleSet = `
rule "web" {
  description = "all is well"
  members { tags = { role = "web" } }
  template {
    contents    = "{{ range .Members }}{{ .Name }} {{ .Tags.note }}\n{{ end }}"
    destination = "DIR/web"
    format      = "nginx"
  }
  check  = ["sh", "-c", "echo fine"]
  reload = ["true"]
}
rule "secret" {
  template {
    contents    = "hunter2\n"
    destination = "DIR/secret"
    sensitive   = true
  }
  check = ["sh", "-c", "cat DIR/secret; exit 1"]
}
rule "held" {
  members { tags = { role = "nobody" } }
  template {
    contents    = "{{ len .Members }}"
    destination = "DIR/held"
  }
}
rule "broken" {
  template {
    contents    = "x\n"
    destination = "DIR/broken"
  }
  check = ["sh", "-c", "echo this will not do; exit 3"]
}
rule "elsewhere" {
  self { where = false }
  template {
    contents    = "x\n"
    destination = "DIR/elsewhere"
  }
}
rule "deploy" {
  on  = ["user:deploy"]
  run {
    command = ["true"]
  }
}
`

func member(name string, n byte, status cluster.Status, tags map[string]string) cluster.Member {
	return cluster.Member{Name: name, Addr: netip.AddrFrom4([4]byte{127, 0, 0, n}), Port: 7946, Status: status, Tags: tags}
}

// hostile is what a member says that would end up in the wrong place.
const hostile = "x\"}\nmuster_evil_total{a=\"</script>"

// someVillage is the membership of newAgent: web1 offers two services, web2
// what cannot be read.
func someVillage() village {
	web1 := map[string]string{"role": "web", "note": "a", "runs": "nginx"}
	_ = services.Set(web1, []services.Service{{Type: "web", Port: "80"}, {Type: "dns", Port: "53"}}) // it fits
	members := []cluster.Member{
		member("lb", 1, cluster.Alive, map[string]string{}),
		member("web1", 2, cluster.Alive, web1),
		member("web2", 3, cluster.Alive, map[string]string{"role": "web", "note": hostile, "services": hostile}),
		member("web3", 4, cluster.Failed, map[string]string{"role": hostile, "runs": "nginx"}),
	}
	cluster.SortMembers(members)
	return village{Epoch: 1, Self: "lb", Members: members, Settled: true}
}

// newAgent runs an agent with ruleSet until the test ends, and waits until each
// rule has been through a pass. It tells past what happens.
func newAgent(t *testing.T, past *timeline.Log) *agent.Agent {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "rules"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rules/rules.hcl"), []byte(strings.ReplaceAll(ruleSet, "DIR", dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	runner, err := actions.Open(actions.Config{StateDir: filepath.Join(dir, "state"), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Config{
		Source: someVillage(), Actions: runner, Logger: log, Version: "1.2.3",
		RulesDir: filepath.Join(dir, "rules"), StateDir: filepath.Join(dir, "state"), InsecureGossip: true, Blind: true, Timeline: past,
		Info: func() cluster.Info {
			return cluster.Info{Name: "lb", Bind: "127.0.0.1:7946", Epoch: 1, Refused: map[string]uint64{"name": 2},
				Conflicts: []cluster.Conflict{{Name: "web1"}}, Unreachable: []cluster.Unreachable{{Name: "web2"}}}
		},
		Send: func(context.Context, string, []byte, bool) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if _, err := a.Apply(t.Context(), nil, false); err != nil {
		t.Fatal(err)
	}
	return a
}

// newConfig is what an API needs, with an agent, its nodes and its list of
// services that run until the test ends.
func newConfig(t *testing.T) Config {
	t.Helper()
	past := timeline.New(100)
	a := newAgent(t, past)
	c := Config{Agent: a, Timeline: past, Nodes: newBook(t, someVillage()), Metadata: newRegistry(t), Fleet: newFleet(t, a), Drain: newDrain(t)}
	c.Page = page.New(page.Config{Agent: a, Nodes: c.Nodes, Fleet: c.Fleet, Timeline: past})
	return c
}

// newFleet asks the members of someVillage, of whom nobody answers.
func newFleet(t *testing.T, a *agent.Agent) *fleet.Fleet {
	t.Helper()
	f, err := fleet.New(fleet.Config{
		View: someVillage().View, Standing: a.Standing, Version: "1.2.3",
		Ask: func(context.Context, cluster.Query) (fleet.Answers, error) { return &answers{}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// newDrain is whether the node lb drains.
func newDrain(t *testing.T) *drain.Drain {
	t.Helper()
	d, err := drain.Open(order.Config{
		Dir: t.TempDir(), Self: func() cluster.Member { return member("lb", 1, cluster.Alive, nil) },
		SetTags: func(context.Context, func(map[string]string)) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// newRegistry is the list of services of the node lb.
func newRegistry(t *testing.T) *metadata.Registry {
	t.Helper()
	r, err := metadata.Open(order.Config{
		Dir: t.TempDir(), Self: func() cluster.Member { return member("lb", 1, cluster.Alive, nil) },
		SetTags: func(context.Context, func(map[string]string)) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// newBook asks the members of v until the test ends. All but the last, whatever
// their status, answer at once.
func newBook(t *testing.T, v village) *nodes.Book {
	t.Helper()
	b, err := nodes.New(nodes.Config{
		View: v.View, Every: time.Second,
		Ask: func(context.Context, cluster.Query) (nodes.Answers, error) {
			a := &answers{}
			for _, m := range v.Members[:len(v.Members)-1] {
				a.from = append(a.from, m.Name)
			}
			return a, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	return b
}

// answers are those to one question, all there at once.
type answers struct{ from []string }

func (a *answers) Next(context.Context) (cluster.Answer, error) {
	if len(a.from) == 0 {
		return cluster.Answer{}, io.EOF
	}
	from := a.from[0]
	a.from = a.from[1:]
	text, err := load.Load{CPUs: 4, Load1: 1, Load5: 2, Load15: 3, MemTotal: 1 << 30, MemFree: 1 << 29}.Encode(time.Now())
	return cluster.Answer{From: from, Payload: text}, err
}

func (a *answers) Close() {}

const (
	token       = "a-token-for-all-that-there-is"
	readerToken = "a-token-for-reading-alone"
)

// serveAPI serves the API over TCP, as an agent does, until the test ends.
func serveAPI(t *testing.T, c Config) (url string) {
	t.Helper()
	if c.Gate == nil {
		c.Gate = &Gate{Token: token, ReadToken: readerToken}
	}
	return serveOn(t, New(c).Remote(), Port{Address: "127.0.0.1:0"})
}

// serveOn serves h on a port until the test ends.
func serveOn(t *testing.T, h http.Handler, p Port) (url string) {
	t.Helper()
	ln, err := p.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, ln, h, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

// ask sends a request and returns the answer's status, headers and body.
func ask(t *testing.T, method, url, body string, edit func(*http.Request)) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if edit != nil {
		edit(r)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(text)
}

// bear adds a token to a request.
func bear(token string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// local asks the API as the socket's clients do.
func local(a *API, method, path, body string) (int, string) {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	a.Local().ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// decoded is text as JSON.
func decoded(t *testing.T, text string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}
