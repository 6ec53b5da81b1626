package rules

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"muster/cluster"
)

// functions returns the functions that expressions may call: those of cty's
// standard library under the names that HCL's users know, and our own. None
// reads the clock, the environment, the network or anything random: the same
// membership always gives the same values.
func functions() map[string]function.Function {
	return map[string]function.Function{
		"abs":             stdlib.AbsoluteFunc,
		"can":             tryfunc.CanFunc,
		"ceil":            stdlib.CeilFunc,
		"chomp":           stdlib.ChompFunc,
		"chunklist":       stdlib.ChunklistFunc,
		"coalesce":        stdlib.CoalesceFunc,
		"coalescelist":    stdlib.CoalesceListFunc,
		"compact":         stdlib.CompactFunc,
		"concat":          stdlib.ConcatFunc,
		"contains":        stdlib.ContainsFunc,
		"csvdecode":       stdlib.CSVDecodeFunc,
		"distinct":        stdlib.DistinctFunc,
		"element":         stdlib.ElementFunc,
		"flatten":         stdlib.FlattenFunc,
		"floor":           stdlib.FloorFunc,
		"format":          format(stdlib.FormatFunc),
		"formatlist":      format(stdlib.FormatListFunc),
		"group_by":        groupByFunc,
		"has_tag_item":    hasTagItemFunc,
		"index":           stdlib.IndexFunc,
		"join":            stdlib.JoinFunc,
		"jsondecode":      jsonDecodeFunc,
		"jsonencode":      stdlib.JSONEncodeFunc,
		"keys":            stdlib.KeysFunc,
		"length":          lengthFunc,
		"lookup":          stdlib.LookupFunc,
		"lower":           stdlib.LowerFunc,
		"max":             stdlib.MaxFunc,
		"merge":           stdlib.MergeFunc,
		"min":             stdlib.MinFunc,
		"parseint":        stdlib.ParseIntFunc,
		"range":           stdlib.RangeFunc,
		"regex":           stdlib.RegexFunc,
		"regexall":        stdlib.RegexAllFunc,
		"regexreplace":    stdlib.RegexReplaceFunc,
		"replace":         stdlib.ReplaceFunc,
		"reverse":         stdlib.ReverseListFunc,
		"setintersection": stdlib.SetIntersectionFunc,
		"setsubtract":     stdlib.SetSubtractFunc,
		"setunion":        stdlib.SetUnionFunc,
		"signum":          stdlib.SignumFunc,
		"slice":           stdlib.SliceFunc,
		"sort":            stdlib.SortFunc,
		"split":           stdlib.SplitFunc,
		"strrev":          stdlib.ReverseFunc,
		"substr":          stdlib.SubstrFunc,
		"title":           stdlib.TitleFunc,
		"tobool":          stdlib.MakeToFunc(cty.Bool),
		"tolist":          stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
		"tomap":           stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
		"tonumber":        stdlib.MakeToFunc(cty.Number),
		"toset":           stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
		"tostring":        stdlib.MakeToFunc(cty.String),
		"trim":            stdlib.TrimFunc,
		"trimprefix":      stdlib.TrimPrefixFunc,
		"trimspace":       stdlib.TrimSpaceFunc,
		"trimsuffix":      stdlib.TrimSuffixFunc,
		"try":             tryfunc.TryFunc,
		"upper":           stdlib.UpperFunc,
		"values":          stdlib.ValuesFunc,
		"zipmap":          stdlib.ZipmapFunc,
	}
}

