package rules

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"muster/cluster"
)

// A Test is one test block: a membership, perhaps an event, and what a rule
// must make of it.
type Test struct {
	Name, File string
	Line       int
	Members    []cluster.Member // sorted
	Self       string           // the name of one of them
	Event      *cluster.Event   // nil: none
	Signer     string           // whose good signature Event carries; empty: nobody's
	Expects    []Expect
}

// An Expect is what a test expects of one rule.
type Expect struct {
	Rule  string
	Line  int
	Files []ExpectFile
	Runs  [][]string // the argvs that it runs, in order; nil: not looked at
	at    hcl.Range
}

// An ExpectFile is what a test expects of one file.
type ExpectFile struct {
	Path            string
	Line            int
	Contains, Lacks []string
	Equals          *string // nil: not looked at
	// Golden is the absolute path of the file that Equals is the text of; empty
	// if `equals` is anything but file(PATH).
	Golden string
}

// testMember is a member as a test gives it.
var testMember = cty.ObjectWithOptionalAttrs(map[string]cty.Type{
	"name": cty.String, "addr": cty.String, "port": cty.Number, "status": cty.String, "tags": cty.Map(cty.String),
}, []string{"name", "addr", "port", "status", "tags"})

const serfPort = 7946 // the port of a test's member that gives none

// readTest reads one test block.
func (b *block) readTest(c *hcl.Block) *Test {
	s := b.open(c.Body, c.DefRange, shape{what: "a test", attrs: []string{"members", "self"},
		blocks: map[string][]string{"expect": {"rule"}, "event": nil}})
	t := &Test{Name: c.Labels[0], File: c.DefRange.Filename, Line: c.DefRange.Start.Line}
	if hint := badName(t.Name); hint != "" {
		s.problem(c.LabelRanges[0], fmt.Sprintf("\"%s\" cannot be a test's name", printable(t.Name)), hint)
	}
	s.readTestMembers(t)
	t.Self = s.str("self")
	isSelf := func(m cluster.Member) bool { return m.Name == t.Self }
	switch {
	case s.attrs["self"] == nil:
		s.problem(c.DefRange, "a test without `self`", "Write self = \"NAME\": on which member the rules are tried.")
	case t.Members != nil && !slices.ContainsFunc(t.Members, isSelf):
		s.wrong("self", fmt.Sprintf("`self` is no member of this test: \"%s\"", printable(t.Self)), "")
	}
	s.readTestEvent(t)
	expects := s.children("expect")
	for _, e := range expects {
		t.Expects = append(t.Expects, s.readExpect(e, t.Event != nil))
	}
	if len(expects) == 0 {
		s.problem(c.DefRange, "a test that expects nothing", "Add expect \"RULE\" { … }.")
	}
	return t
}

// readTestMembers reads `members`, each with its defaults.
func (b *block) readTestMembers(t *Test) {
	if b.attrs["members"] == nil {
		b.problem(b.at, "a test without `members`", "Write members = [{ name = \"web1\", addr = \"10.0.0.1\", tags = { role = \"web\" } }].")
		return
	}
	v, ok := b.constant("members", cty.DynamicPseudoType)
	if !ok {
		return
	}
	if !v.CanIterateElements() || v.Type().IsMapType() || v.Type().IsObjectType() {
		b.wrong("members", "`members` must be a list of objects", "")
		return
	}
	items, _ := hcl.ExprList(b.attrs["members"].Expr)
	t.Members = []cluster.Member{}
	for i, x := range elements(v) {
		at := b.attrs["members"].Expr.Range()
		if i < len(items) {
			at = items[i].Range()
		}
		m, err := readMember(x)
		if err != nil {
			b.problem(at, err.Error(), "")
			continue
		}
		if slices.ContainsFunc(t.Members, func(o cluster.Member) bool { return o.Name == m.Name }) {
			b.problem(at, fmt.Sprintf("a second member \"%s\"", printable(m.Name)), "")
			continue
		}
		t.Members = append(t.Members, m)
	}
	cluster.SortMembers(t.Members)
}

// readMember turns one object into a member.
func readMember(v cty.Value) (cluster.Member, error) {
	m := cluster.Member{Port: serfPort, Status: cluster.Alive, Tags: map[string]string{}}
	if v.Type().IsObjectType() {
		for _, name := range slices.Sorted(maps.Keys(v.Type().AttributeTypes())) {
			if !slices.Contains(memberAttrs, name) {
				return m, fmt.Errorf("a member has no `%s`%s", printable(name), didYouMean(name, memberAttrs))
			}
		}
	}
	v, err := convert.Convert(v, testMember)
	if err != nil {
		return m, fmt.Errorf("this is no member: %w", err)
	}
	if v.IsNull() || v.GetAttr("name").IsNull() || v.GetAttr("name").AsString() == "" {
		return m, fmt.Errorf("a member needs a name")
	}
	m.Name = v.GetAttr("name").AsString()
	if a := v.GetAttr("addr"); !a.IsNull() {
		addr, err := netip.ParseAddr(a.AsString())
		if err != nil {
			return m, fmt.Errorf("\"%s\" is not an IP address", printable(a.AsString()))
		}
		m.Addr = addr
	}
	if p := v.GetAttr("port"); !p.IsNull() {
		n, _ := p.AsBigFloat().Int64()
		if n < 1 || n > 65535 || !p.AsBigFloat().IsInt() {
			return m, fmt.Errorf("a port is a number from 1 to 65535")
		}
		m.Port = uint16(n)
	}
	if s := v.GetAttr("status"); !s.IsNull() {
		m.Status = cluster.Status(s.AsString())
		if !m.Status.Valid() {
			return m, fmt.Errorf("no status `%s`", printable(s.AsString()))
		}
	}
	if tags := v.GetAttr("tags"); !tags.IsNull() {
		for k, x := range tags.Elements() {
			if !x.IsNull() {
				m.Tags[k.AsString()] = x.AsString()
			}
		}
	}
	return m, nil
}

