package doctor

import (
	"cmp"
	"context"
	"slices"
	"time"

	"muster/human"
	"muster/nodes"
	"muster/signing"
)

// noticeable is the offset from which two clocks are said to differ.
const noticeable = 2 * time.Second

// clocks compares this node's clock with those of the others.
func (e *examination) clocks(ctx context.Context) Findings {
	r := report{check: "clock"}
	if yes, known := synchronised(); known && !yes {
		r.add(Warning, "Run one of chrony, systemd-timesyncd or ntpd. In a container the host's counts.", "nobody keeps this machine's clock in step, says the kernel")
	}
	if e.status == nil {
		if len(r.found) == 0 {
			r.skip("no agent runs here to ask the others; the kernel has no complaint")
		}
		return r.found
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	report, err := e.Nodes(ctx)
	if err != nil || report.Problem != "" {
		r.skip("the nodes cannot be asked: %s", cmp.Or(report.Problem, errorText(err)))
		return r.found
	}
	return r.compare(report, e.Config.Config.EventMaxAge)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// compare tells which clocks differ from this node's. What is signed is
// refused if it is older than maxAge, or younger than no age by signing.MaxSkew.
func (r *report) compare(all nodes.Report, maxAge time.Duration) Findings {
	limit := min(signing.MaxSkew, maxAge)
	told := 0
	var most nodes.Clock
	for _, n := range all.Nodes {
		if n.Name == all.Self || n.Clock == nil {
			continue
		}
		told++
		c := *n.Clock
		if c.Offset.Abs() > most.Offset.Abs() {
			most = c
		}
		switch least := c.Offset.Abs() - c.Error; {
		case least > limit:
			r.add(Problem, "Set that clock, or this one, and have both kept in step: chrony, systemd-timesyncd or ntpd.",
				"the clock of %s is %s (give or take %s): what one of them signs the other refuses, for between them may be %s at most", n.Name, ahead(c.Offset), brief(c.Error), limit)
		case least > noticeable:
			r.add(Warning, "Have both clocks kept in step: chrony, systemd-timesyncd or ntpd.", "the clock of %s is %s (give or take %s)", n.Name, ahead(c.Offset), brief(c.Error))
		}
	}
	if told == 0 {
		if !slices.ContainsFunc(r.found, func(f Finding) bool { return f.Level == Problem }) {
			r.skip("no other node has said what time it is there: an agent of Serf's own does not")
		}
		return r.found
	}
	return r.orOK("%s compared, none more than %s away (give or take %s); what is signed bears %s", human.Count(told, "other clock"), brief(most.Offset.Abs()), brief(most.Error), limit)
}

// ahead says how a clock stands.
func ahead(offset time.Duration) string {
	if offset < 0 {
		return brief(-offset) + " behind"
	}
	return brief(offset) + " ahead"
}

// brief is d without more digits than mean something.
func brief(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Millisecond).String()
}
