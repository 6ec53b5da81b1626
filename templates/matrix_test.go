package templates

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/services"
)

// The injection matrix: every hostile value, in every place where a member can
// speak, in every shape that an author without a care gives his template, for
// every format. What is printed is read by somebody who knows nothing of how it
// was escaped: a parser written from the format's documentation, or the real
// program. What he reads is what he reads with harmless values there, but for
// the values; and who is not in it is reported.
//
// A format that is added needs a row here, with its shapes in spots and who reads
// it in reader, and one in frames; a built-in needs one in builtinRows.

// A row is a format: the shapes, with @ for the value; what stands around a
// shape so that there can be one for each member; how it is read.
type row struct {
	format       Format
	shapes       []string
	head, tail   string // of the file
	begin, after string // of a member's part
	read         func(text string) ([]string, error)
}

func rows() []row {
	all := []row{
		{format: Nginx, after: "\n"},
		{format: Haproxy},
		{format: INI},
		{format: YAML, begin: "---\n", after: "\n"},
		{format: JSON, head: "[", begin: "«if $i», «end»", tail: "]"},
		{format: TOML, begin: "[[r]]\n", after: "\n"},
		{format: Shell, after: "\n"},
		{format: Hosts},
		{format: VCL, after: "\n"},
		{format: Keepalived},
		{format: Text},
	}
	for i := range all {
		all[i].shapes = spots(all[i].format)
		all[i].read = reader(all[i].format)
	}
	return all
}

// A voice is a place where a member can speak, and how a template says so. around
// is what stands before and behind a member's part of the file.
type voice struct {
	name    string
	put     func(m *cluster.Member, v string)
	list    string // the members
	around  [2]string
	express string
}

const (
	listed       = ".Members"
	offeredByAll = `services ""`
)

func putName(m *cluster.Member, v string) { m.Name = v }
func putTag(m *cluster.Member, v string)  { m.Tags = map[string]string{"x": v} }
func putKey(m *cluster.Member, v string)  { m.Tags = map[string]string{v: "x"} }
func overTags() (around [2]string) {
	return [2]string{"«range $k, $v := $m.Tags»", "«end»"}
}

func voices() []voice {
	return []voice{
		{"name", putName, listed, [2]string{}, "$m.Name"},
		{"tag", putTag, listed, [2]string{}, "$m.Tags.x"},
		{"tag by index", putTag, listed, [2]string{}, `index $m.Tags "x"`},
		{"tag by tag", putTag, listed, [2]string{}, `tag $m "x"`},
		{"tag by printf", putTag, listed, [2]string{}, `printf "%s" $m.Tags.x`},
		{"tag in a variable", putTag, listed, [2]string{"«$x := $m.Tags.x»", ""}, "$x"},
		{"tag by range", putTag, listed, overTags(), "$v"},
		{"key by range", putKey, listed, overTags(), "$k"},
		{"key by keys", putKey, listed, [2]string{}, "first (keys $m.Tags)"},
		{"tag of vars", putTag, ".Vars.ms", [2]string{}, "$m.Tags.x"},
		{"name in for_each", putName, ".Each.Value", [2]string{}, "$m.Name"},
		{"type of a service", putTag, offeredByAll, [2]string{}, "$m.Type"},
		{"description of a service", putTag, offeredByAll, [2]string{}, "$m.Description"},
		{"host of a service", putTag, offeredByAll, [2]string{}, "$m.Host"},
		{"port of a service", putTag, offeredByAll, [2]string{}, "$m.Port"},
		{"device of a service", putTag, offeredByAll, [2]string{}, "$m.Device"},
		{"text of a service", putTag, offeredByAll, [2]string{}, "$m.Text"},
		{"text of a service by printf", putTag, offeredByAll, [2]string{}, `printf "%s" $m.Text`},
		{"text in a variable", putTag, offeredByAll, [2]string{"«$x := $m.Text»", ""}, "$x"},
		{"text of a reversed list", putTag, `reverse (services "")`, [2]string{}, "$m.Text"},
		{"name by service", putName, offeredByAll, [2]string{}, "$m.Member.Name"},
		{"name by with of a service", putName, offeredByAll, [2]string{"«with $m.Member»", "«end»"}, ".Name"},
		{"tag by service", putTag, offeredByAll, [2]string{}, "$m.Member.Tags.x"},
	}
}

