package rpc

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"muster/logs"
)

const (
	logWindow = 10 * time.Second
	maxLines  = 20 // in a window
)

// A throttle is a log whose lines others cause, and can therefore cause as
// many of as they want: what is too much is counted.
type throttle struct {
	log *slog.Logger

	mu     sync.Mutex
	budget logs.Budget
}

func (t *throttle) warn(msg string, args ...any) { t.write(slog.LevelWarn, msg, args) }
func (t *throttle) info(msg string, args ...any) { t.write(slog.LevelInfo, msg, args) }

func (t *throttle) write(level slog.Level, msg string, args []any) {
	pass, dropped := t.admit(time.Now())
	if dropped > 0 {
		t.log.Warn("too much to log about clients", "dropped", dropped)
	}
	if pass {
		t.log.Log(context.Background(), level, msg, args...)
	}
}

func (t *throttle) admit(now time.Time) (pass bool, dropped int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.budget.Spend(now)
}

// brief cuts what a client sent to what a line can bear.
func brief(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
