package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"muster/agent"
	"muster/cluster"
	"muster/drain"
	"muster/exposition"
	"muster/fleet"
	"muster/metadata"
	"muster/nodes"
	"muster/page"
	"muster/reconcile"
	"muster/rules"
	"muster/timeline"
)

// A Config is what an API needs.
type Config struct {
	Agent    *agent.Agent
	Nodes    *nodes.Book        // how the nodes are
	Metadata *metadata.Registry // what the node has been given to run
	Fleet    *fleet.Fleet       // how all nodes stand
	Drain    *drain.Drain       // whether the node drains
	Timeline *timeline.Log      // what has happened lately; nil: nothing
	Page     *page.Page         // all that, to be looked at
	// Gate says who may do what over TCP; nil: there is no Remote.
	Gate *Gate
	// Configured reports whether the configuration that was read last is good;
	// nil: it is.
	Configured func() bool
	// More returns what others measure, for /metrics; nil: nothing.
	More func() []exposition.Family
}

// An API answers requests about one agent.
type API struct {
	Config
	started  time.Time
	turn     chan struct{}          // holds one thing: the turn to ask the agent for nobody in particular
	planning chan struct{}          // holds what is there for each plan that is made
	refused  [reasons]atomic.Uint64 // by the gate
}

// maxPlans is how many plans are made at once. A pass waits for those that were
// there before it.
const maxPlans = 4

// New returns the API of an agent.
func New(c Config) *API {
	return &API{Config: c, started: time.Now(), turn: make(chan struct{}, 1), planning: make(chan struct{}, maxPlans)}
}

// Local answers whoever may connect to the socket: they may do everything.
func (a *API) Local() http.Handler { return a.handler(true) }

// Remote answers over TCP, to those whom the Gate lets through.
func (a *API) Remote() http.Handler { return a.handler(false) }

// An access says who may use a route over TCP.
type access int

const (
	// open: everybody who reaches the address. Nothing that a member or a file
	// says, but names of rules and numbers.
	open access = iota
	// read: who has one of the tokens, or everybody where the Gate is open for
	// reading.
	read
	// change: who has the token.
	change
)

// A route is one endpoint. All that is served is in the table of routes, so
// that a test can hold the OpenAPI document against it.
type route struct {
	method, path string // as for http.ServeMux
	access       access
	answer       http.HandlerFunc
}

// routes lists what is served. local is whether it is on the socket. No GET
// changes anything, and none of all this adds a rule or a command.
func (a *API) routes(local bool) []route {
	g := a.Agent
	return []route{
		{"GET", "/healthz", open, a.healthz},
		{"GET", "/readyz", open, a.readyz},
		{"GET", "/metrics", open, a.metrics},
		{"GET", "/v1/openapi.json", open, openAPI},

		{"GET", "/v1/status", read, serve(func(r *http.Request) (agent.Status, error) {
			s, err := g.Status(r.Context())
			s.Rules = withhold(local, s.Rules)
			return s, err
		})},
		{"GET", "/v1/members", read, serve(func(*http.Request) ([]cluster.Member, error) {
			return g.Members(), nil
		})},
		{"GET", "/v1/members/{member}/explain", read, serve(func(r *http.Request) (agent.MemberExplanation, error) {
			return g.ExplainMember(r.Context(), r.PathValue("member"))
		})},
		{"GET", "/v1/rules", read, serve(func(r *http.Request) ([]agent.RuleStatus, error) {
			return a.rules(r.Context(), local)
		})},
		{"GET", "/v1/rules/{rule}", read, serve(func(r *http.Request) (agent.RuleStatus, error) {
			return a.rule(r.Context(), local, r.PathValue("rule"))
		})},
		{"GET", "/v1/rules/{rule}/explain", read, serve(func(r *http.Request) (agent.RuleExplanation, error) {
			e, err := g.ExplainRule(r.Context(), r.PathValue("rule"))
			e.RuleStatus = withhold(local, []agent.RuleStatus{e.RuleStatus})[0]
			return e, err
		})},
		{"GET", "/v1/rules/{rule}/change", read, serve(func(r *http.Request) (reconcile.Change, error) {
			return g.LastChange(r.Context(), r.PathValue("rule"))
		})},
		{"GET", "/v1/timeline", read, serve(a.happened)},
		{"GET", "/v1/files", read, serve(func(r *http.Request) ([]File, error) {
			return a.files(r.Context(), local)
		})},
		{"GET", "/v1/plan", read, serve(func(r *http.Request) ([]agent.RulePlan, error) {
			return inTurn(r.Context(), a.planning, func(ctx context.Context) ([]agent.RulePlan, error) {
				return g.Plan(ctx, r.URL.Query()["rule"])
			})
		})},
		// A look has the nodes asked how busy they are. That changes nothing.
		{"GET", "/v1/nodes", read, serve(a.look)},
		{"GET", "/v1/services", read, serve(a.find)},
		{"GET", "/v1/meta-data", read, serve(a.metaData)},
		{"GET", "/v1/fleet", read, serve(a.lookAtFleet)},
		{"GET", "/v1/drain", read, serve(a.draining)},

		{"POST", "/v1/reload", change, serve(func(r *http.Request) (rules.Problems, error) {
			problems, err := g.Reload(r.Context())
			return append(rules.Problems{}, problems...), err
		})},
		{"POST", "/v1/apply", change, serve(func(r *http.Request) ([]agent.RuleStatus, error) {
			var request ApplyRequest
			if err := decode(r, &request); err != nil {
				return nil, err
			}
			applied, err := g.Apply(r.Context(), request.Rules, request.Force)
			return withhold(local, applied), err
		})},
		{"POST", "/v1/events", change, serve(func(r *http.Request) (struct{}, error) {
			var request EventRequest
			if err := decode(r, &request); err != nil {
				return struct{}{}, err
			}
			return struct{}{}, send(r.Context(), g, request)
		})},
		{"PUT", "/v1/meta-data/services/{service}", change, serve(a.changeMetaData(a.Metadata.Add))},
		{"DELETE", "/v1/meta-data/services/{service}", change, serve(a.changeMetaData(a.Metadata.Remove))},
		{"PUT", "/v1/drain", change, serve(a.setDraining(true))},
		{"DELETE", "/v1/drain", change, serve(a.setDraining(false))},

		// For programs that know these paths.
		{"GET", "/nodes/alive", read, serve(a.alivePeers)},
		{"GET", "/nodes/monitoring", read, serve(a.monitoring)},
		{"GET", "/nodes/workingService/{service}", read, serve(a.workingNodes)},
		{"PUT", "/meta-data/add-service/{service}", change, serve(a.changeList(a.Metadata.Add))},
		{"PUT", "/meta-data/remove-service/{service}", change, serve(a.changeList(a.Metadata.Remove))},
	}
}

