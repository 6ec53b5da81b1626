package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"muster/rules"
)

// A loader gathers settings and mistakes from one source after another.
type loader struct {
	settings []setting
	sources  map[string][]byte // by file name, for what the problems show
	problems rules.Problems
	files    []string
	foreign  string // a file that does not count where it may not be read
}

// A setting is one key that was given a value somewhere. Applied in order,
// they make the configuration.
type setting struct {
	key   key
	at    hcl.Range // of the value; zero for a flag
	apply func(*Config)
}

func (l *loader) diagnose(diags hcl.Diagnostics) {
	for _, p := range rules.Diagnose(diags, l.sources) {
		if l.secret(p) {
			p.Snippet = ""
		}
		l.problems = append(l.problems, p)
	}
}

// secret reports whether what a problem would show may be a secret: its key
// stands in the same line, or before it with the value to come.
func (l *loader) secret(p rules.Problem) bool {
	text := p.Snippet
	lines := bytes.SplitN(l.sources[p.File], []byte("\n"), p.Line)
	for i := p.Line - 2; i >= 0 && i < len(lines); i-- {
		before := bytes.TrimSpace(lines[i])
		if len(before) > 0 && !bytes.HasSuffix(before, []byte("=")) && !bytes.HasSuffix(before, []byte(":")) && !bytes.Contains(before, []byte("<<")) {
			break
		}
		text += string(before)
	}
	text = strings.ToLower(text)
	return strings.Contains(text, "encrypt") || strings.Contains(text, "auth")
}

// fail is a mistake that has no place in a file.
func (l *loader) fail(format string, args ...any) {
	l.problems = append(l.problems, rules.Problem{Severity: rules.Error, Summary: fmt.Sprintf(format, args...)})
}

// muster reads muster.hcl, or every *.hcl of a directory. Only a path that was
// asked for must be there.
func (l *loader) muster(path string, asked bool) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		l.directory(path, ".hcl", l.musterFile)
	case err == nil || asked || !errors.Is(err, fs.ErrNotExist):
		l.musterFile(path)
	}
}

// directory reads the files of one kind that lie in a directory, by name.
func (l *loader) directory(path, ext string, read func(string)) {
	entries, err := os.ReadDir(path)
	if err != nil {
		l.fail("cannot read %s: %v", path, cause(err))
		return
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ext) && !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
			read(filepath.Join(path, e.Name()))
		}
	}
}

// read reads a file whose name the problems will use.
func (l *loader) read(path string) ([]byte, bool) {
	text, err := rules.ReadFile(path, maxFile)
	if err != nil {
		p := rules.Problem{Severity: rules.Error, Summary: err.Error()}
		if errors.Is(err, fs.ErrPermission) {
			p.Detail = "Run this as root, or as a member of the file's group."
			if path == l.foreign {
				p.Severity, p.Summary = rules.Warning, p.Summary+"; it does not count"
				p.Detail = "The rules are this user's own. Where it is to count, run this as root, or as a member of the file's group."
			}
		}
		l.problems = append(l.problems, p)
		return nil, false
	}
	l.sources[path] = text
	l.files = append(l.files, path)
	return text, true
}

func (l *loader) musterFile(path string) {
	if text, ok := l.read(path); ok {
		l.hcl(text, path)
	}
}

// hcl reads the text of a muster.hcl.
func (l *loader) hcl(text []byte, name string) {
	body, diags := parseHCL(text, name)
	if diags.HasErrors() {
		l.diagnose(diags)
		return
	}
	for _, a := range inOrder(body.Attributes) {
		l.diagnose(mistake(a.NameRange, fmt.Sprintf("%s must stand in a block", a.Name), whereIs(a.Name)))
	}
	for _, b := range body.Blocks {
		if !slices.Contains(blocks, b.Type) {
			l.diagnose(mistake(b.TypeRange, fmt.Sprintf("no block is called %q", b.Type), cmp.Or(whereIs(b.Type), choose(b.Type, blocks))))
			continue
		}
		if b.Type == serviceBlock {
			l.service(b)
			continue
		}
		if len(b.Labels) > 0 {
			l.diagnose(mistake(b.LabelRanges[0], fmt.Sprintf("%s takes no name", b.Type), fmt.Sprintf("Write %s { … }.", b.Type)))
		}
		l.block(b, filepath.Dir(name))
	}
}

func (l *loader) block(b *hclsyntax.Block, dir string) {
	attributes := inOrder(b.Body.Attributes)
	if b.Type == "cluster" {
		// What the block itself says comes after the files that it names.
		attributes = slices.DeleteFunc(attributes, func(a *hclsyntax.Attribute) bool { return l.serfFiles(a, dir) })
	}
	for _, a := range attributes {
		l.setting(b.Type, a.Name, a.NameRange, a.Expr, dir)
	}
	for _, inner := range b.Body.Blocks {
		if b.Type == "cluster" && inner.Type == "mdns" {
			for _, a := range inOrder(inner.Body.Attributes) {
				l.setting(mdnsBlock, a.Name, a.NameRange, a.Expr, dir)
			}
			for _, b := range inner.Body.Blocks {
				l.unknown(mdnsBlock, b.Type, b.TypeRange)
			}
		} else if _, ok := find(b.Type, inner.Type); ok {
			l.diagnose(mistake(inner.TypeRange, fmt.Sprintf("%s is a setting, not a block", inner.Type), fmt.Sprintf("Write %s = { … }.", inner.Type)))
		} else {
			l.unknown(b.Type, inner.Type, inner.TypeRange)
		}
	}
}

