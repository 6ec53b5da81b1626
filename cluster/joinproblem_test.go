package cluster

import (
	"errors"
	"fmt"
	"testing"
)

// A wrapped is an error as go-multierror makes it.
type wrapped []error

func (w wrapped) Error() string {
	return fmt.Sprintf("%d error occurred:\n\t* %v\n\n", len(w), w[0])
}
func (w wrapped) WrappedErrors() []error { return w }

func TestJoinProblem(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{wrapped{errors.New("failed to join 127.0.0.1:7946: no installed keys could decrypt the message")},
			"no installed keys could decrypt the message: the cluster uses another key than this node's encrypt_key or keyring_file"},
		{wrapped{errors.New("failed to join 127.0.0.1:7946: remote state is encrypted and encryption is not configured")},
			"remote state is encrypted and encryption is not configured: the cluster is encrypted: give this node its encrypt_key or keyring_file"},
		{errors.New("dial tcp 127.0.0.1:7946: connect: connection refused"), "dial tcp 127.0.0.1:7946: connect: connection refused"},
		{errors.Join(wrapped{errors.New("a"), errors.New("b")}), "a; b"},
	} {
		if got := joinProblem(c.err); got != c.want {
			t.Errorf("%v: got %q, want %q", c.err, got, c.want)
		}
	}
}
