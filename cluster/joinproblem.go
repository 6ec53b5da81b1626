package cluster

import (
	"errors"
	"strings"
)

// joinProblem says in one line why a join failed, and what to do where the
// cause is known. memberlist wraps it in a list that is made for a terminal.
func joinProblem(err error) string {
	text := err.Error()
	var list interface{ WrappedErrors() []error } // go-multierror's
	if errors.As(err, &list) {
		var all []string
		for _, e := range list.WrappedErrors() {
			all = append(all, e.Error())
		}
		text = strings.Join(all, "; ")
	}
	if after, ok := strings.CutPrefix(text, "failed to join "); ok {
		if _, cause, ok := strings.Cut(after, ": "); ok {
			text = cause
		}
	}
	text = oneLine(strings.TrimSpace(text), 200)
	for sign, remedy := range map[string]string{
		"no installed keys could decrypt": "the cluster uses another key than this node's encrypt_key or keyring_file",
		"encryption is not configured":    "the cluster is encrypted: give this node its encrypt_key or keyring_file",
	} {
		if strings.Contains(text, sign) {
			return text + ": " + remedy
		}
	}
	return text
}
