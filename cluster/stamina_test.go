package cluster

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"
)

func TestStamina(t *testing.T) {
	reason, start := errors.New("nobody there"), time.Now()
	try := func(c Config, met bool, after time.Duration) error {
		p := newStamina(c)
		if err := p.failed(start, start, reason); err != nil {
			t.Errorf("gave up at once: %v", err)
		}
		p.met = met
		return p.failed(start.Add(after), start.Add(after), reason)
	}
	c := Config{Join: []string{"127.0.0.1"}, RetryMax: 3, RetryInterval: 10 * time.Second}
	if err := try(c, false, 29*time.Second); err != nil {
		t.Error(err)
	}
	if err := try(c, false, 30*time.Second); err == nil || err.Error() != "cannot join the cluster: nobody could be joined after 30s, as retry_max_attempts says: nobody there" || !errors.Is(err, reason) {
		t.Error(err)
	}
	if err := try(c, true, time.Hour); err != nil {
		t.Errorf("gave up on those it knew: %v", err)
	}
	if err := try(Config{Join: c.Join, RetryInterval: time.Second}, false, 1000*time.Hour); err != nil {
		t.Errorf("gave up without a limit: %v", err)
	}
	if err := try(Config{RetryMax: 1, RetryInterval: time.Second}, false, time.Hour); err != nil {
		t.Errorf("gave up without seeds: %v", err)
	}
}

// A node that finds nobody ends with an error, as Serf's agent does.
func TestGivesUpJoining(t *testing.T) {
	ln, err := net.Listen("tcp", "127.49.0.2:0") // a port where nobody listens
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	n, err := Join(Config{
		Name: "lonely", Bind: "127.0.0.1:0", Join: []string{ln.Addr().String()},
		RetryMax: 2, RetryInterval: 100 * time.Millisecond, Backoff: 20 * time.Millisecond, Look: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "cannot join the cluster: nobody could be joined after 200ms") {
		t.Errorf("Run: %v", err)
	}
}
