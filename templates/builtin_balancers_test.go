package templates

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"muster/cluster"
)

// The rows of the built-ins for programs that pass connections on, and of
// names, and their readers: an entry for each server.

func balancerRows() map[string]builtinRow {
	return map[string]builtinRow{
		"nginx-map": {map[string]any{"variable": "$node", "port": 80}, []string{"port"}, mapEntries, func(m cluster.Member) entry {
			return entry{dialled(m, "port", 80), map[string]string{m.Name: ""}}
		}},
		"nginx-map key_tag": {map[string]any{"variable": "$node", "port": 80, "key_tag": "host"}, []string{"port", "host"}, mapEntries, func(m cluster.Member) entry {
			e := entry{dialled(m, "port", 80), map[string]string{}}
			for key := range strings.SplitSeq(m.Tags["host"], ",") {
				if key = strings.ToLower(strings.TrimSpace(key)); key != "" {
					e.facts[key] = ""
				}
			}
			if len(e.facts) == 0 {
				return entry{}
			}
			return e
		}},
		"keepalived-real-servers": {map[string]any{"virtual": "10.9.9.9", "virtual_port": 80, "weight_tag": "weight"}, []string{"port", "weight"}, realServerEntries, func(m cluster.Member) entry {
			return entry{dialled(m, "port", 80), weightOf(m, map[string]string{"weight": "1", "check": "TCP_CHECK"})}
		}},
		"varnish-directors": {map[string]any{"director": "web", "port": 80, "kind": "random", "weight_tag": "weight"}, []string{"port", "weight"}, directorEntries, func(m cluster.Member) entry {
			return entry{m.Name, weightOf(m, map[string]string{"weight": "1", "address": dialled(m, "port", 80)})}
		}},
		"hosts-block": {map[string]any{"short": true}, nil, blockEntries, func(m cluster.Member) entry {
			e := entry{m.Name, map[string]string{"address": m.Addr.Unmap().String()}}
			if !strings.Contains(m.Name, ".") {
				e.facts["short"] = m.Name
			}
			return e
		}},
	}
}

// nginxBlock reads the one block of a file: the words before it, and its directives.
func nginxBlock(text string) (head []string, directives [][]string, err error) {
	words, err := readNginx(strings.NewReplacer("$host", "HOST", "$node", "NODE").Replace(text))
	if err != nil {
		return nil, nil, err
	}
	open := slices.Index(words, "({)")
	if open < 0 || words[len(words)-1] != "(})" || slices.Contains(words[open+1:], "({)") {
		return nil, nil, fmt.Errorf("not one block: %q", words)
	}
	var d []string
	for _, w := range words[open+1 : len(words)-1] {
		if w == "(})" {
			return nil, nil, fmt.Errorf("the block is closed twice: %q", words)
		}
		if w != "(;)" {
			d = append(d, w)
			continue
		}
		directives, d = append(directives, d), nil
	}
	if d != nil {
		return nil, nil, fmt.Errorf("no end of %q", d)
	}
	return words[:open], directives, nil
}

// mapEntries is an entry for each address, with its keys.
func mapEntries(text string) ([]entry, error) {
	head, directives, err := nginxBlock(text)
	if err != nil || !slices.Equal(head, []string{"map", "HOST", "NODE"}) {
		return nil, fmt.Errorf("the block of %q, %v", head, err)
	}
	var es []entry
	for _, d := range directives {
		if len(d) != 2 || slices.Contains([]string{"default", "hostnames", "volatile", "include"}, d[0]) || strings.ContainsAny(d[0][:1], `~\.*`) || len(d[0]) > 46 {
			return nil, fmt.Errorf("the directive %q", d)
		}
		i := slices.IndexFunc(es, func(e entry) bool { return e.name == d[1] })
		if i < 0 {
			i, es = len(es), append(es, entry{d[1], map[string]string{}})
		}
		if _, twice := es[i].facts[d[0]]; twice {
			return nil, fmt.Errorf("%q twice", d[0])
		}
		es[i].facts[d[0]] = ""
	}
	return es, nil
}

