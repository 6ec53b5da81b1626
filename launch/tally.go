package launch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"muster/command"
)

// An Event is something that happens while a playbook runs, as events.py tells
// it. Texts are Ansible's, and hold whatever a node has answered.
type Event struct {
	Event string `json:"event"` // start, play, task, finished, stats
	Check bool   `json:"check"` // start: nothing is changed, --check
	Play  string `json:"play"`  // play: its name
	// NextBatch says that the last play of the playbook goes on with its next
	// hosts: it is over for those it was about.
	NextBatch bool               `json:"next_batch"`
	Host      string             `json:"host"`
	Task      string             `json:"task"`  // its name
	State     string             `json:"state"` // ok, changed, skipped, failed, ignored, unreachable
	Why       string             `json:"why"`
	Hosts     map[string]summary `json:"hosts"` // stats: the recap
}

// A summary is a host's line of Ansible's recap.
type summary struct {
	Failures    int `json:"failures"`
	Unreachable int `json:"unreachable"`
}

// theEnd is written into the pipe when Ansible has ended. The line break in
// front of it ends a line that was cut off.
const theEnd = "\n" + `{"event":"muster: the end"}` + "\n"

// A tally is what is known of a run so far.
type tally struct {
	results []Result // of the nodes picked
	told    func(Event)
	begun   bool
	check   bool
	batch   map[string]bool    // the nodes with a task in this play, or in this batch of it
	recap   map[string]summary // nil: there was none
}

func newTally(c Config) *tally {
	t := &tally{told: c.Told, batch: map[string]bool{}}
	for _, n := range c.Choice.Picked {
		t.results = append(t.results, Result{Node: n.Name, Addr: n.Addr, Rate: n.Rate})
	}
	return t
}

// hear reads events until the end.
func (t *tally) hear(pipe io.Reader) error {
	for lines := bufio.NewReader(pipe); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return err
		}
		if bytes.Equal(line, []byte(theEnd[1:])) {
			return nil
		}
		var e Event
		if json.Unmarshal(line, &e) != nil {
			continue // cut off, or from somebody who found the pipe
		}
		t.take(e)
		if t.told != nil {
			t.told(e)
		}
	}
}

// find returns the result of a node; nil: it was not picked.
func (t *tally) find(node string) *Result {
	for i := range t.results {
		if t.results[i].Node == node {
			return &t.results[i]
		}
	}
	return nil
}

// take notes an event.
func (t *tally) take(e Event) {
	r := t.find(e.Host)
	switch {
	case e.Event == "start":
		t.begun, t.check = true, t.check || e.Check
	case e.Event == "play":
		for i := range t.results {
			if r := &t.results[i]; e.NextBatch && t.batch[r.Node] && r.bad == 0 {
				r.finished = true
			}
		}
		clear(t.batch)
	case e.Event == "stats":
		t.recap = e.Hosts
	case r == nil:
	case e.Event == "finished":
		r.finished = true
	case e.Event == "task":
		t.batch[e.Host] = true
		r.count(e)
	}
}

// count counts a task of a node.
func (r *Result) count(e Event) {
	switch e.State {
	case "ok":
		r.OK++
	case "changed":
		r.OK++
		r.Changed++
	case "skipped":
		r.Skipped++
	case "ignored":
		r.Ignored++
	case "failed", "unreachable":
		r.bad++
		r.unreachable = r.unreachable || e.State == "unreachable"
		r.Task, r.Why = e.Task, e.Why
	}
}

// outcome is how all have fared, once Ansible has ended.
func (t *tally) outcome(res command.Result, stopped bool) Outcome {
	out := Outcome{Check: t.check, Interrupted: stopped, Results: t.results}
	if !res.OK() {
		out.Ansible = res.Verdict()
		out.Output = string(res.Output)
	}
	if stopped {
		out.Ansible = "stopped before it ended"
	}
	for i := range out.Results {
		t.judge(&out.Results[i], out)
	}
	return out
}

// judge says how a node has fared. It has succeeded only if it came to the
// end, if a task did something there, and if Ansible's recap, if there is one,
// has it and no failure of it.
func (t *tally) judge(r *Result, out Outcome) {
	recap, listed := t.recap[r.Node]
	missing := t.recap != nil && !listed
	failed := recap.Failures > 0 || recap.Unreachable > 0
	switch {
	case r.finished && r.OK > 0 && !missing && !failed:
		r.State, r.Task, r.Why = Succeeded, "", "" // what was rescued is no failure
		if out.Check {
			r.State, r.Why = Checked, "--check changes nothing: not registered"
		}
	case r.unreachable || recap.Unreachable > 0:
		r.State = Unreachable
	case r.bad > 0 || failed:
		r.State = Failed
	case r.OK == 0 && !out.Interrupted && (t.recap != nil || r.finished):
		r.State, r.Why = Untouched, "the playbook did nothing there: do its plays say `hosts: all`, or `hosts: "+group+"`?"
		if r.Skipped == 0 && out.Ansible != "" && !r.finished {
			r.Why = "Ansible stopped before it came to it"
		}
	case missing && !out.Interrupted:
		r.State, r.Why = Unfinished, "Ansible's recap does not have it"
	default:
		r.State, r.Why = Unfinished, fmt.Sprintf("Ansible did not come to the end there: %s", out.Ansible)
	}
}
