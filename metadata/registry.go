package metadata

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"muster/cluster"
	"muster/order"
)

// Query is the name of the query that changes another node's list.
const Query = cluster.OwnQuery + "service"

// What an order may say.
const (
	Add    = "add"
	Remove = "remove"
)

// A Registry is the list of this node. Its methods may be called from any
// goroutine.
type Registry struct{ *order.Kept[content] }

// Open reads the list from the state directory. A file that is broken is put
// aside, and the list is empty.
func Open(c order.Config) (*Registry, error) {
	kept, err := order.Open[content](c, order.Kind{
		File: "metadata.json", Query: Query, Tag: Tag, Do: Add, Undo: Remove,
		Lines: order.Lines{
			Done:    "this node's services are changed",
			Refused: "a request to change this node's services is refused",
			Lost:    "this node's list of services is lost",
			Unseen:  "the cluster does not see this node's services",
		},
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read this node's services: %w", err)
	}
	return &Registry{kept}, nil
}

// Node returns the name of this node.
func (r *Registry) Node() string { return r.Self().Name }

// Services returns the list, sorted.
func (r *Registry) Services() []string { return r.Content().list() }

// Add puts a service on the list, as Give does, and returns the list. It is no
// mistake if it was there. ErrInvalid says that trying again will not help.
func (r *Registry) Add(ctx context.Context, service string) ([]string, error) {
	return r.change(ctx, Add, service)
}

// Remove takes a service off the list, likewise.
func (r *Registry) Remove(ctx context.Context, service string) ([]string, error) {
	return r.change(ctx, Remove, service)
}

func (r *Registry) change(ctx context.Context, do, service string) ([]string, error) {
	c, err := r.Give(ctx, order.Order{Do: do, Service: service})
	if err != nil {
		return nil, err
	}
	return c.list(), nil
}

// A content is what stands in the file.
type content struct {
	Services names `json:"services"`
}

func (c content) list() []string { return append([]string{}, c.Services...) }

// After implements order.Content.
func (c content) After(o order.Order, _ time.Time) (content, error) {
	next, err := with(c.Services, o.Service, o.Do == Add)
	return content{next}, err
}

// Text implements order.Content.
func (c content) Text() string { return strings.Join(c.Services, ",") }

// ShownBy implements order.Content: the tag says nothing else.
func (c content) ShownBy(m cluster.Member) bool { return m.Tags[Tag] == c.Text() }

// An Answer is what a node says it has after a request.
type Answer struct {
	Services []string `json:"service"`
}

// Answer implements order.Content.
func (c content) Answer() any { return Answer{c.Services} }

// Attr implements order.Content.
func (c content) Attr() slog.Attr { return slog.String("services", c.Text()) }
