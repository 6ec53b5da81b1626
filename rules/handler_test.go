package rules

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"muster/cluster"
)

func TestParseHandler(t *testing.T) {
	every := []EventFilter{{Type: "*"}}
	for _, c := range []struct {
		line, script string
		on           []EventFilter
	}{
		{"foo.sh", "foo.sh", every},
		{"awk '{print $2}' | grep foo", "awk '{print $2}' | grep foo", every},
		{"*=foo.sh", "foo.sh", every},
		{"=foo.sh", "foo.sh", every},
		{"*=FOO=bar ./foo.sh", "FOO=bar ./foo.sh", every},
		{"member-join=foo.sh", "foo.sh", []EventFilter{{Type: "member-join"}}},
		{"member-join,member-leave=foo.sh", "foo.sh", []EventFilter{{Type: "member-join"}, {Type: "member-leave"}}},
		{"user=foo.sh -a=b", "foo.sh -a=b", []EventFilter{{Type: "user"}}},
		{"user:=foo.sh", "foo.sh", []EventFilter{{Type: "user"}}},
		{"user:deploy=foo.sh", "foo.sh", []EventFilter{{Type: "user", Name: "deploy"}}},
		{"user:a:b=foo.sh", "foo.sh", []EventFilter{{Type: "user", Name: "a:b"}}},
		{"query=foo.sh", "foo.sh", []EventFilter{{Type: "query"}}},
		{"query:load,member-reap=uptime", "uptime", []EventFilter{{Type: "query", Name: "load"}, {Type: "member-reap"}}},
	} {
		got, err := ParseHandler(c.line)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		if diff := cmp.Diff(Handler{On: c.on, Script: c.script, Line: c.line}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.line, diff)
		}
	}
}

func TestParseHandlerMistakes(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"", "there is no script; write FILTER=SCRIPT"},
		{"user:deploy=", "there is no script; write FILTER=SCRIPT"},
		{"member-joined=x", "no event `member-joined`; did you mean `member-join`?"},
		{"member-join:web=x", "`member-join` takes no name"},
		{"member-join:=x", "`member-join` takes no name"},
		{"member-join, member-leave=x", "no event ` member-leave`"},
		{"FOO=bar ./x.sh", "no event `FOO`"},
		{"env FOO=bar ./x.sh", "write *=SCRIPT"},
		{"user:x,query:muster:load=x", "`query:muster:load` is muster's own. Give the query another name"},
		{"x\x00y", "the script holds a NUL byte"},
	} {
		h, err := ParseHandler(c.line)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "cannot read the event handler \"") {
			t.Errorf("%q: %+v, %v; want an error with %q", c.line, h, err, c.want)
		}
	}
}

// A line that is read means what its parts mean, and reads the same again.
func TestParseHandlerAnyLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.OneOf(rapid.String(), rapid.StringMatching(`((user|query)(:[a-z=]{0,3})?|member-(join|leave)|\*)(,(user|query:x))?=[a-z= ]{0,5}`)).Draw(t, "line")
		h, err := ParseHandler(line)
		if err != nil {
			return
		}
		if len(h.On) == 0 || h.Line != line || !strings.HasSuffix(line, h.Script) {
			t.Fatalf("%q: %+v", line, h)
		}
		for _, f := range h.On {
			if e := (cluster.Event{Type: f.Type, Name: f.Name}); f.Type != "*" && !h.Triggered(e) {
				t.Fatalf("%q is not triggered by %+v", line, e)
			}
		}
	})
}
