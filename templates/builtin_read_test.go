package templates

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// These read what the built-ins print, as far as their programs would: each
// entry with all that is said about it. What is no entry is an error.

func targetEntries(text string) ([]entry, error) {
	var groups []struct {
		Targets []string          `json:"targets"`
		Labels  map[string]string `json:"labels"`
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&groups); err != nil {
		return nil, err
	}
	var es []entry
	for _, g := range groups {
		if len(g.Targets) != 1 {
			return nil, fmt.Errorf("%d targets", len(g.Targets))
		}
		e := entry{g.Labels["serf_name"], g.Labels}
		delete(e.facts, "serf_name")
		e.facts["target"] = g.Targets[0]
		es = append(es, e)
	}
	return es, nil
}

func upstreamEntries(text string) ([]entry, error) {
	tokens, err := readNginx(text)
	if err != nil || len(tokens) < 4 || !slices.Equal(tokens[:3], []string{"upstream", "web", "({)"}) || tokens[len(tokens)-1] != "(})" {
		return nil, fmt.Errorf("no upstream: %q, %v", tokens, err)
	}
	var es []entry
	var words []string
	for _, token := range tokens[3 : len(tokens)-1] {
		if token != "(;)" {
			words = append(words, token)
			continue
		}
		if len(words) < 2 || len(words) > 3 || words[0] != "server" {
			return nil, fmt.Errorf("no server: %q", words)
		}
		e := entry{words[1], map[string]string{}}
		if len(words) == 3 {
			k, v, _ := strings.Cut(words[2], "=")
			e.facts[k] = v
		}
		es, words = append(es, e), nil
	}
	if words != nil {
		return nil, fmt.Errorf("%q has no end", words)
	}
	return es, nil
}

func backendEntries(text string) ([]entry, error) {
	tokens, err := readHaproxy(text)
	if err != nil {
		return nil, err
	}
	var es []entry
	var words []string
	lines := 0
	for _, token := range tokens {
		if token != "(line)" {
			words = append(words, token)
			continue
		}
		switch {
		case len(words) == 0:
			continue
		case lines == 0 && slices.Equal(words, []string{"backend", "web"}):
		case lines > 0 && len(words) >= 4 && words[0] == "server" && words[len(words)-1] == "check":
			e := entry{words[1], map[string]string{"address": words[2]}}
			if len(words) == 6 {
				e.facts[words[3]] = words[4]
			} else if len(words) != 4 {
				return nil, fmt.Errorf("%d words: %q", len(words), words)
			}
			es = append(es, e)
		default:
			return nil, fmt.Errorf("what is this: %q", words)
		}
		words = nil
		lines++
	}
	return es, nil
}

// slotEntries reads what muster's runtime reads: slots, which haproxy sees, and
// below them comments that say who shall have one.
func slotEntries(text string) ([]entry, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	const head = "backend web\n    server-template slot 1-9 0.0.0.0:1 check disabled"
	if len(lines) < 3 || !strings.HasPrefix(lines[0], "#") || strings.Join(lines[1:3], "\n") != head {
		return nil, fmt.Errorf("it begins %q", lines)
	}
	var es []entry
	for _, line := range lines[3:] {
		words := strings.Split(strings.TrimPrefix(line, "    # slot "), " ")
		e := entry{words[0], map[string]string{}}
		switch {
		case !strings.HasPrefix(line, "    # slot ") || len(words) != 2 && len(words) != 4:
			return nil, fmt.Errorf("what is this: %q", line)
		case len(words) == 4:
			e.facts[words[2]] = words[3]
		}
		e.facts["address"] = words[1]
		es = append(es, e)
	}
	return es, nil
}

// muninEntries reads munin.conf(5): [group;host], and settings below.
func muninEntries(text string) ([]entry, error) {
	var es []entry
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			group, host, ok := strings.Cut(strings.Trim(line, "[]"), ";")
			if !ok || strings.ContainsAny(host, ";:[]") || !strings.HasSuffix(line, "]") || strings.HasPrefix(group, ".") || strings.HasPrefix(host, ".") { // they are directories
				return nil, fmt.Errorf("a section of somebody else: %q", line)
			}
			es = append(es, entry{host, map[string]string{"group": group}})
		case len(es) == 0:
			return nil, fmt.Errorf("%q is for all hosts", line)
		default:
			k, v, _ := strings.Cut(line, " ")
			if _, twice := es[len(es)-1].facts[k]; twice {
				return nil, fmt.Errorf("a second %s", k)
			}
			es[len(es)-1].facts[k] = v
		}
	}
	return es, nil
}

// ansibleEntries reads an inventory: hosts with their variables, then groups.
func ansibleEntries(text string) ([]entry, error) {
	var es []entry
	group := ""
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0][0] == '#':
		case words[0][0] == '[':
			if group = line[:len(line)-1]; len(words) != 1 || strings.ContainsAny(group, ":{}") || !strings.HasSuffix(group, "]") {
				return nil, fmt.Errorf("a group of somebody else: %q", line)
			}
		case group != "":
			i := slices.IndexFunc(es, func(e entry) bool { return e.name == words[0] })
			if i < 0 || len(words) != 1 {
				return nil, fmt.Errorf("%q is no host, in %s", line, group)
			}
			es[i].facts[group] = ""
		default:
			e := entry{words[0], map[string]string{}}
			for _, word := range words[1:] {
				k, v, _ := strings.Cut(word, "=")
				e.facts[k] = v
			}
			if strings.ContainsAny(line, "{}'\"\\") {
				return nil, fmt.Errorf("what Ansible evaluates: %q", line)
			}
			es = append(es, e)
		}
	}
	return es, nil
}

func hostEntries(text string) ([]entry, error) {
	var es []entry
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if len(words) < 2 || len(words) > 3 {
			return nil, fmt.Errorf("%d words in %q", len(words), line)
		}
		name, ok := strings.CutSuffix(words[1], ".serf")
		if !ok {
			return nil, fmt.Errorf("the name of somebody else in %q", line)
		}
		e := entry{name, map[string]string{"address": words[0]}}
		if len(words) == 3 {
			if e.facts["group"], ok = strings.CutSuffix(words[2], ".role.serf"); !ok {
				return nil, fmt.Errorf("a group of somebody else in %q", line)
			}
		}
		es = append(es, e)
	}
	return es, nil
}

// sshEntries reads ssh_config(5): a keyword and its arguments on each line, which
// `=` and quotes may set off.
func sshEntries(text string) ([]entry, error) {
	var es []entry
	for line := range strings.Lines(text) {
		words := strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" \t\r\n\f=\"'", r) })
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
			continue
		case len(words) != 2:
			return nil, fmt.Errorf("%d words in %q", len(words), line)
		}
		keyword := strings.ToLower(words[0])
		if keyword == "host" {
			name, ok := strings.CutSuffix(words[1], ".serf")
			if !ok || strings.ContainsAny(name, "*?!,") {
				return nil, fmt.Errorf("the name of somebody else in %q", line)
			}
			es = append(es, entry{name, map[string]string{}})
			continue
		}
		if len(es) == 0 {
			return nil, fmt.Errorf("%q is for all hosts", line)
		}
		facts := es[len(es)-1].facts
		if _, twice := facts[keyword]; twice {
			return nil, fmt.Errorf("a second %s in %q", keyword, line)
		}
		facts[keyword] = words[1]
	}
	return es, nil
}
