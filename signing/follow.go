package signing

import (
	"fmt"
	"time"
)

// Follow notes a request in the order of its signer, or reports that it is not
// the latest: it, or one after it, has been obeyed, and this is a copy. latest
// are the times of the latest request of each signer, in milliseconds since
// 1970; it is not changed, and what is returned takes its place. What nobody
// obeys any more at now, being older than maxAge, is not remembered.
func Follow(latest map[string]int64, s Signed, now time.Time, maxAge time.Duration) (map[string]int64, error) {
	at, stale := s.Time.UnixMilli(), now.Add(-maxAge-2*MaxSkew).UnixMilli()
	if last, known := latest[s.Signer]; known && at <= last {
		return nil, fmt.Errorf("the request is not newer than the last one that %s signed", s.Signer)
	}
	next := map[string]int64{s.Signer: at}
	for signer, last := range latest {
		if signer != s.Signer && last >= stale {
			next[signer] = last
		}
	}
	return next, nil
}
