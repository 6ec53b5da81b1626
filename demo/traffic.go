package demo

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Serve answers every HTTP request with a line that holds name, until stop is
// called, which lets the requests under way end. It is the service of a node.
func Serve(at, name string) (stop func(), err error) {
	ln, err := net.Listen("tcp", at)
	if err != nil {
		return nil, fmt.Errorf("cannot serve: %w", err)
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, name) }),
		ReadHeaderTimeout: 5 * time.Second,
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(ln) }) // until Shutdown
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(ctx) != nil {
			server.Close()
		}
		serving.Wait()
	}, nil
}

// pace is how often a request is sent.
const pace = 10 * time.Millisecond

// A traffic sends requests one after another, each on a new connection.
type traffic struct {
	url    string
	client *http.Client
	quit   context.CancelFunc
	sender sync.WaitGroup

	mu    sync.Mutex
	count tally
}

// A tally says what became of requests.
type tally struct {
	sent, failed int
	failure      string         // the first
	answers      map[string]int // by who answered
}

// send sends requests until stop is called.
func send(url string) *traffic {
	ctx, cancel := context.WithCancel(context.Background())
	t := &traffic{
		url: url, quit: cancel, count: tally{answers: map[string]int{}},
		client: newClient(),
	}
	t.sender.Go(func() {
		ticker := time.NewTicker(pace)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				who, err := t.ask()
				t.note(who, err)
			}
		}
	})
	return t
}

// stop waits for the request under way. It may be called again.
func (t *traffic) stop() {
	t.quit()
	t.sender.Wait()
}

// newClient makes a connection for every request.
func newClient() *http.Client {
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
}

// ask sends one request and returns who answered.
func (t *traffic) ask() (string, error) {
	response, err := t.client.Get(t.url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s", response.Status)
	}
	return strings.TrimSpace(string(body)), err
}

func (t *traffic) note(who string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count.sent++
	if err == nil {
		t.count.answers[who]++
		return
	}
	if t.count.failed++; t.count.failed == 1 {
		t.count.failure = fmt.Sprintf("request %d: %v", t.count.sent, err)
	}
}

// sum is what became of the requests so far.
func (t *traffic) sum() tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.count
	sum.answers = make(map[string]int, len(t.count.answers))
	for who, n := range t.count.answers {
		sum.answers[who] = n
	}
	return sum
}
