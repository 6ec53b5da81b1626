package cluster

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A KeyReport is what the members said to a change or a listing of keys.
type KeyReport struct {
	Nodes    int               // members asked
	Answered int               // of them
	Failed   int               // of those that answered
	Messages map[string]string // by member: what went wrong, or what to know
	Keys     map[string]int    // of a listing, base64 key: how many members hold it
	Primary  map[string]int    // of a listing, base64 key: how many members encrypt with it
}

// Serf's queries about keys, and the types of message in them.
const (
	installKeyQuery = "_serf_install-key"
	useKeyQuery     = "_serf_use-key"
	removeKeyQuery  = "_serf_remove-key"
	listKeysQuery   = "_serf_list-keys"

	msgKeyRequest  = 7
	msgKeyResponse = 8
)

// isKeyQuery reports whether name is that of a query that may change keys.
func isKeyQuery(name string) bool {
	return name == installKeyQuery || name == useKeyQuery || name == removeKeyQuery
}

type keyRequest struct{ Key []byte }

type keyResponse struct {
	Result     bool
	Message    string
	Keys       []string
	PrimaryKey string
}

// InstallKey makes all members accept key, 16, 24 or 32 bytes in base64, and
// write it to their keyring files. All of these calls return a report also
// with an error, which says that somebody failed or did not answer.
func (n *Node) InstallKey(ctx context.Context, key string) (KeyReport, error) {
	return n.changeKeys(ctx, "install", installKeyQuery, key)
}

// UseKey makes all members encrypt with key, which must be installed on all of
// them: one that lacks it is cut off.
func (n *Node) UseKey(ctx context.Context, key string) (KeyReport, error) {
	return n.changeKeys(ctx, "use", useKeyQuery, key)
}

// RemoveKey makes all members forget key, which must not be in use.
func (n *Node) RemoveKey(ctx context.Context, key string) (KeyReport, error) {
	return n.changeKeys(ctx, "remove", removeKeyQuery, key)
}

// ListKeys asks all members for their keys.
func (n *Node) ListKeys(ctx context.Context) (KeyReport, error) {
	r, err := n.askAboutKeys(ctx, listKeysQuery, nil)
	if err != nil {
		return r, fmt.Errorf("cannot list keys: %w", err)
	}
	return r, nil
}

func (n *Node) changeKeys(ctx context.Context, verb, query, key string) (KeyReport, error) {
	raw, err := decodeKey(key)
	if err == nil && n.keys == nil {
		err = errors.New("gossip is not encrypted, so the key would cross the network in the clear; give all nodes an encrypt_key or a keyring_file")
	}
	var r KeyReport
	if err == nil {
		r, err = n.askAboutKeys(ctx, query, raw)
	}
	if err != nil {
		return r, fmt.Errorf("cannot %s key: %w", verb, err)
	}
	return r, nil
}

const (
	// keyRounds is how often a member is asked that does not answer: it may be
	// busy, or gossip lose the question, and to be asked twice does no harm.
	keyRounds = 3
	// maxSilent is how many bytes of names a question is addressed to.
	maxSilent = 400
)

// askAboutKeys asks all members one of Serf's queries about keys, those that do
// not answer again. They take turns.
func (n *Node) askAboutKeys(ctx context.Context, query string, key []byte) (KeyReport, error) {
	r := KeyReport{Messages: map[string]string{}, Keys: map[string]int{}, Primary: map[string]int{}}
	select {
	case n.rekey <- struct{}{}:
		defer func() { <-n.rekey }()
	case <-ctx.Done():
		return r, context.Cause(ctx)
	}
	q := Query{Name: query, Payload: encode(msgKeyRequest, keyRequest{key})}
	answered := map[string]bool{}
	take := func(a Answer) {
		if !answered[a.From] {
			answered[a.From] = true
			r.take(a)
		}
	}
	silent, err := n.round(ctx, q, take)
	r.Nodes = len(silent)
	for i := 1; err == nil; i++ {
		silent = slices.DeleteFunc(silent, func(name string) bool { return answered[name] })
		if len(silent) == 0 || i == keyRounds {
			break
		}
		if q.Nodes = nil; len(strings.Join(silent, "")) <= maxSilent {
			q.Nodes = silent
		}
		_, err = n.round(ctx, q, take)
	}
	if err != nil {
		return r, err
	}
	n.keepKeys()
	switch {
	case r.Failed > 0:
		return r, fmt.Errorf("%d/%d nodes reported failure", r.Failed, r.Nodes)
	case len(silent) > 0:
		return r, fmt.Errorf("%d/%d nodes reported success; no answer from %s", r.Answered, r.Nodes, oneLine(strings.Join(silent, ", "), 200))
	}
	return r, nil
}

// round asks once, gives take each answer, and returns who was asked.
func (n *Node) round(ctx context.Context, q Query, take func(Answer)) (asked []string, err error) {
	a, err := n.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	for {
		answer, err := a.Next(ctx)
		if err == io.EOF {
			return a.Expected(), nil
		}
		if err != nil {
			return a.Expected(), err
		}
		take(answer)
	}
}

// take adds what one member says.
func (r *KeyReport) take(a Answer) {
	r.Answered++
	var said keyResponse
	switch {
	case len(a.Payload) == 0 || a.Payload[0] != msgKeyResponse:
		said.Message = "its answer is none about keys"
	case decode(a.Payload[1:], &said) != nil:
		said = keyResponse{Message: "its answer cannot be decoded"}
	}
	if said.Message != "" || !said.Result {
		r.Messages[a.From] = oneLine(said.Message, 200)
	}
	if !said.Result {
		r.Failed++
		return
	}
	for _, key := range said.Keys {
		r.count(r.Keys, key)
	}
	if said.PrimaryKey != "" {
		r.count(r.Primary, said.PrimaryKey)
	}
}

// count counts a key, if it can be one.
func (r *KeyReport) count(in map[string]int, key string) {
	if _, err := base64.StdEncoding.DecodeString(key); err == nil {
		in[key]++
	}
}

// keepKeys brings the keyring file up to date.
func (n *Node) keepKeys() {
	if in, _, _ := n.life.look(); in != nil {
		defer in.calls.Done()
		if in.keys != nil {
			in.keys.sync()
		}
	}
}