// serfFiles reads the files that config_file and config_dir name, one path or
// a list of them. It reports whether a is one of these two.
func (l *loader) serfFiles(a *hclsyntax.Attribute, dir string) bool {
	if a.Name != "config_file" && a.Name != "config_dir" {
		return false
	}
	paths := make([]string, 1)
	diags := decode(a.Name, a.Expr, &paths[0])
	if diags.HasErrors() {
		paths = nil
		diags = decode(a.Name, a.Expr, &paths)
	}
	l.diagnose(diags)
	for _, p := range paths {
		path := under(dir, p)
		if _, err := os.Stat(path); err != nil {
			l.diagnose(mistake(a.Expr.Range(), fmt.Sprintf("cannot read %s: %v", path, cause(err)), ""))
			continue
		}
		l.serf(path)
	}
	return true
}

// serf reads one of Serf's JSON files, or every *.json of a directory.
func (l *loader) serf(path string) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		l.directory(path, ".json", l.serfFile)
		return
	}
	l.serfFile(path)
}

func (l *loader) serfFile(path string) {
	if text, ok := l.read(path); ok {
		l.json(text, path)
	}
}

// json reads the text of one of Serf's files.
func (l *loader) json(text []byte, name string) {
	attributes, diags := parseJSON(text, name)
	l.diagnose(diags)
	for _, a := range slices.SortedFunc(maps.Values(attributes), func(a, b *hcl.Attribute) int {
		return cmp.Compare(a.NameRange.Start.Byte, b.NameRange.Start.Byte)
	}) {
		// Serf takes its keys in any case, and paths from the working directory.
		l.setting("cluster", strings.ToLower(a.Name), a.NameRange, a.Expr, "")
	}
}

// setting takes one key with its value.
func (l *loader) setting(block, name string, at hcl.Range, expr hcl.Expression, dir string) {
	if block == "cluster" && name == "mdns" {
		l.mdns(expr, dir)
		return
	}
	k, ok := find(block, name)
	if !ok {
		l.unknown(block, name, at)
		return
	}
	if diags := decode(name, expr, k.field(&Config{})); diags.HasErrors() {
		l.diagnose(diags)
		return
	}
	if k.warning != "" {
		l.diagnose(hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: name + ": " + k.warning, Subject: &at}})
	}
	l.settings = append(l.settings, setting{key: k, at: expr.Range(), apply: func(c *Config) {
		field := k.field(c)
		// The diagnostics are the same as the first time: none.
		_ = decode(name, expr, field)
		k.resolve(field, dir)
	}})
}

// mdns takes the settings of mdns where it is written as a map, as in Serf's
// JSON.
func (l *loader) mdns(expr hcl.Expression, dir string) {
	if v, bad := expr.Value(nil); !bad.HasErrors() && v.IsNull() {
		return
	}
	pairs, bad := hcl.ExprMap(expr)
	if bad.HasErrors() {
		l.diagnose(mistake(expr.Range(), "mdns must be a map", `Write it in braces: { interface = "eth0" }.`))
		return
	}
	for _, pair := range pairs {
		name, diags := constant(pair.Key)
		if diags.HasErrors() {
			l.diagnose(diags)
			continue
		}
		l.setting(mdnsBlock, strings.ToLower(plain(name)), pair.Key.Range(), pair.Value, dir)
	}
}

// resolve makes a path absolute. dir is where relative ones count from.
func (k key) resolve(field any, dir string) {
	switch p := field.(type) {
	case *address:
		*p = address(resolveRPC(string(*p), dir))
	case *rpcAddress:
		p.Addr = resolveRPC(p.Addr, dir)
	case *string:
		if abs, err := filepath.Abs(under(dir, *p)); k.path && *p != "" && err == nil {
			*p = abs
		}
	}
}

// unknown reports a key that there is not.
func (l *loader) unknown(block, name string, at hcl.Range) {
	l.diagnose(mistake(at, fmt.Sprintf("no key in %s is called %q", block, name), cmp.Or(whereIs(name), choose(name, names(block)))))
}

// whereIs says which block a key belongs in.
func whereIs(name string) string {
	if name == "mdns" {
		return "It belongs in the cluster block: cluster { mdns { … } }."
	}
	for _, k := range keys {
		if k.name == name {
			block, example := k.place()
			return fmt.Sprintf("It belongs in the %s block: %s.", block, example)
		}
	}
	return ""
}

// choose suggests the nearest of the choices, or lists them.
func choose(name string, choices []string) string {
	if slices.Contains(choices, name) {
		return "It may stand in muster.hcl only."
	}
	if near := rules.Suggest(name, choices); near != "" {
		return fmt.Sprintf("Did you mean %q?", near)
	}
	if len(choices) > 10 {
		return "" // more than a message can bear; the documentation lists them
	}
	return "There are: " + strings.Join(choices, ", ") + "."
}

func inOrder(attributes hclsyntax.Attributes) []*hclsyntax.Attribute {
	return slices.SortedFunc(maps.Values(attributes), func(a, b *hclsyntax.Attribute) int {
		return cmp.Compare(a.NameRange.Start.Byte, b.NameRange.Start.Byte)
	})
}

// under returns path as seen from dir; a dir of "" is the working directory.
func under(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// cause strips the path, which the message has elsewhere.
func cause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
