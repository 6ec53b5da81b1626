package page

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"muster/agent"
	"muster/cluster"
	"muster/fleet"
	"muster/load"
	"muster/nodes"
	"muster/publisher"
	"muster/reconcile"
	"muster/services"
	"muster/timeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hostile is what somebody says who wants more than to be read.
const hostile = "</script><script>alert(1)</script>\"'`onload=alert(2) x=\u202e\u2028\x00\x1b[31m<img src=x onerror=alert(3)>\n{{.}}"

// town is a snapshot with n nodes, of which the first is this one, every tenth
// failed, and some say what is hostile.
func town(n int, says string) *snapshot {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s := &snapshot{
		at: now, status: agent.Status{Version: "1.2.3", Settled: true, Node: cluster.Info{Name: "n0000", Advertise: "10.0.0.1:7946", Epoch: 1}},
		nodes: nodes.Report{At: now, Self: "n0000", Settled: true, Threshold: 8}, fleet: map[string]*fleet.Node{}, offered: map[string][]publisher.Found{},
		rules: []agent.RuleStatus{{Rule: "web", Description: says, State: reconcile.Failed, Why: says, Files: []reconcile.FileStatus{{Path: "/etc/" + says, State: reconcile.Failed, Why: says}}}},
	}
	for i := range n {
		name := fmt.Sprintf("n%04d", i)
		phi, rate := float64(i%20), float64(i%7)
		node := nodes.Node{
			Name: name, Addr: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), Port: 7946, Status: cluster.Alive, Since: now,
			Tags: map[string]string{"role": "web", "note": says, "<b>" + says: "x", "runs": says}, Phi: &phi, Suspected: phi >= 8, RTT: time.Millisecond,
			Load: &load.Load{CPUs: 4, Load1: rate, MemTotal: 1 << 30, MemFree: 1 << 29}, Rate: &rate, Answered: now, Problem: says,
		}
		if i%10 == 9 {
			node.Status = cluster.Failed
		}
		s.nodes.Nodes = append(s.nodes.Nodes, node)
		s.fleet[name] = &fleet.Node{Name: name, Kind: fleet.Muster, Version: says, Counts: map[string]int{"failed": 1}, Rules: []fleet.Rule{{Rule: says, State: says, Why: says}}}
		found := publisher.Found{Node: name, Service: services.Service{Type: "web" + says, Port: says, Description: says, Host: says, IP: says, Text: says}}
		s.services = append(s.services, found)
		s.offered[name] = append(s.offered[name], found)
	}
	return s
}

func newTestPage(entries ...timeline.Entry) *Page {
	log := timeline.New(500)
	for _, e := range entries {
		log.Add(e)
	}
	return New(Config{Timeline: log})
}

