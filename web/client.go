package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"muster/agent"
	"muster/cluster"
	"muster/rules"
)

// maxAnswer bounds what a client reads of one answer, in bytes: a plan over
// many large files is the largest there is.
const maxAnswer = 256 << 20

// A Client asks a running agent over its socket.
type Client struct {
	socket string
	http   *http.Client
}

// NewClient returns a client of the agent that listens at socket.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Status returns how the agent and its rules are.
func (c *Client) Status(ctx context.Context) (agent.Status, error) {
	return call[agent.Status](ctx, c, http.MethodGet, "/v1/status", nil)
}

// Members returns the members that the agent knows, whatever their status.
func (c *Client) Members(ctx context.Context) ([]cluster.Member, error) {
	return call[[]cluster.Member](ctx, c, http.MethodGet, "/v1/members", nil)
}

// Plan returns what a pass would change now for the rules named, or for all.
func (c *Client) Plan(ctx context.Context, names []string) ([]agent.RulePlan, error) {
	return call[[]agent.RulePlan](ctx, c, http.MethodGet, "/v1/plan?"+url.Values{"rule": names}.Encode(), nil)
}

// ExplainRule returns why a rule last ran or did not.
func (c *Client) ExplainRule(ctx context.Context, name string) (agent.RuleExplanation, error) {
	return call[agent.RuleExplanation](ctx, c, http.MethodGet, "/v1/rules/"+url.PathEscape(name)+"/explain", nil)
}

// ExplainMember returns which rules select a member, clause by clause.
func (c *Client) ExplainMember(ctx context.Context, name string) (agent.MemberExplanation, error) {
	return call[agent.MemberExplanation](ctx, c, http.MethodGet, "/v1/members/"+url.PathEscape(name)+"/explain", nil)
}

// Reload has the agent read its rules again, and returns the mistakes found.
func (c *Client) Reload(ctx context.Context) (rules.Problems, error) {
	return call[rules.Problems](ctx, c, http.MethodPost, "/v1/reload", struct{}{})
}

// Apply has the agent converge the rules named, or all, at once.
func (c *Client) Apply(ctx context.Context, request ApplyRequest) ([]agent.RuleStatus, error) {
	return call[[]agent.RuleStatus](ctx, c, http.MethodPost, "/v1/apply", request)
}

// Send has the agent send a user event to the cluster.
func (c *Client) Send(ctx context.Context, request EventRequest) error {
	_, err := call[struct{}](ctx, c, http.MethodPost, "/v1/events", request)
	return err
}

// An Error is the agent's own answer that it cannot do what was asked.
type Error struct {
	Status  int // of HTTP
	Message string
}

func (e *Error) Error() string { return e.Message }

// NotFound reports whether err is the agent's answer that there is no such
// rule or member.
func NotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

// call sends one request and decodes its answer.
func call[T any](ctx context.Context, c *Client, method, path string, body any) (answer T, err error) {
	var content io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return answer, fmt.Errorf("cannot encode the request: %w", err)
		}
		content = bytes.NewReader(encoded)
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://muster"+path, content)
	if err != nil {
		return answer, fmt.Errorf("cannot ask the agent: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return answer, c.unreachable(err)
	}
	defer response.Body.Close()
	decoder := json.NewDecoder(io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode != http.StatusOK {
		var failure struct{ Error string }
		if decoder.Decode(&failure) != nil || failure.Error == "" {
			failure.Error = "cannot read the agent's answer: " + response.Status
		}
		return answer, &Error{Status: response.StatusCode, Message: failure.Error}
	}
	if err := decoder.Decode(&answer); err != nil {
		return answer, fmt.Errorf("cannot read the agent's answer: %w", err)
	}
	return answer, nil
}

// unreachable says why the agent does not answer, and what to do.
func (c *Client) unreachable(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		err = u.Err
	}
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot reach the agent at %s: %w: run this as root or as a member of the socket's group", c.socket, fs.ErrPermission)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("cannot reach the agent at %s: is it running? start it with `muster agent`, or say where it listens with --socket", c.socket)
	default:
		return fmt.Errorf("cannot reach the agent at %s: %w", c.socket, err)
	}
}
