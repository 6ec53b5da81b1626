package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Nobody may connect before the socket has its mode.
func TestSocketIsPrivateFromTheStart(t *testing.T) {
	s := Socket{Path: filepath.Join(t.TempDir(), "muster.sock"), Mode: 0o660}
	defer syscall.Umask(syscall.Umask(0))
	ln, err := s.bind()
	if err != nil {
		t.Fatal(err)
	}
	if mode := modeOf(t, s.Path); mode != 0o600 {
		t.Errorf("a new socket has mode %o", mode)
	}
	ln.Close()
	if ln, err = s.Listen(); err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if mode := modeOf(t, s.Path); mode != 0o660 {
		t.Errorf("the socket has mode %o", mode)
	}
	if _, err := s.Listen(); err == nil || !strings.Contains(err.Error(), "another agent answers there") {
		t.Errorf("a second agent: %v", err)
	}
}

func modeOf(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// A dead agent's socket is replaced; nothing else is.
func TestWhatIsInTheSocketsPlace(t *testing.T) {
	dir := t.TempDir()
	dead := Socket{Path: filepath.Join(dir, "dead"), Mode: 0o600}
	ln, err := dead.bind()
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	if ln, err = dead.Listen(); err != nil {
		t.Fatal(err)
	}
	ln.Close()

	file := Socket{Path: filepath.Join(dir, "file"), Mode: 0o600}
	if err := os.WriteFile(file.Path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	link := Socket{Path: filepath.Join(dir, "link"), Mode: 0o600}
	if err := os.Symlink("file", link.Path); err != nil {
		t.Fatal(err)
	}
	for _, s := range []Socket{file, link} {
		if _, err := s.Listen(); err == nil {
			t.Errorf("%s is taken for a socket", s.Path)
		}
	}
	if text, err := os.ReadFile(file.Path); err != nil || string(text) != "precious" {
		t.Errorf("the file holds %q (%v)", text, err)
	}
}

// Where anybody could put another socket in the place of ours there is none.
func TestWhoseDirectoryTheSocketIsIn(t *testing.T) {
	shared := filepath.Join(t.TempDir(), "shared")
	for _, c := range []struct {
		what           string
		uid            int
		mode, aroundIt os.FileMode
		want           string
	}{
		{"ours", 0, 0o755, 0o777 | os.ModeSticky, ""},
		{"like /tmp", 0, 0o777 | os.ModeSticky, 0o755, ""},
		{"everybody's", 0, 0o777, 0o755, "everybody may write to the directory"},
		{"made by another in /tmp", 12345, 0o755, 0o777 | os.ModeSticky, "user 12345"},
		{"another's, at home", 12345, 0o755, 0o755, ""},
	} {
		if c.uid != 0 && os.Geteuid() != 0 {
			continue // only root can give directories away
		}
		dir := filepath.Join(shared, "muster")
		err := errors.Join(os.MkdirAll(dir, 0o755), os.Chmod(shared, c.aroundIt), os.Chmod(dir, c.mode))
		if c.uid != 0 {
			err = errors.Join(err, os.Chown(dir, c.uid, -1))
		}
		if err != nil {
			t.Fatal(err)
		}
		ln, err := Socket{Path: filepath.Join(dir, "api.sock"), Mode: 0o600}.Listen()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
		if err == nil {
			ln.Close()
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

// deadlined is a ResponseWriter that knows of deadlines.
type deadlined struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (d *deadlined) SetWriteDeadline(t time.Time) error {
	d.deadline = t
	return nil
}

// A client that never reads its answer is let go.
func TestAnswersHaveADeadline(t *testing.T) {
	w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
	answer(w, "x", nil)
	if w.deadline.IsZero() || w.Body.String() != "\"x\"\n" {
		t.Errorf("deadline %v, body %q", w.deadline, w.Body)
	}
}

// Requests are bounded, and only JSON is taken for JSON.
func TestRequestsAreBounded(t *testing.T) {
	var got ApplyRequest
	h := serve(func(r *http.Request) (string, error) { return "done", decode(r, &got) })
	for _, test := range []struct {
		kind, body string
		status     int
	}{
		{"application/json", `{"rules":["a"]}`, http.StatusOK},
		{"application/json; charset=utf-8", `{"rules":["a"]}`, http.StatusOK},
		{"text/plain", `{"rules":["a"]}`, http.StatusUnsupportedMediaType},
		{"application/json", `{"unknown":1}`, http.StatusBadRequest},
		{"application/json", `{"rules":["` + strings.Repeat("a", maxRequest) + `"]}`, http.StatusRequestEntityTooLarge},
		{"application/json", strings.Repeat("[", 1000), http.StatusBadRequest},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(test.body))
		r.Header.Set("Content-Type", test.kind)
		w := httptest.NewRecorder()
		h(w, r)
		if w.Code != test.status {
			t.Errorf("%s %.40s: %d %s", test.kind, test.body, w.Code, w.Body)
		}
	}
}

// A client that sends nothing does not keep the server from stopping.
func TestStopWithSilentClients(t *testing.T) {
	s := Socket{Path: filepath.Join(t.TempDir(), "muster.sock"), Mode: 0o600}
	ln, err := s.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- Serve(ctx, ln, http.NotFoundHandler(), slog.New(slog.DiscardHandler)) }()
	for _, sent := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\nX: "} {
		c, err := net.Dial("unix", s.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := io.Copy(c, bytes.NewReader([]byte(sent))); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
