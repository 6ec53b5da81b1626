package web

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"muster/agent"
	"muster/reconcile"
	"muster/rules"
	"muster/telemetry"
)

// scrape is what /metrics says, as Prometheus gets it.
func scrape(t *testing.T, a *API) string {
	t.Helper()
	code, text := local(a, "GET", "/metrics", "")
	if code != 200 {
		t.Fatalf("%d %s", code, text)
	}
	return text
}

// line is a number of /metrics.
func line(text, series string) string {
	for l := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(l, series+" "); ok {
			return strings.TrimSpace(v)
		}
	}
	return "none"
}

// What is measured of each kind of rule, and that Prometheus' own linter finds
// nothing wrong with it.
func TestMetrics(t *testing.T) {
	mistaken := false
	a := newAgent(t, nil)
	api := New(Config{Agent: a, More: telemetry.NewMeter().Families, Configured: func() bool { return !mistaken }})
	text := scrape(t, api)
	for series, want := range map[string]string{
		`muster_members{status="alive"}`: "3", `muster_members{status="failed"}`: "1", `muster_members{status="left"}`: "0",
		"muster_joined": "1", "muster_alone": "0", "muster_isolation_doubt": "0",
		"muster_members_unreachable": "1", "muster_name_conflicts": "1", `muster_gossip_refused_total{reason="name"}`: "2",
		"muster_config_last_reload_successful":          "1",
		`muster_rule_state{rule="web",state="in-sync"}`: "1", `muster_rule_state{rule="web",state="failed"}`: "0",
		`muster_rule_state{rule="held",state="held"}`: "1", `muster_rule_state{rule="broken",state="failed"}`: "1",
		`muster_rule_state{rule="elsewhere",state="not-in-force"}`: "1",
		`muster_rule_files{rule="web",state="in-sync"}`:            "1", `muster_rule_files{rule="web",state="drifted"}`: "0",
		`muster_rule_members{rule="web"}`: "1", `muster_rule_values_refused{rule="web"}`: "1",
		`muster_changes_total{rule="web"}`: "1", `muster_changes_total{rule="broken"}`: "0",
		`muster_reloads_total{rule="web",result="success"}`: "1", `muster_reloads_total{rule="web",result="failure"}`: "0",
		`muster_check_failures_total{rule="web"}`: "0", `muster_drifts_total{rule="web"}`: "0",
		`muster_convergence_duration_seconds_count{rule="web"}`: "1", `muster_convergence_duration_seconds_count{rule="held"}`: "0",
		`muster_convergence_duration_seconds_bucket{rule="held",le="20"}`: "0",
		`muster_rule_last_success_timestamp_seconds{rule="broken"}`:       "0",
		`muster_actions_heard_total{kind="rule",rule="deploy"}`:           "0", "muster_acting_refused": "0", "serf_events_total": "0",
		`muster_http_refused_total{reason="host"}`: "0", "go_goroutines": line(text, "go_goroutines"),
	} {
		if got := line(text, series); got != want || got == "none" {
			t.Errorf("%s is %s, want %s", series, got, want)
		}
	}
	for _, series := range []string{`muster_check_failures_total{rule="broken"}`, `muster_rollbacks_total{rule="broken"}`, `muster_holds_total{rule="held"}`,
		`muster_passes_total{rule="web"}`, `muster_renders_total{rule="web",result="success"}`, `muster_render_duration_seconds_count{rule="web"}`,
		`muster_rule_last_success_timestamp_seconds{rule="web"}`} {
		if got := line(text, series); got == "none" || got == "0" {
			t.Errorf("%s is %s", series, got)
		}
	}
	if strings.Contains(text, "evil") {
		t.Errorf("a member's words are in it:\n%s", text)
	}
	mistaken = true
	if got := line(scrape(t, api), "muster_config_last_reload_successful"); got != "0" {
		t.Errorf("with a mistake in the configuration it is %s", got)
	}
	promtool(t, text, "check", "metrics")
	if t.Failed() {
		t.Log(text)
	}
}

// promtool has Prometheus' own tool look at text.
func promtool(t *testing.T, text string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("promtool is missing")
		}
		t.Skip("SKIPPED: promtool is missing")
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = strings.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

