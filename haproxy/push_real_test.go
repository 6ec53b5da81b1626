package haproxy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// members writes n servers, and what haproxy shall say of them. The weights
// and ports depend on the version, so that all of them change.
func members(n, version int) (lines, want []string) {
	for i := range n {
		addr, shown := fmt.Sprintf("127.9.%d.%d:%d", i/250, 1+i%250, 8000+version), fmt.Sprintf("127.9.%d.%d", i/250, 1+i%250)
		if i%3 == 1 {
			addr, shown = fmt.Sprintf("[::1]:%d", 8000+version), "::1"
		}
		weight, given := 1, ""
		if i%2 == 0 {
			weight = (i + version) % 257
			given = fmt.Sprintf(" weight %d", weight)
		}
		lines = append(lines, fmt.Sprintf("web%d %s%s", i, addr, given))
		want = append(want, fmt.Sprintf("web%d %s %d weight %d ready", i, shown, 8000+version, weight))
	}
	return lines, want
}

// From any number of members to any other, and from all values to others.
func TestPushNumbers(t *testing.T) {
	p := newProxy(t, config("web"))
	r := p.runtime(0)
	text := config("web")
	for version, n := range []int{0, 1, 3, 500, 3, 500, 1, 0} {
		lines, want := members(n, version)
		next := config("web", lines...)
		if err := Pushable([]byte(text), []byte(next)); err != nil {
			t.Errorf("to %d: %v", n, err)
		}
		text = next
		planned, err := r.Diff(t.Context(), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		result, err := r.Push(t.Context(), []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(planned.Commands, result.Commands); diff != "" {
			t.Errorf("Diff and Push (-diff +push):\n%s", diff)
		}
		p.want("web", want...)
		p.quiet(r, text)
		p.write(text)
	}
	lines, want := members(500, 99)
	text = config("web", lines...)
	p.write(text)
	p.reload()
	p.want("web", want...)
	p.quiet(p.runtime(0), text)
}

// What Push makes is what a reload makes.
func TestPushIsAReload(t *testing.T) {
	p := newProxy(t, config("web", "a 127.9.0.1:80 weight 3", "b 127.9.0.2:80 disabled", "c 127.9.0.3:80", "d 127.9.0.4:80"))
	text := config("web", "a 127.9.0.1:81", "b 127.9.0.2:80", "c [::1]:80 weight 0", "e 127.9.0.5:80 disabled weight 256", "d 127.9.0.4:80 disabled")
	p.push(p.runtime(0), text)
	pushed := p.servers("web")
	p.write(text)
	p.reload()
	if diff := cmp.Diff(p.servers("web"), pushed); diff != "" {
		t.Errorf("(-reloaded +pushed):\n%s", diff)
	}
}

// A backend that is not in the text is left alone; several are pushed at once.
func TestPushBackends(t *testing.T) {
	p := newProxy(t, config("web", "a 127.9.0.1:80")+config("other", "a 127.9.0.1:80")+config("third", "a 127.9.0.1:80"))
	r := p.runtime(0)
	if _, err := r.Push(t.Context(), []byte(config("web", "b 127.9.0.2:80")), []byte(config("third", "a 127.9.0.3:80"))); err != nil {
		t.Fatal(err)
	}
	p.want("web", "b 127.9.0.2 80 weight 1 ready")
	p.want("third", "a 127.9.0.3 80 weight 1 ready")
	p.want("other", "a 127.9.0.1 80 weight 1 ready")
	if result, err := r.Push(t.Context()); len(result.Commands) > 0 || err != nil {
		t.Errorf("without texts: %v, %v", result, err)
	}
	// What fails in one backend does not hold up another.
	_, err := r.Push(t.Context(), []byte(config("nowhere", "a 127.9.0.1:80")), []byte(config("web", "c 127.9.0.3:80")))
	if !errors.Is(err, ErrReload) || !strings.Contains(err.Error(), "no backend nowhere") {
		t.Errorf("an unknown backend: %v", err)
	}
	p.want("web", "c 127.9.0.3 80 weight 1 ready")
}

// Somebody else's reload brings back what the file said then, and servers by
// hand are as they are: the next push puts it right.
func TestPushRepairs(t *testing.T) {
	old := config("web", "a 127.9.0.1:80", "b 127.9.0.2:80")
	p := newProxy(t, old)
	r := p.runtime(0)
	text := config("web", "b 127.9.0.3:80 weight 9", "c 127.9.0.4:80")
	want := []string{"b 127.9.0.3 80 weight 9 ready", "c 127.9.0.4 80 weight 1 ready"}
	p.push(r, text)
	p.want("web", want...)
	p.reload() // of the old file
	p.push(r, text)
	p.want("web", want...)
	for _, command := range []string{"set server web/b state maint", "set server web/b weight 3", "set server web/c addr ::1 port 9",
		"set server web/c state drain", "add server web/x 127.9.0.9:9"} {
		p.tell(command)
	}
	p.push(r, text)
	p.want("web", want...)
	p.quiet(r, text)
}

// A server-state-file is of no harm.
func TestPushAfterStateFile(t *testing.T) {
	text := config("web", "a 127.9.0.1:80", "b 127.9.0.2:80") + `backend slots
    server-template s 1-3 0.0.0.0:1 disabled
    # slot x 127.9.0.1:80 weight 3
    # slot y [::1]:80
`
	p := newProxy(t, strings.ReplaceAll(text, "backend", "defaults\n    mode http\n    timeout connect 1s\n    timeout client 1s\n    timeout server 1s\n    load-server-state-from-file global\nbackend"))
	r := p.runtime(0)
	text = strings.ReplaceAll(text, "127.9.0.2:80", "127.9.0.9:81 weight 7")
	want := []string{"127.9.0.1 80 weight 3", "::1 80 weight 1"}
	slots := func() (out []string) {
		for _, s := range p.servers("slots") {
			if s, ok := strings.CutSuffix(s[3:], " ready"); ok {
				out = append(out, s)
			}
		}
		slices.Sort(out)
		return out
	}
	p.push(r, text)
	if diff := cmp.Diff(want, slots()); diff != "" {
		t.Error(diff)
	}
	for range 2 {
		saved := p.tell("show servers state")
		if err := writeFile(p.dir+"/state", saved); err != nil {
			t.Fatal(err)
		}
		p.reload()
		p.push(r, text)
		if diff := cmp.Diff(want, slots()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		p.want("web", "a 127.9.0.1 80 weight 1 ready", "b 127.9.0.9 81 weight 7 ready")
		p.quiet(r, text)
	}
}

// A server drains as long as it has something to do, at most for Drain. If its
// member comes back, it goes on.
func TestDrain(t *testing.T) {
	site1, site2 := newSite(t, loopback()+":8080"), newSite(t, loopback()+":8080")
	// haproxy takes a while to let go of idle connections of a server in maintenance.
	both, one := config("web", "a "+site1.addr, "b "+site2.addr+" pool-max-conn 0"), config("web", "a "+site1.addr)
	p := newProxy(t, both)
	now := time.Now()
	r := New(Config{Socket: p.socket, Drain: time.Hour, Now: func() time.Time { return now }})
	a := "a " + strings.Replace(site1.addr, ":", " ", 1) + " weight 1 "
	b := "b " + strings.Replace(site2.addr, ":", " ", 1) + " weight 1 "

	hold := newHolder(t, p, 4) // on both servers
	result, err := r.Push(t.Context(), []byte(one))
	if err != nil || result.Again.Sub(now) != drainPoll || cmp.Diff([]string{"web/b"}, result.Draining) != "" {
		t.Fatalf("%+v, %v", result, err)
	}
	p.want("web", a+"ready", b+"drain")
	result, err = r.Push(t.Context(), []byte(one))
	if err != nil || len(result.Commands) > 0 || len(result.Draining) != 1 {
		t.Errorf("while it has connections: %+v, %v", result, err)
	}
	// It comes back, and goes again.
	p.push(r, both)
	p.want("web", a+"ready", b+"ready")
	if _, err := r.Push(t.Context(), []byte(one)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour - time.Second)
	if _, err = r.Push(t.Context(), []byte(one)); err != nil {
		t.Fatal(err)
	}
	p.want("web", a+"ready", b+"drain")
	// Its time is over, but haproxy does not delete a server with connections.
	now = now.Add(time.Second)
	result, err = r.Push(t.Context(), []byte(one))
	if err != nil || result.Again.Sub(now) != firstLinger || len(result.Draining) != 1 {
		t.Errorf("when its time is over: %+v, %v", result, err)
	}
	p.want("web", a+"ready", b+"maint")
	p.quietUntil(r, one, result)
	hold.end()
	await(t, "the end of b", func() bool {
		now = now.Add(lingerPoll)
		result, err = r.Push(t.Context(), []byte(one))
		return err == nil && result.Again.IsZero()
	})
	p.want("web", a+"ready")
	if failed := hold.failed.Load(); failed > 0 {
		t.Errorf("%d requests failed", failed)
	}

	// Without connections it need not wait.
	p.push(r, both)
	if _, err := r.Push(t.Context(), []byte(one)); err != nil {
		t.Fatal(err)
	}
	p.want("web", a+"ready", b+"drain")
	if result, err := r.Push(t.Context(), []byte(one)); err != nil || !result.Again.IsZero() {
		t.Errorf("%+v, %v", result, err)
	}
	p.want("web", a+"ready")
}

// A restarted agent lets a server drain anew.
func TestDrainAfterRestart(t *testing.T) {
	site := newSite(t, loopback()+":8080")
	p := newProxy(t, config("web", "a "+site.addr))
	hold := newHolder(t, p, 1)
	now := time.Now()
	clock := func() time.Time { return now }
	drain := Config{Socket: p.socket, Drain: time.Minute, Now: clock}
	if _, err := New(drain).Push(t.Context(), []byte(config("web"))); err != nil {
		t.Fatal(err)
	}
	now = now.Add(59 * time.Second)
	r := New(drain)
	for _, more := range []time.Duration{0, 59 * time.Second} {
		now = now.Add(more)
		if _, err := r.Push(t.Context(), []byte(config("web"))); err != nil {
			t.Fatal(err)
		}
		if got := p.servers("web"); len(got) != 1 || !strings.HasSuffix(got[0], "drain") {
			t.Errorf("after %v: %q", more, got)
		}
	}
	hold.end()
	await(t, "the end of a", func() bool {
		now = now.Add(lingerPoll)
		result, err := r.Push(t.Context(), []byte(config("web")))
		return err == nil && result.Again.IsZero()
	})
	p.want("web")
}

// A server that comes while others are up gets no request before its checks
// have passed; the first one, and one that takes over from all, at once.
func TestNewServersWait(t *testing.T) {
	const check = " check inter 100ms rise 2"
	up, late := newSite(t, loopback()+":8080"), loopback()+":8080"
	p := newProxy(t, config("web"))
	r := p.runtime(0)
	p.push(r, config("web", "a "+up.addr+check))
	if got := fetch(t, p.front); got != up.addr {
		t.Errorf("the first server answers %q", got)
	}
	p.push(r, config("web", "a "+up.addr+check, "b "+late+check))
	for range 20 {
		fetch(t, p.front)
	}
	if got := operational(p, "web", "b"); got != "0" {
		t.Errorf("a server without a service has state %s", got)
	}
	site := newSite(t, late)
	await(t, "b's requests", func() bool { fetch(t, p.front); return site.hits.Load() > 0 })
	// A new address waits, too, and meanwhile the other takes all.
	third := loopback() + ":8080"
	p.push(r, config("web", "a "+up.addr+check, "b "+third+check))
	for range 20 {
		if got := fetch(t, p.front); got != up.addr {
			t.Errorf("answered %q", got)
		}
	}
	// The only one moves: it does not wait.
	p.push(r, config("web", "b "+third+check))
	newSite(t, third)
	await(t, "b's third place", func() bool { return operational(p, "web", "b") == "2" })
	p.push(r, config("web", "b "+site.addr+check))
	if got := fetch(t, p.front); got != site.addr {
		t.Errorf("after the move it answers %q", got)
	}
}
