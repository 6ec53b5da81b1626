package page

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"muster/agent"
	"muster/reconcile"
)

// mostCalm is how many rules that need nobody the overview shows behind those
// that do, so that the nodes are not far below.
const mostCalm = 20

// rulesPage is the page of all rules.
func (p *Page) rulesPage(_ context.Context, s *snapshot, r *http.Request) (document, error) {
	q := queryOf(r)
	all, found := s.rulesByNeed(), []agent.RuleStatus{}
	words, texts := q.words(), s.ruleTexts.get(func() (texts []string) {
		for _, r := range all {
			texts = append(texts, searched(saidOfRule(r)...))
		}
		return texts
	})
	for i, r := range all {
		if matches(words, texts[i]) {
			found = append(found, r)
		}
	}
	shown, page := cut(found, q, "rule", len(all))
	d := document{title: "rules – muster", template: "rules", query: q, lists: []string{"rules"}, parts: page.parts("pager")}
	d.parts = append(d.parts, ruleParts(shown)...)
	return d, nil
}

// firstRules are the rules of the overview: those that need somebody to look, and
// a few more; of very many the first.
func (s *snapshot) firstRules() []part {
	all := s.rulesByNeed()
	calm := slices.IndexFunc(all, func(r agent.RuleStatus) bool { return need(r) == len(needs) })
	if calm < 0 {
		calm = len(all)
	}
	shown := all[:min(calm+mostCalm, pageSize, len(all))]
	page := pager{What: "rule", From: 1, To: len(shown), Of: len(all), All: len(all)}
	if len(shown) < len(all) {
		page.Whole = "/rules"
	}
	return append(page.parts("rules-pager"), ruleParts(shown)...)
}

func ruleParts(list []agent.RuleStatus) (parts []part) {
	for _, r := range list {
		parts = append(parts, part{"rule:" + r.Rule, "rules", "rule-row", newRuleRow(r)})
	}
	return parts
}

// needs are the classes of states that need somebody to look, the most urgent
// first.
var needs = []string{"bad", "warn"}

// need is how much a rule needs somebody to look: less is more, and len(needs)
// not at all.
func need(r agent.RuleStatus) int { return rank(needs, ruleState(r.State, r.Busy).Class) }

// rulesByNeed are the rules in the order in which somebody should look at them;
// of equal ones by name, as they come.
func (s *snapshot) rulesByNeed() []agent.RuleStatus {
	return s.byNeed.get(func() []agent.RuleStatus {
		return slices.SortedStableFunc(slices.Values(s.rules), func(a, b agent.RuleStatus) int { return cmp.Compare(need(a), need(b)) })
	})
}

// saidOfRule is all that is shown of a rule.
func saidOfRule(r agent.RuleStatus) []string {
	word := ruleState(r.State, r.Busy).Word
	said := []string{r.Rule, r.Description, word, is(word), r.Why}
	for _, f := range r.Files {
		said = append(said, f.Path, ruleState(f.State, false).Word)
	}
	return said
}

// A ruleRow is a rule in the list of rules.
type ruleRow struct {
	Name, Description, Why string
	State                  state
	Since                  time.Time
	Members                int
	Renders                bool
	Files                  []fileRow
}

// A fileRow is a file in it.
type fileRow struct {
	Path, Why string
	State     state
	Since     time.Time
	Drifts    int
	Drifted   time.Time
	Sensitive bool
	// Sums, if it is not sensitive.
	Desired, Disk, Loaded string
}

func newRuleRow(r agent.RuleStatus) ruleRow {
	row := ruleRow{
		Name: r.Rule, Description: visible(r.Description), Why: visible(ends(r.Why, 300)), State: ruleState(r.State, r.Busy), Since: r.Since,
		Members: r.Members, Renders: r.State != agent.Acts,
	}
	for _, f := range r.Files {
		row.Files = append(row.Files, newFileRow(f))
	}
	return row
}

func newFileRow(f reconcile.FileStatus) fileRow {
	row := fileRow{
		Path: visible(f.Path), Why: visible(ends(f.Why, 300)), State: ruleState(f.State, false), Since: f.Since,
		Drifts: f.Drifts, Drifted: f.Drifted, Sensitive: f.Sensitive,
	}
	if !f.Sensitive {
		row.Desired, row.Disk, row.Loaded = f.Desired, f.Disk, f.Loaded
	}
	return row
}
