package templates

import (
	"fmt"
	"slices"
	"strings"

	"muster/cluster"
)

// The readers of the built-ins for programs that pass connections on. What
// they read is an entry for each server.

func balancerBuiltins() map[string]readBuiltin {
	byAddress := func(facts ...string) func(cluster.Member) entry {
		return func(m cluster.Member) entry {
			e := entry{m.Addr.String(), map[string]string{}}
			for i := 0; i < len(facts); i += 2 {
				e.facts[facts[i]] = facts[i+1]
			}
			return e
		}
	}
	return map[string]readBuiltin{
		"nginx-upstream": {map[string]any{"upstream": "web", "port": 80, "max_fails": 1}, upstreamEntries, byAddress("port", "80", "max_fails", "1")},
		"nginx-map": {map[string]any{"variable": "$node", "port": 80}, mapEntries, func(m cluster.Member) entry {
			return entry{m.Name, map[string]string{"value": m.Addr.String() + ":80"}}
		}},
		"keepalived-real-servers": {map[string]any{"virtual": "10.9.9.9", "virtual_port": 80}, realServerEntries,
			byAddress("port", "80", "weight", "1", "check", "TCP_CHECK")},
		"varnish-directors": {map[string]any{"director": "web", "port": 80}, backendEntries, func(m cluster.Member) entry {
			return entry{m.Name, map[string]string{"host": m.Addr.String(), "port": "80", "used": "once"}}
		}},
		"hosts-block": {map[string]any{"short": true}, blockEntries, func(m cluster.Member) entry {
			e := entry{m.Name, map[string]string{"address": m.Addr.String()}}
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

func upstreamEntries(text string) ([]entry, error) {
	head, directives, err := nginxBlock(text)
	if err != nil || !slices.Equal(head, []string{"upstream", "web"}) {
		return nil, fmt.Errorf("the block of %q, %v", head, err)
	}
	var es []entry
	for _, d := range directives {
		if len(d) != 3 || d[0] != "server" {
			return nil, fmt.Errorf("the directive %q", d)
		}
		host, port, _ := strings.Cut(d[1], ":")
		k, v, _ := strings.Cut(d[2], "=")
		es = append(es, entry{host, map[string]string{"port": port, k: v}})
	}
	return sortedEntries(es), nil
}

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
		es = append(es, entry{d[0], map[string]string{"value": d[1]}})
	}
	return sortedEntries(es), nil
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
			es = append(es, entry{words[1], map[string]string{"port": words[2]}})
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
	return sortedEntries(es), nil
}

// backendEntries reads Varnish's backends, and that the director has each.
func backendEntries(text string) ([]entry, error) {
	words, err := readVCL(text)
	if err != nil {
		return nil, err
	}
	joined := strings.Join(words, " ")
	joined, ok := strings.CutPrefix(joined, "vcl 4.0 (;) import directors (;) import std (;) ")
	backends, init, both := strings.Cut(joined, "sub vcl_init ({) new web (=) directors.round_robin (() ()) (;) ")
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
		used := strings.Count(init+" ", fmt.Sprintf("web.add_backend (() %s ()) (;) ", w[1]))
		es = append(es, entry{name, map[string]string{"host": w[7], "port": w[13], "used": map[int]string{1: "once"}[used]}})
	}
	if n := strings.Count(init, ";"); n != len(es) {
		return nil, fmt.Errorf("%d calls for %d backends", n, len(es))
	}
	return sortedEntries(es), nil
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

func sortedEntries(es []entry) []entry {
	slices.SortFunc(es, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return es
}