// shownAt is a document of the town as it is shown.
func shownAt(t testing.TB, p *Page, build builder, s *snapshot, url string) sight {
	t.Helper()
	r := httptest.NewRequest("GET", url, nil)
	d, err := build(t.Context(), s, r)
	if err != nil {
		t.Fatal(err)
	}
	d.path = r.URL.Path + "?" + d.query.String()
	v, err := p.parts.show(d)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// whole is the page as it is sent.
func whole(t testing.TB, v sight) string {
	t.Helper()
	w := httptest.NewRecorder()
	execute(w, 200, "page", &v)
	if w.Code != 200 || w.Header().Get("Content-Security-Policy") != policy {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	return w.Body.String()
}

// Whatever nodes, files and commands say is text: the elements are the same as
// with words of no harm.
func TestHostileTextIsText(t *testing.T) {
	entry := func(says string) timeline.Entry {
		return timeline.Entry{Kind: timeline.Event, Node: says, Rule: says, Text: says, Bad: true}
	}
	elements := func(html string) (names []string) {
		for _, piece := range strings.Split(html, "<")[1:] {
			name, _, _ := strings.Cut(piece, ">")
			name, _, _ = strings.Cut(name, " ")
			names = append(names, name)
		}
		return names
	}
	for what, build := range map[string]func(*Page) builder{
		"overview": func(p *Page) builder { return p.overview }, "services": func(p *Page) builder { return p.servicesPage },
		"rules": func(p *Page) builder { return p.rulesPage },
	} {
		var pages [2]string
		for i, says := range []string{"harmless", hostile} {
			p, s := newTestPage(entry(says)), town(3, says)
			s.status.Node.Name = says // as of an agent of Serf's own that is followed
			s.nodes.Nodes[1].Name, s.services[1].Node = visible(says), visible(says)
			pages[i] = whole(t, shownAt(t, p, build(p), s, "/"))
		}
		harmless, html := elements(pages[0]), elements(pages[1])
		if len(harmless) < 50 || strings.Join(harmless, " ") != strings.Join(html, " ") {
			t.Errorf("%s has other elements:\n%v\n%v\n%s", what, harmless, html, pages[1])
		}
		harbours(t, what, pages[1])
	}
	s := town(1, hostile)
	html, err := part{"node", "", "node-page", s.page(s.nodes.Nodes[0])}.render()
	if err != nil || !strings.Contains(html, "<li>") {
		t.Errorf("a node: %v\n%s", err, html)
	}
	harbours(t, "a node", html)
}

// harbours complains of what is hostile in HTML.
func harbours(t *testing.T, what, html string) {
	t.Helper()
	for _, bad := range []string{"<script>alert", "\u202e", "\x1b", "\x00", "onerror=alert(3)>"} {
		if strings.Contains(html, bad) {
			t.Errorf("%s has %q in it", what, bad)
		}
	}
}

// Services of one node are told apart also where they have a type and a port in
// common, and are not sent again while they stay the same.
func TestServicesOfOnePort(t *testing.T) {
	p, s := newTestPage(), town(0, "")
	for _, ip := range []string{"10.0.0.1", "10.0.0.2"} {
		s.services = append(s.services, publisher.Found{Node: "a", Service: services.Service{Type: "web", Port: "80", IP: ip}})
	}
	v := shownAt(t, p, p.servicesPage, s, "/services")
	if n := len(v.ids()); n != 4 { // and the pagers
		t.Errorf("%d elements: %v", n, v.ids())
	}
	again := shownAt(t, p, p.servicesPage, s, "/services")
	if m, any := again.news(v.version, v.ids()); any {
		t.Errorf("news: %+v", m)
	}
}

// Sixty-four who look once a second at ten thousand nodes and rules, and search them,
// share what takes long.
func TestSearchesShareTheWork(t *testing.T) {
	p, s := newTestPage(), town(10000, "x")
	s.rules = calm(10000)
	for _, build := range []builder{p.overview, p.rulesPage, p.servicesPage} {
		for _, url := range []string{"/?q=nobody", "/?q=nobody+else&sort=load"} {
			r := httptest.NewRequest("GET", url, nil)
			allocated := testing.AllocsPerRun(10, func() {
				if _, err := build(t.Context(), s, r); err != nil {
					t.Fatal(err)
				}
			})
			if allocated > 1000 {
				t.Errorf("%s: %v allocations", url, allocated)
			}
		}
	}
}

func BenchmarkSearch(b *testing.B) {
	p, s := newTestPage(), town(10000, "x")
	r := httptest.NewRequest("GET", "/?q=role%3Dweb&sort=load", nil)
	for b.Loop() {
		if _, err := p.overview(b.Context(), s, r); err != nil {
			b.Fatal(err)
		}
	}
}

// A listed is what a page has of a long list: how many rows, the name in the
// first, and what the pager says among other things.
type listed struct {
	rows        int
	first, text string
}

// check compares it with a page at url, on which kind is what is listed.
func (want listed) check(t *testing.T, v sight, kind, url string) {
	t.Helper()
	var rows []string
	for _, part := range v.parts {
		if part.List == kind+"s" {
			rows = append(rows, strings.TrimPrefix(part.ID, kind+":"))
		}
	}
	pager, err := v.Part("pager")
	if len(rows) != want.rows || len(rows) > 0 && rows[0] != want.first || err != nil || !strings.Contains(string(pager), want.text) {
		t.Errorf("%s: %d rows, the first %v, pager %s, %v", url, len(rows), rows[:min(1, len(rows))], pager, err)
	}
}

// A long list is shown a page at a time, searched and sorted by the server, so
// that a browser never has more than a hundred rows.
func TestThousandNodes(t *testing.T) {
	p, s := newTestPage(), town(1000, "x")
	s.fleet["n0001"].Rules[0].Why = "its check has failed" // who only speaks of it is not failed
	for url, want := range map[string]listed{
		"/":                      {100, "n0000", "1–100 of 1000 nodes"},
		"/?page=10":              {100, "n0900", "901–1000 of 1000 nodes"},
		"/?page=99":              {100, "n0900", "901–1000 of 1000 nodes"},
		"/?page=-1&sort=nothing": {100, "n0000", "1–100 of 1000 nodes"},
		"/?q=failed":             {100, "n0001", "1–100 of 101 nodes, of 1000 in all"},
		"/?q=IS:FAILED+n000":     {1, "n0009", "1–1 of 1 node, of 1000 in all"},
		"/?q=10.0.3.231":         {1, "n0999", "1–1 of 1 node"},
		"/?q=role%3Dweb&page=2":  {100, "n0100", "101–200 of 1000 nodes"},
		"/?q=is:failed":          {100, "n0009", "1–100 of 100 nodes, of 1000 in all"},
		"/?q=is:lagging&page=9":  {100, "n0888", "801–900 of 900 nodes, of 1000 in all"},
		"/?q=nobody":             {0, "", "No node matches, of 1000 in all"},
		"/?sort=state":           {100, "n0009", "1–100 of 1000 nodes"},
		"/?sort=phi":             {100, "n0019", "1–100 of 1000 nodes"},
		"/?sort=load":            {100, "n0006", "1–100 of 1000 nodes"},
	} {
		want.check(t, shownAt(t, p, p.overview, s, url), "node", url)
	}
}

// Who looks for what is not there is told so, and not that there is nothing; from
// the end of a list it goes on, to the list on the next page.
func TestPager(t *testing.T) {
	p, s := newTestPage(), town(150, "x")
	s.rules = calm(150)
	for url, build := range map[string]builder{"/": p.overview, "/rules": p.rulesPage, "/services": p.servicesPage} {
		html := whole(t, shownAt(t, p, build, s, url+"?q=nobody"))
		if !strings.Contains(html, " matches, of 150 in all") || strings.Contains(html, "No nodes") || strings.Contains(html, "No rules") || strings.Contains(html, "No services") {
			t.Errorf("%s says of a search in vain: %s", url, html)
		}
		html = whole(t, shownAt(t, p, build, s, url))
		if n := strings.Count(html, `href="?page=2#pager"`); n != 2 {
			t.Errorf("%s goes on at %d places: %s", url, n, html)
		}
		html = whole(t, shownAt(t, p, build, s, url+"?q=n001"))
		if !strings.Contains(html, `id="pager-below" class="pager" hidden>`) {
			t.Errorf("%s has a pager below one page: %s", url, html)
		}
	}
}

// calm are n rules that are in sync, n0000 and so on.
func calm(n int) (list []agent.RuleStatus) {
	for i := range n {
		list = append(list, agent.RuleStatus{Rule: fmt.Sprintf("n%04d", i), State: reconcile.InSync})
	}
	return list
}

// The overview has the rules that need somebody to look, and twenty more, so that
// the nodes are not far below; from there it goes on to all of them.
func TestFirstRules(t *testing.T) {
	for what, c := range map[string]struct {
		all, failed, held int
		first, last       string // of those shown
		text              string
		whole             bool // all are shown
	}{
		"none":                {0, 0, 0, "", "", "No rules", true},
		"few":                 {20, 0, 0, "n0000", "n0019", "1–20 of 20 rules", true},
		"one more":            {21, 0, 0, "n0000", "n0019", "1–20 of 21 rules", false},
		"trouble comes first": {300, 1, 2, "n0299", "n0019", "1–23 of 300 rules", false},
		"trouble and few":     {23, 1, 2, "n0022", "n0019", "1–23 of 23 rules", true},
		"much trouble":        {300, 299, 1, "n0001", "n0100", "1–100 of 300 rules", false},
	} {
		p, s := newTestPage(), town(1, "x")
		s.rules = calm(c.all)
		for i := range c.failed {
			s.rules[c.all-1-i].State = reconcile.Failed
		}
		for i := range c.held {
			s.rules[c.all-1-c.failed-i].State = reconcile.Held
		}
		v := shownAt(t, p, p.overview, s, "/?q=n0000&page=2") // what is looked for is a node
		var rows []string
		for _, part := range v.parts {
			if part.List == "rules" {
				rows = append(rows, strings.TrimPrefix(part.ID, "rule:"))
			}
		}
		first, last := "", ""
		if len(rows) > 0 {
			first, last = rows[0], rows[len(rows)-1]
		}
		html := whole(t, v)
		links := strings.Count(html, fmt.Sprintf(`<a href="/rules">All %d rules</a>`, c.all))
		if first != c.first || last != c.last || !strings.Contains(html, "<span>"+c.text+"</span>") || c.whole != (links == 0) || !c.whole && links != 2 {
			t.Errorf("%s: from %q to %q, %d links to all: %s", what, first, last, links, html)
		}
	}
}

// All rules are shown a page at a time, those first that need somebody to look,
// and searched by what is shown of them.
func TestThousandRules(t *testing.T) {
	p, s := newTestPage(), town(1, "x")
	s.rules = calm(1000)
	s.rules[500].State, s.rules[500].Why = reconcile.Failed, "n0007 is in its way"
	s.rules[501].Files = []reconcile.FileStatus{{Path: "/etc/nginx/web.conf", State: reconcile.InSync}}
	s.rules[502].Description = "who has Failed"
	s.rules[503].State = agent.Acts
	for url, want := range map[string]listed{
		"/rules":                     {100, "n0500", "1–100 of 1000 rules"},
		"/rules?page=2":              {100, "n0099", "101–200 of 1000 rules"},
		"/rules?page=99":             {100, "n0900", "901–1000 of 1000 rules"},
		"/rules?q=n0007":             {2, "n0500", "1–2 of 2 rules, of 1000 in all"},
		"/rules?q=NGINX":             {1, "n0501", "1–1 of 1 rule, of 1000 in all"},
		"/rules?q=failed":            {2, "n0500", "1–2 of 2 rules"},
		"/rules?q=is:failed":         {1, "n0500", "1–1 of 1 rule"},
		"/rules?q=is:acts-on-events": {1, "n0503", "1–1 of 1 rule"},
		"/rules?q=is:in-sync&page=9": {100, "n0802", "801–900 of 998 rules, of 1000 in all"},
		"/rules?q=nobody":            {0, "", "No rule matches, of 1000 in all"},
	} {
		want.check(t, shownAt(t, p, p.rulesPage, s, url), "rule", url)
	}
	// The numbers on top lead there.
	html := whole(t, shownAt(t, p, p.overview, s, "/"))
	if !strings.Contains(html, `<a href="/rules?q=is%3afailed"><strong>1</strong>`) {
		t.Errorf("no way to the one that has failed: %s", html)
	}
}

// Lists without items say so in words that need no script and no style; what has
// happened since takes them back.
func TestNothing(t *testing.T) {
	const nothing = "Nothing has happened yet"
	p, s := newTestPage(), town(0, "x")
	s.rules = nil
	before := shownAt(t, p, p.overview, s, "/")
	html := whole(t, before)
	for _, want := range []string{"<span>No rules</span>", "<span>No nodes</span>", nothing} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in %s", want, html)
		}
	}
	p.c.Timeline.Add(timeline.Entry{Kind: timeline.Agent, Text: "settled"})
	after := shownAt(t, p, p.overview, s, "/")
	if html := whole(t, after); strings.Contains(html, nothing) {
		t.Errorf("it says so still: %s", html)
	}
	m, _ := after.news(before.version, before.ids())
	if !slices.ContainsFunc(m.Parts, func(p shown) bool { return p.ID == "nothing" && p.HTML == `<p id="nothing" hidden></p>` }) {
		t.Errorf("a browser is not told: %+v", m.Parts)
	}
}

