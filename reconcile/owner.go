package reconcile

import (
	"fmt"
	"os/user"
	"strconv"
	"sync"
	"time"
)

// ids looks users and groups up, and remembers them for a minute. It is safe
// for concurrent use.
type ids struct {
	mu   sync.Mutex
	seen map[string]foundID
}

type foundID struct {
	id uint32
	at time.Time
}

func (i *ids) user(name string) (uint32, error) {
	return i.find("user "+name, name, func() (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
}

func (i *ids) group(name string) (uint32, error) {
	return i.find("group "+name, name, func() (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
}

func (i *ids) find(what, name string, look func() (string, error)) (uint32, error) {
	if id, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(id), nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if known, ok := i.seen[what]; ok && time.Since(known.at) < time.Minute {
		return known.id, nil
	}
	text, err := look()
	if err != nil {
		return 0, fmt.Errorf("there is no %s", what)
	}
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s has no number: %w", what, err)
	}
	if i.seen == nil {
		i.seen = map[string]foundID{}
	}
	i.seen[what] = foundID{uint32(id), time.Now()}
	return uint32(id), nil
}

// A dress is what a rule says of a file's owner and mode; nil says nothing.
type dress struct {
	uid, gid, mode *uint32
}

func (d dress) String() string {
	text := ""
	for _, number := range []*uint32{d.uid, d.gid, d.mode} {
		if number != nil {
			text += strconv.FormatUint(uint64(*number), 10)
		}
		text += ":"
	}
	return text
}

func (i *ids) dress(f File) (dress, error) {
	var d dress
	if f.User != "" {
		uid, err := i.user(f.User)
		if err != nil {
			return d, fmt.Errorf("cannot set the owner of %s: %w", f.Path, err)
		}
		d.uid = &uid
	}
	if f.Group != "" {
		gid, err := i.group(f.Group)
		if err != nil {
			return d, fmt.Errorf("cannot set the group of %s: %w", f.Path, err)
		}
		d.gid = &gid
	}
	if f.Mode != nil {
		mode := unixMode(*f.Mode)
		d.mode = &mode
	}
	return d, nil
}

// worn reports whether the file that was seen looks as the rule says.
func (d dress) worn(seen sighting) bool {
	return (d.uid == nil || *d.uid == seen.uid) && (d.gid == nil || *d.gid == seen.gid) && (d.mode == nil || *d.mode == seen.mode)
}
