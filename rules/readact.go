package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"muster/cluster"
)

// steps returns the run, send and respond blocks in the order of the file.
func (b *block) steps() []*hcl.Block {
	out := slices.Concat(b.children("run"), b.children("send"), b.children("respond"))
	slices.SortStableFunc(out, func(x, y *hcl.Block) int {
		return cmp.Compare(x.DefRange.Start.Byte, y.DefRange.Start.Byte)
	})
	return out
}

// readAct reads what a rule says that acts on the events of on.
func (b *block) readAct(on []EventFilter, steps []*hcl.Block) Act {
	allowed := useEvent | useSelf | useMembers
	if b.attrs["on"] == nil {
		b.problem(b.at, "a rule that acts needs `on`", "Say which events it acts on: on = [\"user:NAME\"].")
		allowed |= useMember
	}
	if slices.ContainsFunc(on, func(f EventFilter) bool { return f.aboutMembers() || f.Type == "*" }) {
		allowed |= useMember
	}
	a := Act{
		For:    b.duration("for", 0, 0),
		Nodes:  b.oneOf("nodes", NodesAll, NodesAll, NodesOne),
		Quorum: b.count("quorum", 0, 0, 1<<20),
		Queue:  b.count("queue", defaultQueue, 1, 1<<16),
		when:   b.expression("when", spec{what: "`when`", allowed: allowed, want: cty.Bool}),
	}
	a.Signature = b.readSignature(on)
	if i := slices.IndexFunc(on, func(f EventFilter) bool { return !f.aboutMembers() }); i >= 0 && a.For > 0 {
		b.wrong("for", fmt.Sprintf("`for` has no meaning for `%s`", on[i]), "It waits until a member's state has lasted: let `on` name member events only.")
	}
	responds := 0
	for _, c := range steps {
		switch c.Type {
		case "run":
			a.Steps = append(a.Steps, Step{Run: b.readRun(c, allowed)})
			allowed |= useRun
		case "send":
			s := b.readSend(c, allowed)
			if a.when == nil {
				b.checkCircle(c, on, s)
			}
			a.Steps = append(a.Steps, Step{Send: s})
		case "respond":
			if responds++; responds == 2 {
				b.problem(c.DefRange, "a second `respond` block", "A query gets one answer from each node.")
			}
			a.Steps = append(a.Steps, Step{Respond: b.readRespond(c, on, allowed)})
		}
	}
	return a
}

// What a rule demands of the events it acts on.
const (
	signatureNone     = "none"
	signatureRequired = "required"
)

// readSignature reads whether the events of on must be signed.
func (b *block) readSignature(on []EventFilter) bool {
	if b.oneOf("signature", signatureNone, signatureNone, signatureRequired) != signatureRequired {
		return false
	}
	if i := slices.IndexFunc(on, func(f EventFilter) bool { return f.Type != cluster.EventUser }); i >= 0 {
		b.wrong("signature", fmt.Sprintf("`signature` cannot be required of `%s`", on[i]), "Only user events can be signed: let `on` name user events only, as in on = [\"user:NAME\"].")
	}
	return true
}

func (b *block) readRun(c *hcl.Block, allowed uses) *Run {
	s := b.open(c.Body, c.DefRange, shape{what: "a `run` block",
		attrs: []string{"command", "timeout", "stdin", "env", "user", "sandbox", "retries", "idempotent"}})
	return &Run{
		Command:    *s.readCommandBody("run", allowed, allowed),
		Stdin:      s.oneOf("stdin", StdinSerf, StdinPayload, StdinJSON, StdinSerf),
		Retries:    s.count("retries", 0, 0, 100),
		Idempotent: s.flag("idempotent"),
	}
}

func (b *block) readSend(c *hcl.Block, allowed uses) *Send {
	s := b.open(c.Body, c.DefRange, shape{what: "a `send` block", attrs: []string{"event", "payload"},
		hints: map[string]string{"name": "Write event = \"NAME\"."}})
	if s.attrs["event"] == nil {
		s.problem(s.at, "a `send` block without `event`", "Write event = \"NAME\".")
	}
	out := &Send{
		event:   s.expression("event", spec{what: "`event` of `send`", allowed: allowed, want: cty.String}),
		payload: s.expression("payload", spec{what: "`payload`", allowed: allowed, want: cty.String}),
	}
	if out.event != nil && out.event.constant() {
		name, err := out.event.str(nil)
		if err == nil {
			err = badEvent(name)
		}
		if err != nil {
			hint := ""
			if after, ok := strings.CutPrefix(name, "user:"); ok {
				hint = "Write only the name: event = \"" + printable(after) + "\"."
			}
			s.wrong("event", "`event` of `send`: "+err.Error(), hint)
		}
	}
	return out
}

// checkCircle reports a rule without a condition that sends what it acts on:
// the node that sends an event hears it, too.
func (b *block) checkCircle(c *hcl.Block, on []EventFilter, s *Send) {
	if s.event == nil || !s.event.constant() {
		return
	}
	name, err := s.event.str(nil)
	if err != nil {
		return
	}
	if i := slices.IndexFunc(on, func(f EventFilter) bool { return f.Match(cluster.Event{Type: cluster.EventUser, Name: name}) }); i >= 0 {
		b.problem(c.DefRange, fmt.Sprintf("this rule would never end: it sends `user:%s` and acts on `%s`", printable(name), on[i]),
			"Send another event, or say with `when` when it is enough.")
	}
}

// badEvent says why name cannot be a user event's. Serf itself takes any name
// of a sensible size; ours is to be named in a filter and shown in a log.
func badEvent(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("an event needs a name")
	case strings.HasPrefix(name, "user:"):
		return fmt.Errorf("`user:` is no part of an event's name")
	case badName(name) != "":
		return fmt.Errorf("%s cannot be an event's name", quoted(name))
	}
	return nil
}

func checkEnvValues(env map[string]string) error {
	for k, v := range env {
		if badEnvName(k) || strings.ContainsRune(v, 0) {
			return fmt.Errorf("variable %s cannot be set", quoted(k))
		}
	}
	return nil
}

func (b *block) readRespond(c *hcl.Block, on []EventFilter, allowed uses) *Respond {
	s := b.open(c.Body, c.DefRange, shape{what: "a `respond` block", attrs: []string{"text", "command", "timeout", "env", "user"}})
	if i := slices.IndexFunc(on, func(f EventFilter) bool { return f.Type != cluster.EventQuery }); i >= 0 {
		b.problem(c.DefRange, fmt.Sprintf("`respond` has no meaning for `%s`", on[i]), "Only a query can be answered: let `on` name queries only, as in on = [\"query:NAME\"].")
	}
	text, command := s.attrs["text"], s.attrs["command"]
	switch {
	case text != nil && command != nil:
		s.problem(text.NameRange, "`text` and `command` are two answers to one query", "Keep one of them.")
	case text != nil:
		s.refuse([]string{"timeout", "env", "user"}, "has no meaning for a `text`", "It belongs to a `command`.")
		return &Respond{text: s.expression("text", spec{what: "`text`", allowed: allowed, want: cty.String})}
	case command == nil:
		s.problem(s.at, "a `respond` block without an answer", "Write command = [\"PROGRAM\", …] or text = \"…\".")
	default:
		return &Respond{Command: s.readCommandBody("respond", allowed, allowed)}
	}
	return &Respond{}
}