// Who fails is marked as trouble, and who leaves is not: it has a sign of its
// own.
func TestLeaveIsNoTrouble(t *testing.T) {
	p, s := newTestPage(
		timeline.Entry{Kind: timeline.Member, Node: "a", Text: "a failed", Bad: true},
		timeline.Entry{Kind: timeline.Member, Node: "b", Text: "b left", Left: true},
		timeline.Entry{Kind: timeline.Member, Node: "c", Text: "c joined"},
	), town(1, "x")
	html := whole(t, shownAt(t, p, p.overview, s, "/"))
	for _, want := range []string{
		`<li id="event:1" class="bad">`, `<span class="text"><span class="symbol" role="img" aria-label="trouble">✕</span> failed</span>`,
		`<li id="event:2" class="idle">`, `<span class="text"><span class="symbol" aria-hidden="true">○</span> left</span>`,
		`<li id="event:3">`, `<span class="text">joined</span>`,
	} {
		if !strings.Contains(html, want) {
			t.Errorf("no %s in %s", want, html)
		}
	}
}

// The suspicion stands beside the limit from which it counts.
func TestLimit(t *testing.T) {
	p, s := newTestPage(), town(2, "x")
	s.nodes.Threshold = 12
	html := whole(t, shownAt(t, p, p.overview, s, "/"))
	for _, want := range []string{`<small>limit 12</small></th>`, `data-label="φ, limit 12">1</td>`} {
		if !strings.Contains(html, want) {
			t.Errorf("no %s in %s", want, html)
		}
	}
	html, err := part{"node", "", "node-page", s.page(s.nodes.Nodes[0])}.render()
	if err != nil || !strings.Contains(html, "limit 12") {
		t.Errorf("a node: %v\n%s", err, html)
	}
}