// readTestEvent reads the event that a test sends, if any; of a member event,
// `member` names one of the test's.
func (b *block) readTestEvent(t *Test) {
	c := b.child("event")
	if c == nil {
		return
	}
	s := b.open(c.Body, c.DefRange, shape{what: "an `event` block", attrs: []string{"type", "name", "payload", "ltime", "member", "signer"}})
	e := &cluster.Event{Name: s.str("name"), Payload: []byte(s.str("payload")), LTime: uint64(s.count("ltime", 1, 0, 1<<30))}
	e.Type = s.oneOf("type", cluster.EventUser, eventTypes[:len(eventTypes)-1]...)
	t.Event = e
	if t.Signer = s.str("signer"); t.Signer != "" && e.Type != cluster.EventUser {
		s.wrong("signer", fmt.Sprintf("`signer` has no meaning for `%s`", e.Type), "Only user events can be signed.")
	}
	about := strings.HasPrefix(e.Type, "member-")
	if s.attrs["member"] == nil {
		if about {
			s.problem(c.DefRange, fmt.Sprintf("a `%s` without its member", e.Type), "Write member = \"NAME\".")
		}
		return
	}
	name := s.str("member")
	switch i := slices.IndexFunc(t.Members, func(m cluster.Member) bool { return m.Name == name }); {
	case !about:
		s.wrong("member", fmt.Sprintf("`member` has no meaning for `%s`", e.Type), "")
	case i < 0:
		s.wrong("member", fmt.Sprintf("`member` is no member of this test: \"%s\"", printable(name)), "")
	default:
		e.Members = []cluster.Member{t.Members[i]}
	}
}

func (b *block) readExpect(c *hcl.Block, event bool) Expect {
	s := b.open(c.Body, c.DefRange, shape{what: "an `expect` block", attrs: []string{"runs"}, blocks: map[string][]string{"file": {"path"}}})
	e := Expect{Rule: c.Labels[0], Line: c.DefRange.Start.Line, at: c.LabelRanges[0]}
	for _, f := range s.children("file") {
		e.Files = append(e.Files, s.readExpectFile(f))
	}
	if v, ok := s.constant("runs", cty.List(cty.List(cty.String))); ok {
		e.Runs = [][]string{}
		for _, argv := range elements(v) {
			var words []string
			for _, w := range elements(argv) {
				if !w.IsNull() {
					words = append(words, w.AsString())
				}
			}
			e.Runs = append(e.Runs, words)
		}
		if !event {
			s.problem(s.attrs["runs"].NameRange, "`runs` without an event", "Only an event makes a rule run something: add event { name = \"…\" } to the test.")
		}
	}
	return e
}

func (b *block) readExpectFile(c *hcl.Block) ExpectFile {
	s := b.open(c.Body, c.DefRange, shape{what: "a `file` block", attrs: []string{"contains", "lacks", "equals"}})
	f := ExpectFile{Path: c.Labels[0], Line: c.DefRange.Start.Line}
	f.Contains, _ = s.strList("contains")
	f.Lacks, _ = s.strList("lacks")
	if v, ok := s.constant("equals", cty.String); ok {
		text := v.AsString()
		if f.Golden = s.golden("equals"); f.Golden != "" {
			text = s.loader.contents[f.Golden] // byte for byte: cty normalizes
		}
		f.Equals = &text
	}
	if len(s.attrs) == 0 {
		s.problem(c.DefRange, "a `file` block that expects nothing", "It may have "+and(s.shape.attrs)+".")
	}
	return f
}

// golden returns the file whose text the attribute is; empty if its value is
// anything but file(PATH).
func (b *block) golden(name string) string {
	e, diags := native(b.attrs[name].Expr)
	if diags.HasErrors() {
		return ""
	}
	if whole, ok := e.(*hclsyntax.TemplateWrapExpr); ok { // JSON: "${file(…)}"
		e = whole.Wrapped
	}
	call, ok := e.(*hclsyntax.FunctionCallExpr)
	if !ok || call.Name != "file" || len(call.Args) != 1 {
		return ""
	}
	path, diags := call.Args[0].Value(b.base())
	if diags.HasErrors() || !isString(path) {
		return ""
	}
	return b.file.resolve(path.AsString())
}

// checkTests reports tests of rules that do not exist.
func (l *loader) checkTests(set *Set) {
	var names []string
	for _, r := range set.Rules {
		names = append(names, r.Name)
	}
	for _, t := range set.Tests {
		for _, e := range t.Expects {
			if set.Rule(e.Rule) == nil && !l.broken {
				l.report(Problem{Severity: Error, Summary: fmt.Sprintf("no rule \"%s\"%s", printable(e.Rule), didYouMean(e.Rule, names))}, e.at)
			}
		}
	}
}
