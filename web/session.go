package web

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"muster/page"
)

// sessionLength is for how long a browser need not be told the token again.
const sessionLength = 30 * 24 * time.Hour

// A view is a page of what is shown to browsers. A browser cannot send a token
// with its first request: a session stands for it. It lets look at pages and do
// nothing else, so that no request that another site makes a browser send
// changes anything.
type view struct {
	pattern string // as for http.ServeMux
	open    bool   // also to those who may not look: nothing is in it
	answer  http.HandlerFunc
}

// views lists the pages.
func (a *API) views() []view {
	return []view{
		{"GET /{$}", false, a.Page.Overview()},
		{"GET /node/{node}", false, a.Page.Node()},
		{"GET /rule/{rule}", false, a.Page.Rule()},
		{"GET /rules", false, a.Page.Rules()},
		{"GET /services", false, a.Page.Services()},
		{"GET /assets/{file}", true, page.Asset},
		{"GET /login", true, func(w http.ResponseWriter, r *http.Request) {
			page.SignIn{Next: localPath(r.URL.Query().Get("next"))}.Ask(w, http.StatusOK)
		}},
		{"POST /login", true, a.signIn},
		{"POST /logout", true, signOut},
	}
}

// admit lets those look who may, and asks the others for a token.
func (a *API) admit(v view) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		known := a.Gate.knows(r.Header.Get("Authorization"))
		end, session := a.Gate.remembers(r, time.Now())
		if session && !known { // no stream goes on for longer
			ctx, cancel := context.WithDeadline(r.Context(), end)
			defer cancel()
			r = r.WithContext(ctx)
		}
		switch {
		case known || session:
			defer keep(r)()
		case v.open || a.Gate.Open:
		case strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream"):
			a.refuse(w, refusedNoToken, a.Gate.judge(read, r.Header.Get("Authorization")))
			return
		default:
			http.Redirect(w, r, "/login?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
			return
		}
		v.answer(w, r)
	}
}

// signIn gives a browser a session in exchange for a token.
func (a *API) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	if err := r.ParseForm(); err != nil {
		page.Refuse(w, statusOf(errors.Join(errBadRequest, err)), "cannot read the form: "+err.Error())
		return
	}
	next := localPath(r.PostForm.Get("next"))
	if a.Gate == nil { // on the socket all may look
		http.Redirect(w, r, next, http.StatusSeeOther)
		return
	}
	token := strings.TrimSpace(r.PostForm.Get("token"))
	if !same(token, a.Gate.Token) && !same(token, a.Gate.ReadToken) {
		a.refused[refusedWrongToken].Add(1)
		page.SignIn{Problem: "That is none of this node's tokens.", Next: next}.Ask(w, http.StatusUnauthorized)
		return
	}
	end := time.Now().Add(sessionLength)
	http.SetCookie(w, cookie(r, seal(token, end), int(sessionLength.Seconds())))
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func signOut(w http.ResponseWriter, r *http.Request) {
	http.SetCookie(w, cookie(r, "", -1))
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// cookie holds a session. Browsers send a cookie to every port of a host, so
// that its name has in it the port that they know this one by: through a tunnel
// another agent may have the same one here, and other agents other ones.
func cookie(r *http.Request, value string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName(r), Value: value, Path: "/", MaxAge: seconds,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	}
}

func cookieName(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		return "muster-" + port
	}
	return "muster"
}

// seal makes the session of who has a token, which it does not tell: when it
// ends, and a MAC (RFC 2104) of that under the token. It is good for as long as
// the token is.
func seal(token string, end time.Time) string {
	text := strconv.FormatInt(end.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(token))
	mac.Write([]byte("muster session 1\n" + text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// remembers reports whether the request has a session that has not ended, and
// when it ends. The request may have other cookies of that name before it:
// whoever serves another port of this host can set some, and must not lock the
// user out.
func (g *Gate) remembers(r *http.Request, now time.Time) (end time.Time, ok bool) {
	for _, c := range r.CookiesNamed(cookieName(r)) {
		if end, ok = g.unseal(c.Value, now); ok {
			return end, true
		}
	}
	return time.Time{}, false
}

// unseal returns when a session ends, if it is one and has not.
func (g *Gate) unseal(session string, now time.Time) (end time.Time, ok bool) {
	text, _, _ := strings.Cut(session, ".")
	seconds, err := strconv.ParseInt(text, 10, 64)
	end = time.Unix(seconds, 0)
	if err != nil || !now.Before(end) || end.After(now.Add(sessionLength+time.Hour)) {
		return end, false
	}
	for _, token := range []string{g.Token, g.ReadToken} {
		if token != "" && same(session, seal(token, end)) {
			return end, true
		}
	}
	return end, false
}

// localPath is a path on this server; what leads elsewhere leads to the first
// page.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(next, "/") ||
		strings.HasPrefix(next, "//") || strings.ContainsAny(next, "\\\r\n\t") {
		return "/"
	}
	return next
}
