package order

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"muster/human"
	"muster/signing"
)

const (
	maxMessage = 1024 // bytes of a request or an answer
	maxReason  = 400  // bytes of why a request is refused
	maxQuoted  = 80   // bytes of what a reason quotes
)

// A request asks one node. It names it, so that no other takes it for its own.
type request struct {
	Version int    `json:"v"`
	Node    string `json:"node"`
	Order
}

// Seal returns the payload of the query called query that gives node an order,
// signed by key at now.
func Seal(key signing.Key, query, node string, o Order, now time.Time) ([]byte, error) {
	text, err := json.Marshal(request{version, node, o})
	if err != nil {
		return nil, err
	}
	return key.Sign(query, text, now)
}

// readRequest reads what a trusted key has signed.
func (k Kind) readRequest(text []byte) (r request, err error) {
	if len(text) > maxMessage || json.Unmarshal(text, &r) != nil {
		return r, errors.New("it is not the JSON of a request")
	}
	if r.Version != version {
		return r, fmt.Errorf("it is of version %d, and this muster knows version %d", r.Version, version)
	}
	if r.Do != k.Do && r.Do != k.Undo {
		return r, fmt.Errorf("it asks for %q, neither %s nor %s", human.Clip(r.Do, maxQuoted), k.Do, k.Undo)
	}
	return r, nil
}

type answered struct {
	Version int `json:"v"`
}

// refused is why a request is refused; empty: it is obeyed.
type refused struct {
	Error string `json:"error,omitempty"`
}

// encode returns the answer to a request: one object with the version, the
// fields of a content's Answer, and why it is refused, if it is.
func encode(answer any, err error) []byte {
	var why refused
	if err != nil {
		why.Error = human.Clip(err.Error(), maxReason)
	}
	text, _ := object(answered{version}, answer, why) // of such values it cannot fail
	return text
}

// ReadAnswer returns the fields of a node's answer to a request, or why the
// node refused.
func ReadAnswer[A any](text []byte) (answer A, err error) {
	var head struct {
		answered
		refused
	}
	if len(text) > maxMessage || json.Unmarshal(text, &head) != nil || head.Version != version || json.Unmarshal(text, &answer) != nil {
		return *new(A), errors.New("cannot understand its answer")
	}
	if head.Error != "" {
		return *new(A), errors.New(head.Error)
	}
	return answer, nil
}
