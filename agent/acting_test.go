package agent

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"muster/actions"
	"muster/cluster"
	"muster/rules"
)

// A stage is a host whose rules act. What happens at where gossip listens is
// for info to say.
type stage struct {
	*host
	events chan cluster.Event
	info   atomic.Pointer[cluster.Info]
}

// newStage starts an agent with one rule file on a node whose gossip is open.
func newStage(t *testing.T, rule string, change func(*Config)) *stage {
	t.Helper()
	s := &stage{
		host:   &host{t: t, village: newVillage(node("db1", 2, "db"), node("web1", 3, "web")), dir: t.TempDir()},
		events: make(chan cluster.Event, 16),
	}
	s.mkdir("rules")
	s.write("rules/rule.hcl", rule)
	s.listening("0.0.0.0:7946", false)
	cfg := quiet(s.host)
	runner, err := actions.Open(actions.Config{StateDir: cfg.StateDir, Logger: cfg.Logger})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Actions, cfg.Events = runner, s.events
	cfg.Info = func() cluster.Info { return *s.info.Load() }
	change(&cfg)
	s.startWith(cfg)
	return s
}

// listening says where gossip listens, in a new epoch.
func (s *stage) listening(bind string, encrypted bool) {
	s.info.Store(&cluster.Info{Bind: bind, Encrypted: encrypted, Epoch: 1})
	s.change(func(*cluster.View) {})
}

// acting is how the one that acts is doing, once it has nothing to do.
func (s *stage) acting() (all Acting, one actions.Status) {
	s.t.Helper()
	for range 30_000 {
		synctest.Wait()
		status, err := s.Status(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		all = status.Acting
		if len(all.Each) != 1 {
			s.t.Fatalf("acting: %+v", all)
		}
		if one = all.Each[0]; one.Running == nil && one.Queued == 0 {
			return all, one
		}
		realPause()
	}
	s.t.Fatal("it never stops acting")
	return all, one
}

const actingRule = `
rule "act" {
  description = "acts"
  on = ["user:go"]
  self { tags = { role = "lb" } }
  run { command = ["sh", "-c", "echo $SERF_SELF_NAME >>${DIR}/out"] }
}
`

func run(ltime uint64) cluster.Event {
	return cluster.Event{Type: cluster.EventUser, Name: "go", LTime: ltime}
}

// Rules act on what everybody could have said only if told so.
func TestOpenGossipIsNotActedOn(t *testing.T) {
	for _, c := range []struct {
		name      string
		bind      string
		encrypted bool
		insecure  bool
		acts      bool
	}{
		{"open", "0.0.0.0:7946", false, false, false},
		{"open to a network", "10.0.0.1:7946", false, false, false},
		{"open IPv6", "[::]:7946", false, false, false},
		{"on loopback", "127.0.0.1:7946", false, false, true},
		{"on IPv6 loopback", "[::1]:7946", false, false, true},
		{"encrypted", "0.0.0.0:7946", true, false, true},
		{"told so", "0.0.0.0:7946", false, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, actingRule, func(cfg *Config) { cfg.InsecureGossip = c.insecure })
				s.listening(c.bind, c.encrypted)
				synctest.Wait()
				s.events <- run(1)
				all, one := s.acting()
				if acts := one.Run == 1; acts != c.acts || acts != (all.Refused == "") || acts == (one.Refused[actions.RefusedGossip] == 1) {
					t.Errorf("%+v", all)
				}
				if got := s.read("out"); (got == "self\n") != c.acts {
					t.Errorf("out is %q", got)
				}
				e, err := s.ExplainRule(t.Context(), "act")
				if err != nil || e.State != Acts || e.Acting == nil || e.Acting.Heard != 1 || (e.Why == "") != c.acts {
					t.Errorf("explained: %+v, %v", e, err)
				}
			})
		})
	}
}

// An agent's gossip may be encrypted: what it says on the way here is not.
func TestWhatComesOverANetworkIsNotActedOn(t *testing.T) {
	for _, insecure := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t, actingRule, func(cfg *Config) { cfg.InsecureGossip = insecure })
			s.info.Store(&cluster.Info{Advertise: "127.0.0.1:7946", Encrypted: true, Epoch: 1, Through: "10.0.0.5:7373"})
			s.change(func(*cluster.View) {})
			synctest.Wait()
			s.events <- run(1)
			all, one := s.acting()
			if one.Run == 1 != insecure || strings.Contains(all.Refused, "10.0.0.5:7373") == insecure {
				t.Errorf("insecure_gossip %t: %+v", insecure, all)
			}
		})
	}
}

