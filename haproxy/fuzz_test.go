package haproxy

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// allowed are the commands that may ever be sent: NAMES and ADDRESSES stand
// for what they are made of.
const allowed = `^(set server NAMES (state (ready|drain|maint)|weight \d{1,3}|health (up|down)|addr [0-9a-f:.]+ port \d{1,5})|` +
	`add server NAMES ADDRESS:\d{1,5}( [A-Za-z0-9_.:/@+=,()-]+)*|del server NAMES|enable health NAMES|show servers (state|conn) [A-Za-z0-9_.:-]+)$`

// Whatever the text and the answers are, only the few commands are made, with
// names, addresses and numbers.
func FuzzCommands(f *testing.F) {
	m := &model{}
	_ = m.load(config("web", "a 127.0.0.1:80 check", "b 127.0.0.2:80", "x 127.0.0.2:80 disabled"))
	state := m.show("state")
	f.Add([]byte(config("web", "a 127.0.0.3:81 check weight 5", "c [::1]:80 check inter 2s")), state, state)
	f.Add([]byte("backend web\n server-template s 1-3 0.0.0.0:1\n # slot a 10.0.0.1:80 weight 3\n"), strings.ReplaceAll(state, "web a", "web s1"), "")
	f.Add([]byte("defaults\n balance source\nbackend web\n server 'a' 127.0.0.1:80 sni \"$X;y\"\n"), state, "# bkname/svname used_cur\nweb/a 0\n")
	f.Add([]byte("backend web\n server c 127.0.0.1:80 sni x;show\\;y ca-file '/x y'\n"), state, state)
	commands := regexp.MustCompile(strings.NewReplacer("NAMES", `[A-Za-z0-9_.:-]+/[A-Za-z0-9_.:-]+`,
		"ADDRESS", `(\d+\.\d+\.\d+\.\d+|\[[0-9a-f:.]+\])`).Replace(allowed))
	f.Fuzz(func(t *testing.T, text []byte, state, conn string) {
		backends, err := readBackends([][]byte{text})
		if err != nil {
			return
		}
		if err := Pushable(text, text); err != nil {
			t.Errorf("what can be read is not pushable to itself: %v", err)
		}
		all := stateCommands(backends)
		for _, b := range backends {
			servers, err := readState(b.name, state)
			if err != nil {
				continue
			}
			p := &plan{backend: b, now: time.Unix(1e9, 0), live: servers, connections: readConnections(conn)}
			p.assign()
			p.compare()
			for _, c := range p.commands {
				all = append(all, c.text)
			}
		}
		for _, c := range all {
			if !commands.MatchString(c) || !isCommand(c) {
				t.Errorf("%q", c)
			}
		}
	})
}

// Words are taken apart as they are put together.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"a b", `'a b'"c"d #e`, `a\ b`, `"$x"`, "a#b", `''`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, _, err := split(line)
		if err != nil {
			return
		}
		var quoted []string
		sure := []word{}
		for _, w := range words {
			if w.sure && !strings.Contains(w.text, "\n") {
				quoted = append(quoted, "'"+strings.ReplaceAll(w.text, "'", `'"'"'`)+"'")
				sure = append(sure, w)
			}
		}
		again, comment, err := split(strings.Join(quoted, "\t "))
		if err != nil || comment != "" || !slices.Equal(again, sure) && len(sure)+len(again) > 0 {
			t.Errorf("%q: %v, then %v, %v", line, words, again, err)
		}
	})
}