// groupByFunc sorts members into a map of lists by the value of one tag. A
// member without the tag, or with an empty one, is in none.
var groupByFunc = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "members", Type: cty.List(memberType)},
		{Name: "tag", Type: cty.String},
	},
	Type: function.StaticReturnType(cty.Map(cty.List(memberType))),
	Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
		tag, groups := args[1].AsString(), map[string][]cty.Value{}
		for _, m := range args[0].Elements() {
			if m.IsNull() || !m.IsKnown() {
				return cty.UnknownVal(t), nil
			}
			if v := m.EncapsulatedValue().(*cluster.Member).Tags[tag]; v != "" {
				groups[v] = append(groups[v], m)
			}
		}
		lists := make(map[string]cty.Value, len(groups))
		for k, ms := range groups {
			lists[k] = cty.ListVal(ms)
		}
		if len(lists) == 0 {
			return cty.MapValEmpty(cty.List(memberType)), nil
		}
		return cty.MapVal(lists), nil
	},
})

// hasTagItemFunc reports whether a tag's value, a list with commas as Serf
// writes lists into tags, has an item. A null value has none.
var hasTagItemFunc = function.New(&function.Spec{
	Params: []function.Parameter{
		{Name: "value", Type: cty.String, AllowNull: true},
		{Name: "item", Type: cty.String},
	},
	Type: function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if args[0].IsNull() {
			return cty.False, nil
		}
		for item := range strings.SplitSeq(args[0].AsString(), ",") {
			if strings.TrimSpace(item) == args[1].AsString() {
				return cty.True, nil
			}
		}
		return cty.False, nil
	},
})

// lengthFunc is length as HCL's users know it: of a string, too.
var lengthFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		switch t := args[0].Type(); {
		case t == cty.String:
			return stdlib.Strlen(args[0])
		case t.IsTupleType() || t.IsObjectType() || t.IsCollectionType():
			return cty.NumberIntVal(int64(args[0].LengthInt())), nil
		}
		return cty.NilVal, function.NewArgErrorf(0, "must be a list, a map or a string")
	},
})

// jsonDecodeFunc is jsondecode without the numbers that cost too much.
var jsonDecodeFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "str", Type: cty.String}},
	Type: func(args []cty.Value) (cty.Type, error) {
		if args[0].IsKnown() && checkJSON([]byte(args[0].AsString()), "") != nil {
			return cty.NilType, function.NewArgErrorf(0, "is nested too deep or holds a number that is too large")
		}
		return stdlib.JSONDecodeFunc.ReturnTypeForValues(args)
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return stdlib.JSONDecode(args[0]) },
})

// numericVerb finds verbs of format that turn a string into a number, and
// widths that would fill the memory.
var numericVerb = regexp.MustCompile(`%[^%a-zA-Z]*[bdefgoxXEG]`)
var wideVerb = regexp.MustCompile(`%[^%a-zA-Z]*[0-9]{4}`)

// format bounds what format and formatlist may be asked for.
func format(f function.Function) function.Function {
	check := func(args []cty.Value) error {
		spec := args[0]
		if spec.IsNull() || !spec.IsKnown() || spec.Type() != cty.String {
			return nil
		}
		if wideVerb.MatchString(spec.AsString()) {
			return function.NewArgErrorf(0, "a width may have three digits at most")
		}
		if !numericVerb.MatchString(spec.AsString()) {
			return nil
		}
		if i := slices.IndexFunc(args[1:], isTooBig); i >= 0 {
			return errors.New("a number is too large")
		}
		return nil
	}
	return function.New(&function.Spec{
		Params:   f.Params(),
		VarParam: f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			if err := check(args); err != nil {
				return cty.NilType, err
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call(args) },
	})
}

// isTooBig reports whether v is, or lists, a string that is a number too big.
func isTooBig(v cty.Value) bool {
	if v.IsNull() || !v.IsWhollyKnown() || v.IsMarked() {
		return false
	}
	if v.Type() == cty.String {
		return tooBig(v.AsString())
	}
	return v.CanIterateElements() && slices.ContainsFunc(elements(v), isTooBig)
}

func elements(v cty.Value) []cty.Value {
	var vs []cty.Value
	for _, e := range v.Elements() {
		vs = append(vs, e)
	}
	return vs
}
