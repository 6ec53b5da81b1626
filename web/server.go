package web

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// A Socket is where the API listens, and who may connect.
type Socket struct {
	Path  string
	Mode  fs.FileMode // who may write may connect
	Group string      // owning group, by name or number; empty: this process's
}

// Listen listens on the socket. Its directory is made when missing. A socket
// left by a dead agent is replaced; one that answers is an error.
func (s Socket) Listen() (net.Listener, error) {
	ln, err := s.listen()
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", s.Path, err)
	}
	return newCrowd(ln, mostGuests), nil
}

// maxPath is how many bytes Linux has for a socket's path (unix(7)).
const maxPath = 107

func (s Socket) listen() (net.Listener, error) {
	if len(s.Path) > maxPath {
		return nil, fmt.Errorf("the path has %d bytes, and a socket's may have %d: choose another --socket", len(s.Path), maxPath)
	}
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o755); err != nil {
		return nil, err
	}
	if err := checkDir(filepath.Dir(s.Path)); err != nil {
		return nil, err
	}
	if conn, err := net.Dial("unix", s.Path); err == nil {
		conn.Close()
		return nil, errors.New("another agent answers there; stop it or choose another --socket")
	}
	if info, err := os.Lstat(s.Path); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return nil, errors.New("a file that is not a socket is in the way")
		}
		if err := os.Remove(s.Path); err != nil {
			return nil, err
		}
	}
	ln, err := s.bind()
	if err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// checkDir reports a directory in which anybody could put another socket in the
// place of ours, and answer in our name: also one that somebody else made where
// everybody may, such as in /tmp, before we came.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	parent, err := os.Stat(filepath.Join(dir, ".."))
	if err != nil {
		return err
	}
	if uid := info.Sys().(*syscall.Stat_t).Uid; uid != 0 && int(uid) != os.Geteuid() && parent.Mode()&0o002 != 0 {
		return fmt.Errorf("user %d, whose directory that is, could answer instead: choose another --socket", uid)
	}
	if info.Mode()&(0o002|fs.ModeSticky) == 0o002 {
		return errors.New("everybody may write to the directory, and could answer instead: chmod o-w, or choose another --socket")
	}
	return nil
}

// bind makes the socket. Who may write to it may connect, so that until its
// mode is set nobody but this user may, whatever the umask was.
func (s Socket) bind() (net.Listener, error) {
	umask := syscall.Umask(0o177)
	defer syscall.Umask(umask)
	return net.Listen("unix", s.Path)
}

// open gives the socket its group and mode.
func (s Socket) open() error {
	if s.Group != "" {
		group, err := user.LookupGroup(s.Group)
		if err != nil {
			group, err = user.LookupGroupId(s.Group)
		}
		if err != nil {
			return fmt.Errorf("no group %q", s.Group)
		}
		gid, err := strconv.Atoi(group.Gid)
		if err != nil {
			return err
		}
		if err := os.Lchown(s.Path, -1, gid); err != nil {
			return err
		}
	}
	return os.Chmod(s.Path, s.Mode)
}

// Serve answers on ln until ctx ends, then gives the requests under way a
// second to finish.
func Serve(ctx context.Context, ln net.Listener, h http.Handler, log *slog.Logger) error {
	server := &http.Server{
		Handler:           h,
		ConnContext:       know,
		Protocols:         onlyHTTP1(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if server.Shutdown(grace) != nil {
			server.Close()
		}
	}()
	err := server.Serve(ln)
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the API: %w", err)
	}
	<-stopped
	return nil
}

// onlyHTTP1 is what is spoken: HTTP/2 would bring many requests at once on one
// connection, which nobody here needs and the bounds are not made for.
func onlyHTTP1() *http.Protocols {
	p := &http.Protocols{}
	p.SetHTTP1(true)
	return p
}
