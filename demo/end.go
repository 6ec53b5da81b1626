package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// conclude sums up. A request that failed is an error.
func (s *stage) conclude() error {
	log, err := os.ReadFile(s.node(lb, "log"))
	if err != nil {
		return fmt.Errorf("cannot sum up: %w", err)
	}
	writes, reloads, err := work(log)
	if err != nil {
		return fmt.Errorf("cannot sum up: %w", err)
	}
	text := fmt.Sprintf("%d acts in %s: %d files written", s.acts, span(time.Since(s.began)), writes)
	if s.traffic == nil {
		s.say("\n%s", s.bold(text+"."))
		return nil
	}
	s.say("\n%s", s.bold(fmt.Sprintf("%s, nginx reloaded %d times.", text, reloads)))
	s.traffic.stop()
	sum := s.traffic.sum()
	s.say("%s", s.bold(fmt.Sprintf("%d requests, %d failed.", sum.sent, sum.failed)))
	var answers []string
	for _, who := range slices.Sorted(maps.Keys(sum.answers)) {
		answers = append(answers, fmt.Sprintf("%s %d", who, sum.answers[who]))
	}
	s.say("Answered by: %s.", strings.Join(answers, ", "))
	if sum.failed > 0 {
		return fmt.Errorf("%d of %d requests failed, the first was %s", sum.failed, sum.sent, sum.failure)
	}
	return nil
}

// work counts in lb's log the files that it wrote and the reloads that
// succeeded.
func work(log []byte) (writes, reloads int, err error) {
	for line := range bytes.Lines(log) {
		var fact struct {
			Message  string   `json:"msg"`
			Changed  []string `json:"changed"`
			Reloaded bool     `json:"reloaded"`
		}
		// What is not JSON is no fact about files.
		if json.Unmarshal(line, &fact) != nil || fact.Message != "in step" {
			continue
		}
		writes += len(fact.Changed)
		if fact.Reloaded {
			reloads++
		}
	}
	if writes == 0 {
		return 0, 0, errors.New("the log of lb tells of no file written")
	}
	return writes, reloads, nil
}

// printUse says how to go on with what is left running.
func (s *stage) printUse() {
	muster := s.cfg.Program
	if path, err := exec.LookPath("muster"); err == nil && path == muster {
		muster = "muster"
	}
	s.say("\nIt stays as it is until Ctrl-C. In another terminal:\n")
	s.say("   export MUSTER_SOCKET=%s", s.node(lb, "sock"))
	for _, words := range []string{"status", "members", "explain web", "explain web2", "plan"} {
		s.say("   %s %s", muster, words)
	}
	if s.nginx != "" {
		s.say("   curl %s", s.url())
	}
	s.say("\nIn a browser: %s", s.page())
	s.say("\nFiles: %s", s.path("{nginx,haproxy,ansible}"))
	s.say("Rules: %s", s.path("rules.d"))
	s.say("Logs: %s", s.path("nodes"))
	var pids []string
	for _, name := range slices.Sorted(maps.Keys(s.children)) {
		if p := s.children[name]; !p.hasEnded() {
			pids = append(pids, fmt.Sprintf("%s %d", name, p.cmd.Process.Pid))
		}
	}
	s.say("Processes: %s.", strings.Join(pids, ", "))
}

// postmortem prints the end of the logs that may say why it went wrong.
func (s *stage) postmortem() {
	logs := []string{s.node(lb, "log")}
	for name, p := range s.children {
		if name != lb && p.lost() != nil {
			logs = append(logs, s.node(name, "log"))
		}
	}
	if s.nginx != "" {
		logs = append(logs, s.path("nginx/error.log"))
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil || len(text) == 0 {
			continue
		}
		s.say("\nThe end of %s:", log)
		printTail(s.cfg.Out, text, 12)
	}
}

// printTail prints the last lines of a log.
func printTail(w io.Writer, log []byte, most int) {
	lines := slices.Collect(bytes.Lines(log))
	for _, line := range lines[max(0, len(lines)-most):] {
		fmt.Fprintf(w, "   %s\n", bytes.TrimRight(line, "\n"))
	}
}
