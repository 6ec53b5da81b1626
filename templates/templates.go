// Package templates turns a template and data into bytes that are safe to
// hand to the program that reads them. It is pure: no clock, no files, no
// network; the same data gives the same bytes.
//
// Templates are Go's text/template with sprig's hermetic functions. Every
// value that a template prints is escaped for the file's Format and for the
// place it stands in (bare, in double quotes, in a comment, …), or refused, by
// rewriting the parse tree as html/template does. A member whose value is
// refused is left out of the output and reported; the others render.
//
// Which members a template gets, when it is rendered and where the bytes go
// is left to packages rules, agent and reconcile.
package templates

import (
	"sync"
	"text/template"

	"muster/cluster"
)

// Bounds on a template's text and on one execution.
const (
	MaxText          = 256 << 10 // bytes of a template's text
	MaxNesting       = 100       // blocks and parentheses inside one another
	DefaultMaxOutput = 4 << 20   // bytes of output, unless Options say otherwise
)

// Options say how a template's text is to be read.
type Options struct {
	Name       string // for messages; a path or a built-in's name
	Format     Format // Text when empty
	LeftDelim  string // "{{" when empty
	RightDelim string // "}}" when empty
	MaxOutput  int64  // bytes; DefaultMaxOutput when 0

	// CheckFilter says what is wrong with a constant filter that the function
	// members is given; nil: the template's execution will tell.
	CheckFilter func(filter string) error
}

// Data is what a template sees. It is read-only, also after Execute has
// returned: a Template remembers it to render less the next time.
type Data struct {
	Members    []cluster.Member // the rule's members, sorted by name
	AllMembers []cluster.Member // every member, sorted by name
	Self       cluster.Member
	Vars       map[string]any // strings, numbers, bools, nil, members; lists ([]any, []cluster.Member) and maps of these
	Rule       string

	EachKey   string // of a rule with for_each: .Each.Key and .Each.Value
	EachValue any
	HasEach   bool

	// Select returns the members that match a filter such as
	// "role=api status=alive|leaving", sorted by name: the function members.
	Select func(filter string) ([]cluster.Member, error)
	// Services returns the services of a type that live members offer, or of
	// any type if it is empty, sorted by member: the function services.
	Services func(typ string) []Offer
}

// A Result is what an execution gave.
type Result struct {
	Bytes   []byte    // read-only: the Template goes on using them
	Refused []Refusal // sorted by member; those members are not in Bytes
	Reads   Reads
}

// A Refusal says why a member was left out.
type Refusal struct {
	Member string // the member's name
	Line   int    // of the template's text, from 1
	Column int    // in bytes, from 1
	Expr   string // what the template was to print there
	Value  string // what that was, quoted and cut to a bounded length
	Reason string // what is wrong with it
}

// Reads is what the output depends on, besides the member's own values: as
// long as none of it changes, neither does the output.
type Reads struct {
	Members, AllMembers, Self bool
	Filters                   []string // sorted; those given to the function members
	Services                  []string // sorted; the types given to the function services
}

// A Template is a parsed template. It may be used by several goroutines;
// executions follow one another.
type Template struct {
	name      string
	format    Format
	text      string
	maxOutput int
	grammar   *grammar
	tmpl      *template.Template
	holes     []hole
	segments  []segment
	blocks    []blockCode
	mutates   bool // uses set or unset

	mu     sync.Mutex
	run    *run               // the execution in progress
	memory map[string]*memory // by for_each key
}

// Parse reads a template. Its error is an *Error and tells the place: syntax,
// unknown functions, unknown fields where the type of what they are asked of
// is known, places in which no value can be printed safely, exceeded bounds.
func Parse(text string, o Options) (*Template, error) {
	p, err := newParser(text, o)
	if err != nil {
		return nil, err
	}
	return p.template()
}

// Format returns the format that t escapes for.
func (t *Template) Format() Format { return t.format }
