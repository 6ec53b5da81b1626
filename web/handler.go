// Package web offers a running agent to programs: a JSON API over HTTP, with
// measurements for Prometheus, on a Unix socket and, if wanted, on a TCP port;
// and the client of the socket that the command line uses. Who may connect to
// the socket is decided by its owner, group and mode; who may do what on the
// port, by a Gate.
//
// It leaves what the answers mean to package agent.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"time"

	"muster/agent"
)

// answerLimit is how long a client may take to read an answer.
const answerLimit = 30 * time.Second

// maxRequest bounds a request's body, in bytes.
const maxRequest = 64 << 10

// An ApplyRequest names what to converge.
type ApplyRequest struct {
	Rules []string `json:"rules,omitempty"` // all when empty
	Force bool     `json:"force,omitempty"` // also past the rules' guards
}

// An EventRequest is a user event to send to the cluster.
type EventRequest struct {
	Name    string `json:"name"`
	Payload string `json:"payload,omitempty"`
	// KeepEach says that of several events of this name each one matters, not
	// only the latest: shell handlers then get them all.
	KeepEach bool `json:"keep_each,omitempty"`
}

// A Failure is the answer to what could not be done.
type Failure struct {
	Error string `json:"error"`
}

var (
	errNoEndpoint = errors.New("no such endpoint")
	errNoMethod   = errors.New("no such method")
	errBadRequest = errors.New("bad request")
	errNoJSON     = errors.New("the content type is not application/json")
	errUnasked    = errors.New("the nodes cannot be asked")
	errAlone      = errors.New("there is no other node")
)

// serve makes a handler of a function that answers a request with a value.
func serve[T any](f func(*http.Request) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		value, err := f(r)
		answer(w, value, err)
	}
}

// decode reads a JSON request. A web page of another origin cannot send that
// content type unasked.
func decode(r *http.Request, into any) error {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return errNoJSON
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errBadRequest, err)
	}
	if decoder.More() {
		return fmt.Errorf("%w: there is more than one value", errBadRequest)
	}
	return nil
}

// answer writes a value, or the error with the status it deserves.
func answer(w http.ResponseWriter, value any, err error) {
	if err != nil {
		reply(w, statusOf(err), Failure{err.Error()})
		return
	}
	reply(w, http.StatusOK, value)
}

// statusOf is the one place where errors become HTTP statuses.
func statusOf(err error) int {
	tooLarge := (*http.MaxBytesError)(nil)
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errNoJSON):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, errBadRequest):
		return http.StatusBadRequest
	case errors.Is(err, errNoToken), errors.Is(err, errWrongToken):
		return http.StatusUnauthorized
	case errors.Is(err, errReadToken), errors.Is(err, errCrossSite):
		return http.StatusForbidden
	case errors.Is(err, errNoEndpoint), errors.Is(err, agent.ErrUnknown):
		return http.StatusNotFound
	case errors.Is(err, errNoMethod):
		return http.StatusMethodNotAllowed
	case errors.Is(err, errHost):
		return http.StatusMisdirectedRequest
	case errors.Is(err, errUnasked), errors.Is(err, errAlone),
		errors.Is(err, agent.ErrStopped), errors.Is(err, agent.ErrCannotSend), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// reply writes a value as JSON.
func reply(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	patient(w)
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	// A client that went away is not worth a line of log.
	_ = encoder.Encode(value)
}

// patient bounds how long the client may take to read the answer: one that
// does not read must not keep it in memory for ever. It counts from here, as
// an apply takes as long as its commands.
func patient(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerLimit))
}
