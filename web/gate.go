package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// A Gate says who may do what over TCP.
type Gate struct {
	// Hosts are the names that clients may call the server by, besides
	// localhost and the address that they have reached. Under any other name it
	// may be a page of somebody else's that has a browser believe we are its
	// own server (DNS rebinding).
	Hosts     []string
	Token     string // lets its bearer do everything
	ReadToken string // lets its bearer read
	Open      bool   // reading needs no token
}

var (
	errHost       = errors.New("not served under this name")
	errCrossSite  = errors.New("refused: a web page of another site has sent this")
	errNoToken    = errors.New("no token")
	errWrongToken = errors.New("wrong token")
	errReadToken  = errors.New("this token is for reading")
)

// Why a Gate refuses; indexes of API.refused.
const (
	refusedHost = iota
	refusedCrossSite
	refusedNoToken
	refusedWrongToken
	reasons
)

// reasonNames are the reasons in measurements.
var reasonNames = [reasons]string{"host", "cross_site", "no_token", "wrong_token"}

// guard refuses what comes under a foreign name or from a foreign page.
func (a *API) guard(h http.Handler) http.Handler {
	origin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.Gate.serves(r) {
			a.refuse(w, refusedHost, fmt.Errorf("%w: %q is neither localhost nor an address of this listener; add it to hosts in the http block", errHost, r.Host))
			return
		}
		if origin.Check(r) != nil {
			a.refuse(w, refusedCrossSite, errCrossSite)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// serves reports whether r names this server.
func (g *Gate) serves(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" {
		return true
	}
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return addr.Unmap().WithZone("") == reached(r)
	}
	return slices.ContainsFunc(g.Hosts, func(name string) bool { return strings.EqualFold(name, host) })
}

// reached is the address of ours that the client has reached.
func reached(r *http.Request) netip.Addr {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.Addr{}
	}
	at, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// allow lets a request pass that may do what the route does.
func (a *API) allow(needs access, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := a.Gate.judge(needs, r.Header.Get("Authorization")); err != nil {
			reason := refusedWrongToken
			if errors.Is(err, errNoToken) {
				reason = refusedNoToken
			}
			a.refuse(w, reason, err)
			return
		}
		if a.Gate.knows(r.Header.Get("Authorization")) {
			defer keep(r)()
		}
		h(w, r)
	}
}

// judge reports why who sends this authorization may not do what needs that
// access.
func (g *Gate) judge(needs access, authorization string) error {
	if needs == open || needs == read && g.Open {
		return nil
	}
	token := bearer(authorization)
	switch {
	case token == "":
		return fmt.Errorf("%w: send the header Authorization: Bearer TOKEN; %s", errNoToken, needs.where())
	case same(token, g.Token):
		return nil
	case !same(token, g.ReadToken):
		return fmt.Errorf("%w: %s", errWrongToken, needs.where())
	case needs == change:
		return fmt.Errorf("%w, and cannot change anything: %s", errReadToken, needs.where())
	}
	return nil
}

// bearer is the token in an Authorization header; empty: none.
func bearer(authorization string) string {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// knows reports whether the header has one of the tokens in it.
func (g *Gate) knows(authorization string) bool {
	token := bearer(authorization)
	return same(token, g.Token) || same(token, g.ReadToken)
}

// where says where a token is found.
func (a access) where() string {
	if a == read {
		return "it is in the agent's state directory, in read-token, unless read_token_file says otherwise"
	}
	return "it is in the agent's state directory, in token, unless token_file says otherwise"
}

// same compares two tokens in a time that tells nothing of how much of them is
// the same. An empty one is no token.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1 && a != ""
}

// refuse counts and answers a request that may not be.
func (a *API) refuse(w http.ResponseWriter, reason int, err error) {
	a.refused[reason].Add(1)
	if statusOf(err) == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="muster"`)
	}
	answer(w, nil, err)
}
