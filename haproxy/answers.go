package haproxy

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An answer is what haproxy says when it has done a command. It answers
// failures with a text as well, and with nothing else to tell them by.
type answer int

const (
	silence answer = iota
	moved
	added
	deleted
)

func (a answer) is(reply string) bool {
	switch a {
	case moved:
		return strings.HasPrefix(reply, "IP changed from") || strings.HasPrefix(reply, "no need to change the addr")
	case added:
		return reply == "New server registered."
	case deleted:
		return reply == "Server deleted."
	}
	return reply == ""
}

// carryOut sends the commands of the plans. Of each server only the first
// refusal is returned: what follows it is no wonder.
func (c *conn) carryOut(plans []*plan) (refusals []error, err error) {
	var lines []string
	for _, p := range plans {
		for _, cmd := range p.commands {
			lines = append(lines, cmd.text)
		}
	}
	replies, err := c.ask(lines...)
	if err != nil {
		return nil, err
	}
	for _, p := range plans {
		refused := map[string]bool{}
		for i, cmd := range p.commands {
			reply := replies[i]
			if cmd.answer.is(reply) {
				if cmd.answer == deleted {
					delete(p.gone, cmd.server)
				}
				continue
			}
			if cmd.answer == deleted && p.stays(cmd.server, reply) {
				continue
			}
			if !refused[cmd.server] {
				refused[cmd.server] = true
				refusals = append(refusals, refusal(cmd.text, reply))
			}
		}
		replies = replies[len(p.commands):]
	}
	return refusals, nil
}

// stays takes note that haproxy did not delete a server, which does no harm in
// maintenance. While it has connections, that is tried again.
func (p *plan) stays(server, reply string) bool {
	d := p.gone[server]
	switch {
	case strings.HasPrefix(reply, "Permission denied"):
		return false
	case strings.HasPrefix(reply, "Server still has"), strings.HasPrefix(reply, "Only servers in maintenance"):
	default:
		d.stuck, d.again = true, time.Time{}
	}
	p.gone[server] = d
	return true
}

// refusal is the error for a command that haproxy did not do.
func refusal(command, reply string) error {
	first, _, _ := strings.Cut(reply, "\n")
	name := strings.Join(strings.Fields(command)[:min(3, len(strings.Fields(command)))], " ")
	switch {
	case strings.HasPrefix(first, "Permission denied"):
		return fmt.Errorf("haproxy does not permit %q: the socket needs level admin, as in: stats socket PATH mode 660 level admin", name)
	case strings.HasPrefix(first, "Unknown command") && strings.HasPrefix(command, "show "):
		return fmt.Errorf("haproxy does not know %q: is this its stats socket, and not its master's?", name)
	case strings.HasPrefix(first, "Unknown command"), strings.Contains(first, "experimental mode"):
		return fmt.Errorf("haproxy is too old for %q, which takes 2.5; the built-in haproxy-server-template does without: %w", name, ErrReload)
	case strings.HasPrefix(first, "No such server"):
		return fmt.Errorf("haproxy answered %q with %s: it may have been reloaded just now", name, quoted(first))
	}
	return fmt.Errorf("haproxy answered %q with %s: %w", name, quoted(first), ErrReload)
}

// undone says what a push has not brought about, though nothing was refused.
func undone(plans []*plan) []error {
	var errs []error
	for _, p := range plans {
		for _, cmd := range p.commands {
			if _, leaves := p.gone[cmd.server]; !leaves {
				errs = append(errs, fmt.Errorf("haproxy took all commands, and yet it needs %q", cmd.text))
				break
			}
		}
	}
	return errs
}

// summary is a result with the commands of the plans.
func summary(plans []*plan) (r Result) {
	for _, p := range plans {
		for _, cmd := range p.commands {
			r.Commands = append(r.Commands, cmd.text)
		}
	}
	return r
}

// problems are the errors of the plans.
func problems(plans []*plan) (errs []error) {
	for _, p := range plans {
		errs = append(errs, p.errs...)
	}
	return errs
}

// maxErrors is how many errors a push names.
const maxErrors = 3

// join makes one error of several: a line that names the first few.
func join(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	j := joined{errs: errs}
	for i, err := range errs {
		if i == maxErrors {
			j.text += fmt.Sprintf("; and %d more", len(errs)-i)
			break
		}
		if i > 0 {
			j.text += "; "
		}
		j.text += err.Error()
	}
	return &j
}

type joined struct {
	text string
	errs []error
}

func (j *joined) Error() string   { return j.text }
func (j *joined) Unwrap() []error { return j.errs }

// quoted returns s quoted for a message, on one line and bounded.
func quoted(s string) string {
	const most = 100
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strconv.QuoteToASCII(s)
}
