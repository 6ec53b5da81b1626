package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"muster/agent"
)

// newAPI is an API with an agent whose changes a test can see.
func newAPI(t *testing.T, g *Gate) (*API, *agent.Agent) {
	t.Helper()
	c := newConfig(t)
	c.Gate = g
	return New(c), c.Agent
}

// passes is how often the rule web was looked at, once nothing is under way:
// what an apply or a reload makes more.
func passes(t *testing.T, a *agent.Agent) uint64 {
	t.Helper()
	if _, err := a.Apply(t.Context(), []string{"web"}, false); err != nil {
		t.Fatal(err)
	}
	m, err := a.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range m.Rules {
		if r.Rule == "web" {
			return m.Measured[i].Passes
		}
	}
	t.Fatal("no rule web")
	return 0
}

// Every route, with every token there is: who may not is told so, and nothing
// has changed. Over the socket everything may be.
func TestTokens(t *testing.T) {
	bodies := map[string]string{"/v1/apply": `{}`, "/v1/reload": `{}`, "/v1/events": `{"name":"x"}`}
	for _, open_ := range []bool{false, true} {
		api, a := newAPI(t, &Gate{Token: token, ReadToken: readerToken, Open: open_})
		url := serveOn(t, api.Remote(), Port{Address: "127.0.0.1:0"})
		for _, r := range api.routes(false) {
			path := strings.NewReplacer("{rule}", "web", "{member}", "web1", "{service}", "nginx").Replace(r.path)
			for who, edit := range map[string]func(*http.Request){
				"nobody": nil, "reader": bear(readerToken), "owner": bear(token), "liar": bear(token + "x"), "empty": bear(""),
				"basic": func(r *http.Request) { r.SetBasicAuth("muster", token) }, "lower": func(r *http.Request) { r.Header.Set("Authorization", "bearer  "+token) },
				"query": func(r *http.Request) { r.URL.RawQuery = "token=" + token },
			} {
				may := who == "owner" || who == "lower" || r.access == open || r.access == read && (open_ || who == "reader")
				before := passes(t, a)
				status, header, text := ask(t, r.method, url+path, bodies[path], edit)
				want := http.StatusUnauthorized
				if who == "reader" {
					want = http.StatusForbidden
				}
				switch {
				case may && (status == http.StatusUnauthorized || status == http.StatusForbidden):
					t.Errorf("%s may not %s %s: %d %s", who, r.method, path, status, text)
				case !may && (status != want || !strings.Contains(text, `"error"`)):
					t.Errorf("%s: %s %s: %d %s", who, r.method, path, status, text)
				case !may && status == http.StatusUnauthorized && header.Get("WWW-Authenticate") != `Bearer realm="muster"`:
					t.Errorf("%s: %s %s: not told how to authenticate: %v", who, r.method, path, header)
				}
				if after := passes(t, a); after != before+1 && (!may || r.method == "GET") {
					t.Errorf("%s: %s %s: %d passes became %d", who, r.method, path, before, after)
				}
				if strings.Contains(text, token) || strings.Contains(text, readerToken) {
					t.Errorf("%s: %s %s tells a token: %s", who, r.method, path, text)
				}
			}
			if status, text := local(api, r.method, path, bodies[path]); status == http.StatusUnauthorized || status == http.StatusForbidden {
				t.Errorf("over the socket %s %s: %d %s", r.method, path, status, text)
			}
		}
	}
}

// An API without tokens lets nobody in by an empty one.
func TestNoTokenIsNoToken(t *testing.T) {
	g := &Gate{}
	for _, authorization := range []string{"", "Bearer", "Bearer ", "Bearer  "} {
		if g.judge(change, authorization) == nil || g.judge(read, authorization) == nil || g.knows(authorization) {
			t.Errorf("%q is let in", authorization)
		}
	}
}

