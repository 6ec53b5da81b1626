package rules

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

var templateShape = shape{
	what: "a `template` block",
	attrs: []string{"source", "contents", "destination", "vars", "perms", "user", "group", "format", "create_dest_dirs",
		"left_delimiter", "right_delimiter", "sensitive", "for_each", "max_output", "block"},
	hints: map[string]string{
		"mode":    "Write perms = \"0644\".",
		"owner":   "Write user = \"…\".",
		"command": "A rule's files are one transaction: write `check` and `reload` beside the `template` block.",
		"exec":    "A rule's files are one transaction: write `check` and `reload` beside the `template` block.",
		"check":   "A rule's files are one transaction: write `check` beside the `template` block.",
		"reload":  "A rule's files are one transaction: write `reload` beside the `template` block.",
		"wait":    "Write `wait` beside the `template` block: it holds for the rule.",
		"backup":  "muster puts the old files back by itself when a check or a reload fails.",
	},
}

// readTemplate reads one template block.
func (b *block) readTemplate(c *hcl.Block) *Template {
	s := b.open(c.Body, c.DefRange, templateShape)
	t := &Template{
		Format:         s.readFormat(),
		LeftDelim:      s.delimiter("left_delimiter"),
		RightDelim:     s.delimiter("right_delimiter"),
		Perms:          s.readPerms(),
		User:           s.account("user"),
		Group:          s.account("group"),
		CreateDestDirs: s.flag("create_dest_dirs"),
		Block:          s.readBlock(),
		Sensitive:      s.flag("sensitive"),
		MaxOutput:      s.size("max_output", defaultMaxOutput, 1, 256<<20),
		at:             placeOf(c.DefRange),
	}
	if (t.LeftDelim == "") != (t.RightDelim == "") {
		s.problem(c.DefRange, "`left_delimiter` and `right_delimiter` go together", "Give both, or neither.")
	}
	s.readText(t)
	s.readForEach(t)
	return t
}

// readText reads `source` or `contents`.
func (b *block) readText(t *Template) {
	source, contents := b.attrs["source"], b.attrs["contents"]
	switch {
	case source != nil && contents != nil:
		b.problem(contents.NameRange, "`source` and `contents` are two answers to one question", "Keep one of them.")
	case contents != nil:
		v, ok := b.constant("contents", cty.String)
		if ok {
			t.Text = v.AsString()
		}
		if len(t.Text) > maxTemplate {
			b.wrong("contents", "`contents` is larger than 256 KiB", "")
		}
		t.File, t.Line, t.quoted = b.file.name, contents.Expr.Range().Start.Line, !b.heredoc(contents.Expr.Range())
		if !t.quoted {
			t.Line++
		}
	case source == nil:
		b.problem(b.at, "a template without `source` or `contents`", "Write source = \"NAME\" with a built-in's name or a path, or contents = \"…\".")
	default:
		if v, ok := b.constant("source", cty.String); ok {
			b.readSource(t, v.AsString())
		}
	}
}

// heredoc reports whether the string at r is one, with lines of its own.
func (b *block) heredoc(r hcl.Range) bool {
	src := b.loader.sources[r.Filename]
	return r.Start.Byte+2 <= len(src) && string(src[r.Start.Byte:r.Start.Byte+2]) == "<<"
}

func isBuiltin(source string) bool {
	return source != "" && !strings.Contains(source, "/") && !strings.HasSuffix(source, ".tmpl")
}

