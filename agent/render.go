package agent

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"muster/cluster"
	"muster/reconcile"
	"muster/rules"
	"muster/templates"
)

// A rendering is what a rule wants the host to be, and what that hangs on.
type rendering struct {
	unit    reconcile.Unit
	reads   reads
	refused []Refusal
}

// render renders the rule's files from a view and the members selected in it.
// It is a pure function of its arguments.
func (c *compiled) render(v cluster.View, members []cluster.Member) (*rendering, error) {
	outputs, refused, err := c.Outputs(rules.Inputs{View: v, Members: members})
	if err != nil {
		return nil, fmt.Errorf("cannot render rule %s: %w", c.Name, err)
	}
	d := &draft{rule: c, view: v, members: members, filters: map[string]rules.Filter{}, reads: reads{tags: c.tags}}
	// Also where that makes no file at all: then the guard has to be asked.
	d.chosen = slices.ContainsFunc(c.Templates, (*rules.Template).UsesMembers)
	for _, x := range refused {
		d.refused = append(d.refused, Refusal{Place: c.File, Value: fmt.Sprintf("%q", x.Key), Reason: x.Reason})
	}
	for _, out := range outputs {
		if err := d.add(out); err != nil {
			return nil, fmt.Errorf("cannot render rule %s: %w", c.Name, err)
		}
	}
	return d.finish()
}

// A draft is a rendering under way.
type draft struct {
	rule    *compiled
	view    cluster.View
	members []cluster.Member
	files   []reconcile.File
	reads   reads
	refused []Refusal
	left    map[string]bool         // members whose values were refused
	about   [][]cluster.Member      // whom the files are about
	chosen  bool                    // a template or an expression used the selection
	all     bool                    // a template used the whole membership
	filters map[string]rules.Filter // by text
}

// add renders one file.
func (d *draft) add(out rules.Output) error {
	t := d.rule.templates[out.Template]
	data := templates.Data{
		Members: d.members, AllMembers: d.view.Members, Self: d.view.SelfMember(),
		Vars: out.Vars, Rule: d.rule.Name, Select: d.choose, Services: d.offers,
	}
	if out.Each != nil {
		data.HasEach, data.EachKey, data.EachValue = true, out.Each.Key, out.Each.Value
		if out.Each.Members != nil {
			data.Members = out.Each.Members
		}
	}
	result, err := t.Execute(data)
	if err != nil && out.Each != nil && out.Template.UsesMembers() {
		if other, fine := t.Execute(otherKey(data)); fine == nil {
			d.read(out, other.Reads)
			d.refuseKey(out, err)
			return nil
		}
	}
	if err != nil {
		return located(out.Template, err)
	}
	for _, r := range result.Refused {
		refusal := Refusal{Member: r.Member, Place: place(out.Template, r.Line), Value: r.Value, Reason: r.Reason}
		if out.Template.Sensitive {
			refusal.Value, refusal.Reason = "", withheld
		}
		d.refused = append(d.refused, refusal)
		if d.left == nil {
			d.left = map[string]bool{}
		}
		d.left[r.Member] = true
	}
	d.read(out, result.Reads)
	d.files = append(d.files, reconcile.File{
		Path: out.Destination, Bytes: result.Bytes,
		Mode: out.Template.Perms, User: out.Template.User, Group: out.Template.Group,
		MakeDirs: out.Template.CreateDestDirs, Sensitive: out.Template.Sensitive,
		Block: cmp.Or(out.Template.Block, templates.BuiltinBlock(out.Template.Source)),
	})
	return nil
}

// read notes what a file depends on.
func (d *draft) read(out rules.Output, reads templates.Reads) {
	d.chosen = d.chosen || reads.Members
	d.reads.everything = d.reads.everything || reads.AllMembers || out.DependsOnView
	d.reads.self = d.reads.self || reads.Self
	if reads.AllMembers {
		d.all = true
		d.about = append(d.about, alive(d.view.Members))
	}
}

// refuseKey notes that the file of one element of for_each cannot be, for the
// sake of the key that members gave it. The files of the others can.
func (d *draft) refuseKey(out rules.Output, err error) {
	refusal := Refusal{Place: out.Template.File, Value: fmt.Sprintf("%q", out.Each.Key), Reason: located(out.Template, err).Error()}
	if out.Template.Sensitive {
		refusal.Value = ""
	}
	d.refused = append(d.refused, refusal)
}

