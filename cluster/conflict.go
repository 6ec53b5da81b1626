package cluster

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// A Conflict is a name that two nodes claim. One of them is a member; the
// other is kept out until the first has gone.
type Conflict struct {
	Name    string    `json:"name"`
	Kept    string    `json:"kept"`    // address of the one in the view
	Refused string    `json:"refused"` // address of the other
	Count   uint64    `json:"count"`   // how often it was seen
	First   time.Time `json:"first"`
	Last    time.Time `json:"last"`
}

// maxConflicts bounds the list: the names come from the network.
const maxConflicts = 64

// conflicts remembers the latest of them. It outlives incarnations.
type conflicts struct {
	mu   sync.Mutex
	list []Conflict
}

// note adds a conflict and reports whether it is new.
func (c *conflicts) note(existing, other *memberlist.Node, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept, refused := existing.Address(), other.Address()
	for i := range c.list {
		if e := &c.list[i]; e.Name == existing.Name && e.Kept == kept && e.Refused == refused {
			e.Count++
			e.Last = now
			return false
		}
	}
	if len(c.list) == maxConflicts {
		c.list = slices.Delete(c.list, 0, 1)
	}
	c.list = append(c.list, Conflict{
		Name: existing.Name, Kept: kept, Refused: refused, Count: 1, First: now, Last: now,
	})
	return true
}

// all returns a copy sorted by name.
func (c *conflicts) all() []Conflict {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := slices.Clone(c.list)
	slices.SortStableFunc(out, func(a, b Conflict) int { return strings.Compare(a.Name, b.Name) })
	return out
}
