package services

import "sync"

// Bounds on what a Cache keeps, in each of its two halves.
const (
	cachedTags  = 16 << 10
	cachedBytes = 4 << 20 // of tags and texts
)

// A Cache remembers what tags hold: nearly all of a cluster's are the same
// from one look to the next. Its zero value is ready, and good for any number
// of goroutines. What it returns is shared and read-only.
//
// It has two halves. What is asked for moves into the young one; when that is
// full it becomes the old one, and what was in that is forgotten.
type Cache struct {
	mu         sync.Mutex
	young, old map[string]decoded
	size       int // bytes, of young
}

// What became of a tag.
type decoded struct {
	list []Service
	err  error
}

// Decode is Decode, remembered.
func (c *Cache) Decode(tag string) ([]Service, error) {
	if tag == "" {
		return nil, nil
	}
	if len(tag) > MaxTag {
		return Decode(tag) // refused at once
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	d, known := c.young[tag]
	if known {
		return d.list, d.err
	}
	if d, known = c.old[tag]; !known {
		d.list, d.err = Decode(tag)
	}
	size := len(tag) + weigh(d.list)
	if c.young == nil || len(c.young) >= cachedTags || c.size+size > cachedBytes {
		c.old, c.young, c.size = c.young, map[string]decoded{}, 0
	}
	c.young[tag] = d
	c.size += size
	return d.list, d.err
}

// weigh is about how many bytes of memory a list takes.
func weigh(list []Service) int {
	const each = 7 * 16 // a string's header
	n := 64
	for _, s := range list {
		n += each + len(s.Type) + len(s.Description) + len(s.Host) + len(s.IP) + len(s.Port) + len(s.Device) + len(s.Text)
	}
	return n
}