// A node's page says how many of its own rules are in sync, and of those that are
// not, why.
func TestRulesOfANode(t *testing.T) {
	s := town(1, "x")
	s.fleet["n0000"].Counts = map[string]int{"in-sync": 2, "failed": 1, "not-in-force": 4}
	html, err := part{"node", "", "node-page", s.page(s.nodes.Nodes[0])}.render()
	if err != nil || !strings.Contains(html, "</span> 2 of 3 rules in sync</p>") || !strings.Contains(html, "<strong>x</strong> is x since") {
		t.Errorf("%v\n%s", err, html)
	}
}

// Trouble first: who is gone, who may be, whose rules lag; then who goes, and
// those of whom nothing is known but that they live.
func TestTroubleFirst(t *testing.T) {
	p, s := newTestPage(), town(8, "x")
	for i := range s.nodes.Nodes {
		n := &s.nodes.Nodes[i]
		n.Tags, n.Suspected = nil, false
		s.fleet[n.Name] = &fleet.Node{Name: n.Name, Kind: fleet.Muster, Counts: map[string]int{"in-sync": 1}}
	}
	s.nodes.Nodes[1].Status = cluster.Left
	s.fleet["n0002"].Kind = fleet.Silent
	s.nodes.Nodes[3].Tags = map[string]string{cluster.DrainTag: "1"}
	s.nodes.Nodes[4].Status = cluster.Leaving
	s.fleet["n0005"].Counts, s.fleet["n0005"].Rules = map[string]int{"failed": 1}, []fleet.Rule{{Rule: "web", State: "failed"}}
	s.nodes.Nodes[6].Suspected = true
	s.nodes.Nodes[7].Status = cluster.Failed
	var order []string
	for _, part := range shownAt(t, p, p.overview, s, "/?sort=state").parts {
		if part.List == "nodes" {
			order = append(order, strings.TrimPrefix(part.ID, "node:n000"))
		}
	}
	if got := strings.Join(order, " "); got != "7 6 5 4 3 2 0 1" {
		t.Errorf("nodes in the order %s", got)
	}
}

