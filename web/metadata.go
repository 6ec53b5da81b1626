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

// metaData says what the node has been given to run.
func (a *API) metaData(*http.Request) (MetaData, error) {
	return MetaData{a.Metadata.Node(), a.Metadata.Services()}, nil
}

// changeMetaData answers a request that names a service with what the list is
// after do.
func (a *API) changeMetaData(do changeOf) func(*http.Request) (MetaData, error) {
	return func(r *http.Request) (MetaData, error) {
		list, err := do(r.Context(), r.PathValue("service"))
		if errors.Is(err, metadata.ErrInvalid) {
			err = fmt.Errorf("%w: %w", errBadRequest, err)
		}
		return MetaData{a.Metadata.Node(), list}, err
	}
}

// A changeOf is a change of the list: Add or Remove of a metadata.Registry.
type changeOf func(ctx context.Context, service string) ([]string, error)

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
