package web

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// slow is a client that never ends its request.
func slow(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: localhost\r\nX: ")); err != nil {
		t.Fatal(err)
	}
	return conn
}

// crowded serves h with room for a few connections.
func crowded(t *testing.T, most int, h http.Handler) (addr string, c *crowd) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c = newCrowd(ln, most)
	done := make(chan error, 1)
	go func() { done <- Serve(t.Context(), c, h, slog.New(slog.DiscardHandler)) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return ln.Addr().String(), c
}

// count is how many connections there are.
func (c *crowd) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.guests)
}

// Clients that send a byte at a time do not keep the others out.
func TestSlowClientsGiveWay(t *testing.T) {
	const most = 8
	addr, c := crowded(t, most, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "here") }))
	for range 5 * most {
		slow(t, addr)
	}
	if status, _, text := ask(t, "GET", "http://"+addr+"/", "", nil); status != 200 || text != "here" {
		t.Errorf("%d %q", status, text)
	}
	if n := c.count(); n > most {
		t.Errorf("%d connections", n)
	}
}

// Nor do clients that do not read what everybody may have. Who has a token is
// kept meanwhile.
func TestSlowReadersGiveWay(t *testing.T) {
	const most = 4
	big := strings.Repeat("x", 16<<20) // more than the kernel takes
	stuck := make(chan bool, 100)
	a := New(Config{Gate: &Gate{Token: token, ReadToken: readerToken}})
	h := a.allow(open, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/big" {
			stuck <- true
			_, _ = io.WriteString(w, big)
		}
	})
	addr, _ := crowded(t, most, h)
	ask := func(header string) *bufio.Reader {
		t.Helper()
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(conn, "GET /big HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\n"); err != nil {
			t.Fatal(err)
		}
		select {
		case <-stuck:
		case <-time.After(time.Minute):
			t.Fatal("nobody gave way")
		}
		return bufio.NewReader(conn)
	}
	known := ask("Authorization: Bearer " + readerToken + "\r\n")
	for range 3 * most {
		ask("")
	}
	response, err := http.ReadResponse(known, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, response.Body); n != int64(len(big)) || err != nil {
		t.Errorf("who has a token got %d bytes, %v", n, err)
	}
}

// Who is being answered stays, and keeps newcomers out; once that is over, it
// counts as waiting again.
func TestAnsweredClientsStay(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	addr, c := crowded(t, 2, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/long" {
			defer keep(r)()
			entered <- true
			<-leave
		}
		_, _ = io.WriteString(w, "here")
	}))
	var conns []net.Conn
	for range 2 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn)
		<-entered
	}
	late, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	_ = late.SetDeadline(time.Now().Add(time.Minute))
	if n, err := late.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("a newcomer reads %d bytes, %v", n, err)
	}
	for _, conn := range conns {
		leave <- true
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, "200") {
			t.Errorf("%q, %v", line, err)
		}
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		waiting := 0
		for g := range c.guests {
			if g.served == 0 {
				waiting++
			}
		}
		c.mu.Unlock()
		if waiting == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d wait", waiting)
		}
	}
	if status, _, _ := ask(t, "GET", "http://"+addr+"/", "", nil); status != 200 {
		t.Errorf("nobody gave way: %d", status)
	}
}