// An IPv6 address stands in brackets before its port, as it is written elsewhere,
// and is found as it is shown.
func TestIPv6(t *testing.T) {
	p, s := newTestPage(), town(2, "x")
	s.nodes.Nodes[1].Addr = netip.MustParseAddr("fd00::17")
	s.services[1].IP, s.services[1].Port = "fd00::17", "80"
	for url, build := range map[string]builder{"/?q=[fd00::17]:7946": p.overview, "/services?q=fd00::17": p.servicesPage} {
		html := whole(t, shownAt(t, p, build, s, url))
		if !strings.Contains(html, "[fd00::17]:") || strings.Contains(html, "n0000</a>") {
			t.Errorf("%s: %s", url, html)
		}
	}
}

// The head says first what needs somebody to look.
func TestHealth(t *testing.T) {
	s := town(20, "x")
	h := s.health()
	got := map[string]int{}
	for _, list := range [][]tally{h.Nodes, h.Rules, h.Fleet} {
		for _, t := range list {
			got[t.State.Word] += t.Count
		}
	}
	want := map[string]int{"alive": 18, "failed": 3, "suspected": 10, "lagging": 18}
	for word, n := range want {
		if got[word] != n {
			t.Errorf("%d %s, want %d", got[word], word, n)
		}
	}
	if h.Bad != 3+18 || h.title() != "(21) n0000 – muster" {
		t.Errorf("%d need somebody to look; title %q", h.Bad, h.title())
	}
	quiet := town(2, "x")
	quiet.rules, quiet.fleet, quiet.nodes.Nodes[1].Suspected = nil, nil, false
	if h := quiet.health(); h.Bad != 0 || h.title() != "n0000 – muster" {
		t.Errorf("quiet: %+v", h)
	}
}

