package haproxy

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func writeFile(path, text string) error { return os.WriteFile(path, []byte(text), 0o600) }

// operational is the field srv_op_state of a server.
func operational(p *proxy, backend, server string) string {
	for line := range strings.Lines(p.tell("show servers state " + backend)) {
		if f := strings.Fields(line); len(f) > 6 && f[3] == server {
			return f[5]
		}
	}
	return ""
}

// newClient makes a new connection for each request, as clients do that meet a
// service for the first time.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
}

func get(c *http.Client, url string) (string, error) {
	response, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return string(body), err
}

// fetch requests a page and expects that there is an answer.
func fetch(t *testing.T, front string) string {
	t.Helper()
	body, err := get(newClient(), "http://"+front+"/")
	if err != nil {
		t.Error(err)
	}
	return body
}

// A holder keeps some requests going until it is ended.
type holder struct {
	stop   chan struct{}
	done   sync.WaitGroup
	failed atomic.Int64
	once   sync.Once
}

// newHolder returns when haproxy has handed its n requests on.
func newHolder(t *testing.T, p *proxy, n int) *holder {
	h := &holder{stop: make(chan struct{})}
	for range n {
		r, w := io.Pipe()
		h.done.Go(func() {
			defer w.Close()
			for {
				select {
				case <-h.stop:
					return
				case <-time.After(20 * time.Millisecond):
					fmt.Fprint(w, ".")
				}
			}
		})
		started := make(chan struct{})
		h.done.Go(func() {
			request, _ := http.NewRequest("POST", "http://"+p.front+"/", &notifying{r: r, started: started})
			client := newClient()
			response, err := client.Do(request)
			if err != nil {
				h.failed.Add(1)
				r.CloseWithError(err)
				return
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != 200 {
				h.failed.Add(1)
			}
			response.Body.Close()
		})
		<-started
	}
	t.Cleanup(h.end)
	await(t, "haproxy has handed the requests on", func() bool { return p.sessions() == n })
	return h
}

func (h *holder) end() {
	h.once.Do(func() { close(h.stop) })
	h.done.Wait()
}

// A notifying reader says when it is read for the second time.
type notifying struct {
	r       io.Reader
	n       int
	started chan struct{}
}

func (n *notifying) Read(b []byte) (int, error) {
	if n.n++; n.n == 2 {
		close(n.started)
	}
	return n.r.Read(b)
}

// streams reports whether haproxy has a stream to an address.
func (p *proxy) streams(addr string) bool {
	return strings.Contains(p.tell("show sess all"), " addr="+addr+"\n")
}

// A load sends requests in several goroutines.
type load struct {
	stop   chan struct{}
	done   sync.WaitGroup
	sent   atomic.Int64
	mu     sync.Mutex
	failed []string
}

func newLoad(front string) *load {
	l := &load{stop: make(chan struct{})}
	for i := range 4 {
		l.done.Go(func() {
			c := newClient()
			path := "/"
			if i == 0 {
				path = "/slow"
			}
			for {
				select {
				case <-l.stop:
					return
				case <-time.After(time.Millisecond):
				}
				l.sent.Add(1)
				if _, err := get(c, "http://"+front+path); err != nil {
					l.mu.Lock()
					l.failed = append(l.failed, err.Error())
					l.mu.Unlock()
				}
			}
		})
	}
	return l
}

func (l *load) end(t *testing.T) {
	t.Helper()
	await(t, "enough requests to prove something", func() bool { return l.sent.Load() >= 100 })
	close(l.stop)
	l.done.Wait()
	t.Logf("%d requests, %d failed", l.sent.Load(), len(l.failed))
	if len(l.failed) > 0 {
		t.Errorf("%d of %d requests failed, the first with: %s", len(l.failed), l.sent.Load(), l.failed[0])
	}
}

// changes makes changes under load: members come, go after a drain, move and
// weigh more or less, in random order. write writes the text for those that
// are there, by address and weight; a site ends only when haproxy has let go
// of it.
func changes(t *testing.T, p *proxy, write func(members map[string]member) string) {
	r := p.runtime(2 * time.Second)
	random := rand.New(rand.NewPCG(1, 2))
	there := map[string]member{}
	add := func(name string) {
		there[name] = member{newSite(t, loopback()+":8080"), 1 + random.IntN(20)}
	}
	add("m0")
	add("m1")
	p.push(r, write(there))
	await(t, "the first servers", func() bool { _, err := get(newClient(), "http://"+p.front+"/"); return err == nil })
	l := newLoad(p.front)
	sent := 0
	for i := range 60 {
		var ending []*site
		name := fmt.Sprintf("m%d", random.IntN(8))
		m, ok := there[name]
		switch {
		case !ok:
			add(name)
		case i%3 == 0 && len(there) > 2:
			ending = append(ending, m.site)
			delete(there, name)
		case i%3 == 1:
			ending = append(ending, m.site)
			add(name) // at another address
		default:
			there[name] = member{m.site, (m.weight + 1 + random.IntN(100)) % 200}
		}
		if there["m0"].site == nil || there["m0"].weight == 0 { // somebody has to be there
			if there["m0"].site == nil {
				add("m0")
			}
			there["m0"] = member{there["m0"].site, 3}
		}
		text := write(there)
		sent += len(p.push(r, text))
		p.quiet(r, text)
		for _, s := range ending {
			// A server that moves has requests at its old address.
			await(t, "haproxy has let go of "+s.addr, func() bool { return !p.streams(s.addr) })
			s.stop()
		}
	}
	l.end(t)
	t.Logf("%d commands", sent)
}

type member struct {
	site   *site
	weight int
}

// No request fails while members come, go and move.
func TestTrafficOfBackend(t *testing.T) {
	for _, check := range []string{"", " check inter 50ms rise 1 fall 2"} {
		p := newProxy(t, config("web"))
		changes(t, p, func(members map[string]member) string {
			var lines []string
			for i := range 8 {
				name := fmt.Sprintf("m%d", i)
				if m, ok := members[name]; ok {
					lines = append(lines, fmt.Sprintf("%s %s weight %d%s", name, m.site.addr, m.weight, check))
				}
			}
			return config("web", lines...)
		})
	}
}

func TestTrafficOfSlots(t *testing.T) {
	const head = "backend web\n    server-template s 1-12 0.0.0.0:1 check inter 50ms rise 1 fall 2 disabled\n"
	p := newProxy(t, head)
	changes(t, p, func(members map[string]member) string {
		text := head
		for i := range 8 {
			name := fmt.Sprintf("m%d", i)
			if m, ok := members[name]; ok {
				text += fmt.Sprintf("    # slot %s %s weight %d\n", name, m.site.addr, m.weight)
			}
		}
		return text
	})
}

// A new server is checked as the backend's others are, over HTTP if it says
// so; one that fails gets no requests.
func TestNewServersAreCheckedOverHTTP(t *testing.T) {
	good := newSite(t, loopback()+":8080")
	bad := &http.Server{Addr: loopback() + ":8080", Handler: http.NotFoundHandler()}
	var done sync.WaitGroup
	done.Go(func() { _ = bad.ListenAndServe() })
	t.Cleanup(func() { bad.Close(); done.Wait() })
	const head = "    option httpchk GET /\n"
	p := newProxy(t, config("web")+head)
	r := p.runtime(0)
	line := func(addr string) string { return addr + " check inter 20ms rise 1 fall 1" }
	p.push(r, config("web", "a "+line(good.addr), "b "+line(good.addr))+head)
	p.push(r, config("web", "a "+line(good.addr), "b "+line(good.addr), "c "+line(bad.Addr))+head)
	await(t, "a failed check", func() bool { return strings.Contains(p.tell("show stat"), ",L7STS,404,") })
	for range 30 {
		if got := fetch(t, p.front); got != good.addr {
			t.Fatalf("answered %q", got)
		}
	}
}
