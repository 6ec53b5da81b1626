package templates

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
)

// hosts(5), and dnsmasq's addn-hosts: an address, then names; # begins a
// comment. Names are held to what DNS labels may have (RFC 1123), and nobody
// may call itself localhost.
const (
	hoStart state = iota // before a word
	hoMid
	hoComment
)

var hostName = chars(alnum + "_.-")

func hostsGrammar() *grammar {
	return &grammar{
		scan: scanHosts, after: afterHosts, print: printHosts,
		ends: func(_ context, next string, last bool) bool {
			if next == "" {
				return last
			}
			return isBlank(next[0]) || next[0] == '\n' || next[0] == '#'
		},
		join: func(a, b context) (context, bool) {
			a.arg, b.arg = min(a.arg, b.arg), min(a.arg, b.arg)
			if a.state <= hoMid && b.state <= hoMid {
				a.state, b.state = hoStart, hoStart
			}
			return a, a == b
		},
		where: func(c context) string {
			return [...]string{"before a word", "in a word", "in a comment"}[c.state]
		},
	}
}

func scanHosts(c context, s string) context {
	for i := range len(s) {
		switch b := s[i]; {
		case b == '\n':
			c = context{}
		case c.state == hoComment:
		case b == '#':
			c.state = hoComment
		case isBlank(b):
			if c.state == hoMid {
				c.arg = 1
			}
			c.state = hoStart
		default:
			c.state = hoMid
		}
	}
	return c
}

func afterHosts(c context) (context, string) {
	if c.state == hoStart {
		c.state = hoMid
	}
	return c, ""
}

func printHosts(dst []byte, at spot, v *value) ([]byte, string) {
	s, why := v.scalar()
	if why != "" {
		return dst, why
	}
	if v.kind == isAddr { // never in brackets, whatever follows
		s = strings.Trim(s, "[]")
	}
	word := s
	if at.state == hoMid {
		word = string(dst[bytes.LastIndexAny(dst, " \t\r\n")+1:]) + s
	}
	dst = append(dst, s...)
	switch {
	case at.state == hoComment:
		return dst, comment(s)
	case v.kind == isAddr:
		return dst, ""
	case at.state == hoStart && at.arg == 0 && at.whole:
		if a, err := netip.ParseAddr(s); err != nil || a.Zone() != "" {
			return dst, "a line begins with an address, and it is none"
		}
		return dst, ""
	}
	return dst, badHost(s, word, at)
}

// badHost says why s cannot be a host's name, or a part of one, or "". word is
// the name so far.
func badHost(s, word string, at spot) string {
	if why := refused(s, hostName, onlyASCII, "in a host's name"); why != "" {
		return why
	}
	switch {
	case s == "" && at.state == hoStart:
		return "it is empty, and a name would be missing"
	case at.state == hoStart && (s[0] == '.' || s[0] == '-'):
		return "a name begins with a letter or a digit"
	case strings.Contains(s, ".."):
		return "a name has no empty labels"
	case isLocal(s), isLocal(word):
		return "the name belongs to every host itself"
	case len(s) > 253:
		return fmt.Sprintf("a name has at most 253 bytes, not %d", len(s))
	}
	for label := range strings.SplitSeq(s, ".") {
		if len(label) > 63 {
			return fmt.Sprintf("a label of a name has at most 63 bytes, not %d", len(label))
		}
	}
	return ""
}

// isLocal reports whether name means the host that asks.
func isLocal(name string) bool {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	first, _, _ := strings.Cut(name, ".")
	switch first {
	case "localhost", "localhost4", "localhost6", "loopback", "broadcasthost":
		return true
	}
	return strings.HasSuffix(name, ".localhost") || strings.HasPrefix(name, "ip6-")
}
