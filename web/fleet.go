package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"muster/drain"
	"muster/fleet"
)

// lookAtFleet asks all nodes how they stand, and how they stand to the members
// that are named, for wait at most.
func (a *API) lookAtFleet(r *http.Request) (fleet.Report, error) {
	wait, err := waitOf(r)
	if err != nil {
		return fleet.Report{}, err
	}
	report, err := a.Fleet.Look(r.Context(), cmp.Or(wait, fleet.Longest), r.URL.Query()["member"])
	if errors.Is(err, fleet.ErrQuestion) {
		err = fmt.Errorf("%w: %w", errBadRequest, err)
	}
	return report, err
}

func (a *API) draining(*http.Request) (drain.State, error) { return a.Drain.State(), nil }

// setDraining drains the agent's node, or takes it back.
func (a *API) setDraining(drains bool) func(*http.Request) (drain.State, error) {
	return func(r *http.Request) (drain.State, error) { return a.Drain.Set(r.Context(), drains) }
}

// Fleet returns how the fleet stands, and how it stands to the members named,
// having asked for wait at most.
func (c *Client) Fleet(ctx context.Context, wait time.Duration, members ...string) (fleet.Report, error) {
	query := url.Values{"member": members, "wait": {wait.String()}}
	return call[fleet.Report](ctx, c, http.MethodGet, "/v1/fleet?"+query.Encode(), nil)
}

// Draining returns whether the agent's node drains.
func (c *Client) Draining(ctx context.Context) (drain.State, error) {
	return call[drain.State](ctx, c, http.MethodGet, "/v1/drain", nil)
}

// Drain drains the agent's node, or takes it back.
func (c *Client) Drain(ctx context.Context, drains bool) (drain.State, error) {
	method := http.MethodDelete
	if drains {
		method = http.MethodPut
	}
	return call[drain.State](ctx, c, method, "/v1/drain", nil)
}
