package metadata

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"muster/cluster"
	"muster/signing"
)

// Query is the name of the query that changes another node. Its payload is a
// Request, sealed by package signing under this name.
const Query = cluster.OwnQuery + "service"

const (
	version    = 1
	maxMessage = 1024 // bytes of a request or a reply
)

// What a Request may ask for.
const (
	Add    = "add"
	Remove = "remove"
)

// A Request asks one node to change its list. It names the node, so that no
// other takes it for its own.
type Request struct {
	Version int    `json:"v"`
	Node    string `json:"node"`
	Do      string `json:"do"` // Add or Remove
	Service string `json:"service"`
}

// Seal returns the payload of the query that asks node, signed by key at now.
func Seal(key signing.Key, node, do, service string, now time.Time) ([]byte, error) {
	if err := CheckName(service); err != nil {
		return nil, err
	}
	text, err := json.Marshal(Request{version, node, do, service})
	if err != nil {
		return nil, err
	}
	return key.Sign(Query, text, now)
}

// readRequest reads what a trusted key has signed.
func readRequest(text []byte) (r Request, err error) {
	if len(text) > maxMessage || json.Unmarshal(text, &r) != nil {
		return r, errors.New("it is not the JSON of a request")
	}
	if r.Version != version {
		return r, fmt.Errorf("it is of version %d, and this muster knows version %d", r.Version, version)
	}
	if r.Do != Add && r.Do != Remove {
		return r, fmt.Errorf("it asks for %q, neither %s nor %s", clip(r.Do), Add, Remove)
	}
	return r, nil
}

// A reply is a node's answer to a Request.
type reply struct {
	Version  int      `json:"v"`
	Services []string `json:"service"`
	Error    string   `json:"error,omitempty"`
}

func (r reply) encode() []byte {
	r.Version, r.Error = version, clipError(r.Error)
	text, err := json.Marshal(r)
	if err != nil {
		return []byte(`{"v":1,"error":"cannot answer"}`)
	}
	return text
}

// ReadReply returns the services that a node says it has after a Request, or
// why it refused.
func ReadReply(text []byte) ([]string, error) {
	var r reply
	if len(text) > maxMessage || json.Unmarshal(text, &r) != nil || r.Version != version {
		return nil, errors.New("cannot understand its answer")
	}
	if r.Error != "" {
		return nil, errors.New(r.Error)
	}
	return r.Services, nil
}

// clipError keeps a reason short enough for an answer.
func clipError(s string) string {
	if len(s) > 400 {
		return s[:400] + "…"
	}
	return s
}
