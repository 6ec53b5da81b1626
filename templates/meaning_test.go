package templates

import (
	"strings"
	"testing"
)

// TestWordsWithAMeaning is about values that hold no special character and yet
// are more than values where they stand.
func TestWordsWithAMeaning(t *testing.T) {
	for _, c := range []struct {
		format  Format
		text, v string
		printed bool
	}{
		{Haproxy, "server a @\n", "/run/docker.sock", false},
		{Haproxy, "server a @\n", "ipv4+unix@/x", false},
		{Haproxy, "server a \"@\"\n", "abns@x", false},
		{Haproxy, "option httpchk @\n", "/health", true},
		{Haproxy, "acl a hdr(host) \"@\" b\n", "-f", false},
		{Haproxy, "acl a hdr(host) {{squote .Vars.v}} b\n", "-f", false},
		{Haproxy, "acl a hdr(host) \"x @\" b\n", "-f", true},
		{Hosts, "10.0.0.1 @\n", "localhost6.localdomain6", false},
		{Hosts, "10.0.0.1 @\n", "loopback", false},
		{Shell, "# @\nA=1\n", `a\`, false},
		{INI, "# @\na=1\n", `a\`, false},
		{Text, "a @\nb\n", `a\`, false},
		{Text, "a @\nb\n", `a\b`, true},
		{Text, "a @\n", "a\u200bb", false},
		{Text, "a @\n", "a\U000e0041b", false},
		{Nginx, "a \"@\";", "a\u00adb", false},
		{JSON, `"@"`, "a\u200b\U000e0041b", true},
	} {
		tm, err := Parse(strings.ReplaceAll(c.text, "@", "{{.Vars.v}}"), Options{Format: c.format})
		if err != nil {
			t.Errorf("%s %q: %v", c.format, c.text, err)
			continue
		}
		r, err := tm.Execute(Data{Vars: map[string]any{"v": c.v}})
		if printed := err == nil; printed != c.printed {
			t.Errorf("%s %q with %q: %q, %v", c.format, c.text, c.v, r.Bytes, err)
		}
	}
}
