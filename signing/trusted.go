package signing

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

const (
	maxTrustedFile = 256 << 10 // bytes
	maxTrusted     = 1000      // keys, and files of a directory
)

// Trusted are the public keys whose signatures count. It is read-only and safe
// for concurrent use.
type Trusted struct {
	keys map[keyID]trustedKey
}

type trustedKey struct {
	name   string
	public ed25519.PublicKey
	events globs // what it may sign; nil: any event
	place  string
}

func (t *Trusted) key(id keyID) (trustedKey, bool) {
	if t == nil {
		return trustedKey{}, false
	}
	k, ok := t.keys[id]
	return k, ok
}

// Len returns how many keys there are.
func (t *Trusted) Len() int {
	if t == nil {
		return 0
	}
	return len(t.keys)
}

// Names lists whose keys are trusted, sorted, each once.
func (t *Trusted) Names() []string {
	if t == nil {
		return nil
	}
	var names []string
	for _, k := range t.keys {
		names = append(names, k.name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ReadTrusted reads the trusted keys from a file, or from every *.pub in a
// directory, in name order. Each line is a key; lines that are empty or begin
// with # are passed over.
//
//	muster-ed25519 BASE64 NAME
//	muster-ed25519 BASE64 NAME events=deploy,compile-*
//
// With events=… the key signs for user events of these names alone; * stands
// for any characters, ? for one. Several keys may bear the same name, so that
// one can take over from another. A file that others than its owner may change
// is refused. The error lists every mistake in every file with its place.
func ReadTrusted(path string) (*Trusted, error) {
	files, err := trustedFiles(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the trusted keys: %w", err)
	}
	t := &Trusted{keys: map[keyID]trustedKey{}}
	var errs []error
	for _, f := range files {
		errs = append(errs, t.read(f)...)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

// trustedFiles returns the files that path stands for.
func trustedFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	if err := ownAlone(info); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if n := e.Name(); strings.HasSuffix(n, ".pub") && !strings.HasPrefix(n, ".") {
			files = append(files, filepath.Join(path, n))
		}
	}
	if len(files) > maxTrusted {
		return nil, fmt.Errorf("%s: %d files, more than %d", path, len(files), maxTrusted)
	}
	return files, nil
}

// read adds the keys of one file, and returns what is wrong with it.
func (t *Trusted) read(file string) []error {
	text, info, err := readFile(file, maxTrustedFile)
	if err != nil {
		return []error{fmt.Errorf("cannot read the trusted keys %s: %w", file, err)}
	}
	if err := ownAlone(info); err != nil {
		return []error{fmt.Errorf("cannot trust the keys in %s: %w", file, err)}
	}
	var errs []error
	for n, line := range lines(text) {
		place := fmt.Sprintf("%s:%d", file, n)
		if len(errs) > 20 {
			return append(errs, fmt.Errorf("%s: and no further: too many mistakes", place))
		}
		k, err := parsePublic(line)
		if err == nil {
			k.place = place
			err = t.add(k)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", place, err))
		}
	}
	return errs
}

func (t *Trusted) add(k trustedKey) error {
	id := idOf(k.public)
	if old, ok := t.keys[id]; ok {
		return fmt.Errorf("this key stands in %s, too", old.place)
	}
	if len(t.keys) == maxTrusted {
		return fmt.Errorf("more than %d keys", maxTrusted)
	}
	t.keys[id] = k
	return nil
}

func parsePublic(line string) (trustedKey, error) {
	f := strings.Fields(line)
	if f[0] == privateType {
		return trustedKey{}, errors.New("this is a private key: take it away from here, and trust it no longer")
	}
	if f[0] != publicType || len(f) < 3 {
		return trustedKey{}, fmt.Errorf("a trusted key is written: %s BASE64 NAME", publicType)
	}
	public, err := decode(f[1], ed25519.PublicKeySize)
	if err != nil {
		return trustedKey{}, err
	}
	if err := checkName(f[2]); err != nil {
		return trustedKey{}, err
	}
	k := trustedKey{name: f[2], public: public}
	for _, option := range f[3:] {
		list, ok := strings.CutPrefix(option, "events=")
		if !ok || k.events != nil {
			return trustedKey{}, fmt.Errorf("after the name, %q: only events=NAME,NAME… may stand there, once", clip(option))
		}
		if k.events, err = parseGlobs(list); err != nil {
			return trustedKey{}, err
		}
	}
	return k, nil
}

// globs are patterns for names of events, as path.Match has them.
type globs []string

func (g globs) String() string { return strings.Join(g, ",") }

func parseGlobs(list string) (globs, error) {
	g := strings.Split(list, ",")
	for _, p := range g {
		if p == "" {
			return nil, errors.New("events=: a name is empty; leave it out to allow every event")
		}
		if _, err := path.Match(p, ""); err != nil || strings.Contains(p, "/") {
			return nil, fmt.Errorf("events=: %q is no pattern: write a name, with * and ? for any characters", clip(p))
		}
	}
	return g, nil
}

// may reports whether k counts for the event of that name.
func (k trustedKey) may(event string) bool {
	return k.events == nil || slices.ContainsFunc(k.events, func(p string) bool {
		ok, _ := path.Match(p, event)
		return ok
	})
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40] + "…"
	}
	return s
}