// template parses a shape for the values of members in a place.
func (r row) template(t testing.TB, shape string, p voice) *Template {
	t.Helper()
	tm, err := r.parse(shape, p)
	if err != nil {
		t.Fatalf("%s %q, %s: %v", r.format, shape, p.name, err)
	}
	return tm
}

func (r row) parse(shape string, p voice) (*Template, error) {
	part := p.around[0] + r.begin + strings.ReplaceAll(shape, "@", "«"+p.express+"»") + r.after + p.around[1]
	if r.format == JSON { // the commas are not for the inner loop
		part = r.begin + p.around[0] + strings.TrimPrefix(part[len(p.around[0]):], r.begin)
	}
	text := r.head + "«range $i, $m := " + p.list + "»" + part + "«end»" + r.tail
	return Parse(text, Options{Name: "matrix", Format: r.format, LeftDelim: "«", RightDelim: "»"})
}

// crew makes a member for each value; every tenth is honest besides.
func crew(values []string, p voice) (ms []cluster.Member, honest map[string]bool) {
	honest = map[string]bool{}
	add := func(v string) {
		i := len(ms)
		m := cluster.Member{Name: fmt.Sprintf("m%04d", i), Addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Port: uint16(i + 1), Status: cluster.Alive}
		p.put(&m, v)
		ms = append(ms, m)
	}
	for i, v := range values {
		if i%10 == 0 {
			add(fmt.Sprintf("honest%d", i))
			honest[ms[len(ms)-1].Name] = true
		}
		add(v)
	}
	cluster.SortMembers(ms)
	return ms, honest
}

// said is what m says in the place p.
func (p voice) said(m cluster.Member) string {
	switch {
	case p.put == nil:
		return ""
	case strings.Contains(p.name, "key"):
		for k := range m.Tags {
			return k
		}
	case strings.Contains(p.name, "name"):
		return m.Name
	}
	return m.Tags["x"]
}

// A cell is a template with members who speak in one place: what it prints for
// them, and what it prints for as many harmless ones.
type cell struct {
	what           string
	hostile, clean []byte
	ids            []int             // the ports of the members that are in it
	values         *strings.Replacer // the harmless values by those that stand for them
	refused        int
}

// cell renders a shape, and sees to it that honest members are in it and that
// the others are in it or reported.
func (r row) cell(t testing.TB, shape string, p voice, values []string) cell {
	t.Helper()
	tm := r.template(t, shape, p)
	what := fmt.Sprintf("%s %q, %s", r.format, shape, p.name)
	ms, honest := crew(values, p)
	got, err := tm.Execute(dataOf(ms))
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	out := map[string]bool{}
	for _, f := range got.Refused {
		checkRefusal(t, what, f)
		out[f.Member] = true
		if honest[f.Member] {
			t.Errorf("%s: an honest member is left out: %+v", what, f)
		}
	}
	c := cell{what: what, hostile: got.Bytes, refused: len(out)}
	var clean []cluster.Member
	var pairs []string
	for i, m := range ms {
		if out[m.Name] {
			continue
		}
		marker := fmt.Sprintf("clean%04d", i)
		pairs = append(pairs, marker, p.said(m))
		n := cluster.Member{Name: m.Name, Addr: m.Addr, Port: m.Port, Status: m.Status}
		p.put(&n, marker)
		clean = append(clean, n)
		c.ids = append(c.ids, int(m.Port))
	}
	base, err := tm.Execute(dataOf(clean))
	if err != nil || len(base.Refused) > 0 {
		t.Fatalf("%s: harmless values: %v %v", what, err, base.Refused)
	}
	c.clean, c.values = base.Bytes, strings.NewReplacer(pairs...)
	return c
}

func dataOf(ms []cluster.Member) Data {
	return Data{Rule: "r", Members: ms, AllMembers: ms, Services: offering(ms), HasEach: true, EachKey: "k", EachValue: ms, Vars: map[string]any{"ms": ms}}
}

