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

// WithMetadata adds to the API what the agent's node has been given to run:
//
//	GET    /v1/meta-data
//	PUT    /v1/meta-data/services/{service}
//	DELETE /v1/meta-data/services/{service}
//
// each of which answers with a MetaData.
func WithMetadata(api http.Handler, r *metadata.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/meta-data", serve(func(*http.Request) (MetaData, error) {
		return MetaData{r.Node(), r.Services()}, nil
	}))
	change := func(do func(context.Context, string) ([]string, error)) http.HandlerFunc {
		return serve(func(req *http.Request) (MetaData, error) {
			list, err := do(req.Context(), req.PathValue("service"))
			if errors.Is(err, metadata.ErrInvalid) {
				err = fmt.Errorf("%w: %w", errBadRequest, err)
			}
			return MetaData{r.Node(), list}, err
		})
	}
	mux.HandleFunc("PUT /v1/meta-data/services/{service}", change(r.Add))
	mux.HandleFunc("DELETE /v1/meta-data/services/{service}", change(r.Remove))
	mux.Handle("/", api)
	return mux
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
