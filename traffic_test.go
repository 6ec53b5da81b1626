package muster_test

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A traffic sends requests one after another, each on a connection of its own,
// as clients do that meet a service for the first time.
type traffic struct {
	stop     chan struct{}
	enough   chan struct{} // closed once there were leastRequests
	done     sync.WaitGroup
	sent     int
	failures []string
}

type loadKey struct{}

// A load is of so many requests at least, and at most.
const (
	leastRequests = 10
	maxRequests   = 100_000
)

var freshConnections = &http.Client{
	Transport: &http.Transport{DisableKeepAlives: true},
	Timeout:   patience,
}

func (l *traffic) start(url string) {
	l.stop, l.enough = make(chan struct{}), make(chan struct{})
	l.sent, l.failures = 0, nil
	l.done.Go(func() {
		for l.sent < maxRequests {
			select {
			case <-l.stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			l.sent++
			if _, err := get(url); err != nil {
				l.failures = append(l.failures, err.Error())
			}
			if l.sent == leastRequests {
				close(l.enough)
			}
		}
	})
}

func (l *traffic) halt() {
	if l.stop != nil {
		close(l.stop)
		l.done.Wait()
		l.stop = nil
	}
}

func get(url string) (string, error) {
	response, err := freshConnections.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return string(body), err
}

// loadCommand is `load start URL` and `load stop [MAX]`.
func loadCommand(ts *testscript.TestScript, neg bool, args []string) {
	l := ts.Value(loadKey{}).(*traffic)
	switch {
	case len(args) == 2 && args[0] == "start":
		l.halt()
		l.start(args[1])
	case len(args) >= 1 && args[0] == "stop":
		select {
		case <-l.enough:
		case <-time.After(patience):
			ts.Fatalf("hardly any requests were sent: that proves nothing")
		}
		l.halt()
		allowed := 0
		if len(args) == 2 {
			n, err := strconv.Atoi(args[1])
			ts.Check(err)
			allowed = n
		}
		ts.Logf("%d requests, %d failed", l.sent, len(l.failures))
		if len(l.failures) > allowed {
			ts.Fatalf("%d of %d requests failed, the first with: %s", len(l.failures), l.sent, l.failures[0])
		}
	default:
		ts.Fatalf("usage: load start URL | load stop [MAX]")
	}
}

// fetch prints the body behind a URL; with a leading `!` it must fail.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: fetch URL")
	}
	body, err := get(args[0])
	if (err != nil) != neg {
		ts.Fatalf("fetch %s: %v", args[0], err)
	}
	fmt.Fprint(ts.Stdout(), body)
}
