package rules

import (
	"fmt"
	"path/filepath"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// resolve makes a path that stands in f absolute.
func (f *file) resolve(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(f.dir, path)
}

// text reads a file that a rule names, at most 256 KiB, and watches it.
func (l *loader) text(path string) (string, error) {
	l.watch[path] = true
	b, err := l.read(path, maxTemplate)
	return string(b), err
}

// preload reads what a call of file() asks for. Its argument must be known
// when the rules are loaded: a path is nothing that a member has a say in.
func (b *block) preload(call *hclsyntax.FunctionCallExpr) {
	if len(call.Args) != 1 {
		return // the call itself reports this
	}
	arg := call.Args[0]
	for _, t := range arg.Variables() {
		if t.RootName() != "local" {
			b.problem(arg.Range(), "the path of `file` must be constant", "It is read once, when the rules are loaded: of variables it may use only local.NAME.")
			return
		}
	}
	v, diags := arg.Value(b.base())
	if diags.HasErrors() || !isString(v) {
		return // likewise
	}
	path := b.file.resolve(v.AsString())
	if _, ok := b.loader.contents[path]; ok {
		return
	}
	text, err := b.loader.text(path)
	if err != nil {
		b.problem(arg.Range(), err.Error(), "A path is relative to the file it stands in.")
		return
	}
	b.loader.contents[path] = text
}

// fileFunc is file(path) for expressions in f. It reads nothing: preload did.
func fileFunc(f *file, contents map[string]string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path := f.resolve(args[0].AsString())
			text, ok := contents[path]
			if !ok {
				return cty.NilVal, fmt.Errorf("%s was not read", path)
			}
			return cty.StringVal(text), nil
		},
	})
}