// Two scrapes of the same numbers have their lines in the same order.
func TestMetricsAreInOrder(t *testing.T) {
	api := New(Config{Agent: newAgent(t, nil)})
	names := regexp.MustCompile(`(?m) \S+$`)
	first := names.ReplaceAllString(scrape(t, api), "")
	for range 5 {
		if again := names.ReplaceAllString(scrape(t, api), ""); again != first {
			t.Fatalf("first\n%s\nthen\n%s", first, again)
		}
	}
}

// Every measurement is explained in the documentation, with its kind, and what
// is explained there is measured.
func TestMetricsAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	text := scrape(t, New(Config{Agent: newAgent(t, nil), More: telemetry.NewMeter().Families}))
	var measured, documented []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(text, -1) {
		measured = append(measured, m[1]+" "+m[2])
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)(?:\\{[^}]*\\})?` \\| (\\w+) \\|").FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, m[1]+" "+m[2])
	}
	// These are there only after something has been measured.
	measured = append(measured, "muster_actions_refused_total counter", "memberlist_health_score gauge")
	slices.Sort(measured)
	slices.Sort(documented)
	for _, m := range slices.Compact(measured) {
		if !slices.Contains(documented, m) {
			t.Errorf("not documented: %s", m)
		}
	}
	for _, d := range documented {
		if !slices.Contains(measured, d) {
			t.Errorf("documented, and not measured: %s", d)
		}
	}
}

// What a thousand members and a hundred rules cost is in docs/performance.md;
// here, what the numbers of a hundred rules do.
func BenchmarkAboutRules(b *testing.B) {
	m := agent.Metrics{}
	for i := range 100 {
		m.Rules = append(m.Rules, agent.RuleStatus{Rule: fmt.Sprint("rule-", i), State: "in-sync"})
		m.Measured = append(m.Measured, agent.RuleMetrics{})
	}
	b.ReportAllocs()
	for b.Loop() {
		aboutRules(m)
	}
}

// When an agent is alive, and when it is ready.
func TestHealth(t *testing.T) {
	a := newAgent(t, nil)
	api := New(Config{Agent: a})
	if code, text := local(api, "GET", "/healthz", ""); code != 200 || text != "{\"ok\":true}\n" {
		t.Errorf("alive: %d %s", code, text)
	}
	code, text := local(api, "GET", "/readyz", "")
	if want := `{"ok":false,"why":["rule secret is failed","rule broken is failed"]}` + "\n"; code != 503 || text != want {
		t.Errorf("ready: %d %s", code, text)
	}
	now := time.Now()
	in := func(states ...string) (s agent.Status) {
		s.Settled = true
		for _, state := range states {
			s.Rules = append(s.Rules, agent.RuleStatus{Rule: state, State: reconcile.State(state), Pass: &agent.Report{At: now}})
		}
		return s
	}
	if why := api.unready(in("in-sync", "held", "not-in-force", "pending", "orphaned", "drifted")); why != nil {
		t.Errorf("not ready because %q", why)
	}
	unsettled, mistakes, early := in(), in(), in("pending")
	unsettled.Settled = false
	mistakes.Problems = rules.Problems{{Severity: rules.Error}}
	early.Rules[0].Pass = nil
	for want, s := range map[string]agent.Status{
		"the first join has not settled": unsettled, "the rules on disk have mistakes": mistakes, "rule owed is owed": in("in-sync", "owed"),
		"rule pending has not been through a pass": early,
	} {
		if why := api.unready(s); len(why) != 1 || why[0] != want {
			t.Errorf("%q, want %q", why, want)
		}
	}
	api.Configured = func() bool { return false }
	if why := api.unready(in()); len(why) != 1 || why[0] != "the configuration on disk has mistakes" {
		t.Errorf("%q", why)
	}
}

// What everybody may ask takes turns, and waits no longer than it may.
func TestTurns(t *testing.T) {
	api := New(Config{Agent: newAgent(t, nil)})
	api.turn <- struct{}{}
	for path, want := range map[string]int{"/metrics": 503, "/readyz": 503, "/healthz": 200, "/v1/status": 200} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		if path == "/v1/status" || path == "/healthz" { // these do not wait
			ctx = t.Context()
		}
		w := httptest.NewRecorder()
		api.Local().ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", path, nil))
		cancel()
		if w.Code != want {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	<-api.turn
	scrape(t, api)
}
