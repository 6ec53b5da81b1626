package templates

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"gopkg.in/yaml.v3"
)

// The readers here take a file apart as the program that it is for does:
// into tokens, with markers where the structure changes. They were written
// from the formats' documentation, apart from what escapes for them.

// readers holds the reader of each format but shell, which a real shell reads.
func reader(f Format) func(string) ([]string, error) {
	switch f {
	case Nginx:
		return readNginx
	case Haproxy:
		return readHaproxy
	case INI:
		return readINI
	case Hosts:
		return readHosts
	case VCL:
		return readVCL
	case Keepalived:
		return readKeepalived
	case Shell:
		return func(s string) ([]string, error) {
			return shellWords(s, "\\\"'$`", func(b byte) byte { return b }, ";&|<>()$`*?[]~!^{}\n\r")
		}
	case Text:
		return func(s string) ([]string, error) { return strings.SplitAfter(s, "\n"), nil }
	case JSON:
		return func(s string) ([]string, error) {
			var v any
			d := json.NewDecoder(strings.NewReader(s))
			d.UseNumber()
			if err := d.Decode(&v); err != nil {
				return nil, err
			}
			if d.More() {
				return nil, fmt.Errorf("more than one value")
			}
			return flatten(v, nil), nil
		}
	case YAML:
		return func(s string) ([]string, error) {
			var out []string
			for d := yaml.NewDecoder(strings.NewReader(s)); ; {
				var v any
				if err := d.Decode(&v); err == io.EOF {
					return out, nil
				} else if err != nil {
					return out, err
				}
				out = flatten(v, append(out, "(document)"))
			}
		}
	case TOML:
		return func(s string) ([]string, error) {
			var v map[string]any
			_, err := toml.Decode(s, &v)
			return flatten(v, nil), err
		}
	}
	panic("no reader for " + f)
}

// readYAMLNodes reads nodes and their text, whatever type it has.
func readYAMLNodes(s string) ([]string, error) {
	var out []string
	var list func(n *yaml.Node)
	list = func(n *yaml.Node) {
		out = append(out, fmt.Sprint("(", n.Kind, n.Anchor, n.Tag == "!!null", ")"), n.Value)
		for _, c := range n.Content {
			list(c)
		}
	}
	for d := yaml.NewDecoder(strings.NewReader(s)); ; {
		var doc yaml.Node
		if err := d.Decode(&doc); err == io.EOF {
			return out, nil
		} else if err != nil {
			return out, err
		}
		list(&doc)
	}
}

// flatten lists a value's parts, dictionaries sorted by key.
func flatten(v any, to []string) []string {
	r := reflect.ValueOf(v)
	switch {
	case !r.IsValid():
		return append(to, "(null)")
	case r.Kind() == reflect.Map:
		var keys []string
		for _, k := range r.MapKeys() {
			keys = append(keys, fmt.Sprint(k))
		}
		slices.Sort(keys)
		to = append(to, "(dict)")
		for _, k := range keys {
			for it := r.MapRange(); it.Next(); {
				if fmt.Sprint(it.Key()) == k {
					to = flatten(it.Value().Interface(), append(to, k))
				}
			}
		}
		return append(to, "(end)")
	case r.Kind() == reflect.Slice:
		to = append(to, "(list)")
		for i := range r.Len() {
			to = flatten(r.Index(i).Interface(), to)
		}
		return append(to, "(end)")
	case r.Kind() == reflect.String:
		return append(to, r.String())
	}
	return append(to, fmt.Sprintf("(%s) %v", r.Kind(), v))
}

// readNginx reads words and the ; { } between them.
func readNginx(s string) ([]string, error) {
	var out []string
	for i := 0; i < len(s); {
		switch b := s[i]; {
		case strings.IndexByte(" \t\r\n", b) >= 0:
			i++
		case b == ';' || b == '{' || b == '}':
			out = append(out, "("+string(b)+")")
			i++
		case b == '#':
			for i < len(s) && s[i] != '\n' {
				i++
			}
		default:
			word, n, err := nginxWord(s[i:])
			if err != nil {
				return nil, err
			}
			out = append(out, word)
			i += n
		}
	}
	return out, nil
}

