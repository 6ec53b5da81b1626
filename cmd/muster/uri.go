package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"muster/cluster"
)

// An address is what an event URI says: what is sent to whom.
//
//	serf://HOSTS/KIND[/NODES]/NAME[?payload=TEXT][;tag=KEY=REGEXP]...
//
// The form is described in docs/cli.md.
type address struct {
	Hosts   []string          // globs over members' names and IP addresses; empty: all
	Kind    string            // cluster.EventUser or cluster.EventQuery
	Nodes   string            // a glob over members' names alone; empty: all
	Name    string            // of the event or query
	Tags    map[string]string // regular expressions, as of `muster query --tag`
	Payload []byte
}

// A uriError is a mistake in an event URI, with its place.
type uriError struct {
	URI     string
	At      int // byte offset
	Message string
}

// Error shows the place below the URI where that fits on a line of its own.
func (e *uriError) Error() string {
	text := fmt.Sprintf("cannot read the URI at character %d: %s", utf8.RuneCountInString(e.URI[:e.At])+1, printable(e.Message))
	if printable(e.URI) != e.URI || len(e.URI) > 200 {
		return text
	}
	return fmt.Sprintf("%s\n  %s\n  %s^", text, e.URI, strings.Repeat(" ", utf8.RuneCountInString(e.URI[:e.At])))
}

const uriScheme = "serf://"

// parseURI reads an event URI. The error is a *uriError.
func parseURI(uri string) (address, error) {
	p := &uriParser{uri: uri}
	a := p.parse()
	if p.err != nil {
		return address{}, p.err
	}
	return a, nil
}

// A uriParser goes through a URI from left to right. The first mistake stays.
type uriParser struct {
	uri string
	at  int
	err *uriError
}

func (p *uriParser) fail(at int, message string) {
	if p.err == nil {
		p.err = &uriError{p.uri, at, message}
	}
}

// until takes what comes before the first of the bytes in stops, or the rest.
func (p *uriParser) until(stops string) (text string, at int) {
	rest, at := p.uri[p.at:], p.at
	if i := strings.IndexAny(rest, stops); i >= 0 {
		rest = rest[:i]
	}
	p.at += len(rest)
	return rest, at
}

// skip takes one byte if it is b.
func (p *uriParser) skip(b byte) bool {
	if p.at < len(p.uri) && p.uri[p.at] == b {
		p.at++
		return true
	}
	return false
}

func (p *uriParser) parse() address {
	if !strings.HasPrefix(p.uri, uriScheme) {
		p.fail(0, "it must begin with "+uriScheme+", as in serf://web*/query/load")
		return address{}
	}
	p.at = len(uriScheme)
	a := address{Hosts: p.hosts()}
	if !p.skip('/') {
		p.fail(p.at, "the kind is missing: write /query/NAME or /user/NAME here")
		return a
	}
	a.Kind = p.kind()
	p.path(&a)
	if p.skip('?') {
		p.parameters(&a)
	}
	return a
}

// hosts reads the globs between the scheme and the next slash. A ? among them
// stands for one character.
func (p *uriParser) hosts() []string {
	text, at := p.until("/")
	if text == "" {
		return nil
	}
	var hosts []string
	for host := range strings.SplitSeq(text, ",") {
		if host == "" {
			p.fail(at, "a host is empty: take the comma away, or write * for every member")
		}
		hosts = append(hosts, p.decode(host, at))
		at += len(host) + 1
	}
	return hosts
}

func (p *uriParser) kind() string {
	switch kind, at := p.until("/?"); kind {
	case cluster.EventQuery:
		return cluster.EventQuery
	case cluster.EventUser, "event":
		return cluster.EventUser
	case "":
		p.fail(at, "the kind is missing: write query or user here")
	default:
		p.fail(at, strconv.Quote(kind)+" is no kind: write query or user")
	}
	return ""
}

// path reads [/NODES]/NAME.
func (p *uriParser) path(a *address) {
	var parts []string
	var starts []int
	for p.skip('/') {
		text, at := p.until("/?")
		parts, starts = append(parts, p.decode(text, at)), append(starts, at)
	}
	switch len(parts) {
	case 0:
		p.fail(p.at, "the name is missing: write /NAME here")
		return
	case 1:
	case 2:
		if a.Nodes = parts[0]; a.Nodes == "" {
			p.fail(starts[0], "what the nodes' names are like is empty: take one slash away, or write * for every node")
		}
	default:
		p.fail(starts[2]-1, "there is one part too many: a slash that belongs to a name is written %2F")
	}
	last := len(parts) - 1
	a.Name = parts[last]
	switch {
	case a.Name == "":
		p.fail(starts[last], "the name is empty: write which "+kindName(a.Kind)+" is sent")
	case strings.Contains(a.Name, "*"):
		p.fail(starts[last], "a name is sent as it is, so that * cannot stand in it: what nodes' names are like goes before it, as in /"+a.Kind+"/web*/load")
	}
}

// parameters reads what follows the question mark, apart by ; or &.
func (p *uriParser) parameters(a *address) {
	paid := false
	for p.err == nil {
		key, at := p.until("=;&")
		if key == "" && p.at == len(p.uri) {
			return // a separator at the end
		}
		switch {
		case key != "payload" && key != "tag":
			p.fail(at, "there is no parameter "+strconv.Quote(key)+": write payload=TEXT or tag=KEY=REGEXP")
		case !p.skip('='):
			p.fail(p.at, "the value is missing: write "+key+"=…")
		case key == "tag":
			p.tag(a)
		case paid:
			p.fail(at, "there is a second payload: a ; or & inside a payload is written %3B or %26")
		default:
			text, at := p.until(";&")
			a.Payload, paid = []byte(p.decode(text, at)), true
		}
		if p.at == len(p.uri) {
			return
		}
		p.at++
	}
}

// tag reads KEY=REGEXP.
func (p *uriParser) tag(a *address) {
	key, at := p.until("=;&")
	if key == "" {
		p.fail(at, "the tag's name is missing: write tag=KEY=REGEXP, as in tag=role=web")
		return
	}
	if !p.skip('=') {
		p.fail(p.at, "the tag's value is missing: write tag="+printable(key)+"=REGEXP")
		return
	}
	name := p.decode(key, at)
	text, at := p.until(";&")
	value := p.decode(text, at)
	if _, err := regexp.Compile(value); err != nil {
		p.fail(at, "this is no regular expression: "+regexpReason(err))
	}
	if _, twice := a.Tags[name]; twice {
		p.fail(at, "there is a second tag="+printable(name)+": make one regular expression of them, as in a|b")
	}
	if a.Tags == nil {
		a.Tags = map[string]string{}
	}
	a.Tags[name] = value
}

// decode replaces %XX by the byte it stands for. Nothing else is special: a +
// is a +.
func (p *uriParser) decode(text string, at int) string {
	var out []byte
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			out = append(out, text[i])
			continue
		}
		b, err := strconv.ParseUint(text[min(i+1, len(text)):min(i+3, len(text))], 16, 8)
		if err != nil || i+2 >= len(text) {
			p.fail(at+i, "after % come two hexadecimal digits; a % of its own is written %25")
			return ""
		}
		out = append(out, byte(b))
		i += 2
	}
	return string(out)
}

// kindName is a kind of event as people call it.
func kindName(kind string) string {
	if kind == cluster.EventUser {
		return "user event"
	}
	return kind
}
