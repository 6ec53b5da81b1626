package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"muster/nodes"
)

// maxWait bounds how long a look at the nodes may wait for their answers.
const maxWait = 10 * time.Second

// nodes says how the nodes are. A look has them asked for a while, and waits
// for their answers where they have not been asked lately: for wait at most, by
// default not at all.
func (a *API) nodes(r *http.Request) (nodes.Report, error) {
	wait, err := waitOf(r)
	if err != nil {
		return nodes.Report{}, err
	}
	return a.Nodes.Look(r.Context(), wait), nil
}

// waitOf is how long a request wants to wait.
func waitOf(r *http.Request) (time.Duration, error) {
	text := r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 {
		return 0, fmt.Errorf("%w: cannot wait %q: write a duration, as in wait=2s", errBadRequest, text)
	}
	return min(wait, maxWait), nil
}

// Nodes returns how the nodes are, having waited for their answers for wait at
// most.
func (c *Client) Nodes(ctx context.Context, wait time.Duration) (nodes.Report, error) {
	return call[nodes.Report](ctx, c, http.MethodGet, "/v1/nodes?"+url.Values{"wait": {wait.String()}}.Encode(), nil)
}
