// Package page shows an agent in a browser: its nodes, rules and files, what
// has happened, and how all nodes stand. What is shown is rendered here, by
// html/template; a browser that runs scripts is sent, as server-sent events,
// the pieces that have changed since.
//
// It is level-triggered like the rest of the house: a stream has no queue of
// things to tell. It looks at how things are, again and again, and sends what is
// not in the browser yet, so that one who is slow, or was away, sees less of
// what was, and never anything but what is.
//
// It changes nothing and runs nothing. Who may look is for package web.
package page

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/hex"
	"hash/fnv"
	"html/template"
	"io/fs"
	"sync"
	"time"

	"muster/agent"
	"muster/fleet"
	"muster/nodes"
	"muster/timeline"
)

// Config is what a Page shows.
type Config struct {
	Agent    *agent.Agent
	Nodes    *nodes.Book   // how the nodes are
	Fleet    *fleet.Fleet  // how their rules stand
	Timeline *timeline.Log // what has happened
}

// A Page answers requests of browsers. Its methods may be called from any
// goroutine. Run has the fleet asked while somebody looks.
type Page struct {
	c      Config
	parts  *store
	wanted chan struct{} // one slot: somebody looks at the fleet
	over   chan struct{} // closed when Run ends, and all streams with it
	turn   chan struct{} // one slot, held by whoever takes a snapshot

	mu      sync.Mutex
	latest  *snapshot
	fleet   *fleet.Report // the latest; nil: none yet
	streams int
}

//go:embed assets
var assets embed.FS

// templates are all that is rendered; assetsSum tells one build's scripts and
// styles from another's.
var (
	templates = template.Must(template.New("").Funcs(words).ParseFS(assets, "assets/*.html"))
	assetsSum = sumOf(assets)
)

// New returns a Page.
func New(c Config) *Page {
	var epoch [4]byte
	_, _ = rand.Read(epoch[:]) // it never fails
	return &Page{
		c: c, parts: newStore(hex.EncodeToString(epoch[:])),
		wanted: make(chan struct{}, 1), over: make(chan struct{}), turn: make(chan struct{}, 1),
	}
}

// How often the fleet is asked while somebody looks, and for how long.
const (
	fleetEvery = 5 * time.Second
	fleetLimit = 5 * time.Second
)

// Run has the fleet asked while somebody looks, until ctx ends; then it ends
// the streams.
func (p *Page) Run(ctx context.Context) error {
	defer close(p.over)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wanted:
		}
		report, err := p.c.Fleet.Look(ctx, fleetLimit, nil)
		if err == nil {
			p.mu.Lock()
			p.fleet = &report
			p.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(fleetEvery):
		}
	}
}

// sumOf is a checksum of all files of f, in hex.
func sumOf(f fs.FS) string {
	sum := fnv.New64a()
	err := fs.WalkDir(f, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(f, path)
		_, _ = sum.Write(text) // it never fails
		return err
	})
	if err != nil {
		panic(err) // they are embedded
	}
	return hex.EncodeToString(sum.Sum(nil))
}
