package command

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Shown is a file that a program finds in the place of another, in a mount
// namespace of its own: for everybody else nothing changes.
type Shown struct {
	At   string // where the program finds it; absolute, free of links, and its directory exists
	From string // a regular file; empty: the program finds nothing there
}

// ErrNoNamespace is the Result.Err of a Command with Show where this process
// may not make mount namespaces.
var ErrNoNamespace = errors.New("this process may not make mount namespaces")

// startShowing starts the command by start, in a mount namespace in which the
// program finds what c.Show says.
//
// A namespace belongs to a thread. So this is done on a thread that is
// thrown away: its goroutine ends without unlocking it. The main thread is
// never one, for it cannot be.
func startShowing(shown []Shown, start func() error) error {
	result := make(chan error, 1)
	go onThread(func() { result <- enter(shown, start) })
	return <-result
}

// onThread runs do on a thread that nothing else will ever run on.
func onThread(do func()) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		do()
		return
	}
	done := make(chan struct{})
	go func() { // elsewhere, for this thread is taken
		defer close(done)
		onThread(do)
	}()
	<-done
	runtime.UnlockOSThread()
}

// enter gives the calling thread a mount namespace, arranges what is shown in
// it, and starts the program there. What is mounted goes with the last process.
func enter(shown []Shown, start func() error) error {
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("%w: %v", ErrNoNamespace, err)
		}
		return fmt.Errorf("cannot make a mount namespace: %v", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("%w: its mounts cannot be made private: %v", ErrNoNamespace, err)
	}
	if err := show(shown); err != nil {
		return err
	}
	return start()
}

// show mounts what is shown. The files are opened first: a mount may cover them.
func show(shown []Shown) error {
	files := make([]int, len(shown))
	for i, s := range shown {
		files[i] = -1
		if s.From == "" {
			continue
		}
		fd, err := unix.Open(s.From, unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err != nil {
			return fmt.Errorf("cannot show %s: %v", s.From, err)
		}
		defer unix.Close(fd)
		files[i] = fd
	}
	if err := layerAll(shown); err != nil {
		return err
	}
	for i, s := range shown {
		if err := place(s, files[i]); err != nil {
			return fmt.Errorf("cannot show %s: %v", s.At, err)
		}
	}
	return nil
}

// layerAll lays a layer over each directory in which files come or go.
func layerAll(shown []Shown) error {
	done := map[string]bool{}
	for _, s := range shown {
		dir := filepath.Dir(s.At)
		_, err := os.Lstat(s.At)
		if done[dir] || s.From != "" && !errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := layer(dir); err != nil {
			return fmt.Errorf("%w: cannot lay one over %s: %v", ErrNoNamespace, dir, err)
		}
		done[dir] = true
	}
	return nil
}

// layer lays an empty layer over the directory, so that files can come and go
// in it for this namespace alone. The layer's own memory is a tmpfs that is
// mounted there first and then covered.
func layer(dir string) error {
	lower, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(lower)
	var st unix.Stat_t
	if err := unix.Fstat(lower, &st); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=1m,mode=0755"); err != nil {
		return err
	}
	upper, work := filepath.Join(dir, "upper"), filepath.Join(dir, "work")
	for _, d := range []string{upper, work} {
		if err := unix.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Chown(upper, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	if err := unix.Chmod(upper, st.Mode&0o7777); err != nil {
		return err
	}
	opts := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", fdPath(lower), escaped(upper), escaped(work))
	return unix.Mount("overlay", dir, "overlay", unix.MS_NOSUID|unix.MS_NODEV, opts)
}

// place puts the open file in its place, or removes what is there.
func place(s Shown, fd int) error {
	if fd < 0 {
		return unix.Unlink(s.At)
	}
	at, err := unix.Open(s.At, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		at, err = unix.Open(s.At, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	}
	if err != nil {
		return err
	}
	defer unix.Close(at)
	return unix.Mount(fdPath(fd), fdPath(at), "", unix.MS_BIND, "")
}

func fdPath(fd int) string { return "/proc/thread-self/fd/" + strconv.Itoa(fd) }

// escaped is path as an option of overlayfs, in which commas and colons have a
// meaning.
func escaped(path string) string {
	var out []byte
	for i := range len(path) {
		if path[i] == ',' || path[i] == ':' || path[i] == '\\' {
			out = append(out, '\\')
		}
		out = append(out, path[i])
	}
	return string(out)
}

// A lookout learns which of the files that are shown somebody opens.
type lookout struct {
	fd  int
	ats map[int32]string // by watch
}

// newLookout watches the files; nil where that is not possible.
func newLookout(shown []Shown) *lookout {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil
	}
	l := &lookout{fd: fd, ats: map[int32]string{}}
	for _, s := range shown {
		if s.From == "" {
			continue
		}
		if wd, err := unix.InotifyAddWatch(fd, s.From, unix.IN_OPEN); err == nil {
			l.ats[int32(wd)] = s.At
		}
	}
	return l
}

// opened returns the places of those files that were opened so far, and ends
// the watch. It may be called once.
func (l *lookout) opened() map[string]bool {
	if l == nil {
		return nil
	}
	defer unix.Close(l.fd)
	found := map[string]bool{}
	buf := make([]byte, 64*(unix.SizeofInotifyEvent+unix.NAME_MAX+1))
	for {
		n, err := unix.Read(l.fd, buf)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return found
		}
		for b := buf[:n]; len(b) >= unix.SizeofInotifyEvent; {
			// struct inotify_event, see inotify(7): wd, mask, cookie, len, name
			if at, ok := l.ats[int32(binary.NativeEndian.Uint32(b))]; ok {
				found[at] = true
			}
			b = b[min(len(b), unix.SizeofInotifyEvent+int(binary.NativeEndian.Uint32(b[12:]))):]
		}
	}
}