// Before it is known where gossip listens, nothing is acted on.
func TestNothingIsActedOnBeforeGossipHasStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, actingRule, func(cfg *Config) {
			cfg.Info = func() cluster.Info { return cluster.Info{Bind: "127.0.0.1:7946"} }
		})
		synctest.Wait()
		s.events <- run(1)
		if all, one := s.acting(); one.Run != 0 || all.Refused != notStarted {
			t.Errorf("%+v", all)
		}
	})
}

// What is heard before there is a view, like this node's own join, waits for
// the view, and for where gossip listens, which is known as soon.
func TestWhatIsHeardBeforeTheFirstViewIsActedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unseen := &village{changed: make(chan struct{}, 1)}
		var started atomic.Bool
		s := newStage(t, strings.Replace(actingRule, "user:go", "member-join", 1), func(cfg *Config) {
			cfg.Source = unseen
			cfg.Info = func() cluster.Info {
				if started.Load() {
					return cluster.Info{Bind: "127.0.0.1:7946", Epoch: 1}
				}
				return cluster.Info{}
			}
		})
		synctest.Wait()
		s.events <- cluster.Event{Type: cluster.EventJoin, Members: []cluster.Member{node("self", 1, "lb")}}
		synctest.Wait()
		started.Store(true)
		unseen.set()
		if all, one := s.acting(); one.Run != 1 || s.read("out") != "self\n" {
			t.Errorf("%+v", all)
		}
	})
}

// One event may let some rules act and make others render.
func TestEventsReachBothKindsOfRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, actingRule+`
rule "render" {
  on = ["user:go"]
  template {
    contents    = "{{len .Members}}"
    destination = "${DIR}/file"
  }
}`, func(cfg *Config) { cfg.InsecureGossip = true })
		s.want("file", "3")
		s.write("file", "edited")
		s.events <- run(7)
		if _, one := s.acting(); one.Run != 1 {
			t.Errorf("%+v", one)
		}
		time.Sleep(time.Second)
		s.want("file", "3")
		if s.state("render").Pass.Trigger != "event user:go" {
			t.Errorf("trigger %q", s.state("render").Pass.Trigger)
		}
	})
}

// A new rule set and new handlers act from then on.
func TestWhatActsCanBeReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, actingRule, func(cfg *Config) { cfg.InsecureGossip = true })
		synctest.Wait()
		s.write("rules/rule.hcl", strings.ReplaceAll(actingRule, "user:go", "user:other"))
		if _, err := s.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.events <- run(1)
		if _, one := s.acting(); one.Run != 0 || s.read("out") != "<none>" {
			t.Errorf("%+v", one)
		}

		s.write("rules/rule.hcl", "")
		if _, err := s.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		line := "user:go=echo $SERF_EVENT >>" + s.path("out")
		handler, err := rules.ParseHandler(line)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.SetHandlers(t.Context(), []rules.Handler{handler}); err != nil {
			t.Fatal(err)
		}
		s.events <- run(2)
		if all, one := s.acting(); one.Name != line || one.Kind != actions.KindHandler || one.Run != 1 || s.read("out") != "user\n" {
			t.Errorf("%+v, %q", all, s.read("out"))
		}
	})
}

// A rule that acts keeps no file: it is explained, and not applied.
func TestActingRuleIsNotApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, strings.Replace(actingRule, `"lb"`, `"db"`, 1), func(cfg *Config) { cfg.InsecureGossip = true })
		synctest.Wait()
		if _, err := s.Apply(t.Context(), []string{"act"}, false); err == nil || !strings.Contains(err.Error(), "`muster explain act`") {
			t.Errorf("applied: %v", err)
		}
		s.events <- run(1)
		if _, one := s.acting(); one.Run != 0 || one.Unwanted != 1 {
			t.Errorf("not in force here, and %+v", one)
		}
		e, err := s.ExplainRule(t.Context(), "act")
		if err != nil || e.State != NotInForce || len(e.Self) != 1 || e.Self[0].OK {
			t.Errorf("explained: %+v, %v", e, err)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Error(err)
		}
	})
}

// Sending is the cluster's business, and an agent without one says so.
func TestSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHost(t, newVillage(), "")
		if err := h.Send(t.Context(), "x", nil, true); !errors.Is(err, ErrCannotSend) {
			t.Errorf("sent: %v", err)
		}
		h.stop()
		var sent string
		cfg := quiet(h)
		cfg.Send = func(_ context.Context, name string, payload []byte, coalesce bool) error {
			sent = name + " " + string(payload)
			return nil
		}
		h.startWith(cfg)
		if err := h.Send(t.Context(), "x", []byte("y"), true); err != nil || sent != "x y" {
			t.Errorf("sent %q: %v", sent, err)
		}
	})
}
