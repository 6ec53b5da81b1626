// Package drain keeps whether this node is draining: taking no new work. The
// node itself or whoever holds a key that it trusts says so, by an order that
// stands until it is taken back; the cluster sees it in a tag.
//
// What others make of the tag is for rules, and whether they have done so for
// fleet; who may ask on the spot for web.
package drain

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"muster/cluster"
	"muster/order"
)

// Tag is the tag of a node that drains, and shown what it then says. With what
// Serf adds it takes 15 bytes of the 512 that tags have.
const (
	Tag   = cluster.DrainTag
	shown = "1"
)

// Query is the name of the query that drains another node, or takes it back.
const Query = cluster.OwnQuery + "drain"

// What an order may say.
const (
	Do   = "drain"
	Undo = "undrain"
)

// A Drain is whether this node drains. Its methods may be called from any
// goroutine.
type Drain struct{ *order.Kept[content] }

// Open reads from the state directory whether this node drains. A file that is
// broken is put aside, and the node does not drain.
func Open(c order.Config) (*Drain, error) {
	kept, err := order.Open[content](c, order.Kind{
		File: "drain.json", Query: Query, Tag: Tag, Do: Do, Undo: Undo,
		Lines: order.Lines{
			Done:    "somebody drains this node, or takes it back",
			Refused: "a request to drain this node, or to take it back, is refused",
			Lost:    "it is lost whether this node drains",
			Unseen:  "the cluster does not see that this node drains",
			Again:   "this node drains, and its tag says so again",
		},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read whether this node drains: %w", err)
	}
	return &Drain{kept}, nil
}

// A State is whether a node drains.
type State struct {
	Node     string `json:"node"`
	Draining bool   `json:"draining"`
	// Since is when it was drained; zero where the tag was set by hand.
	Since time.Time `json:"since,omitzero"`
}

// State returns whether this node drains, by an order or by its tag alone.
func (d *Drain) State() State {
	self := d.Self()
	s := d.Content().state(self.Name)
	s.Draining = s.Draining || self.Draining()
	return s
}

// Set drains this node, or takes it back, as Give does. It is no mistake if it
// was so.
func (d *Drain) Set(ctx context.Context, drain bool) (State, error) {
	o := order.Order{Do: Do}
	if !drain {
		o.Do = Undo
	}
	c, err := d.Give(ctx, o)
	if err != nil {
		return State{}, err
	}
	return c.state(d.Self().Name), nil
}

// A content is what stands in the file.
type content struct {
	Draining bool  `json:"draining"`
	Since    int64 `json:"since,omitempty"` // milliseconds since 1970
}

func (c content) state(node string) State {
	s := State{Node: node, Draining: c.Draining}
	if c.Draining {
		s.Since = time.UnixMilli(c.Since)
	}
	return s
}

// After implements order.Content. Draining once more changes nothing.
func (c content) After(o order.Order, now time.Time) (content, error) {
	switch {
	case o.Do == Undo:
		return content{}, nil
	case !c.Draining:
		return content{Draining: true, Since: now.UnixMilli()}, nil
	}
	return c, nil
}

// Text implements order.Content.
func (c content) Text() string {
	if c.Draining {
		return shown
	}
	return ""
}

// ShownBy implements order.Content. While the node does not drain, the tag is
// nobody's.
func (c content) ShownBy(m cluster.Member) bool { return !c.Draining || m.Draining() }

// An Answer is what a node says after a request.
type Answer struct {
	Draining bool `json:"draining"`
}

// Answer implements order.Content.
func (c content) Answer() any { return Answer{c.Draining} }

// Attr implements order.Content.
func (c content) Attr() slog.Attr { return slog.Bool("draining", c.Draining) }
