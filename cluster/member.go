package cluster

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Status is a member's state as Serf names it.
type Status string

// The states of a member. A leaving member has announced that it goes; it
// counts as gone everywhere but in a filter that asks for it by name.
const (
	Alive   Status = "alive"
	Leaving Status = "leaving"
	Left    Status = "left"
	Failed  Status = "failed"
)

// Statuses lists every Status, in the order of a member's life.
var Statuses = []Status{Alive, Leaving, Left, Failed}

// Valid reports whether s is one of the four states.
func (s Status) Valid() bool { return slices.Contains(Statuses, s) }

// A Member is one node as this node sees it. Tags is read-only: successive
// views share the tags of members that did not change.
type Member struct {
	Name   string            `json:"name"`
	Addr   netip.Addr        `json:"addr"`
	Port   uint16            `json:"port"`
	Status Status            `json:"status"`
	Tags   map[string]string `json:"tags"`
}

// DrainTag is the tag, of any value but an empty one, of a node that takes no
// new work.
const DrainTag = "muster-drain"

// Draining reports whether m says that it takes no new work. That it is alive
// is another matter.
func (m Member) Draining() bool { return m.Tags[DrainTag] != "" }

// Equal reports whether m and o say the same in every field. It costs next to
// nothing for members that share their tags, as unchanged ones do.
func (m Member) Equal(o Member) bool {
	return m.Name == o.Name && m.Addr == o.Addr && m.Port == o.Port && m.Status == o.Status &&
		(reflect.ValueOf(m.Tags).Pointer() == reflect.ValueOf(o.Tags).Pointer() || maps.Equal(m.Tags, o.Tags))
}

// A View is this node's knowledge of the membership at one moment. It is a
// value: nothing changes it after it was handed out, and nobody may.
type View struct {
	// Epoch counts the incarnations of the membership's source. Views of
	// different epochs were gathered independently of each other.
	Epoch uint64
	// Self is the name of this node.
	Self string
	// Members holds every known member whatever its status, sorted by name,
	// each name once.
	Members []Member
	// Settled says that the first join of this epoch has completed and that
	// the membership has come to rest since. Until then absence means nothing.
	Settled bool
	// Doubt is this node's suspicion that it is itself the one cut off: the
	// Lifeguard health score of its failure detector (Dadgar, Phillips and
	// Currey 2018), 0 when healthy. While it is above 0, failures of others
	// are less credible.
	Doubt int
	// At is when the view was gathered.
	At time.Time
}

// Member returns the member called name.
func (v View) Member(name string) (Member, bool) {
	i, ok := slices.BinarySearchFunc(v.Members, name, func(m Member, name string) int {
		return strings.Compare(m.Name, name)
	})
	if !ok {
		return Member{}, false
	}
	return v.Members[i], true
}

// SelfMember returns this node's own entry; the zero Member when it is not
// in the view yet.
func (v View) SelfMember() Member {
	m, _ := v.Member(v.Self)
	return m
}

// Alone reports whether no other member is alive in the view.
func (v View) Alone() bool {
	return !slices.ContainsFunc(v.Members, func(m Member) bool {
		return m.Name != v.Self && m.Status == Alive
	})
}

// Clone returns a copy that shares no map or slice with v.
func (v View) Clone() View {
	v.Members = slices.Clone(v.Members)
	for i := range v.Members {
		v.Members[i].Tags = maps.Clone(v.Members[i].Tags)
	}
	return v
}

// SortMembers sorts ms by name.
func SortMembers(ms []Member) {
	slices.SortFunc(ms, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
}

// A Change is one member's difference between two views. Old is nil for a
// member that appeared and New for one that vanished.
type Change struct {
	Old, New *Member
}

// Name returns the name of the member that changed.
func (c Change) Name() string {
	if c.New != nil {
		return c.New.Name
	}
	return c.Old.Name
}

// Diff lists what changed in the membership from old to v, sorted by name.
// The pointers lead into the views' own slices.
func (v View) Diff(old View) []Change {
	var changes []Change
	a, b := old.Members, v.Members
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case j == len(b) || i < len(a) && a[i].Name < b[j].Name:
			changes = append(changes, Change{Old: &a[i]})
			i++
		case i == len(a) || a[i].Name > b[j].Name:
			changes = append(changes, Change{New: &b[j]})
			j++
		default:
			if !a[i].Equal(b[j]) {
				changes = append(changes, Change{Old: &a[i], New: &b[j]})
			}
			i++
			j++
		}
	}
	return changes
}
