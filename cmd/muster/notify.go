package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"muster/agent"
)

// notify tells the service manager about the agent's life, if one asked to be
// told (sd_notify(3)).
func notify(log *slog.Logger) func(agent.Notice) {
	return func(n agent.Notice) {
		var state string
		if n.Ready {
			state += daemon.SdNotifyReady + "\n"
		}
		if n.Reloading {
			state += daemon.SdNotifyReloading + "\n" + monotonic() + "\n"
		}
		if n.Stopping {
			state += daemon.SdNotifyStopping + "\n"
		}
		if n.Alive {
			state += daemon.SdNotifyWatchdog + "\n"
		}
		if n.Status != "" {
			state += "STATUS=" + n.Status + "\n"
		}
		if _, err := daemon.SdNotify(false, state); err != nil {
			log.Warn(fmt.Sprintf("cannot notify the service manager: %v", err))
		}
	}
}

// monotonic is the time that RELOADING=1 has to carry.
func monotonic() string {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return ""
	}
	return fmt.Sprintf("MONOTONIC_USEC=%d", t.Nano()/1000)
}

// watchdogInterval is half of what the service manager waits for a sign of
// life; 0 when it waits for none.
func watchdogInterval() time.Duration {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0
	}
	return interval / 2
}
