package rules

import (
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"muster/cluster"
)

// uses is the set of variables that an expression mentions or may mention.
type uses uint

const (
	useEvent uses = 1 << iota
	useMember
	useMembers
	useSelf
	useEach
	useStaged
	useRun
	useLocal
	useWrapper
)

// fromNetwork are the variables whose values other nodes choose.
const fromNetwork = useEvent | useMember | useMembers | useSelf | useEach | useRun

// A variable is a name that expressions may use.
type variable struct {
	use    uses
	attrs  []string // its attributes; nil: any
	remedy string   // where it has a meaning
	kind   cty.Type
}

// variables holds every variable by name.
var variables = map[string]variable{
	"event": {useEvent, []string{"type", "name", "payload", "ltime", "from", "signer"},
		"`event` is known only in rules that act: in `when`, `run`, `send` and `respond`.",
		cty.Object(map[string]cty.Type{"type": cty.String, "name": cty.String, "payload": cty.String, "ltime": cty.Number,
			"from": cty.String, "signer": cty.String})},
	"member": {useMember, memberAttrs,
		"`member` is known only in `where`, and in rules that act on member events: in `when`, `run` and `send`.", memberType},
	"members": {useMembers, nil,
		"`members` is known only in `where`, in a template's `for_each`, `destination` and `vars`, and in rules that act.", cty.List(memberType)},
	"self": {useSelf, memberAttrs,
		"`self` is known only in `where`, in a template's `for_each`, `destination` and `vars`, and in rules that act.", memberType},
	"each": {useEach, []string{"key", "value"},
		"`each` is known only in `destination` and `vars` of a template with `for_each`.", cty.DynamicPseudoType},
	"staged": {useStaged, nil,
		"`staged` is known only in `check`: it holds the path of each file before it is put in place.", cty.Map(cty.String)},
	"wrapper": {useWrapper, nil,
		"`wrapper` is known only in the `command` of a `check` block that has a `wrapper`: it is the path of that file.", cty.String},
	"run": {useRun, []string{"stdout", "exit_code"},
		"`run` is known only after a `run` block of the same rule: it is what the command printed.",
		cty.Object(map[string]cty.Type{"stdout": cty.String, "exit_code": cty.Number})},
	"local": {useLocal, nil, "", cty.DynamicPseudoType},
}

// names lists the variables in u, sorted.
func (u uses) names() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if u&variables[name].use != 0 {
			names = append(names, name)
		}
	}
	return names
}

// A scope is what the variables of an expression stand for. It caches the
// values that are dear to build, so one serves for many evaluations against
// one view. It is not safe for concurrent use.
type scope struct {
	view   *cluster.View    // members in `where`, and self
	chosen []cluster.Member // members elsewhere; nil: view's
	member *cluster.Member
	event  *cluster.Event
	signer string // of event; empty: nobody
	each   *Each
	staged map[string]string
	wrap   string // path of the check's wrapper
	run    *RunResult

	members, self, eachValue cty.Value // caches
	of                       *expr     // whose context is
	ctx                      *hcl.EvalContext
	left                     *int // rounds of loops, see child
}

// context returns the context in which e is evaluated.
func (s *scope) context(e *expr) *hcl.EvalContext {
	if s.of != e {
		s.of = e
		s.ctx, s.left = child(e.base, make(map[string]cty.Value, 3))
	}
	*s.left = maxRounds
	s.values(e.uses, s.ctx.Variables)
	return s.ctx
}

// values returns the variables that u names, as cty sees them.
func (s *scope) values(u uses, into map[string]cty.Value) {
	if u&useMember != 0 {
		into["member"] = memberValue(s.member)
	}
	if u&useMembers != 0 {
		if s.members == cty.NilVal {
			s.members = membersValue(s.list())
		}
		into["members"] = s.members
	}
	if u&useSelf != 0 {
		if s.self == cty.NilVal {
			self := s.view.SelfMember()
			s.self = memberValue(&self)
		}
		into["self"] = s.self
	}
	if u&useEvent != 0 {
		into["event"] = eventValue(s.event, s.signer)
	}
	if u&useEach != 0 {
		into["each"] = cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(s.each.Key), "value": s.eachValue})
	}
	if u&useStaged != 0 {
		into["staged"] = stringMap(s.staged)
	}
	if u&useWrapper != 0 {
		into["wrapper"] = cty.StringVal(s.wrap)
	}
	if u&useRun != 0 {
		into["run"] = runValue(s.run)
	}
}

func (s *scope) list() []cluster.Member {
	if s.chosen != nil || s.view == nil {
		return s.chosen
	}
	return s.view.Members
}
