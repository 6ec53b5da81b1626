package config

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"muster/signing"
)

// mistakes returns what is wrong with c as a whole, one error for each.
func (c Config) mistakes() []error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Attach == "" {
		errs = parts(c.Cluster.Validate())
		if c.Cluster.Name == AutoName {
			wrong("cannot name this node: %w", errNoIdentity)
		}
		if c.Cluster.MDNS.Interface != "" && c.Cluster.Discover == "" {
			wrong("cannot use the mdns interface: nothing is to be found by multicast DNS; set discover, or leave this out")
		}
		if c.Cluster.RetryMax > 0 && len(c.Cluster.Join) == 0 {
			wrong("cannot give up joining: nobody is to be joined; set retry_join, or leave out retry_max_attempts")
		}
	} else if err := checkRPC(c.Attach); err != nil {
		wrong("cannot attach to %q: %w", c.Attach, err)
	}
	errs = append(errs, c.serviceMistakes()...)
	if c.RPC.Addr != Off {
		if err := checkRPC(c.RPC.Addr); err != nil {
			wrong("cannot serve the RPC at %q: %w", c.RPC.Addr, err)
		} else if c.RPC.AuthKey == "" && open(c.RPC.Addr) {
			wrong("cannot serve the RPC at %s: anybody could command this agent; set rpc_auth, or use 127.0.0.1 or unix:PATH", c.RPC.Addr)
		}
	}
	errs = append(errs, c.HTTP.mistakes()...)
	for _, addr := range []string{c.Telemetry.Statsd, c.Telemetry.Statsite} {
		if addr != "" {
			if err := checkHostPort(addr, "; write HOST:PORT"); err != nil {
				wrong("cannot send measurements to %q: %w", addr, err)
			}
		}
	}
	if c.TrustedKeys != "" {
		if _, err := signing.ReadTrusted(c.TrustedKeys); err != nil {
			errs = append(errs, parts(err)...)
		}
	}
	if info, err := os.Stat(c.HandlersDir); c.HandlersDir != "" && (err != nil || !info.IsDir()) {
		if err == nil {
			err = fmt.Errorf("it is no directory")
		}
		wrong("cannot read handlers_dir %s: %w", c.HandlersDir, cause(err))
	}
	if c.HandlerTimeout < time.Second {
		wrong("cannot end a handler after %v: handler_timeout is at least 1s", c.HandlerTimeout)
	}
	if c.EventMaxAge < time.Second {
		wrong("cannot refuse signed events after %v: event_max_age is at least 1s", c.EventMaxAge)
	}
	if c.Rules.Resync < time.Second {
		wrong("cannot look again every %v: resync is at least 1s", c.Rules.Resync)
	}
	if c.Nodes.Every < time.Second || c.Nodes.Every > time.Minute {
		wrong("cannot ask the nodes every %v: every is from 1s to 1m", c.Nodes.Every)
	}
	if c.Nodes.Threshold < 1 || c.Nodes.Threshold > 100 {
		wrong("cannot suspect nodes from %d on: threshold is from 1 to 100", c.Nodes.Threshold)
	}
	if err := oneOf(c.Log.Format, "text", "json"); err != nil {
		wrong("cannot log in this format: %w", err)
	}
	if err := oneOf(strings.ToUpper(c.Log.Syslog.Facility), facilities...); err != nil {
		wrong("cannot use this facility of syslog: %w", err)
	}
	return errs
}

// facilities are those of syslog (RFC 3164, 4.1.1) under the names that Serf
// gives them.
var facilities = []string{
	"KERN", "USER", "MAIL", "DAEMON", "AUTH", "SYSLOG", "LPR", "NEWS", "UUCP", "CRON", "AUTHPRIV", "FTP",
	"LOCAL0", "LOCAL1", "LOCAL2", "LOCAL3", "LOCAL4", "LOCAL5", "LOCAL6", "LOCAL7",
}

// parts returns the errors that were joined into err.
func parts(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return slices.Clone(joined.Unwrap())
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
