package web

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// visit asks for a page as a browser does, which is led nowhere.
func visit(t *testing.T, method, address, form string, edit func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml")
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if edit != nil {
		edit(r)
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var text strings.Builder
	if _, err := bufio.NewReader(response.Body).WriteTo(&text); err != nil {
		t.Fatal(err)
	}
	return response, text.String()
}

func with(c *http.Cookie) func(*http.Request) {
	return func(r *http.Request) { r.AddCookie(c) }
}

var pages = []string{"/", "/?q=web", "/node/web1", "/rule/web", "/rule/deploy", "/rules", "/rules?q=web", "/services"}

// Without a token no page is shown, and with one a session is had for it that
// lets look at pages, and do nothing else.
func TestSession(t *testing.T) {
	api, a := newAPI(t, &Gate{Token: token, ReadToken: readerToken})
	at := serveOn(t, api.Remote(), Port{Address: "127.0.0.1:0"})
	port := at[strings.LastIndex(at, ":")+1:]
	for _, path := range pages {
		response, text := visit(t, "GET", at+path, "", nil)
		if want := "/login?" + (url.Values{"next": {path}}).Encode(); response.StatusCode != 303 || response.Header.Get("Location") != want || strings.Contains(text, "<table") {
			t.Errorf("%s: %d %q %s", path, response.StatusCode, response.Header.Get("Location"), text)
		}
	}
	for _, wrong := range []string{"", token + "x", "Bearer " + token} {
		response, text := visit(t, "POST", at+"/login", url.Values{"token": {wrong}}.Encode(), nil)
		if response.StatusCode != 401 || len(response.Cookies()) > 0 || !strings.Contains(text, "none of this node") {
			t.Errorf("%q: %d %s", wrong, response.StatusCode, text)
		}
	}
	for _, good := range []string{token, readerToken, " " + readerToken + "\n"} {
		response, _ := visit(t, "POST", at+"/login", url.Values{"token": {good}, "next": {"/node/web1?x=1"}}.Encode(), nil)
		cookies := response.Cookies()
		if response.StatusCode != 303 || response.Header.Get("Location") != "/node/web1?x=1" || len(cookies) != 1 {
			t.Fatalf("%q: %d %v", good, response.StatusCode, response.Header)
		}
		c := cookies[0]
		if c.Name != "muster-"+port || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.Secure || strings.Contains(c.Value, token) {
			t.Errorf("the cookie is %+v", c)
		}
		for _, path := range pages {
			response, text := visit(t, "GET", at+path, "", with(c))
			if response.StatusCode != 200 || !strings.Contains(text, "</html>") {
				t.Errorf("%s: %d %s", path, response.StatusCode, text)
			}
		}
		before := passes(t, a)
		for _, r := range api.routes(false) {
			if r.access == open {
				continue
			}
			path := strings.NewReplacer("{rule}", "web", "{member}", "web1", "{service}", "nginx").Replace(r.path)
			if status, _, text := ask(t, r.method, at+path, "{}", with(c)); status != 401 {
				t.Errorf("a session may %s %s: %d %s", r.method, path, status, text)
			}
		}
		if passes(t, a) != before+1 {
			t.Error("a session has changed something")
		}
	}
	response, _ := visit(t, "POST", at+"/logout", "", nil)
	if c := response.Cookies(); response.StatusCode != 303 || len(c) != 1 || c[0].MaxAge >= 0 {
		t.Errorf("signed out: %d %v", response.StatusCode, c)
	}
}

// A session is good for its time, and as long as its token is.
func TestSessionsThatAreNone(t *testing.T) {
	g, now := &Gate{Token: token, ReadToken: readerToken}, time.Now()
	good := seal(readerToken, now.Add(time.Hour))
	stamp, mac, _ := strings.Cut(good, ".")
	r := httptest.NewRequest("GET", "/node/web1", nil)
	r.Header.Set("Cookie", cookieName(r)+"=of-another-port; "+cookieName(r)+"="+good)
	if _, ok := g.remembers(r, now); !ok {
		t.Error("a cookie that another port has set locks the user out")
	}
	for value, want := range map[string]bool{
		good: true, seal(token, now.Add(sessionLength)): true,
		seal(token, now.Add(-time.Second)): false, seal(token, now.Add(2*sessionLength)): false, seal("an-old-token-that-was", now.Add(time.Hour)): false, seal("", now.Add(time.Hour)): false,
		"": false, "." + mac: false, stamp: false, stamp + ".": false, stamp + "1." + mac: false, stamp + "." + mac + "A": false, "+" + good: false, " " + good: false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", cookieName(r)+"="+value)
		if _, got := g.remembers(r, now); got != want {
			t.Errorf("%q: %v", value, got)
		}
		if _, ok := (&Gate{}).remembers(r, now); ok {
			t.Errorf("%q is good where there is no token", value)
		}
	}
}

// Signing in leads nowhere else.
func TestLocalPath(t *testing.T) {
	for next, want := range map[string]string{
		"/": "/", "/node/a?b=c": "/node/a?b=c", "/?q=%2F%2Fevil": "/?q=%2F%2Fevil",
		"": "/", "//evil.example.org": "/", "/\\evil.example.org": "/", "https://evil.example.org/": "/", "javascript:alert(1)": "/", "evil": "/", "/\t/evil.example.org": "/", "/\n": "/", "/%zz": "/",
	} {
		if got := localPath(next); got != want {
			t.Errorf("%q leads to %q", next, got)
		}
	}
}

// A page of another site can neither sign a browser in nor out, nor be shown
// ours in a frame, and none of our answers lets scripts in.
func TestPagesOfOthers(t *testing.T) {
	api, _ := newAPI(t, &Gate{Token: token, ReadToken: readerToken, Open: true})
	at := serveOn(t, api.Remote(), Port{Address: "127.0.0.1:0"})
	for _, path := range []string{"/login", "/logout"} {
		response, _ := visit(t, "POST", at+path, url.Values{"token": {token}}.Encode(), func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") })
		if response.StatusCode != 403 || len(response.Cookies()) > 0 {
			t.Errorf("%s: %d", path, response.StatusCode)
		}
	}
	for _, path := range append(pages, "/login", "/none", "/node/nobody", "/assets/page.js", "/assets/none") {
		response, text := visit(t, "GET", at+path, "", nil)
		csp := response.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") || response.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %v", path, response.Header)
		}
		if strings.Contains(text, "style=") || strings.Contains(text, "<script>") || strings.Contains(text, "http://") && !strings.Contains(path, "assets") {
			t.Errorf("%s has what its policy forbids: %s", path, text)
		}
		if want := map[string]int{"/none": 404, "/node/nobody": 404, "/assets/none": 404}[path]; want != 0 && response.StatusCode != want {
			t.Errorf("%s: %d", path, response.StatusCode)
		}
	}
	for path, want := range map[string]string{"/assets/page.js": "text/javascript", "/assets/page.css": "text/css", "/assets/muster.svg": "image/svg+xml", "/assets/layout.html": "text/html"} {
		response, text := visit(t, "GET", at+path, "", nil)
		if !strings.HasPrefix(response.Header.Get("Content-Type"), want) || strings.Contains(text, "{{") {
			t.Errorf("%s: %v %.100s", path, response.Header, text)
		}
	}
	if response, text := visit(t, "GET", at+"/rule/secret", "", nil); response.StatusCode != 200 || strings.Contains(text, "hunter2") || !strings.Contains(text, "withheld") {
		t.Errorf("a sensitive file: %d %s", response.StatusCode, text)
	}
	response, _ := visit(t, "GET", at+"/", "", func(r *http.Request) { r.Host = "evil.example.org" })
	if response.StatusCode != 421 {
		t.Errorf("under another name: %d", response.StatusCode)
	}
	if status, text := local(api, "GET", "/", ""); status != 200 || !strings.Contains(text, "/node/web1") {
		t.Errorf("on the socket: %d %s", status, text)
	}
}

