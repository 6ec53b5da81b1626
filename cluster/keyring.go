package cluster

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A keyringFile keeps the keyring file whole. Serf truncates and writes in
// place, so it writes a draft beside the file; what is complete of that
// replaces the file at once. A draft that is complete and newer than the file
// is what Serf confirmed last, so it is read in its stead at a start.
type keyringFile struct {
	path, draft string
	log         *slog.Logger

	mu   sync.Mutex
	last []byte // of the draft, as put into the file
}

// newKeyringFile brings the file at path up to date and does away with a
// draft that does not count.
func newKeyringFile(path string, log *slog.Logger) *keyringFile {
	k := &keyringFile{path: path, draft: draftOf(path), log: log}
	if latestKeyring(path) == k.draft {
		k.sync()
	} else {
		os.Remove(k.draft)
	}
	return k
}

// draftOf returns where Serf writes what is to become the keyring file.
func draftOf(path string) string { return path + ".new" }

// latestKeyring returns which file holds the keys that count: the draft of a
// keyring file if it is complete and newer than the file.
func latestKeyring(path string) string {
	file, err := os.Stat(path)
	if err != nil {
		return path
	}
	draft, err := os.Stat(draftOf(path))
	if err != nil || !draft.ModTime().After(file.ModTime()) {
		return path
	}
	if data, err := os.ReadFile(draftOf(path)); err != nil || !completeKeyring(data) {
		return path
	}
	return draftOf(path)
}

// completeKeyring reports whether data is all that Serf meant to write.
func completeKeyring(data []byte) bool {
	_, err := parseKeyring(data, "")
	return err == nil
}

// sync makes the file say what a complete draft says.
func (k *keyringFile) sync() {
	k.mu.Lock()
	defer k.mu.Unlock()
	draft, err := os.ReadFile(k.draft)
	if err != nil || bytes.Equal(draft, k.last) || !completeKeyring(draft) {
		return
	}
	if err := replaceFile(k.path, draft, 0o600); err != nil {
		k.log.Error("cannot keep keyring_file, which has the keys of before", "error", err)
		return
	}
	k.last = draft
}

// keep follows the draft until ctx is done: for a second from each time that
// asked says that Serf was asked to change keys, which it does in a
// goroutine of its own.
func (k *keyringFile) keep(ctx context.Context, asked <-chan struct{}) {
	defer k.finish()
	for {
		select {
		case <-ctx.Done():
			return
		case <-asked:
		}
		for range 100 {
			if !sleep(ctx, 10*time.Millisecond) {
				return
			}
			k.sync()
		}
	}
}

// finish takes over the draft a last time and removes it if that succeeded.
func (k *keyringFile) finish() {
	k.sync()
	k.mu.Lock()
	defer k.mu.Unlock()
	if draft, err := os.ReadFile(k.draft); err == nil && bytes.Equal(draft, k.last) {
		os.Remove(k.draft)
	}
}
