package main

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
)

func TestParseURI(t *testing.T) {
	tests := []struct {
		uri  string
		want address
	}{
		{"serf://host1,host02?/query/PREFIX*/name?payload=some%20text;tag=role=web", address{
			Hosts: []string{"host1", "host02?"}, Kind: "query", Nodes: "PREFIX*", Name: "name",
			Tags: map[string]string{"role": "web"}, Payload: []byte("some text")}},
		{"serf:///user/deploy", address{Kind: "user", Name: "deploy"}},
		{"serf://*/event/deploy?", address{Hosts: []string{"*"}, Kind: "user", Name: "deploy"}},
		{"serf:///query/load?payload=", address{Kind: "query", Name: "load", Payload: []byte{}}},
		{"serf:///query/load?payload=a=b+c&tag=x=a|b;tag=y=", address{Kind: "query", Name: "load", Payload: []byte("a=b+c"), Tags: map[string]string{"x": "a|b", "y": ""}}},
		{"serf:///query/a%2Fb?payload=%00%ff%3B;", address{Kind: "query", Name: "a/b", Payload: []byte("\x00\xff;")}},
		{"serf:///query/web%3f/load", address{Kind: "query", Nodes: "web?", Name: "load"}},
		{"serf://10.0.0.*,web%2C1/query/load", address{Hosts: []string{"10.0.0.*", "web,1"}, Kind: "query", Name: "load"}},
	}
	for _, test := range tests {
		got, err := parseURI(test.uri)
		if err != nil {
			t.Errorf("%s: %v", test.uri, err)
		} else if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.uri, diff)
		}
	}
}

// A mistake is told with its place, marked by ^ in the test, and a remedy.
func TestParseURIMistakes(t *testing.T) {
	tests := []struct{ uri, says string }{
		{"^http://web1/query/load", "must begin with serf://"},
		{"^", "must begin with serf://"},
		{"serf://web1^", "the kind is missing: write /query/NAME or /user/NAME"},
		{"serf:///^", "the kind is missing: write query or user"},
		{"serf:///^queri/load", `"queri" is no kind: write query or user`},
		{"serf:///query^", "the name is missing: write /NAME"},
		{"serf:///query/^", "the name is empty: write which query"},
		{"serf:///user/^?payload=x", "the name is empty: write which user event"},
		{"serf:///query/^lo*", "what nodes' names are like goes before it, as in /query/web*/load"},
		{"serf:///query/^/load", "take one slash away"},
		{"serf:///query/web*/a^/b", "a slash that belongs to a name is written %2F"},
		{"serf://a,^,b/query/load", "a host is empty: take the comma away"},
		{"serf://a^%2/query/load", "a % of its own is written %25"},
		{"serf:///query/100^%", "a % of its own is written %25"},
		{"serf:///query/a^%+1", "a % of its own is written %25"},
		{"serf:///query/load?payload=50^% more", "a % of its own is written %25"},
		{"serf:///query/load?^playload=x", `there is no parameter "playload": write payload=TEXT or tag=KEY=REGEXP`},
		{"serf:///query/load?^;payload=x", `there is no parameter ""`},
		{"serf:///query/load?payload^", "the value is missing: write payload=…"},
		{"serf:///query/load?payload=a;b", `there is no parameter "b"`},
		{"serf:///query/load?payload=a;^payload=b", "there is a second payload"},
		{"serf:///query/load?tag=^=x", "the tag's name is missing"},
		{"serf:///query/load?tag=role^;payload=x", "the tag's value is missing: write tag=role=REGEXP"},
		{"serf:///query/load?tag=role=^we(b", "this is no regular expression: missing closing )"},
		{"serf:///query/load?tag=role=a;tag=role=^b", "there is a second tag=role"},
	}
	for _, test := range tests {
		uri := strings.Replace(test.uri, "^", "", 1)
		_, err := parseURI(uri)
		var mistake *uriError
		if !errors.As(err, &mistake) {
			t.Errorf("%s: no mistake but %v", uri, err)
			continue
		}
		if at := strings.Index(test.uri, "^"); at >= 0 && mistake.At != at {
			t.Errorf("%s: at %d, want %d: %v", uri, mistake.At, at, err)
		}
		if !strings.Contains(mistake.Message, test.says) {
			t.Errorf("%s: %q does not say %q", uri, mistake.Message, test.says)
		}
	}
}