// A stream sends the page in pieces to whoever may look, and ends with the
// agent.
func TestStream(t *testing.T) {
	c := newConfig(t)
	c.Gate = &Gate{Token: token, ReadToken: readerToken}
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Page.Run(running) }()
	at := serveOn(t, New(c).Remote(), Port{Address: "127.0.0.1:0"})
	r, err := http.NewRequestWithContext(t.Context(), "GET", at+"/?q=web1", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	status, _, text := ask(t, "GET", at+"/", "", func(r *http.Request) { r.Header.Set("Accept", "text/event-stream") })
	if status != 401 || !strings.Contains(text, "no token") {
		t.Errorf("without a token: %d %s", status, text)
	}
	bear(readerToken)(r)
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if kind := response.Header.Get("Content-Type"); response.StatusCode != 200 || kind != "text/event-stream" {
		t.Fatalf("%d %s", response.StatusCode, kind)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	var got []string
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data:") {
		got = append(got, lines.Text())
	}
	data := lines.Text()
	if len(got) < 2 || got[0] != "retry: 2000" || !strings.HasPrefix(got[len(got)-1], "id: ") || !strings.Contains(data, `"node:web1"`) || strings.Contains(data, `"node:web2"`) || strings.Contains(data, "<") {
		t.Errorf("%q\n%s", got, data)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for lines.Scan() {
	}
}

// A stream is over when its session is, though the agent is not.
func TestStreamEndsWithItsSession(t *testing.T) {
	api, _ := newAPI(t, &Gate{Token: token, ReadToken: readerToken})
	at := serveOn(t, api.Remote(), Port{Address: "127.0.0.1:0"})
	_, port, _ := strings.Cut(strings.TrimPrefix(at, "http://"), ":")
	response, text := visit(t, "GET", at+"/", "", func(r *http.Request) {
		r.Header.Set("Accept", "text/event-stream")
		r.AddCookie(&http.Cookie{Name: "muster-" + port, Value: seal(readerToken, time.Now().Add(5*time.Second))})
	})
	if response.StatusCode != 200 || !strings.Contains(text, "node:web1") {
		t.Errorf("%d %s", response.StatusCode, text)
	}
	if response, _ := visit(t, "GET", at+"/", "", with(&http.Cookie{Name: "muster-" + port, Value: seal(readerToken, time.Now())})); response.StatusCode != 303 {
		t.Errorf("a session that has ended: %d", response.StatusCode)
	}
}

// Two agents that a browser reaches through tunnels, at two ports of localhost,
// do not take each other's sessions away, whatever port they have themselves.
func TestSessionsThroughTunnels(t *testing.T) {
	api, _ := newAPI(t, &Gate{Token: token, ReadToken: readerToken})
	at := serveOn(t, api.Remote(), Port{Address: "127.0.0.1:0"})
	names := map[string]bool{}
	for _, host := range []string{"localhost:8081", "localhost:8082", "localhost"} {
		under := func(r *http.Request) { r.Host = host }
		response, _ := visit(t, "POST", at+"/login", url.Values{"token": {readerToken}}.Encode(), under)
		for _, c := range response.Cookies() {
			names[c.Name] = true
			response, _ := visit(t, "GET", at+"/", "", func(r *http.Request) { under(r); r.AddCookie(c) })
			if response.StatusCode != 200 {
				t.Errorf("%s: %d", host, response.StatusCode)
			}
		}
	}
	if len(names) != 3 {
		t.Errorf("cookies: %v", names)
	}
}
