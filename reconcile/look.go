package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A sighting is what stands at a path of a unit.
type sighting struct {
	exists   bool
	real     string // the file itself, where the path is a link to it; else the path
	id       fileID
	mode     uint32 // permission bits with setuid, setgid, sticky
	uid, gid uint32
	sum      string // of what is ours; "" if it does not exist

	rest *rest // of a file of which only a block is ours
}

// whole returns the sum of the whole file, "" if there is none.
func (seen sighting) whole() string {
	if seen.rest != nil {
		return seen.rest.sum
	}
	return seen.sum
}

// A fileID changes whenever a file or its content does, but for a change
// within the clock's grain.
type fileID struct {
	dev, ino     uint64
	size         int64
	mtime, ctime int64 // nanoseconds
}

// sameBytes reports whether the file's content is the same; its owner or
// attributes, which a policy may set, need not be.
func (id fileID) sameBytes(other fileID) bool {
	id.ctime = other.ctime
	return id == other
}

// grain is how coarse a file system's clock may be: a file that changed less
// than this before it was read may have changed again with the same times.
const grain = 20 * time.Millisecond

// mostSums is how many files' sums are remembered.
const mostSums = 1 << 14

// huge files are not read: they are none of muster's.
const huge = 1 << 30

// sums remembers files' sums, so that a file is only read again when its
// fileID changed. It is safe for concurrent use.
type sums struct {
	mu   sync.Mutex
	seen map[string]sum
}

type sum struct {
	id fileID
	at time.Time // when it was read
	of string
}

func (s *sums) get(path string, id fileID) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.seen[path]
	if !ok || known.id != id {
		return "", false
	}
	changed := time.Unix(0, max(id.mtime, id.ctime))
	if known.at.Sub(changed) < grain {
		return "", false
	}
	return known.of, true
}

func (s *sums) put(path string, id fileID, at time.Time, of string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil || len(s.seen) >= mostSums { // rather than keep what nobody asks for
		s.seen = map[string]sum{}
	}
	s.seen[path] = sum{id, at, of}
}

// is reports whether id is the last known state of path.
func (s *sums) is(path string, id fileID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.seen[path]
	return ok && known.id == id
}

func sumOf(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// look looks at path. That nothing is there is no error; that something is
// there that is not a regular file, or a link to one, is.
func (s *sums) look(path string) (sighting, error) {
	seen := sighting{real: path}
	var st unix.Stat_t
	err := lstat(path, &st)
	if err == nil && st.Mode&unix.S_IFMT == unix.S_IFLNK {
		if seen.real, err = resolve(path); err != nil {
			return seen, err
		}
		err = lstat(seen.real, &st)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return seen, nil
	case errors.Is(err, syscall.ENOTDIR):
		return seen, fmt.Errorf("cannot use %s: a part of its path is not a directory", path)
	case err != nil:
		return seen, fmt.Errorf("cannot look at %s: %w", path, err)
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return seen, fmt.Errorf("cannot use %s: it is %s, not a file", path, kindOf(uint32(st.Mode)))
	}
	seen.note(&st)
	seen.sum, err = s.sum(seen.real, seen.id)
	if errors.Is(err, fs.ErrNotExist) { // gone just now
		return sighting{real: seen.real}, nil
	}
	if err != nil {
		return seen, fmt.Errorf("cannot read %s: %w", path, cause(err))
	}
	return seen, nil
}

func lstat(path string, st *unix.Stat_t) error {
	for {
		err := unix.Lstat(path, st)
		if err != unix.EINTR {
			return err
		}
	}
}

func (seen *sighting) note(st *unix.Stat_t) {
	seen.exists, seen.id = true, idOf(st)
	seen.mode, seen.uid, seen.gid = uint32(st.Mode)&0o7777, st.Uid, st.Gid
}

func idOf(st *unix.Stat_t) fileID {
	return fileID{uint64(st.Dev), st.Ino, st.Size, unix.TimespecToNsec(st.Mtim), unix.TimespecToNsec(st.Ctim)}
}

func kindOf(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFIFO:
		return "a named pipe"
	case unix.S_IFSOCK:
		return "a socket"
	default:
		return "a device"
	}
}

// sum returns the sum of the file at path whose fileID was id a moment ago.
func (s *sums) sum(path string, id fileID) (string, error) {
	if known, ok := s.get(path, id); ok {
		return known, nil
	}
	if id.size > huge {
		return fmt.Sprintf("larger than %d bytes", huge), nil
	}
	at := time.Now()
	f, err := openFile(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, io.LimitReader(f, huge)); err != nil {
		return "", err
	}
	of := hex.EncodeToString(hash.Sum(nil))
	var after unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &after); err != nil {
		return "", err
	}
	if idOf(&after) == id {
		s.put(path, id, at, of)
	}
	return of, nil
}

// openFile opens the file at path for reading. What it says may be shown: it is
// reached by those links alone that would be followed to write it, and what
// took its place in between keeps nobody waiting.
func openFile(path string) (*os.File, error) {
	dir, err := resolveDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	root, err := openRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return place{root, dir}.openRegular(filepath.Base(path), os.O_RDONLY)
}

// resolve follows the symbolic links that path is, one after the other, as long
// as nobody else can turn them elsewhere.
func resolve(path string) (string, error) {
	asked := path
	for range 40 {
		dir, err := resolveDir(filepath.Dir(path))
		if err != nil {
			return "", fmt.Errorf("cannot follow %s: %w", asked, cause(err))
		}
		path = filepath.Join(dir, filepath.Base(path))
		var st unix.Stat_t
		if err := lstat(path, &st); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("cannot follow %s: the link leads to %s, which does not exist: create that file or remove the link", asked, path)
		} else if err != nil {
			return "", fmt.Errorf("cannot follow %s: %w", asked, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			return path, nil
		}
		if err := trustLink(dir); err != nil {
			return "", fmt.Errorf("cannot follow %s: %w", asked, err)
		}
		target, err := os.Readlink(path)
		if err != nil {
			return "", fmt.Errorf("cannot follow %s: %w", asked, cause(err))
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		path = target
	}
	return "", fmt.Errorf("cannot follow %s: its links lead in a circle", asked)
}

// cause strips the operation and the path that our own message names.
func cause(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	var linkErr *os.LinkError
	if errors.As(err, &linkErr) {
		return linkErr.Err
	}
	return err
}