// A stream says nothing while nothing happens, but that it is alive.
func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPage()
		v := shownAt(t, p, p.overview, town(2, "x"), "/")
		w := httptest.NewRecorder()
		s := &stream{ResponseWriter: w}
		s.resume(&v)
		if err := s.tell(&v); err != nil || strings.Count(w.Body.String(), "data: ") != 1 || !strings.Contains(w.Body.String(), "id: "+v.since+"\n") {
			t.Fatalf("%v: %.300q", err, w.Body)
		}
		said := w.Body.Len()
		for range 14 {
			time.Sleep(time.Second)
			if err := s.tell(&v); err != nil || w.Body.Len() != said {
				t.Fatalf("%v: said again: %q", err, w.Body.String()[said:])
			}
		}
		time.Sleep(time.Second)
		if err := s.tell(&v); err != nil || w.Body.String()[said:] != ": nothing new\n\n" {
			t.Errorf("%v: no sign of life: %q", err, w.Body.String()[said:])
		}
		// A browser that has all that is there is told nothing again.
		w = httptest.NewRecorder()
		again := &stream{ResponseWriter: w, after: p.parts.after(v.since), sent: time.Now()}
		again.resume(&v)
		if err := again.tell(&v); err != nil || w.Body.Len() != 0 {
			t.Errorf("%v: resumed, it is told %q", err, w.Body)
		}
	})
}

