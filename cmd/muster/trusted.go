package main

import (
	"log/slog"
	"sync"
	"time"

	"muster/signing"
)

// trustedAge is how long trusted keys may have been read before: everybody
// can send events that claim a signature, and each is looked up.
const trustedAge = time.Second

// trusted returns who is trusted whenever it is asked, so that a key taken
// away is not trusted any more, a second later. Where the keys cannot be read,
// nobody is; that is logged when it begins.
func trusted(path string, log *slog.Logger) func() *signing.Trusted {
	if path == "" {
		return nil
	}
	var mu sync.Mutex
	var keys *signing.Trusted
	var read time.Time
	var told string
	return func() *signing.Trusted {
		mu.Lock()
		defer mu.Unlock()
		if age := time.Since(read); !read.IsZero() && age >= 0 && age < trustedAge {
			return keys
		}
		problem := ""
		var err error
		if keys, err = signing.ReadTrusted(path); err != nil {
			problem = err.Error()
		}
		read = time.Now()
		if problem != "" && problem != told {
			log.Error("no signature is trusted", "error", problem)
		}
		told = problem
		return keys
	}
}
