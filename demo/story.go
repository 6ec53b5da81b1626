package demo

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"muster/agent"
)

// play tells the story.
func (s *stage) play(ctx context.Context) error {
	s.introduce()
	if err := s.services(ctx); err != nil {
		return err
	}
	if err := s.showRule(); err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{
		s.curtain, s.join, s.death, s.repair, s.leave, s.drift, s.mistake,
	} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return s.conclude()
}

func (s *stage) introduce() {
	s.say("%s\n", s.bold("muster keeps configuration files in step with who is alive."))
	s.say("Five nodes on this machine's loopback interface: %s. One of them, lb,", strings.Join(cast, ", "))
	s.say("keeps three files in step:\n")
	s.say("   %-18s the live web nodes, as nginx's upstream", webConf)
	s.say("   %-18s the live app nodes, as haproxy's backend", appCfg)
	s.say("   %-18s everybody by role, from a template of the user's own", hostsINI)
	s.say("\nAll of it is in %s, and gone afterwards.\n", s.dir)
}

// showRule prints one of the rules.
func (s *stage) showRule() error {
	text, err := os.ReadFile(s.path("rules.d/web.hcl"))
	if err != nil {
		return err
	}
	s.say("The rule for the first:\n")
	s.indent(string(text))
	return nil
}

// curtain starts the first nodes, and nginx with the requests to it.
func (s *stage) curtain(ctx context.Context) error {
	if s.nginx != "" {
		if err := s.startNginx(ctx); err != nil {
			return err
		}
	}
	c, err := s.act(ctx, "lb, web1, web2 and app1 start.")
	if err != nil {
		return err
	}
	for _, name := range []string{"web1", "web2", "app1", lb} {
		if err := s.start(name); err != nil {
			return err
		}
	}
	err = c.follow(ctx, "after the start",
		has(webConf, s.sites["web1"].serviceAt()), has(webConf, s.sites["web2"].serviceAt()),
		has(appCfg, "app1 "), has(hostsINI, "[lb]"), has(hostsINI, "web1 "), has(hostsINI, "web2 "), has(hostsINI, "app1 "))
	if err != nil {
		return err
	}
	s.say("   lb shows all this in a browser, too: %s", s.page())
	if s.nginx == "" {
		s.say("   nginx does not run here, so no requests are sent; its file is kept all the same.")
		return nil
	}
	if err := s.served(ctx); err != nil {
		return err
	}
	s.say("   From now on nginx gets a request on a new connection every %s: %s", span(pace), s.url())
	s.traffic = send(s.url())
	return nil
}

// served waits until nginx serves from web1 and web2. It reloads in its own
// time: for a moment its old workers, who know of nobody, answer some requests.
func (s *stage) served(ctx context.Context) error {
	const enough = 50
	answered, probe := 0, &traffic{url: s.url(), client: newClient()}
	return s.until(ctx, "nginx serves", func() bool {
		if _, err := probe.ask(); err != nil {
			answered = 0
		} else {
			answered++
		}
		return answered == enough
	})
}

func (s *stage) join(ctx context.Context) error {
	c, err := s.act(ctx, "app2 joins.")
	if err != nil {
		return err
	}
	if err := s.start("app2"); err != nil {
		return err
	}
	return c.follow(ctx, "after it was started", has(appCfg, "app2 "), has(hostsINI, "app2 "))
}

func (s *stage) death(ctx context.Context) error {
	c, err := s.act(ctx, "web1 dies: kill -9, and its service with it.")
	if err != nil {
		return err
	}
	s.say("   Serf asks around before it believes it, which takes some seconds.")
	s.children["web1"].tell(syscall.SIGKILL)
	return c.follow(ctx, "after the kill", lacks(webConf, s.sites["web1"].serviceAt()), lacks(hostsINI, "web1 "))
}

func (s *stage) repair(ctx context.Context) error {
	c, err := s.act(ctx, "web1 is repaired and comes back.")
	if err != nil {
		return err
	}
	answers := 0
	if s.traffic != nil {
		answers = s.traffic.sum().answers["web1"]
	}
	if err := s.start("web1"); err != nil {
		return err
	}
	err = c.follow(ctx, "after it was started", has(webConf, s.sites["web1"].serviceAt()), has(hostsINI, "web1 "))
	if err != nil || s.traffic == nil {
		return err
	}
	err = s.until(ctx, "web1 answers requests again", func() bool { return s.traffic.sum().answers["web1"] > answers })
	if err == nil {
		s.say("   web1 answers requests again.")
	}
	return err
}

func (s *stage) leave(ctx context.Context) error {
	c, err := s.act(ctx, "web2 is shut down: it leaves the cluster first, and then stops to serve.")
	if err != nil {
		return err
	}
	web2 := s.children["web2"]
	web2.tell(syscall.SIGTERM)
	err = c.follow(ctx, "after the signal", lacks(webConf, s.sites["web2"].serviceAt()), lacks(hostsINI, "web2 "))
	if err != nil {
		return err
	}
	return s.until(ctx, "web2 has ended", web2.hasEnded)
}

// drift edits a file as somebody would who does not know better.
func (s *stage) drift(ctx context.Context) error {
	c, err := s.act(ctx, "Somebody adds a server to "+webConf+" by hand.")
	if err != nil {
		return err
	}
	right := c.before[webConf]
	edited := strings.Replace(right, "}", "    server 127.0.0.1:9; # just for now\n}", 1)
	c.before[webConf], c.began = edited, time.Now()
	if err := os.WriteFile(s.path(webConf), []byte(edited), 0o644); err != nil {
		return err
	}
	return c.follow(ctx, "after the edit: put back", lacks(webConf, "just for now"), has(webConf, right))
}

// mistake misspells a word in a rule, and corrects it.
func (s *stage) mistake(ctx context.Context) error {
	c, err := s.act(ctx, "Somebody misspells a word in a rule.")
	if err != nil {
		return err
	}
	path := s.path("rules.d/web.hcl")
	right, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, bytes.Replace(right, []byte("tags"), []byte("tgas"), 1), 0o644); err != nil {
		return err
	}
	status, err := s.problems(ctx, true)
	if err != nil {
		return err
	}
	s.say("   Refused %s after the edit:\n", span(time.Since(c.began)))
	var text bytes.Buffer
	if err := status.Problems.Print(&text, s.cfg.Color); err != nil {
		return err
	}
	s.indent(text.String())
	s.say("\n   The rules read before stay in force: %s.", states(status.Rules))
	if err := os.WriteFile(path, right, 0o644); err != nil {
		return err
	}
	if _, err := s.problems(ctx, false); err != nil {
		return err
	}
	s.say("   Corrected, and read again.")
	return nil
}

// problems waits until lb has found mistakes in its rules, or has no more.
func (s *stage) problems(ctx context.Context, any bool) (agent.Status, error) {
	var status agent.Status
	err := s.until(ctx, fmt.Sprintf("mistakes found is %v", any), func() bool {
		var err error
		status, err = s.client.Status(ctx)
		return err == nil && status.Problems.HasErrors() == any
	})
	return status, err
}
