package web

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"muster/reconcile"
	"muster/timeline"
)

// happened lists what has happened lately: all that is kept, or what came after
// the entry that the request names.
func (a *API) happened(r *http.Request) ([]timeline.Entry, error) {
	after := uint64(0)
	if text := r.URL.Query().Get("after"); text != "" {
		var err error
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return nil, fmt.Errorf("%w: cannot look after %q: write the id of an entry, as in after=42", errBadRequest, text)
		}
	}
	return a.Timeline.After(after, 0), nil
}

// Timeline returns what has happened lately and came after the entry with the
// ID, the oldest first; with 0 all that is kept.
func (c *Client) Timeline(ctx context.Context, after uint64) ([]timeline.Entry, error) {
	return call[[]timeline.Entry](ctx, c, http.MethodGet, "/v1/timeline?after="+strconv.FormatUint(after, 10), nil)
}

// LastChange returns what the last pass that changed a file of the rule
// changed, or tried to.
func (c *Client) LastChange(ctx context.Context, rule string) (reconcile.Change, error) {
	return call[reconcile.Change](ctx, c, http.MethodGet, "/v1/rules/"+url.PathEscape(rule)+"/change", nil)
}