func TestURIErrorShowsThePlace(t *testing.T) {
	_, err := parseURI("serf://wéb/queri/x")
	want := "cannot read the URI at character 12: \"queri\" is no kind: write query or user\n" +
		"  serf://wéb/queri/x\n" +
		"             ^"
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
	// What a terminal obeys is not printed.
	for _, uri := range []string{"serf:///\x1b[2J/x", "serf:///query/x?tag=a\n=(", "serf:///query/x?tag=a=\x1b[2J("} {
		if _, err := parseURI(uri); err == nil || strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("%q: %v", uri, err)
		}
	}
}

// Whatever is given, what comes out is whole, or says where the mistake is.
func FuzzParseURI(f *testing.F) {
	for _, seed := range []string{
		"serf://host1,host02?/query/PREFIX*/name?payload=a%20b;tag=role=web", "serf:///user/x", "serf://*/query/%2F?payload=%00", "serf://,/x/%", "serf:///query/a?tag=a=(",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		a, err := parseURI(uri)
		if err != nil {
			var mistake *uriError
			if !errors.As(err, &mistake) || mistake.At < 0 || mistake.At > len(uri) || mistake.Message == "" {
				t.Fatalf("%q: %#v", uri, err)
			}
			if utf8.ValidString(uri) && strings.Contains(err.Error(), "\x1b") {
				t.Fatalf("%q: %q", uri, err)
			}
			return
		}
		if a.Name == "" || a.Kind != cluster.EventQuery && a.Kind != cluster.EventUser || len(a.Payload) > len(uri) {
			t.Fatalf("%q: %#v", uri, a)
		}
		for _, text := range a.Tags {
			regexp.MustCompile(text)
		}
		again, err := parseURI(a.uri())
		if err != nil {
			t.Fatalf("%q became %q: %v", uri, a.uri(), err)
		}
		if diff := cmp.Diff(a, again); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", uri, diff)
		}
	})
}

// uri writes an address with every byte escaped that could be.
func (a address) uri() string {
	escape := func(s string) string {
		var out strings.Builder
		for i := range len(s) {
			if s[i] == '*' {
				out.WriteByte('*')
			} else {
				out.WriteString("%" + string("0123456789ABCDEF"[s[i]>>4]) + string("0123456789ABCDEF"[s[i]&15]))
			}
		}
		return out.String()
	}
	var hosts, parameters []string
	for _, host := range a.Hosts {
		hosts = append(hosts, escape(host))
	}
	text := uriScheme + strings.Join(hosts, ",") + "/" + a.Kind
	if a.Nodes != "" {
		text += "/" + escape(a.Nodes)
	}
	text += "/" + escape(a.Name)
	if a.Payload != nil {
		parameters = append(parameters, "payload="+escape(string(a.Payload)))
	}
	for key, value := range a.Tags {
		parameters = append(parameters, "tag="+escape(key)+"="+escape(value))
	}
	if len(parameters) > 0 {
		text += "?" + strings.Join(parameters, ";")
	}
	return text
}

func TestGlob(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "abc", true}, {"a*", "abc", true}, {"a*", "ba", false},
		{"*c", "abc", true}, {"*b", "abc", false}, {"a?c", "abc", true}, {"a?c", "aéc", true}, {"a?c", "ac", false}, {"?", "", false},
		{"a*b*c", "aXbYc", true}, {"a*b*c", "aXcYb", false}, {"*ab", "aaab", true}, {"**", "x", true}, {"web", "web1", false},
		{"10.0.*.?", "10.0.33.4", true}, {"é*", "éa", true}, {"[a]", "a", false},
	} {
		if got := glob(test.pattern, test.text); got != test.want {
			t.Errorf("glob(%q, %q) = %t", test.pattern, test.text, got)
		}
	}
}