// Under which names requests are answered.
func TestHosts(t *testing.T) {
	api, _ := newAPI(t, &Gate{Token: token, ReadToken: readerToken, Hosts: []string{"Muster.example.org"}})
	url := serveOn(t, api.Remote(), Port{Address: "127.0.0.1:0"})
	addr := strings.TrimPrefix(url, "http://")
	_, port, _ := net.SplitHostPort(addr)
	for host, want := range map[string]int{
		addr: 200, "127.0.0.1": 200, "localhost": 200, "LOCALHOST:" + port: 200, "localhost.": 200, "[::ffff:127.0.0.1]:80": 200,
		"muster.example.org": 200, "MUSTER.EXAMPLE.ORG.:443": 200,
		"evil.example.org": 421, "127.0.0.1.evil.example.org": 421, "localhost.evil.example.org": 421, "127.0.0.2": 421, "[::1]": 421,
		"muster.example.org.evil.example.org": 421, "x.muster.example.org": 421, "0.0.0.0": 421, "2130706433": 421, "0x7f000001": 421, "127.1": 421,
		"lb": 421,
	} {
		for _, path := range []string{"/healthz", "/metrics", "/v1/members", "/none"} {
			status, _, text := ask(t, "GET", url+path, "", func(r *http.Request) {
				r.Host = host
				bear(token)(r)
			})
			expect := want
			if want == 200 && path == "/none" {
				expect = 404
			}
			if status != expect {
				t.Errorf("Host %s: %s: %d %s", host, path, status, text)
			}
			if status == 421 && !strings.Contains(text, "add it to hosts") {
				t.Errorf("no remedy in %s", text)
			}
		}
	}
	// What net/http's client does not send.
	for request, want := range map[string]string{
		"GET /healthz HTTP/1.0\r\n\r\n":                                                          "421",
		"GET /healthz HTTP/1.1\r\n\r\n":                                                          "400",
		"GET http://evil.example.org/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n":                "421",
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example.org\r\n\r\n":             "400",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                                       "421",
		"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 32<<10) + "\r\n": "431",
	} {
		if got := raw(t, addr, request); !strings.HasPrefix(got, "HTTP/1.1 "+want) && !strings.HasPrefix(got, "HTTP/1.0 "+want) {
			t.Errorf("%.60q: %.200q", request, got)
		}
	}
}

// raw sends bytes and returns what comes back.
func raw(t *testing.T, addr, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.Copy(conn, strings.NewReader(request)); err != nil {
		t.Fatal(err)
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	got, _ := io.ReadAll(conn)
	return string(got)
}

// What a page of another site makes a browser send is refused, even if it has
// the token.
func TestCrossSite(t *testing.T) {
	api, a := newAPI(t, &Gate{Token: token, ReadToken: readerToken})
	url := serveOn(t, api.Remote(), Port{Address: "127.0.0.1:0"})
	before := passes(t, a)
	for _, headers := range []map[string]string{
		{"Origin": "http://evil.example.org"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
		{"Origin": "http://localhost:1"},
	} {
		status, header, text := ask(t, "POST", url+"/v1/reload", "{}", func(r *http.Request) {
			bear(token)(r)
			for k, v := range headers {
				r.Header.Set(k, v)
			}
		})
		if status != 403 || !strings.Contains(text, "another site") || header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v: %d %s", headers, status, text)
		}
	}
	if passes(t, a) != before+1 {
		t.Error("something has happened")
	}
	if status, _, text := ask(t, "POST", url+"/v1/reload", "{}", func(r *http.Request) {
		bear(token)(r)
		r.Header.Set("Origin", url)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}); status != 200 {
		t.Errorf("a page of our own: %d %s", status, text)
	}
	status, header, _ := ask(t, "OPTIONS", url+"/v1/reload", "", func(r *http.Request) {
		r.Header.Set("Origin", "http://evil.example.org")
		r.Header.Set("Access-Control-Request-Method", "POST")
	})
	if status != 405 || header.Get("Access-Control-Allow-Methods") != "" || header.Get("Allow") != "POST" {
		t.Errorf("a preflight: %d %v", status, header)
	}
}

// Every answer, also a refusal, says to browsers what they may not do with it.
func TestHeaders(t *testing.T) {
	api, _ := newAPI(t, &Gate{Token: token, ReadToken: readerToken})
	url := serveOn(t, api.Remote(), Port{Address: "127.0.0.1:0"})
	for _, path := range []string{"/healthz", "/metrics", "/v1/status", "/v1/openapi.json", "/none", "/../etc/passwd"} {
		_, header, _ := ask(t, "GET", url+path, "", nil)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin", "Content-Security-Policy": "default-src 'none'",
		} {
			if got := header.Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %s: %q", path, name, got)
			}
		}
	}
}