func (b *block) readSource(t *Template, source string) {
	builtins := b.loader.known.Builtins
	switch {
	case source == "":
		b.wrong("source", "`source` is empty", "The built-in templates are "+and(builtins)+".")
	case isBuiltin(source):
		t.Source = source
		t.File, t.Line, t.quoted = b.file.name, b.attrs["source"].Expr.Range().Start.Line, true
		if !slices.Contains(builtins, source) {
			b.wrong("source", fmt.Sprintf("no built-in template `%s`%s", printable(source), didYouMean(source, builtins)),
				fmt.Sprintf("The built-in templates are %s. A file's name contains a slash or ends in .tmpl: \"./%s\".", and(builtins), printable(source)))
		}
	default:
		t.Source = b.file.resolve(source)
		text, err := b.loader.text(t.Source)
		if err != nil {
			b.wrong("source", err.Error(), "A path is relative to the file it stands in; a template has 256 KiB at most.")
		}
		t.Text, t.File, t.Line = text, t.Source, 1
		if slices.Contains(b.loader.known.Skip, t.Source) {
			b.file.skip, b.loader.broken = true, true
		}
	}
}

func (b *block) readFormat() string {
	v, ok := b.constant("format", cty.String)
	if !ok {
		return ""
	}
	formats := b.loader.known.Formats
	if formats != nil && !slices.Contains(formats, v.AsString()) {
		b.wrong("format", fmt.Sprintf("no format `%s`%s", printable(v.AsString()), didYouMean(v.AsString(), formats)), "The formats are "+and(formats)+".")
	}
	return v.AsString()
}

func (b *block) delimiter(name string) string {
	s := b.str(name)
	if strings.TrimSpace(s) != s || len(s) > 16 || strings.ContainsAny(s, "\n\r") {
		b.wrong(name, fmt.Sprintf("`%s` cannot be \"%s\"", name, printable(s)), "A delimiter has up to 16 characters and no space.")
	}
	return s
}

// readBlock reads the sign that begins a comment in a file of which only a
// block is muster's.
func (b *block) readBlock() string {
	sign := b.str("block")
	if b.attrs["block"] != nil && !commentSign.MatchString(sign) {
		b.wrong("block", fmt.Sprintf("`block` cannot be \"%s\"", printable(sign)), "Write the sign that begins a comment in that file: block = \"#\".")
	}
	return sign
}

var commentSign = regexp.MustCompile(`^[!-/:-@\[-` + "`" + `{-~]{1,3}$`)

// readPerms reads permission bits in octal: "0644", "644" or 0644.
func (b *block) readPerms() *fs.FileMode {
	v, ok := b.constant("perms", cty.String)
	if !ok {
		return nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(v.AsString(), "0o"), 8, 32)
	if err != nil || n > 0o777 {
		b.wrong("perms", fmt.Sprintf("`perms` cannot be \"%s\"", printable(v.AsString())), "Write permission bits in octal, from \"0000\" to \"0777\": \"0644\".")
		return nil
	}
	mode := fs.FileMode(n)
	return &mode
}

