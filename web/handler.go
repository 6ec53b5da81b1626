// Package web offers a running agent to programs on the same host: a JSON API
// over HTTP on a Unix socket, and the client of it that the command line
// uses. Who may connect is decided by the socket's owner, group and mode.
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
	"muster/rules"
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

// Handler answers the API for a.
func Handler(a *agent.Agent) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", serve(func(r *http.Request) (agent.Status, error) {
		return a.Status(r.Context())
	}))
	mux.HandleFunc("GET /v1/members", serve(func(r *http.Request) (any, error) {
		return a.Members(), nil
	}))
	mux.HandleFunc("GET /v1/plan", serve(func(r *http.Request) ([]agent.RulePlan, error) {
		return a.Plan(r.Context(), r.URL.Query()["rule"])
	}))
	mux.HandleFunc("GET /v1/rules/{rule}/explain", serve(func(r *http.Request) (agent.RuleExplanation, error) {
		return a.ExplainRule(r.Context(), r.PathValue("rule"))
	}))
	mux.HandleFunc("GET /v1/members/{member}/explain", serve(func(r *http.Request) (agent.MemberExplanation, error) {
		return a.ExplainMember(r.Context(), r.PathValue("member"))
	}))
	mux.HandleFunc("POST /v1/reload", serve(func(r *http.Request) (rules.Problems, error) {
		return a.Reload(r.Context())
	}))
	mux.HandleFunc("POST /v1/apply", serve(func(r *http.Request) ([]agent.RuleStatus, error) {
		var request ApplyRequest
		if err := decode(r, &request); err != nil {
			return nil, err
		}
		return a.Apply(r.Context(), request.Rules, request.Force)
	}))
	mux.HandleFunc("POST /v1/events", serve(func(r *http.Request) (struct{}, error) {
		var request EventRequest
		if err := decode(r, &request); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, send(r.Context(), a, request)
	}))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		answer(w, nil, fmt.Errorf("%w: %s %s", errNoEndpoint, r.Method, r.URL.Path))
	})
	return mux
}

// send sends an event. What is wrong is then mostly wrong with the event.
func send(ctx context.Context, a *agent.Agent, e EventRequest) error {
	err := a.Send(ctx, e.Name, []byte(e.Payload), !e.KeepEach)
	if err == nil || ctx.Err() != nil || errors.Is(err, agent.ErrCannotSend) {
		return err
	}
	return fmt.Errorf("%w: %w", errBadRequest, err)
}

var (
	errNoEndpoint = errors.New("no such endpoint")
	errBadRequest = errors.New("bad request")
)

// serve makes a handler of a function that answers a request with a value.
func serve[T any](f func(*http.Request) (T, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
		value, err := f(r)
		answer(w, value, err)
	}
}

// decode reads a JSON request.
func decode(r *http.Request, into any) error {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind != "application/json" {
		return fmt.Errorf("%w: the content type is not application/json", errBadRequest)
	}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errBadRequest, err)
	}
	return nil
}

// answer writes a value, or the error with the status it deserves. It is the
// one place where errors become HTTP statuses.
func answer(w http.ResponseWriter, value any, err error) {
	status := http.StatusOK
	if err != nil {
		value = map[string]string{"error": err.Error()}
		switch {
		case errors.Is(err, errBadRequest):
			status = http.StatusBadRequest
		case errors.Is(err, errNoEndpoint), errors.Is(err, agent.ErrUnknown):
			status = http.StatusNotFound
		case errors.Is(err, agent.ErrStopped), errors.Is(err, agent.ErrCannotSend), errors.Is(err, context.Canceled):
			status = http.StatusServiceUnavailable
		default:
			status = http.StatusInternalServerError
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	// A client that does not read must not keep the answer in memory for ever.
	// The deadline counts from here: an apply takes as long as its commands.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(answerLimit))
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	// A client that went away is not worth a line of log.
	_ = encoder.Encode(value)
}