// No more than maxStreams are served at once.
func TestStreamsAreBounded(t *testing.T) {
	p := newTestPage()
	for range maxStreams {
		if !p.enter() {
			t.Fatal("turned away")
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept", "text/event-stream")
	w := httptest.NewRecorder()
	p.Overview()(w, r)
	if w.Code != 503 || p.streams != maxStreams {
		t.Errorf("%d %s, %d streams", w.Code, w.Body, p.streams)
	}
	p.leave()
	if !p.enter() {
		t.Error("turned away though there is room")
	}
}

// A node that is dead is not busy: its row has no load, it is sorted last, and
// its own page says what it said last.
func TestLoadOfTheDead(t *testing.T) {
	p, s := newTestPage(), town(3, "x")
	dead, most := &s.nodes.Nodes[1], 9.0
	dead.Status, dead.Rate, dead.Load.Load1 = cluster.Failed, &most, 47.11
	for _, order := range []string{"load", "memory"} {
		v := shownAt(t, p, p.overview, s, "/?sort="+order)
		if html := whole(t, v); strings.Contains(html, "47.11") || strings.LastIndex(html, `id="node:n0001"`) < strings.LastIndex(html, `id="node:n0002"`) {
			t.Errorf("by %s: %s", order, html)
		}
	}
	if row := s.row(*dead); row.Load == nil || row.Load.Load1 != "47.11" {
		t.Errorf("%+v", row.Load)
	}
}

// What needs somebody to look is on top, and of a long reason the beginning and
// the end are there.
func TestUrgentRules(t *testing.T) {
	p, s := newTestPage(), town(1, "x")
	s.rules = []agent.RuleStatus{
		{Rule: "a", State: reconcile.InSync}, {Rule: "b", State: reconcile.Held},
		{Rule: "c", State: reconcile.Failed, Why: "check nginx: exit status 1: " + strings.Repeat("é", 500) + " line 7: no such directive"},
		{Rule: "d", State: reconcile.InSync, Busy: true}, {Rule: "e", State: reconcile.Failed},
	}
	v := shownAt(t, p, p.overview, s, "/")
	order := ""
	for _, part := range v.parts {
		if part.List == "rules" {
			order += strings.TrimPrefix(part.ID, "rule:")
		}
	}
	html := whole(t, v)
	if order != "cebad" || !strings.Contains(html, "check nginx: exit status 1: é") || !strings.Contains(html, "é… é") || !strings.Contains(html, "é line 7: no such directive") {
		t.Errorf("%s\n%s", order, html)
	}
}

func TestDiffLines(t *testing.T) {
	got := ""
	for _, l := range diffLines("--- a\n+++ b\n@@ -1,3 +1,3 @@\n same\n--- x\n+++ y\n-\told\n+new\u202e\n\\ No newline at end of file\n") {
		got += l.Class + "|" + l.Text + "\n"
	}
	want := "file|--- a\nfile|+++ b\nplace|@@ -1,3 +1,3 @@\n| same\nremoved|--- x\nadded|+++ y\nremoved|-    old\nadded|+new\\u202e\n|\\ No newline at end of file\n"
	if got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// What a look costs: the first, and one after which nothing, or every row on
// the page, has changed.
func BenchmarkOverview(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		s := town(n, "x")
		b.Run(fmt.Sprintf("first/%d", n), func(b *testing.B) {
			for b.Loop() {
				p := newTestPage()
				whole(b, shownAt(b, p, p.overview, s, "/"))
			}
		})
		b.Run(fmt.Sprintf("same/%d", n), func(b *testing.B) {
			p := newTestPage()
			for b.Loop() {
				shownAt(b, p, p.overview, s, "/")
			}
		})
		b.Run(fmt.Sprintf("search/%d", n), func(b *testing.B) {
			p := newTestPage()
			for b.Loop() {
				shownAt(b, p, p.overview, s, "/?q=failed+web&sort=load")
			}
		})
	}
}

// However much happens, a stream leaves a pause between two looks; and it looks
// soon when something happens, and once a second when nothing does.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPage()
		rested := func(happened <-chan struct{}) time.Duration {
			began := time.Now()
			if err := p.rest(t.Context(), happened); err != nil {
				t.Fatal(err)
			}
			return time.Since(began)
		}
		always, later := make(chan struct{}), make(chan struct{})
		close(always)
		if got := rested(always); got != pause+soon {
			t.Errorf("in a flood it rests %v", got)
		}
		time.AfterFunc(pause+200*time.Millisecond, func() { close(later) })
		if got := rested(later); got != pause+200*time.Millisecond+soon {
			t.Errorf("when something happens it rests %v", got)
		}
		if got := rested(nil); got != tick {
			t.Errorf("when nothing happens it rests %v", got)
		}
		close(p.over)
		if err := p.rest(t.Context(), nil); err != agent.ErrStopped {
			t.Errorf("over: %v", err)
		}
	})
}