// realServerEntries reads keepalived's virtual server.
func realServerEntries(text string) ([]entry, error) {
	var es []entry
	var blocks []string // open
	for line := range strings.Lines(text) {
		words, err := readKeepalived(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, err
		}
		if words = words[:len(words)-1]; len(words) == 0 {
			continue
		}
		opens := words[len(words)-1] == "({)"
		switch where := strings.Join(blocks, "/"); {
		case words[0] == "(})" && len(words) == 1 && len(blocks) > 0:
			blocks = blocks[:len(blocks)-1]
			continue
		case where == "" && opens && slices.Equal(words, []string{"virtual_server", "10.9.9.9", "80", "({)"}):
		case where == "virtual_server" && opens && words[0] == "real_server" && len(words) == 4:
			es = append(es, entry{net.JoinHostPort(words[1], words[2]), map[string]string{}})
		case where == "virtual_server" && len(words) == 2 && slices.Contains([]string{"delay_loop", "lvs_sched", "lvs_method", "protocol"}, words[0]):
		case where == "virtual_server/real_server" && words[0] == "weight" && len(words) == 2:
			es[len(es)-1].facts["weight"] = words[1]
		case where == "virtual_server/real_server" && opens && len(words) == 2:
			es[len(es)-1].facts["check"] = words[0]
		case where == "virtual_server/real_server/TCP_CHECK" && slices.Equal(words, []string{"connect_timeout", "3"}):
		default:
			return nil, fmt.Errorf("%q in %q", words, where)
		}
		if opens {
			blocks = append(blocks, words[0])
		}
	}
	if len(blocks) > 0 {
		return nil, fmt.Errorf("open: %q", blocks)
	}
	return es, nil
}

// directorEntries reads Varnish's backends, and that the director has each once.
func directorEntries(text string) ([]entry, error) {
	words, err := readVCL(text)
	if err != nil {
		return nil, err
	}
	joined := strings.Join(words, " ")
	joined, ok := strings.CutPrefix(joined, "vcl 4.0 (;) import directors (;) import std (;) ")
	backends, init, both := strings.Cut(joined, "sub vcl_init ({) new web (=) directors.random (() ()) (;) ")
	init, end := strings.CutSuffix(init, " (})")
	if !ok || !both || !end {
		return nil, fmt.Errorf("something else: %q", words)
	}
	var es []entry
	for b := range strings.SplitSeq(strings.TrimSuffix(backends, " (}) "), " (}) ") {
		w := strings.Fields(b)
		if len(w) != 15 {
			return nil, fmt.Errorf("the backend %q", w)
		}
		want := fmt.Sprintf("backend %s ({) (.) host (=) (string) %s (;) (.) port (=) (string) %s (;)", w[1], w[7], w[13])
		name, err := memberOf(w[1])
		if b != want || err != nil {
			return nil, fmt.Errorf("the backend %q, %v", b, err)
		}
		_, after, _ := strings.Cut(init, fmt.Sprintf("web.add_backend (() %s (,) ", w[1]))
		weight, _, ok := strings.Cut(after, " ()) (;)")
		if !ok || strings.Count(init, "(() "+w[1]+" (,)") != 1 {
			return nil, fmt.Errorf("the backend %s is not used once: %q", w[1], init)
		}
		es = append(es, entry{name, map[string]string{"address": net.JoinHostPort(w[7], w[13]), "weight": weight}})
	}
	if n := strings.Count(init, ";"); n != len(es) {
		return nil, fmt.Errorf("%d calls for %d backends", n, len(es))
	}
	return es, nil
}

// memberOf returns the name of the member whose backend is called id.
func memberOf(id string) (string, error) {
	rest, ok := strings.CutPrefix(id, "web_")
	if !ok {
		return "", fmt.Errorf("no prefix")
	}
	var name strings.Builder
	for i := 0; i < len(rest); {
		n := len(rest[i:]) - len(strings.TrimLeft(rest[i:], "_"))
		j := i + n
		capital := n > 0 && j+1 < len(rest) && rest[j] == '-'
		if capital { // the last of them is the capital's
			n--
		}
		if n%2 == 1 {
			if n > 1 {
				return "", fmt.Errorf("a dot beside a _")
			}
			name.WriteByte('.')
		} else {
			name.WriteString(strings.Repeat("_", n/2))
		}
		if capital {
			j++
		}
		if j < len(rest) {
			name.WriteByte(rest[j])
		}
		i = j + 1
	}
	return name.String(), nil
}

func blockEntries(text string) ([]entry, error) {
	var es []entry
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 || len(words) > 3 || strings.Contains(line, "#") {
			return nil, fmt.Errorf("the line %q", line)
		}
		name, ok := strings.CutSuffix(words[1], ".serf")
		if !ok || name != strings.ToLower(name) {
			return nil, fmt.Errorf("the name of somebody else in %q", line)
		}
		e := entry{name, map[string]string{"address": words[0]}}
		if len(words) == 3 {
			e.facts["short"] = words[2]
		}
		es = append(es, e)
	}
	return es, nil
}
