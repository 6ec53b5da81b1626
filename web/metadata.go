package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"muster/metadata"
)

// A MetaData is what the agent's node has been given to run.
type MetaData struct {
	Node    string   `json:"node"`
	Service []string `json:"service"` // sorted
}

// metaData says what the agent's node has been given to run.
func (a *API) metaData(*http.Request) (MetaData, error) {
	return MetaData{a.Metadata.Node(), a.Metadata.Services()}, nil
}

// changeMetaData makes a handler of a function that changes it by the name of
// a service.
func (a *API) changeMetaData(do func(*metadata.Registry, context.Context, string) ([]string, error)) http.HandlerFunc {
	return serve(func(r *http.Request) (MetaData, error) {
		list, err := do(a.Metadata, r.Context(), r.PathValue("service"))
		if errors.Is(err, metadata.ErrInvalid) {
			err = fmt.Errorf("%w: %w", errBadRequest, err)
		}
		return MetaData{a.Metadata.Node(), list}, err
	})
}

// MetaData returns what the agent's node has been given to run.
func (c *Client) MetaData(ctx context.Context) (MetaData, error) {
	return call[MetaData](ctx, c, http.MethodGet, "/v1/meta-data", nil)
}

// AddService gives the agent's node a service to run.
func (c *Client) AddService(ctx context.Context, service string) (MetaData, error) {
	return call[MetaData](ctx, c, http.MethodPut, "/v1/meta-data/services/"+url.PathEscape(service), nil)
}

// RemoveService takes one from it.
func (c *Client) RemoveService(ctx context.Context, service string) (MetaData, error) {
	return call[MetaData](ctx, c, http.MethodDelete, "/v1/meta-data/services/"+url.PathEscape(service), nil)
}
