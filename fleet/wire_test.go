package fleet

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"muster/agent"
	"muster/cluster"
	"muster/reconcile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What a node says arrives as it is.
func TestAnswerArrives(t *testing.T) {
	since := time.Unix(1_700_000_000, 0)
	held := agent.RuleStanding{Rule: "web", State: reconcile.Held, Since: since, Why: "0 members"}
	text := encode("1.2", agent.Standing{
		Rules: []agent.RuleStanding{
			{Rule: "all", State: reconcile.InSync, Since: since}, held, {Rule: "away", State: agent.NotInForce},
			{Rule: "api", State: reconcile.Failed},
		},
		Mistakes: true,
		Members: []agent.MemberStanding{
			{Name: "n1", Status: cluster.Alive, Draining: true, In: []string{"all", "web"}, Lags: []agent.RuleStanding{held}},
			{Name: "nobody"},
		},
	})
	var got Node
	got.take(text)
	rule := Rule{Rule: "web", State: "held", Since: since, Why: "0 members"}
	want := Node{
		Kind: Muster, Version: "1.2", Mistakes: true,
		Counts: map[string]int{"in-sync": 1, "held": 1, "failed": 1, "not-in-force": 1},
		Rules:  []Rule{rule, {Rule: "api", State: "failed"}},
		Members: []Member{
			{Name: "n1", Status: cluster.Alive, Draining: true, Lagging: 1, Lags: []Rule{rule}, In: []string{"all", "web"}},
			{Name: "nobody"},
		},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("got (-want +got):\n%s", diff)
	}
}

// However much there is to say, the answer fits, its counts are right, and it
// can be read.
func TestAnswerFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.IntRange(0, 400), func(n int) string { return strings.Repeat("<é", n) }))
		rules := func(most int) (list []agent.RuleStanding) {
			for i := range rapid.IntRange(0, most).Draw(t, "rules") {
				list = append(list, agent.RuleStanding{
					Rule: fmt.Sprintf("rule-%d", i), State: rapid.SampledFrom(states).Draw(t, "state"), Why: text.Draw(t, "why"),
				})
			}
			return list
		}
		s := agent.Standing{Rules: rules(200)}
		for range rapid.IntRange(0, maxMembers).Draw(t, "members") {
			name := strings.Repeat("n", rapid.IntRange(1, 128).Draw(t, "name"))
			s.Members = append(s.Members, agent.MemberStanding{Name: name, Status: cluster.Alive, Lags: rules(50), In: []string{"a", "b", strings.Repeat("c", 300)}})
		}
		encoded := encode(text.Draw(t, "version"), s)
		if len(encoded) > room || !utf8.Valid(encoded) {
			t.Fatalf("it takes %d bytes of %d", len(encoded), room)
		}
		a, err := decode(encoded)
		if err != nil {
			t.Fatal(err)
		}
		total, others := 0, len(a.Rules)+a.More
		for state, n := range a.Counts {
			total += n
			if state != string(reconcile.InSync) && state != string(agent.NotInForce) {
				others -= n
			}
		}
		if total != len(s.Rules) || others != 0 {
			t.Fatalf("%d of %d rules are counted, %d of those not in sync are wrong", total, len(s.Rules), others)
		}
		for i, m := range a.Members {
			if m.Lagging != len(s.Members[i].Lags) || len(m.In)+m.More != 3 {
				t.Fatalf("member %d: %+v", i, m)
			}
		}
	})
}

// What no muster says is refused, with a reason that quotes none of it.
func TestHostileAnswers(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "not the JSON",
		"null":                            "version 0",
		"[]":                              "not the JSON",
		`{"v":2,"n":{}}`:                  "version 2",
		`{"v":1}`:                         "does not say how many",
		`{"v":1,"n":{"held":-1}}`:         "no number of rules",
		`{"v":1,"n":{"held":9999999999}}`: "no number of rules",
		`{"v":1,"n":{},"more":-1}`:        "does not say how many",
		`{"v":1,"n":{},"m":[{"n":"x","s":"<script>"}]}`:               "cannot be",
		`{"v":1,"n":{},"m":[{"n":"x","lag":[{"r":"a","s":"b"}]}]}`:    "cannot be",
		`{"v":1,"n":{},"m":[{"n":"x","l":-1}]}`:                       "cannot be",
		`{"v":1,"n":{},"muster":"` + strings.Repeat("x", 1000) + `"}`: "bytes of 1024",
	} {
		n := Node{}
		n.take([]byte(text))
		if !strings.Contains(n.Problem, want) || strings.Contains(n.Problem, "script") || n.Converged() {
			t.Errorf("%.40s: %q, want %q", text, n.Problem, want)
		}
	}
	n := Node{}
	n.take([]byte(`{"v":1,"n":{"in-sync":1,"<b>":3},"r":[{"r":"x","s":"y","t":999999999999999}],"later":{}}`))
	if n.Problem != "" || n.Counts["<b>"] != 0 || !n.Rules[0].Since.IsZero() {
		t.Errorf("%+v", n)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"v":1,"n":{"held":1},"m":[{"n":"x","s":"alive","l":1,"lag":[{"r":"a","s":"held","t":1}]}],"r":[{"r":"a","s":"held"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		n := Node{Name: "n", Status: cluster.Alive}
		n.take(text)
		if _, err := json.Marshal(n); err != nil {
			t.Fatal(err)
		}
		r := Report{Settled: true, Nodes: []Node{n}}
		r.Laggards("x", true)
		r.Laggards("x", false)
	})
}

func TestQuestions(t *testing.T) {
	for text, want := range map[string]string{
		"": "", `{"v":1,"m":["a"]}`: "", `{"v":2}`: "version 2", "x": "not the JSON",
		`{"v":1,"m":["1","2","3","4","5","6","7","8","9"]}`: "about 9 members",
		strings.Repeat(" ", 1025):                           "not the JSON",
	} {
		if _, err := readQuestion([]byte(text)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.30q: %v", text, err)
		}
	}
}