// otherKey is data with a harmless key of for_each, also in the variables.
func otherKey(data templates.Data) templates.Data {
	const harmless = "x"
	var swap func(any) any
	swap = func(v any) any {
		switch v := v.(type) {
		case string:
			return strings.ReplaceAll(v, data.EachKey, harmless)
		case []any:
			out := make([]any, len(v))
			for i := range v {
				out[i] = swap(v[i])
			}
			return out
		case map[string]any:
			out := make(map[string]any, len(v))
			for k := range v {
				out[k] = swap(v[k])
			}
			return out
		}
		return v
	}
	other := data
	other.Vars, _ = swap(data.Vars).(map[string]any)
	other.EachKey = harmless
	return other
}

// withheld stands for what may quote from a sensitive file.
const withheld = "why is withheld: it may show a sensitive file"

// located is the error of a template with its place in the file that the
// template stands in, and without what it quotes from a sensitive one.
func located(t *rules.Template, err error) error {
	e := (*templates.Error)(nil)
	if !errors.As(err, &e) {
		return err
	}
	at := fmt.Sprintf("%s:%d", place(t, e.Line), e.Column)
	switch {
	case t.Sensitive:
		return fmt.Errorf("%s: %s", at, withheld)
	case e.Hint != "":
		return fmt.Errorf("%s: %s: %s", at, e.Message, e.Hint)
	default:
		return fmt.Errorf("%s: %s", at, e.Message)
	}
}

// place names a line of a template's text.
func place(t *rules.Template, line int) string {
	if t.Builtin() {
		return fmt.Sprintf("%s:%d", t.Source, line)
	}
	return fmt.Sprintf("%s:%d", t.File, t.LineOf(line))
}

// choose is the templates' function members: another selection than the
// rule's, which the file then depends on.
func (d *draft) choose(text string) ([]cluster.Member, error) {
	filter, err := rules.ParseFilter(text)
	if err != nil {
		return nil, err
	}
	d.filters[text] = filter
	var chosen []cluster.Member
	for _, m := range d.view.Members {
		if filter.Match(m) {
			chosen = append(chosen, m)
		}
	}
	d.about = append(d.about, chosen)
	return chosen, nil
}

// alive returns the members that are.
func alive(members []cluster.Member) []cluster.Member {
	return slices.DeleteFunc(slices.Clone(members), func(m cluster.Member) bool { return m.Status != cluster.Alive })
}

// finish puts the rendering together.
func (d *draft) finish() (*rendering, error) {
	c := d.rule
	for _, f := range d.filters {
		d.reads.filters = append(d.reads.filters, f)
	}
	if d.chosen {
		d.about = append(d.about, d.members)
	}
	r := &rendering{reads: d.reads, refused: d.refused, unit: reconcile.Unit{
		Rule: c.Name, Files: d.files, Every: c.Every, OnOrphan: c.OnOrphan,
		Members: names(d.left, d.about...), LeftOut: len(d.left), Static: !d.chosen && !d.all && len(d.filters)+len(d.reads.services) == 0,
		Guard: reconcile.Guard{MinMembers: c.Guard.MinMembers, MaxLoss: c.Guard.MaxLoss, Hold: c.Guard.Hold},
		Alone: d.view.Alone(), Doubt: d.view.Doubt > 0, Failed: failed(d.view), Drained: drained(d.view),
	}}
	slices.SortFunc(r.unit.Files, func(a, b reconcile.File) int { return strings.Compare(a.Path, b.Path) })
	return r, c.addCommands(&r.unit)
}

// names returns the names of the members in the lists, sorted, each once,
// without those left out.
func names(left map[string]bool, lists ...[]cluster.Member) []string {
	size := 0
	for _, members := range lists {
		size += len(members)
	}
	all := make([]string, 0, size)
	for _, members := range lists {
		for i := range members {
			if name := members[i].Name; !left[name] {
				all = append(all, name)
			}
		}
	}
	if !slices.IsSorted(all) {
		slices.Sort(all)
	}
	return slices.Compact(all)
}

// drained returns the members that drain, or drained until they went.
func drained(v cluster.View) map[string]bool {
	var out map[string]bool
	for i := range v.Members {
		if m := &v.Members[i]; m.Draining() {
			if out == nil {
				out = map[string]bool{}
			}
			out[m.Name] = true
		}
	}
	return out
}

// failed returns the members that failed, and did not leave.
func failed(v cluster.View) map[string]bool {
	if v.Doubt == 0 {
		return nil // only doubt asks
	}
	gone := map[string]bool{}
	for _, m := range v.Members {
		if m.Status == cluster.Failed {
			gone[m.Name] = true
		}
	}
	return gone
}
