package rules

import (
	"embed"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// consumerFiles says of each program that reads files of ours how to check,
// reload and verify it, in blocks as a rule has them. `check = "nginx"` means
// the block `check` in consumers/nginx.hcl; its local values are what a rule
// can set with `with`.
//
//go:embed consumers/*.hcl
var consumerFiles embed.FS

// Consumers returns the names that `check`, `reload` and `verify` may use,
// sorted.
func Consumers() []string {
	entries, err := consumerFiles.ReadDir("consumers")
	if err != nil {
		panic(err) // the files are compiled in
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".hcl"))
	}
	slices.Sort(names)
	return names
}

var consumerShape = shape{what: "a consumer", blocks: map[string][]string{"check": nil, "reload": nil, "verify": nil, "locals": nil}}

// consumer opens the file of the consumer called name.
func (b *block) consumer(name string) *block {
	file := path.Join("consumers", name+".hcl")
	src, err := consumerFiles.ReadFile(file)
	if err != nil {
		return nil
	}
	b.loader.sources[file] = src
	parsed, diags := parseHCL(src, file)
	if diags.HasErrors() {
		panic(diags) // the files are compiled in
	}
	in := *b
	in.locals = map[string]cty.Value{}
	root := in.open(parsed.Body, hcl.Range{Filename: file, Start: hcl.InitialPos, End: hcl.InitialPos}, consumerShape)
	readLocals(root.children("locals"), func(*hcl.Block) *block { return root })
	return root
}

// use returns the block `kind` of the consumer that is named at r, with the
// values of with; nil if there is a mistake, which is then reported.
func (b *block) use(kind, name string, r hcl.Range, with *expr) *block {
	root := b.consumer(name)
	if root == nil {
		b.problem(r, fmt.Sprintf("`%s` cannot be \"%s\": muster knows no such program%s", kind, printable(name), didYouMean(name, Consumers())),
			"Name one of "+and(Consumers())+", or write the command as a list: "+kind+" = [\"PROGRAM\", \"ARGUMENT\", …].")
		return nil
	}
	c := root.child(kind)
	if c == nil {
		b.problem(r, fmt.Sprintf("%s has no `%s`", name, kind), "Leave it out: docs/consumers says why "+name+" does without.")
		return nil
	}
	if with != nil && !with.value.IsNull() && !b.setLocals(root, name, with) {
		return nil
	}
	s := shape{what: "a `" + kind + "` block", attrs: commandAttrs[kind]}
	return root.open(c.Body, c.DefRange, s)
}

// setLocals gives the local values of a consumer those of with.
func (b *block) setLocals(root *block, name string, with *expr) bool {
	places, known := b.keyPlaces("with"), slices.Sorted(maps.Keys(root.locals))
	ok := true
	for k, v := range with.value.AsValueMap() {
		switch {
		case !slices.Contains(known, k):
			detail := "`with` may have " + and(known) + "."
			if len(known) == 0 {
				detail = "Nothing can be set for it: leave `with` out."
			}
			b.problem(places(k), fmt.Sprintf("%s has no value `%s`%s", name, printable(k), didYouMean(k, known)), detail)
			ok = false
		case v.IsNull() || v.AsString() == "":
			b.problem(places(k), fmt.Sprintf("`%s` is empty", printable(k)), "Leave it out for its default.")
			ok = false
		default:
			root.locals[k] = v
		}
	}
	return ok
}
