package web

import (
	"net/http"

	"muster/publisher"
)

// find lists what live members offer, of a type and a host if the request names
// them. A tag that cannot be read is none.
func (a *API) find(r *http.Request) ([]publisher.Found, error) {
	q := r.URL.Query()
	found, _ := publisher.Find(a.Agent.Members(), q.Get("type"), q.Get("host"))
	return found, nil
}
