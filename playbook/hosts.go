package playbook

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// hosts reads one text of a play's `hosts`.
func (r *reader) hosts(path string, node *yaml.Node) {
	at := place{path, node.Line}
	tag := node.ShortTag() // !!int and the like, or one as in `!unsafe web`
	if node.Kind != yaml.ScalarNode || strings.HasPrefix(tag, "!!") && tag != "!!str" || strings.TrimSpace(node.Value) == "" {
		r.mistake(at, "`hosts` is the name of a group, a pattern, or a list of them")
		return
	}
	if isTemplate(node.Value) {
		r.note(at, fmt.Sprintf("hosts: %q is a template, which only Ansible can evaluate: name its groups with --group", node.Value))
		return
	}
	for _, part := range split(node.Value) {
		term, err := parse(part)
		if err != nil {
			r.mistake(at, "%v", err)
		} else if term != nil && !slices.ContainsFunc(r.terms, term.equal) {
			r.terms = append(r.terms, *term)
		}
	}
}

// isTemplate reports whether Ansible would evaluate a text.
func isTemplate(text string) bool {
	return strings.Contains(text, "{{") || strings.Contains(text, "{%")
}

// parts are apart by colons or blanks, but not within brackets.
var parts = regexp.MustCompile(`(?:[^\s:\[\]]|\[[^\]]*\])+`)

// hostPort is a host with the port of its ssh.
var hostPort = regexp.MustCompile(`^[^:\s]+:[0-9]+$`)

// split takes the patterns apart that a text holds, as Ansible's
// split_host_pattern does: at commas; where there is none at colons, if the
// text is not the address of one host.
func split(text string) []string {
	if strings.Contains(text, ",") {
		return strings.Split(text, ",")
	}
	if text = strings.TrimSpace(text); isAddress(text) || hostPort.MatchString(text) {
		return []string{text}
	}
	return parts.FindAllString(text, -1)
}

// isAddress reports whether a text is an IP address, with a port or without.
func isAddress(text string) bool {
	_, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		_, err = netip.ParseAddrPort(text)
	}
	return err == nil
}

// subscript is the choice of some of the hosts that match.
var subscript = regexp.MustCompile(`\[(?:-?[0-9]+|[0-9]+[:-][0-9]*)\]$`)

// proper is how a group can be called that stands in an inventory.
var proper = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// own are names of which Ansible itself knows the hosts, or which are hosts.
var own = []string{"all", "*", "ungrouped", "localhost"}

// parse reads one pattern, nil if no group of an inventory matters to it.
func parse(text string) (*Term, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "!") || strings.HasPrefix(text, "&") {
		text = strings.TrimSpace(text[1:])
	}
	if expr, ok := strings.CutPrefix(text, "~"); ok {
		return compile(text, "^(?:"+expr+")")
	}
	text = subscript.ReplaceAllString(text, "")
	if text == "" || slices.Contains(own, text) || isAddress(text) || hostPort.MatchString(text) {
		return nil, nil
	}
	if strings.ContainsAny(text, "*?[") {
		return compile(text, glob(text))
	}
	return &Term{Name: text}, CheckGroup(text)
}

// CheckGroup reports why no group of an inventory can have a name.
func CheckGroup(name string) error {
	switch {
	case slices.Contains(own, name) || name == "_meta":
		return fmt.Errorf("no group can be called %q: the name has another meaning in every inventory", name)
	case !proper.MatchString(name):
		return fmt.Errorf("%q is no name for a group: only letters, digits, _ . and - can be written into an inventory", name)
	}
	return nil
}

// compile is the term of a pattern.
func compile(text, expr string) (*Term, error) {
	pattern, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("%q is no pattern: %s", text, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	return &Term{Pattern: pattern}, nil
}

// glob is a shell's pattern as a regular expression, as Python's fnmatch reads
// it: a [ that nothing closes is itself.
func glob(text string) string {
	var out strings.Builder
	out.WriteString("^(?s:")
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '*':
			out.WriteString(".*")
		case '?':
			out.WriteString(".")
		case '[':
			class, rest, negated := text[i+1:], 0, false
			if strings.HasPrefix(class, "!") {
				class, negated, rest = class[1:], true, 1
			}
			end := -1
			if len(class) > 0 { // a ] at the beginning is one of the class
				end = strings.IndexByte(class[1:], ']')
			}
			if end < 0 {
				out.WriteString(`\[`)
				continue
			}
			out.WriteString("[")
			if negated {
				out.WriteString("^")
			}
			out.WriteString(strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`).Replace(class[:end+1]))
			out.WriteString("]")
			i += rest + end + 2
		default:
			out.WriteString(regexp.QuoteMeta(text[i : i+1]))
		}
	}
	out.WriteString(")$")
	return out.String()
}

// equal reports whether two terms mean the same.
func (t *Term) equal(other Term) bool {
	if t.Pattern == nil || other.Pattern == nil {
		return t.Pattern == nil && other.Pattern == nil && t.Name == other.Name
	}
	return t.Pattern.String() == other.Pattern.String()
}
