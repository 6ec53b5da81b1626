package command

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// startShowing starts the command by start, in a mount namespace in which the
// program finds what c.Show says.
//
// A namespace belongs to a thread. So this is done on a thread that is
// thrown away: its goroutine ends without unlocking it. The main thread is
// never one, for it cannot be.
func startShowing(shown []Shown, look *lookout, start func() error) error {
	result := make(chan error, 1)
	go onThread(func() { result <- enter(shown, look, start) })
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
func enter(shown []Shown, look *lookout, start func() error) error {
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
	for _, s := range shown {
		if s.From == "" {
			continue
		}
		if err := look.watch(s.At); err != nil {
			return fmt.Errorf("cannot watch %s: %v", s.At, err)
		}
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
			return fmt.Errorf("cannot lay a layer over %s: %w", dir, err)
		}
		done[dir] = true
	}
	return nil
}

// layer lays an empty layer over the directory, so that files can come and go
// in it for this namespace alone. The layer's own memory is a tmpfs that is
// mounted there first and then covered. What else is mounted in the directory
// is mounted in the layer again, which would hide it.
func layer(dir string) error {
	inside, err := mountsIn(dir)
	if err != nil {
		return err
	}
	defer closeAll(inside)
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
	if err := covered(dir, st.Dev); err != nil {
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
	if err := unix.Mount("overlay", dir, "overlay", unix.MS_NOSUID|unix.MS_NODEV, opts); err != nil {
		return err
	}
	for _, m := range inside {
		if err := unix.Mount(fdPath(m.fd), m.at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("what is mounted on %s cannot be shown in it: %w", m.at, err)
		}
	}
	return nil
}

// covered makes sure that a mount on dir is what dir leads to now: nothing
// covers the root directory, and what is done there is done to everybody's.
func covered(dir string, before uint64) error {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return err
	}
	if st.Dev == before {
		return errors.New("the root directory cannot be covered")
	}
	return nil
}

// A mounted is an open mount point.
type mounted struct {
	at string
	fd int
}

func closeAll(mounts []mounted) {
	for _, m := range mounts {
		unix.Close(m.fd)
	}
}

// mountsIn opens what is mounted below dir, the outer before the inner.
func mountsIn(dir string) ([]mounted, error) {
	info, err := os.ReadFile("/proc/thread-self/mountinfo") // see proc(5)
	if err != nil {
		return nil, err
	}
	var found []mounted
	seen := map[string]bool{}
	for line := range strings.Lines(string(info)) {
		fields := strings.Fields(line)
		if len(fields) < 5 {
			continue
		}
		at := unescaped.Replace(fields[4])
		if seen[at] || !strings.HasPrefix(at, dir+"/") {
			continue
		}
		seen[at] = true
		fd, err := unix.Open(at, unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		if err != nil {
			continue // covered by another: nobody sees it
		}
		found = append(found, mounted{at, fd})
	}
	return found, nil
}

// unescaped reads a path as it stands in mountinfo.
var unescaped = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`, `\043`, "#")

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

// A lookout learns which of the files that are shown somebody opens, where
// they are shown: others who open the files elsewhere do not count.
type lookout struct {
	fd  int
	ats map[inode]string
}

// An inode is a file, by whatever name.
type inode struct{ dev, ino uint64 }

// newLookout returns a lookout, nil where there can be none.
func newLookout() *lookout {
	fd, err := unix.FanotifyInit(unix.FAN_CLASS_NOTIF|unix.FAN_CLOEXEC|unix.FAN_NONBLOCK, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_LARGEFILE)
	if err != nil {
		return nil
	}
	return &lookout{fd: fd, ats: map[inode]string{}}
}

// watch begins to watch the mount by which a file is shown in its place.
func (l *lookout) watch(at string) error {
	if l == nil {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Stat(at, &st); err != nil {
		return err
	}
	l.ats[inode{uint64(st.Dev), st.Ino}] = at
	return unix.FanotifyMark(l.fd, unix.FAN_MARK_ADD|unix.FAN_MARK_MOUNT, unix.FAN_OPEN, unix.AT_FDCWD, at)
}

// opened returns the places of those files that were opened so far, and ends
// the watch. It may be called once.
func (l *lookout) opened() map[string]bool {
	if l == nil {
		return nil
	}
	defer unix.Close(l.fd)
	found := map[string]bool{}
	buf := make([]byte, 64*unix.FAN_EVENT_METADATA_LEN)
	for failed := 0; failed < 1<<10; {
		n, err := unix.Read(l.fd, buf)
		switch {
		case err == unix.EAGAIN || err == nil && n <= 0:
			return found
		case err != nil: // an event whose file cannot be opened; the next one's may be
			failed++
			continue
		}
		for b := buf[:n]; len(b) >= unix.FAN_EVENT_METADATA_LEN; {
			// struct fanotify_event_metadata, see fanotify(7): length, …, fd at 16
			if fd := int(int32(binary.NativeEndian.Uint32(b[16:]))); fd >= 0 {
				var st unix.Stat_t
				if unix.Fstat(fd, &st) == nil {
					if at, ok := l.ats[inode{uint64(st.Dev), st.Ino}]; ok {
						found[at] = true
					}
				}
				unix.Close(fd)
			}
			b = b[min(len(b), max(unix.FAN_EVENT_METADATA_LEN, int(binary.NativeEndian.Uint32(b)))):]
		}
	}
	return found
}