// handler is the routes, with what protects them in front of them.
func (a *API) handler(local bool) http.Handler {
	mux := http.NewServeMux()
	for _, r := range a.routes(local) {
		answer := r.answer
		if !local {
			answer = a.allow(r.access, answer)
		}
		mux.HandleFunc(r.method+" "+r.path, answer)
	}
	for _, v := range a.views() {
		if !local {
			v.answer = a.admit(v)
		}
		mux.HandleFunc(v.pattern, v.answer)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { answerNoRoute(mux, w, r) })
	if local {
		return plain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer keep(r)()
			mux.ServeHTTP(w, r)
		}))
	}
	return plain(a.guard(mux))
}

// answerNoRoute answers what has no route: there may be one for another method.
func answerNoRoute(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var methods []string
	for _, m := range []string{http.MethodDelete, http.MethodGet, http.MethodPost, http.MethodPut} {
		other := r.Clone(r.Context())
		other.Method = m
		if _, pattern := mux.Handler(other); pattern != "/" {
			methods = append(methods, m)
		}
	}
	if len(methods) > 0 {
		w.Header().Set("Allow", strings.Join(methods, ", "))
		answer(w, nil, fmt.Errorf("%w: %s for %s, which takes %s", errNoMethod, r.Method, r.URL.Path, strings.Join(methods, ", ")))
		return
	}
	if strings.HasPrefix(r.Header.Get("Accept"), "text/html") {
		page.Refuse(w, http.StatusNotFound, "There is nothing at this address.")
		return
	}
	answer(w, nil, fmt.Errorf("%w: %s %s", errNoEndpoint, r.Method, r.URL.Path))
}

// plain sets the headers that keep a browser from making more of an answer
// than is in it, and from keeping it.
func plain(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
			"X-Content-Type-Options":       "nosniff",
			"Cache-Control":                "no-store",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			w.Header().Set(name, value)
		}
		h.ServeHTTP(w, r)
	})
}

// A File is how one file of a rule stands. Its text is in no answer but a plan.
type File struct {
	Rule string `json:"rule"`
	reconcile.FileStatus
}

// rules says how every rule is.
func (a *API) rules(ctx context.Context, local bool) ([]agent.RuleStatus, error) {
	all, err := a.Agent.Rules(ctx)
	return withhold(local, all), err
}

// rule says how the rule of that name is.
func (a *API) rule(ctx context.Context, local bool, name string) (agent.RuleStatus, error) {
	all, err := a.rules(ctx, local)
	if err != nil {
		return agent.RuleStatus{}, err
	}
	i := slices.IndexFunc(all, func(s agent.RuleStatus) bool { return s.Rule == name })
	if i < 0 {
		return agent.RuleStatus{}, fmt.Errorf("%w rule %q: see /v1/rules", agent.ErrUnknown, name)
	}
	return all[i], nil
}

// files says how every file is, rule by rule.
func (a *API) files(ctx context.Context, local bool) ([]File, error) {
	files := []File{}
	all, err := a.rules(ctx, local)
	for _, s := range all {
		for _, f := range s.Files {
			files = append(files, File{s.Rule, f})
		}
	}
	return files, err
}

// withhold takes the sums of sensitive files out of what leaves the machine:
// who can guess what is in such a file could tell from its sum that it is
// right.
func withhold(local bool, all []agent.RuleStatus) []agent.RuleStatus {
	if all == nil {
		return []agent.RuleStatus{}
	}
	if local {
		return all
	}
	for i := range all {
		all[i].Files = slices.Clone(all[i].Files)
		for j := range all[i].Files {
			if f := &all[i].Files[j]; f.Sensitive {
				f.Desired, f.Disk, f.Loaded = "", "", ""
			}
		}
	}
	return all
}

// send sends an event. What is wrong is then mostly wrong with the event.
func send(ctx context.Context, a *agent.Agent, e EventRequest) error {
	err := a.Send(ctx, e.Name, []byte(e.Payload), !e.KeepEach)
	if err == nil || ctx.Err() != nil || errors.Is(err, agent.ErrCannotSend) {
		return err
	}
	return fmt.Errorf("%w: %w", errBadRequest, err)
}
