package load

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	// MaxAnswer is how many bytes of an answer are looked at: Serf lets some
	// 977 through, unless it is told otherwise.
	MaxAnswer = 1024
	// version changes when a field comes to mean something else. What is only
	// added does not change it.
	version = 1
)

// An answer is a Load on its way: JSON, so that `serf query` shows it to
// people, with short names.
type answer struct {
	Version int     `json:"v"`
	CPUs    int     `json:"cpus"`
	Load1   float64 `json:"l1"`
	Load5   float64 `json:"l5"`
	Load15  float64 `json:"l15"`
	Total   uint64  `json:"mt"`
	Free    uint64  `json:"mf"`
	Time    int64   `json:"t,omitempty"` // in milliseconds since 1970
}

// Encode returns l as one node tells it to another at now, some 110 bytes: an
// object of JSON with v (the version, 1), cpus, l1, l5, l15 (load averages), mt
// and mf (memory, total and free, in bytes), and t (now by this node's clock, in
// milliseconds since 1970). What Check refuses has no such form.
func (l Load) Encode(now time.Time) ([]byte, error) {
	if err := l.Check(); err != nil {
		return nil, fmt.Errorf("cannot tell the load: %w", err)
	}
	text, err := json.Marshal(answer{version, l.CPUs, l.Load1, l.Load5, l.Load15, l.MemTotal, l.MemFree, now.UnixMilli()})
	if err != nil {
		return nil, fmt.Errorf("cannot tell the load: %w", err)
	}
	return text, nil
}

// Decode reads what a node says of itself, which may be anything. Fields that
// it does not know it passes over, for a later muster may say more; another
// version, and what no machine can be, is an error. With the load it returns
// what time it was by that node's clock; zero: it did not say.
func Decode(text []byte) (Load, time.Time, error) {
	l, at, err := decode(text)
	if err != nil {
		return Load{}, time.Time{}, fmt.Errorf("cannot read a node's load: %w", err)
	}
	return l, at, nil
}

func decode(text []byte) (l Load, at time.Time, err error) {
	if len(text) > MaxAnswer {
		return l, at, fmt.Errorf("it takes %d bytes of %d", len(text), MaxAnswer)
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return l, at, errors.New("it is not the JSON of one") // what it is, is for nobody's log
	}
	if a.Version != version {
		return l, at, fmt.Errorf("it is of version %d, and this muster knows version %d", a.Version, version)
	}
	if a.Time > 0 && a.Time < maxTime {
		at = time.UnixMilli(a.Time)
	}
	l = Load{a.CPUs, a.Load1, a.Load5, a.Load15, a.Total, a.Free}
	return l, at, l.Check()
}

// maxTime is the year 9999, the last that JSON can tell, in milliseconds.
const maxTime = 253402300800_000
