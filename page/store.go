package page

import (
	"bytes"
	"fmt"
	"html/template"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A part is a piece of a document that changes as a whole: one element.
type part struct {
	id       string // of the element
	list     string // id of the list whose item it is; empty: it stands alone
	template string // what renders the model
	model    any    // compared by reflect.DeepEqual
}

// A document is one page at one moment.
type document struct {
	path     string // with its query: two documents of one path are of the same kind
	title    string
	template string // of its main element
	status   int    // of HTTP
	query    query
	limit    float64 // the φ from which a node is suspected
	parts    []part
	lists    []string // ids of its lists, also of those without items
}

// A shown is a part as it is in a browser.
type shown struct {
	ID      string `json:"id"`
	List    string `json:"list,omitempty"`
	HTML    string `json:"html"`
	version uint64
}

// A sight is a document that has been rendered, piece by piece.
type sight struct {
	document
	parts   []shown
	order   map[string]uint64 // when which items a list has, or their order, last changed
	version uint64
	since   string // names the version to a browser
	session bool   // the browser has signed in, and may want to sign out
}

// A store keeps the rendered parts of the documents that somebody looks at, and
// in which version each last changed. A part whose model is the same is not
// rendered again; the items of lists are shared by all documents.
type store struct {
	epoch string // tells this store's versions from those of others

	mu      sync.Mutex
	version uint64
	parts   map[string]*kept
	pruned  time.Time
}

// A kept is a part in the store.
type kept struct {
	model   any
	html    string
	version uint64
	used    time.Time
}

const (
	// keepFor is for how long a part is kept that nobody looks at.
	keepFor = 30 * time.Second
	// mostKept is how many parts are kept at once, each of some 2 KB: a row of
	// each of ten thousand nodes and more. Who asks for ever other searches has
	// them forgotten earlier.
	mostKept = 1 << 14
)

func newStore(epoch string) *store {
	return &store{epoch: epoch, parts: map[string]*kept{}}
}

// show renders what has changed in the document.
func (s *store) show(d document) (sight, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	out := sight{document: d, parts: make([]shown, 0, len(d.parts)), order: map[string]uint64{}}
	ids := map[string][]string{}
	for _, p := range d.parts {
		key := p.id
		if p.list == "" {
			key = d.path + "#" + p.id
		}
		k, err := s.keep(key, now, p.model, p.render)
		if err != nil {
			return sight{}, err
		}
		out.parts = append(out.parts, shown{p.id, p.list, k.html, k.version})
		ids[p.list] = append(ids[p.list], p.id)
	}
	for _, list := range d.lists {
		k, err := s.keep(d.path+"##"+list, now, ids[list], func() (string, error) { return "", nil })
		if err != nil {
			return sight{}, err
		}
		out.order[list] = k.version
	}
	s.prune(now)
	out.version = s.version
	out.since = s.epoch + "-" + strconv.FormatUint(s.version, 10)
	return out, nil
}

// keep returns what is kept under a key, rendered again if the model is another.
func (s *store) keep(key string, now time.Time, model any, render func() (string, error)) (*kept, error) {
	k := s.parts[key]
	if k == nil || !reflect.DeepEqual(k.model, model) {
		html, err := render()
		if err != nil {
			return nil, err
		}
		s.version++
		k = &kept{model: model, html: html, version: s.version}
		s.parts[key] = k
	}
	k.used = now
	return k, nil
}

// prune forgets what nobody looks at. Where that is too little it forgets what
// has been looked at least lately: what streams show, they looked at just now.
func (s *store) prune(now time.Time) {
	if now.Sub(s.pruned) >= keepFor {
		s.pruned = now
		s.forget(now.Add(-keepFor))
	}
	for age := keepFor / 2; len(s.parts) > mostKept; age /= 2 {
		s.forget(now.Add(-age))
	}
}

// forget drops what was used last at that time, or before.
func (s *store) forget(used time.Time) {
	maps.DeleteFunc(s.parts, func(_ string, k *kept) bool { return !k.used.After(used) })
}

func (p part) render() (string, error) {
	var out bytes.Buffer
	err := templates.ExecuteTemplate(&out, p.template, element{p.id, p.model})
	return strings.TrimSpace(out.String()), err
}

// An element is what a part's template gets.
type element struct {
	ID    string
	Model any
}

// after is the version that a browser says it has; 0: it has nothing of ours.
func (s *store) after(since string) uint64 {
	epoch, text, _ := strings.Cut(since, "-")
	version, err := strconv.ParseUint(text, 10, 64)
	if err != nil || epoch != s.epoch {
		return 0
	}
	return version
}

// A message is what a browser is sent: the parts that are new to it, and which
// items, in which order, each list has that has changed.
type message struct {
	Title  string              `json:"title"`
	Assets string              `json:"assets"` // of another build than the browser's: load the page again
	Parts  []shown             `json:"parts,omitempty"`
	Lists  map[string][]string `json:"lists,omitempty"`
}

// news is what one who has the document as of a version does not have. Of a list
// that has changed since then all items may be new.
func (v *sight) news(after uint64, has map[string]bool) (m message, any bool) {
	m = message{Title: v.title, Assets: assetsSum, Lists: map[string][]string{}}
	for list, version := range v.order {
		if version > after {
			m.Lists[list] = []string{}
		}
	}
	for _, p := range v.parts {
		ids, moved := m.Lists[p.List]
		if moved = moved && p.List != ""; moved {
			m.Lists[p.List] = append(ids, p.ID)
		}
		if p.version > after || moved && !has[p.ID] {
			m.Parts = append(m.Parts, p)
		}
	}
	return m, len(m.Parts) > 0 || len(m.Lists) > 0
}

// ids are the items that one who has the document has.
func (v *sight) ids() map[string]bool {
	has := make(map[string]bool, len(v.parts))
	for _, p := range v.parts {
		has[p.ID] = true
	}
	return has
}

// Part is the element of a part, for the template of its document.
func (v *sight) Part(id string) (template.HTML, error) {
	i := slices.IndexFunc(v.parts, func(p shown) bool { return p.ID == id && p.List == "" })
	if i < 0 {
		return "", fmt.Errorf("no part %q", id)
	}
	return template.HTML(v.parts[i].HTML), nil // it was rendered by html/template
}

// List are the elements of the items of a list.
func (v *sight) List(list string) template.HTML {
	var all strings.Builder
	for _, p := range v.parts {
		if p.List == list {
			all.WriteString(p.HTML)
			all.WriteByte('\n')
		}
	}
	return template.HTML(all.String()) // they were rendered by html/template
}

func (v *sight) Template() string { return v.template }
func (v *sight) Title() string    { return v.title }
func (v *sight) Since() string    { return v.since }
func (v *sight) Query() query     { return v.query }
func (v *sight) Limit() float64   { return v.limit }
func (v *sight) Session() bool    { return v.session }
func (v *sight) Assets() string   { return assetsSum }