// offering is a function services: each member offers one, whose texts are all
// what its tag x says.
func offering(ms []cluster.Member) func(string) []Offer {
	return func(string) (all []Offer) {
		for _, m := range ms {
			x := m.Tags["x"]
			all = append(all, Offer{m, services.Service{Type: x, Description: x, Host: x, Port: x, Device: x, Text: x}})
		}
		return all
	}
}

// checkRefusal holds a report to its form: who, where, what and why, in
// characters that a terminal and a log take.
func checkRefusal(t testing.TB, what string, f Refusal) {
	t.Helper()
	said := f.Expr + f.Value + f.Reason
	switch {
	case f.Line < 1 || f.Column < 1 || f.Expr == "" || f.Value == "" || f.Reason == "":
		t.Errorf("%s: an incomplete report: %+v", what, f)
	case len(said) > 1000 || !utf8.ValidString(said) || strings.ContainsFunc(said, hidden):
		t.Errorf("%s: a report that is not fit to be shown: %q", what, said)
	}
}

// check compares what is read of the hostile file with what is read of the
// harmless one.
func (c cell) check(t testing.TB, reader string, read func(string) ([]string, error)) {
	t.Helper()
	want, err := read(string(c.clean))
	if err != nil {
		t.Fatalf("%s: %s cannot read harmless values: %v in:\n%s", c.what, reader, err, c.clean)
	}
	got, err := read(string(c.hostile))
	if err != nil {
		t.Errorf("%s: %s cannot read: %v in:\n%.3000s", c.what, reader, err, c.hostile)
		return
	}
	c.compare(t, reader, want, got)
}

func (c cell) compare(t testing.TB, reader string, want, got []string) {
	t.Helper()
	want = slices.Clone(want)
	for i := range want {
		want[i] = c.values.Replace(want[i])
	}
	if diff := cmp.Diff(sortDicts(want), sortDicts(got)); diff != "" {
		t.Errorf("%s: %s sees another structure (-want +got):\n%.3000s", c.what, reader, diff)
	}
}

// TestMatrix reads every cell with a parser of its own kind.
func TestMatrix(t *testing.T) {
	cells, printed := 0, 0
	have := map[Format]bool{}
	for _, r := range rows() {
		have[r.format] = true
		if len(r.shapes) < 2 || r.read == nil {
			t.Errorf("%s: %d shapes, and who reads them?", r.format, len(r.shapes))
		}
		for _, shape := range r.shapes {
			for _, p := range voices() {
				if r.format == Shell && !shellReadable(shape) {
					continue // a real shell reads it: TestMatrixShells
				}
				c := r.cell(t, shape, p, hostile)
				c.check(t, "a parser", r.read)
				if len(c.ids) < len(hostile)/10+3 {
					t.Errorf("%s: only %d members are in it", c.what, len(c.ids))
				}
				cells += len(hostile)
				printed += len(c.ids)
			}
		}
	}
	for _, f := range Formats() {
		if !have[f] {
			t.Errorf("the format %s has no row in the matrix", f)
		}
	}
	t.Logf("%d cells, %d of them printed", cells, printed)
}

// shellReadable reports whether the little parser of words can read a script.
func shellReadable(shape string) bool {
	return !strings.ContainsAny(strings.ReplaceAll(shape, "'", ""), "$\n\\")
}

// TestMatrixOfTheRule is about what no member can be blamed for: a var, or the
// key of for_each, is printed so that the structure holds, or the file is not
// made.
func TestMatrixOfTheRule(t *testing.T) {
	for _, r := range rows() {
		for _, shape := range r.shapes {
			if r.format == Shell && !shellReadable(shape) {
				continue
			}
			tm := spotTemplate(t, r.format, shape)
			printed := 0
			for _, v := range hostile {
				if checkStructure(t, tm, shape, v) {
					printed++
				}
			}
			if printed < 3 {
				t.Errorf("%s %q: only %d of %d values are printed", r.format, shape, printed, len(hostile))
			}
		}
	}
}
