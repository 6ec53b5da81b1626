package drain

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"muster/cluster"
	"muster/signing"
)

// Query is the name of the query that drains another node, or takes it back.
// Its payload is a request, sealed by package signing under this name.
const Query = cluster.OwnQuery + "drain"

const (
	version    = 1
	maxMessage = 1024 // bytes of a request or a reply
)

// What a request may ask for.
const (
	Do   = "drain"
	Undo = "undrain"
)

// A request asks one node. It names it, so that no other takes it for its own.
type request struct {
	Version int    `json:"v"`
	Node    string `json:"node"`
	Do      string `json:"do"`
}

// Seal returns the payload of the query that drains node, or takes it back,
// signed by key at now.
func Seal(key signing.Key, node string, drain bool, now time.Time) ([]byte, error) {
	text, err := json.Marshal(request{version, node, verb(drain)})
	if err != nil {
		return nil, err
	}
	return key.Sign(Query, text, now)
}

// readRequest reads what a trusted key has signed.
func readRequest(text []byte) (r request, err error) {
	if len(text) > maxMessage || json.Unmarshal(text, &r) != nil {
		return r, errors.New("it is not the JSON of a request")
	}
	if r.Version != version {
		return r, fmt.Errorf("it is of version %d, and this muster knows version %d", r.Version, version)
	}
	if r.Do != Do && r.Do != Undo {
		return r, fmt.Errorf("it asks for %q, neither %s nor %s", clip(r.Do, 80), Do, Undo)
	}
	return r, nil
}

// A reply is a node's answer to a request.
type reply struct {
	Version  int    `json:"v"`
	Draining bool   `json:"draining"`
	Error    string `json:"error,omitempty"`
}

func (r reply) encode() []byte {
	r.Version, r.Error = version, clip(r.Error, 400)
	text, err := json.Marshal(r)
	if err != nil {
		return []byte(`{"v":1,"error":"cannot answer"}`)
	}
	return text
}

// ReadReply returns whether a node says that it drains after a request, or why
// it refused.
func ReadReply(text []byte) (draining bool, err error) {
	var r reply
	if len(text) > maxMessage || json.Unmarshal(text, &r) != nil || r.Version != version {
		return false, errors.New("cannot understand its answer")
	}
	if r.Error != "" {
		return false, errors.New(r.Error)
	}
	return r.Draining, nil
}

// clip shortens s to n bytes, of whole characters.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for ; n > 0 && !utf8.RuneStart(s[n]); n-- {
	}
	return s[:n] + "…"
}