// accountName is what shadow-utils lets a user or group be called, and a
// little more; or a number.
var accountName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}\$?$`)

// account reads the name or number of a user or group. Whether it exists is
// for the host to say that the rule is used on.
func (b *block) account(name string) string {
	s := b.str(name)
	if b.attrs[name] != nil && s != "" && !accountName.MatchString(s) {
		hint := fmt.Sprintf("Write a name or a number: %s = \"www-data\".", name)
		if user, group, ok := strings.Cut(s, ":"); ok && name == "user" {
			hint = fmt.Sprintf("Write them apart: user = \"%s\" and group = \"%s\".", printable(user), printable(group))
		}
		b.wrong(name, fmt.Sprintf("`%s` cannot be \"%s\"", name, printable(s)), hint)
	}
	return s
}

// readForEach reads `for_each` and what may depend on it.
func (b *block) readForEach(t *Template) {
	spread := useMembers | useSelf
	t.forEach = b.expression("for_each", spec{what: "`for_each`", allowed: spread, want: cty.DynamicPseudoType})
	each := cty.DynamicPseudoType
	allowed := spread
	if b.attrs["for_each"] != nil {
		allowed |= useEach
		each = b.eachType(t.forEach)
	}
	t.vars = b.expression("vars", spec{what: "`vars`", allowed: allowed, want: cty.DynamicPseudoType, each: each})
	b.checkVars(t.vars)
	b.checkBuiltinVars(t)
	if b.attrs["destination"] == nil {
		b.problem(b.at, "a template without `destination`", "Write destination = \"/etc/…\".")
		return
	}
	t.destination = b.expression("destination", spec{what: "`destination`", allowed: allowed, want: cty.String, each: each})
	b.checkDestination(t)
}

// eachType returns what each.value will be, and reports a for_each that
// cannot be one.
func (b *block) eachType(e *expr) cty.Type {
	if e == nil {
		return cty.DynamicPseudoType
	}
	t := e.kind
	switch {
	case t == cty.DynamicPseudoType || t.IsObjectType():
		return cty.DynamicPseudoType
	case t.IsMapType():
		return t.ElementType()
	case (t.IsListType() || t.IsSetType()) && (t.ElementType() == cty.String || t.ElementType() == cty.DynamicPseudoType || t.ElementType() == memberType):
		return t.ElementType()
	case t.IsTupleType():
		return cty.DynamicPseudoType
	}
	b.wrong("for_each", "`for_each` must be a map, a list of strings or a list of members", fmt.Sprintf("It is %s here. For one file per role write for_each = group_by(members, \"role\").", typeName(t)))
	return cty.DynamicPseudoType
}

func (b *block) checkVars(e *expr) {
	if e == nil {
		return
	}
	if t := e.kind; t != cty.DynamicPseudoType && !t.IsObjectType() && !t.IsMapType() {
		b.wrong("vars", "`vars` must be an object", fmt.Sprintf("It is %s here. Write vars = { name = value }.", typeName(t)))
	}
}

// checkBuiltinVars reports vars that a built-in does not take, where their names
// are written out.
func (b *block) checkBuiltinVars(t *Template) {
	known := b.loader.known
	if t.vars == nil || !t.Builtin() || !slices.Contains(known.Builtins, t.Source) || known.Vars == nil {
		return
	}
	takes := known.Vars(t.Source)
	pairs, _ := hcl.ExprMap(b.attrs["vars"].Expr)
	for _, p := range pairs {
		if k, _ := p.Key.Value(nil); isString(k) && !slices.Contains(takes, k.AsString()) {
			b.problem(p.Key.Range(), fmt.Sprintf("%s takes no var `%s`%s", t.Source, printable(k.AsString()), didYouMean(k.AsString(), takes)), "It takes "+and(takes)+".")
		}
	}
}

// ConstantVars returns t's vars, if they are the same for every membership.
func (t *Template) ConstantVars() (vars map[string]any, ok bool) {
	if t.uses() != 0 {
		return nil, false
	}
	vars, err := t.variables(&scope{})
	return vars, err == nil
}

// checkDestination reports a destination that no file can have.
func (b *block) checkDestination(t *Template) {
	e := t.destination
	if e == nil {
		return
	}
	if !e.constant() {
		if _, ok := destinationParts(e.code); !ok && e.uses&fromNetwork != 0 {
			b.wrong("destination", "`destination` is not a plain string with ${…}",
				"What comes from the cluster is checked before it becomes part of a path, so it must be seen: \"/etc/app/${each.key}.conf\".")
		}
		if prefix, ok := constantPrefix(e); ok && !strings.HasPrefix(prefix, "/") {
			b.wrong("destination", "`destination` must be an absolute path", "It begins with a slash.")
		}
		return
	}
	if e.value.IsNull() {
		b.wrong("destination", "`destination` is null", "")
		return
	}
	path := e.value.AsString()
	switch hint := badPath(path); {
	case !filepath.IsAbs(path):
		b.wrong("destination", fmt.Sprintf("`destination` must be an absolute path, not \"%s\"", printable(path)), fmt.Sprintf("Write \"%s\".", printable(filepath.Join("/etc", path))))
	case hint != "":
		b.wrong("destination", fmt.Sprintf("`destination` cannot be \"%s\"", printable(path)), hint)
	case b.attrs["for_each"] != nil:
		b.wrong("destination", "every file of `for_each` would have the same `destination`", "Let it mention each.key: \"/etc/app/${each.key}.conf\".")
	}
}