// nginxWord reads one word: in quotes when it begins with one; a backslash
// makes \t, \r, \n, takes a quote or a backslash, and else stays.
func nginxWord(s string) (word string, n int, err error) {
	quote := byte(0)
	if s[0] == '"' || s[0] == '\'' {
		quote = s[0]
		n = 1
	}
	var w []byte
	for ; n < len(s); n++ {
		b := s[n]
		switch {
		case b == '\\' && n+1 < len(s):
			n++
			if i := strings.IndexByte(`"'\tnr`, s[n]); i >= 0 {
				w = append(w, "\"'\\\t\n\r"[i])
			} else {
				w = append(w, '\\', s[n])
			}
		case b == '$':
			return "", 0, fmt.Errorf("a variable")
		case quote != 0 && b == quote:
			if n+1 < len(s) && strings.IndexByte(" \t\r\n;{)", s[n+1]) < 0 {
				return "", 0, fmt.Errorf("unexpected %q after a quote", s[n+1])
			}
			return string(w), n + 1, nil
		case quote == 0 && strings.IndexByte(" \t\r\n;{", b) >= 0:
			return string(w), n, nil
		default:
			w = append(w, b)
		}
	}
	if quote != 0 {
		return "", 0, fmt.Errorf("an open quote")
	}
	return string(w), n, nil
}

// readHaproxy reads words and line ends, as the manual's section 2.2 has it.
func readHaproxy(s string) ([]string, error) {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		words, err := shellWords(line, "\\ \"'#$nrt", func(b byte) byte {
			if i := strings.IndexByte("nrt", b); i >= 0 {
				return "\n\r\t"[i]
			}
			return b
		}, "")
		if err != nil {
			return nil, err
		}
		for _, w := range words {
			if strings.Contains(w, "%[") {
				return nil, fmt.Errorf("a sample expression")
			}
		}
		out = append(append(out, words...), "(line)")
	}
	return out, nil
}

// readINI reads sections, words and line ends as Ansible does: with shlex.
func readINI(s string) ([]string, error) {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';' {
			continue
		}
		if strings.Contains(trimmed, "{{") || strings.Contains(trimmed, "{%") {
			return nil, fmt.Errorf("a Jinja expression")
		}
		if trimmed[0] == '[' {
			name, rest, ok := strings.Cut(trimmed[1:], "]")
			if !ok || strings.ContainsAny(name, ":;#") {
				return nil, fmt.Errorf("a bad section")
			}
			out = append(out, "(section)", name, rest)
			continue
		}
		if m := assignment.FindStringSubmatch(line); m != nil {
			out = append(out, m[1], "(=)", strings.TrimSuffix(m[2], "\r"), "(line)")
			continue
		}
		words, err := shellWords(trimmed, "\\\"", func(b byte) byte { return b }, "")
		if err != nil {
			return nil, err
		}
		for i, w := range words {
			if k, v, ok := strings.Cut(w, "="); ok {
				words[i] = k + "(=)" + v
			}
		}
		out = append(append(out, words...), "(line)")
	}
	return out, nil
}

// assignment is a line of other readers than Ansible's, and of its [x:vars].
var assignment = regexp.MustCompile(`^([^\s=]*) *= (.*)$`)

// shellWords splits a line: quotes anywhere, # a comment outside them,
// a backslash before one of escapable takes it. Characters of special are
// errors outside quotes, and a $ and a backquote in double quotes.
func shellWords(line, escapable string, unescape func(byte) byte, special string) ([]string, error) {
	var words []string
	var word []byte
	in, quote := false, byte(0)
	for i := 0; i < len(line); i++ {
		b := line[i]
		switch {
		case quote == 0 && strings.IndexByte(special, b) >= 0, quote == '"' && b == '`' && special != "":
			return nil, fmt.Errorf("a special character: %q", b)
		case quote == '\'' && b != '\'', quote == '"' && b != '"' && b != '\\' && b != '$':
			word = append(word, b)
		case quote != 0 && b == quote:
			quote = 0
		case b == '$' && quote == '"':
			return nil, fmt.Errorf("a variable")
		case b == '\\' && i+1 < len(line) && strings.IndexByte(escapable, line[i+1]) >= 0:
			i++
			word, in = append(word, unescape(line[i])), true
		case b == '\\' && quote == 0:
			return nil, fmt.Errorf("a bare backslash")
		case b == '"' || b == '\'':
			quote, in = b, true
		case b == '#' && quote == 0:
			i = len(line)
		case (b == ' ' || b == '\t' || b == '\r') && quote == 0:
			if in {
				words, word, in = append(words, string(word)), nil, false
			}
		default:
			word, in = append(word, b), true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("an open quote")
	}
	if in {
		words = append(words, string(word))
	}
	return words, nil
}

// readHosts reads lines of an address and names.
func readHosts(s string) ([]string, error) {
	var out []string
	for line := range strings.SplitSeq(s, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if _, err := netip.ParseAddr(words[0]); err != nil {
			return nil, err
		}
		for _, w := range words[1:] {
			if l := strings.ToLower(w); l == "localhost" || strings.HasPrefix(l, "ip6-") {
				return nil, fmt.Errorf("%s", w)
			}
		}
		out = append(append(out, words...), "(line)")
	}
	return out, nil
}
