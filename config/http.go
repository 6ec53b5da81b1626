package config

import (
	"fmt"
	"regexp"

	"muster/rules"
)

// hostName is what a Host header may hold besides an address: a DNS name.
var hostName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$`)

// mistakes returns what is wrong with h.
func (h HTTP) mistakes() []error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if h.Address != "" {
		if err := checkHostPort(h.Address, "; write ADDR:PORT, or off"); err != nil {
			wrong("cannot serve HTTP at %q: %w", h.Address, err)
		}
	}
	for _, name := range h.Hosts {
		if len(name) > 253 || !hostName.MatchString(name) {
			wrong("cannot be called %q: hosts are names as in muster.example.org, without a port and without *", name)
		}
	}
	if err := oneOf(h.Read, ReadToken, ReadOpen); err != nil {
		wrong("cannot tell who may read: %w", err)
	}
	if h.TokenFile != "" && h.TokenFile == h.ReadTokenFile {
		wrong("cannot use %s for both tokens: whoever may read could then change things; name another token_file or read_token_file", h.TokenFile)
	}
	if (h.TLSCert == "") != (h.TLSKey == "") {
		wrong("cannot serve HTTPS: tls_cert and tls_key need each other; set both, or none")
	}
	return errs
}

// exposed warns of what others on the network come to see of the API.
func (l *loader) exposed(c Config) {
	h := c.HTTP
	if h.Address == "" || !open(h.Address) {
		return
	}
	warn := func(summary, remedy string) {
		l.problems = append(l.problems, rules.Problem{Severity: rules.Warning, Summary: summary, Detail: remedy})
	}
	if h.TLSCert == "" {
		warn("the tokens for HTTP at "+h.Address+" cross the network in the clear", "Set tls_cert and tls_key, or listen on 127.0.0.1 behind a tunnel or a proxy.")
	}
	if h.Read == ReadOpen {
		warn("everybody who reaches "+h.Address+" can read the managed files", `Leave out read = "open", or listen on 127.0.0.1.`)
	}
}
