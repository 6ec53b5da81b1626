package page

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"muster/agent"
)

const (
	// maxStreams is how many browsers are kept up to date at once.
	maxStreams = 64
	// tick is how often a stream looks; when something happens it looks soon
	// after, but leaves a pause between looks, however much happens.
	tick  = time.Second
	pause = 400 * time.Millisecond
	soon  = 100 * time.Millisecond
	// heartbeat is how often something is sent though nothing has changed, so
	// that either side notices when the other one is gone.
	heartbeat = 15 * time.Second
	// patience is how long a browser may take to read what it is sent.
	patience = 30 * time.Second
	// retry is after how long a browser connects again.
	retry = 2 * time.Second
)

// errAway says that there is no such page.
var errAway = errors.New("there is nothing here")

// A builder makes a document of how things are.
type builder func(ctx context.Context, s *snapshot, r *http.Request) (document, error)

// Overview, Node, Rule, Rules and Services answer with a page, or, to whom asks for an
// event stream, with what changes in it.
func (p *Page) Overview() http.HandlerFunc { return p.serve(p.overview) }

// Node is the page of the node that the path names.
func (p *Page) Node() http.HandlerFunc { return p.serve(p.node) }

// Rule is the page of the rule that the path names.
func (p *Page) Rule() http.HandlerFunc { return p.serve(p.rule) }

// Rules is the page of all rules.
func (p *Page) Rules() http.HandlerFunc { return p.serve(p.rulesPage) }

// Services is the page of what live members offer.
func (p *Page) Services() http.HandlerFunc { return p.serve(p.servicesPage) }

func (p *Page) serve(build builder) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept")
		if strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream") {
			p.stream(w, r, build)
			return
		}
		sight, err := p.see(r, build)
		if err != nil {
			Refuse(w, statusOf(err), err.Error())
			return
		}
		sight.session = slices.ContainsFunc(r.Cookies(), func(c *http.Cookie) bool { return strings.HasPrefix(c.Name, "muster") })
		execute(w, max(sight.status, http.StatusOK), "page", &sight)
	}
}

// see makes the document that the request is for, as it is now.
func (p *Page) see(r *http.Request, build builder) (sight, error) {
	s, err := p.look(r.Context())
	if err != nil {
		return sight{}, err
	}
	d, err := build(r.Context(), s, r)
	if err != nil {
		return sight{}, err
	}
	d.path = r.URL.Path + "?" + d.query.String()
	return p.parts.show(d)
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, agent.ErrUnknown), errors.Is(err, errAway):
		return http.StatusNotFound
	case errors.Is(err, agent.ErrStopped), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// policy is what a page may load: what this server has, and nothing in the page
// itself.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// execute answers with a whole page.
func execute(w http.ResponseWriter, status int, template string, data any) {
	var out strings.Builder
	if err := templates.ExecuteTemplate(&out, template, data); err != nil {
		http.Error(w, "cannot render the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy)
	deadline(w)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(out.String())) // a browser that went away is not worth a line of log
}

// deadline bounds how long the browser may take to read what comes next.
func deadline(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(patience))
}

// Refuse answers with a page that says why there is no other.
func Refuse(w http.ResponseWriter, status int, why string) {
	execute(w, status, "refusal", struct{ Title, Why, Assets string }{http.StatusText(status), why, assetsSum})
}

// A SignIn is what the page that asks for a token says.
type SignIn struct {
	Problem string // why the last try was in vain; empty: there was none
	Next    string // path to go to then
}

// Ask answers with the page that asks for a token.
func (s SignIn) Ask(w http.ResponseWriter, status int) {
	execute(w, status, "signin", struct {
		SignIn
		Assets string
	}{s, assetsSum})
}

// Asset answers with a script or style of the pages.
func Asset(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	text, err := fs.ReadFile(assets, "assets/"+name)
	if err != nil || strings.HasSuffix(name, ".html") {
		Refuse(w, http.StatusNotFound, errAway.Error())
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	// Its address names the build.
	w.Header().Set("Cache-Control", "public, max-age=86400, immutable")
	deadline(w)
	_, _ = w.Write(text)
}

// stream sends what changes in a document until the browser goes away or Run
// ends. A browser says what it has: it is sent the rest.
func (p *Page) stream(w http.ResponseWriter, r *http.Request, build builder) {
	if !p.enter() {
		http.Error(w, fmt.Sprintf("%d browsers are kept up to date already", maxStreams), http.StatusServiceUnavailable)
		return
	}
	defer p.leave()
	// The server's limit on reading a request would end the stream.
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	since := r.Header.Get("Last-Event-ID")
	if since == "" {
		since = r.URL.Query().Get("since")
	}
	s := &stream{ResponseWriter: w, after: p.parts.after(since)}
	if s.write(fmt.Sprintf("retry: %d\n\n", retry.Milliseconds())) != nil {
		return
	}
	for resumed := false; ; resumed = true {
		happened := p.c.Timeline.Changed()
		v, err := p.see(r, build)
		if err != nil {
			return // the browser comes again, and is told then
		}
		if !resumed {
			s.resume(&v)
		}
		if s.tell(&v) != nil || p.rest(r.Context(), happened) != nil {
			return
		}
	}
}

// rest waits until it is time to look again.
func (p *Page) rest(ctx context.Context, happened <-chan struct{}) error {
	wait := func(d time.Duration, or <-chan struct{}) error {
		select {
		case <-or:
		case <-time.After(d):
		case <-ctx.Done():
			return ctx.Err()
		case <-p.over:
			return agent.ErrStopped
		}
		return nil
	}
	for _, part := range []struct {
		time.Duration
		or <-chan struct{}
	}{{pause, nil}, {tick - pause - soon, happened}, {soon, nil}} {
		if err := wait(part.Duration, part.or); err != nil {
			return err
		}
	}
	return nil
}

// enter counts the streams, and reports whether there may be one more.
func (p *Page) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.streams >= maxStreams {
		return false
	}
	p.streams++
	return true
}

func (p *Page) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams--
}

// A stream is what one browser has been sent.
type stream struct {
	http.ResponseWriter
	after uint64          // the version of the document that it has
	has   map[string]bool // its items
	sent  time.Time       // when it was last sent anything
}

// resume finds out what a browser has that was there before: a list that is as
// it was it has as a whole.
func (s *stream) resume(v *sight) {
	for _, version := range v.order {
		if version > s.after {
			return
		}
	}
	s.has = v.ids()
}

// tell sends what the browser does not have, and a sign of life if that is
// nothing for long.
func (s *stream) tell(v *sight) error {
	m, any := v.news(s.after, s.has)
	s.has = v.ids()
	if !any {
		s.after = v.version
		if time.Since(s.sent) < heartbeat {
			return nil
		}
		return s.write(": nothing new\n\n")
	}
	text, err := json.Marshal(m) // on one line
	if err != nil {
		return err
	}
	s.after = v.version
	return s.write("id: " + v.since + "\ndata: " + string(text) + "\n\n")
}

func (s *stream) write(text string) error {
	deadline(s.ResponseWriter)
	if _, err := s.ResponseWriter.Write([]byte(text)); err != nil {
		return err
	}
	s.sent = time.Now()
	return http.NewResponseController(s.ResponseWriter).Flush()
}