// A method that a path does not take changes nothing and is told which it takes.
func TestMethods(t *testing.T) {
	api, a := newAPI(t, nil)
	before := passes(t, a)
	for request, want := range map[string]string{
		"GET /v1/reload": "405 POST", "PUT /v1/apply": "405 POST", "DELETE /v1/rules/web": "405 GET", "POST /metrics": "405 GET",
		"HEAD /v1/rules": "200 ", "GET /v1": "404 ", "PATCH /": "405 GET", "PATCH /none": "404 ",
	} {
		method, path, _ := strings.Cut(request, " ")
		w := httptest.NewRecorder()
		api.Local().ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if got := fmt.Sprintf("%d %s", w.Code, w.Header().Get("Allow")); got != want {
			t.Errorf("%s: %s, want %s: %s", request, got, want, w.Body)
		}
	}
	if passes(t, a) != before+1 {
		t.Error("something has happened")
	}
}

// What is sensitive is in no answer, not even its sum.
func TestSensitiveFilesStay(t *testing.T) {
	api, a := newAPI(t, &Gate{Token: token, ReadToken: readerToken, Open: true})
	status, err := a.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var sums []string
	for _, r := range status.Rules {
		for _, f := range r.Files {
			if f.Sensitive && f.Desired != "" {
				sums = append(sums, f.Desired)
			}
		}
	}
	if len(sums) != 1 {
		t.Fatalf("sums %q", sums)
	}
	url := serveOn(t, api.Remote(), Port{Address: "127.0.0.1:0"})
	for _, r := range api.routes(false) {
		path := strings.NewReplacer("{rule}", "secret", "{member}", "lb").Replace(r.path)
		body := ""
		if r.path == "/v1/apply" {
			body = `{"rules":["secret"]}`
		}
		_, _, text := ask(t, r.method, url+path, body, bear(token))
		for _, secret := range append(sums, "hunter2") {
			if strings.Contains(text, secret) {
				t.Errorf("%s %s tells %s: %s", r.method, path, secret, text)
			}
		}
	}
	if code, text := local(api, "GET", "/v1/files", ""); code != 200 || !strings.Contains(text, sums[0]) {
		t.Errorf("over the socket: %d %s", code, text)
	}
}

// A body that is too large is not read to its end, whatever it says of its
// length.
func TestBodies(t *testing.T) {
	url := serveAPI(t, Config{Agent: newAgent(t, nil)})
	large := bytes.Repeat([]byte(" "), 1<<20)
	for _, length := range []int64{int64(len(large)), -1} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", url+"/v1/apply", io.NopCloser(bytes.NewReader(large)))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = length
		r.Header.Set("Content-Type", "application/json")
		bear(token)(r)
		response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("length %d: %s", length, response.Status)
		}
	}
}

// However many ask for a plan, few are made at once: a pass waits for those that
// are being made. Whoever waits may go, and other questions are answered.
func TestPlansTakeTurns(t *testing.T) {
	api, _ := newAPI(t, nil)
	for range maxPlans {
		api.planning <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan int)
	go func() {
		w := httptest.NewRecorder()
		api.Local().ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/v1/plan", nil))
		gone <- w.Code
	}()
	if status, text := local(api, "GET", "/v1/rules", ""); status != 200 {
		t.Errorf("%d %s", status, text)
	}
	cancel()
	if status := <-gone; status != 503 {
		t.Errorf("a plan is made out of turn: %d", status)
	}
	<-api.planning
	if status, text := local(api, "GET", "/v1/plan", ""); status != 200 {
		t.Errorf("%d %s", status, text)
	}
}
