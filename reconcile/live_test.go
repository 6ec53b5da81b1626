package reconcile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/command"
)

// A liveService has its files by its reload, or is told of them; a reload makes
// it forget what it was told.
type liveService struct {
	*host
	told  map[string]string
	down  bool
	stale bool // until a reload it cannot be told
	again time.Time
}

func newLiveService(t *testing.T) *liveService {
	s := &liveService{host: testHost(t), told: map[string]string{}}
	s.r.cfg.run = func(ctx context.Context, c command.Command) command.Result {
		if c.Argv[0] == "reload" {
			s.told, s.stale = map[string]string{}, false
		}
		return s.command(ctx, c)
	}
	return s
}

// unit is a unit whose changes can be told as long as they begin alike.
func (s *liveService) unit(rule string, files ...File) Unit {
	u := s.host.unit(rule, files...)
	u.Live = &Live{
		Can: func(path string, old, new []byte) error {
			if old[0] != new[0] {
				return errors.New("its first letter changes")
			}
			return nil
		},
		Tell: func(_ context.Context, files []File) (done []string, again time.Time, err error) {
			if s.down {
				return nil, time.Time{}, errors.New("nobody answers")
			}
			if s.stale {
				return nil, time.Time{}, fmt.Errorf("no backend: %w", ErrReload)
			}
			for _, f := range files {
				if s.told[f.Path] != string(f.Bytes) {
					s.told[f.Path] = string(f.Bytes)
					done = append(done, fmt.Sprintf("set %s", f.Bytes))
				}
			}
			return done, s.again, nil
		},
	}
	return u
}

func (s *liveService) pass(text string, want State, ran string, told ...string) Outcome {
	s.Helper()
	out := s.converge(s.unit("web", s.file("a.conf", text)), want)
	if got := strings.Join(s.commands(), " "); got != ran {
		s.Fatalf("%s: ran %q, want %q", text, got, ran)
	}
	if diff := cmp.Diff(told, out.Told); diff != "" {
		s.Fatalf("%s: told (-want +got):\n%s", text, diff)
	}
	return out
}

func TestLive(t *testing.T) {
	s := newLiveService(t)
	s.pass("a1", InSync, "check reload", "set a1") // nothing is known to be loaded
	out := s.pass("a2", InSync, "check", "set a2") // told
	if out.Reloaded || len(out.Changed) != 1 {
		t.Errorf("%+v", out)
	}
	s.expect("a.conf", "a2")
	s.pass("a2", InSync, "")
	s.pass("b2", InSync, "check reload", "set b2") // cannot be told
	s.restart()
	s.r.cfg.run = s.command
	s.pass("b2", InSync, "") // what was told stays loaded

	// Somebody else reloads the service: it is told again.
	s.told = map[string]string{}
	s.pass("b2", InSync, "", "set b2")
	if st := s.status("web"); st.Told == nil || len(st.Told.Commands) != 1 {
		t.Errorf("%+v", st.Told)
	}

	// A plan says so, and tells nobody.
	plan := s.r.Plan([]Unit{s.unit("web", s.file("a.conf", "b3"))})[0]
	if !plan.Live || plan.Reload != nil || s.told[s.path("a.conf")] != "b2" {
		t.Errorf("%+v", plan)
	}
	if plan = s.r.Plan([]Unit{s.unit("web", s.file("a.conf", "c3"))})[0]; plan.Live || plan.Reload == nil {
		t.Errorf("%+v", plan)
	}

	// It wants to be told again at some time.
	s.again = s.clock.Add(3 * time.Second)
	if out := s.pass("b3", InSync, "check", "set b3"); !out.Retry.Equal(s.again) {
		t.Errorf("%+v", out)
	}
}

// A file that is not what the service has loaded is no base to tell from.
func TestLiveAfterDrift(t *testing.T) {
	s := newLiveService(t)
	s.pass("a1", InSync, "check reload", "set a1")
	s.put("a.conf", "a9")
	s.pass("a2", InSync, "check reload", "set a2")
}

// A service that cannot be told is reloaded. If it cannot be told after that
// either, that is owed, and tried without another reload.
func TestLiveIsDown(t *testing.T) {
	s := newLiveService(t)
	s.pass("a1", InSync, "check reload", "set a1")
	s.down = true
	out := s.pass("a2", Owed, "check reload")
	if !strings.Contains(out.Err.Error(), "cannot tell the running service: nobody answers") || out.Retry.IsZero() {
		t.Errorf("%+v", out)
	}
	s.expect("a.conf", "a2")
	s.pass("a2", Owed, "")
	s.down = false
	s.pass("a2", InSync, "", "set a2")
}

// A service that has lost what the files say is reloaded.
func TestLiveIsStale(t *testing.T) {
	s := newLiveService(t)
	s.pass("a1", InSync, "check reload", "set a1")
	s.stale = true
	s.pass("a1", Owed, "")
	s.clock = s.clock.Add(backoffFirst)
	s.pass("a1", InSync, "check reload", "set a1")
}

// A reload for one rule makes the service forget what another told it.
func TestLiveIsReminded(t *testing.T) {
	s := newLiveService(t)
	s.pass("a1", InSync, "check reload", "set a1")
	s.converge(s.host.unit("other", s.file("b.conf", "b")), InSync)
	if got := s.told[s.path("a.conf")]; got != "a1" {
		t.Errorf("after another rule's reload the service has %q", got)
	}
}

// What a service is told of a sensitive file shows nowhere.
func TestLiveIsSensitive(t *testing.T) {
	s := newLiveService(t)
	file := func(text string) File {
		f := s.file("a.conf", text)
		f.Sensitive = true
		return f
	}
	s.converge(s.unit("web", file("a-secret")), InSync)
	out := s.converge(s.unit("web", file("a-secret2")), InSync)
	st := s.status("web")
	if shown := fmt.Sprintf("%v %+v", out.Told, st.Told); strings.Contains(shown, "secret") || len(out.Told) == 0 || st.Told == nil {
		t.Error(shown)
	}
	u := s.unit("web", file("a-secret3"))
	u.Live.Tell = func(context.Context, []File) ([]string, time.Time, error) {
		return nil, time.Time{}, errors.New("cannot set a-secret3")
	}
	out = s.converge(u, Owed)
	if strings.Contains(out.Err.Error(), "secret3") || strings.Contains(s.status("web").Why, "secret3") {
		t.Error(out.Err)
	}
}

// held is a unit of which the guard holds what loses two of three members.
func (s *liveService) held(text string, members ...string) Unit {
	u := s.unit("web", s.file("a.conf", text))
	u.Static, u.Members, u.Guard = false, members, Guard{MaxLoss: 0.5}
	return u
}

// What the guard holds is not told either; what is in force still is.
func TestLiveIsHeld(t *testing.T) {
	s := newLiveService(t)
	s.converge(s.held("a1", "x", "y", "z"), InSync)
	s.converge(s.held("a2", "x"), Held)
	s.told = map[string]string{} // somebody else reloads it
	out := s.converge(s.held("a2", "x"), Held)
	if got := s.told[s.path("a.conf")]; got != "a1" || out.Retry.IsZero() {
		t.Errorf("the service has %q, %+v", got, out)
	}
	s.stale = true // and it has lost the file
	s.commands()
	for range 2 {
		s.converge(s.held("a2", "x"), Held)
		s.clock = s.clock.Add(backoffFirst)
	}
	if ran := strings.Join(s.commands(), " "); ran != "check reload" {
		t.Errorf("ran %q", ran)
	}
	if got := s.told[s.path("a.conf")]; got != "a1" {
		t.Errorf("the service has %q", got)
	}
	s.expect("a.conf", "a1")
}

// The service is told of the old files, too, when they had to be loaded again,
// and while a change fails.
func TestLiveAfterFailure(t *testing.T) {
	s := newLiveService(t)
	s.pass("a1", InSync, "check reload", "set a1")
	s.pass("b-unloadable", Failed, "check reload check reload")
	if got := s.told[s.path("a.conf")]; got != "a1" {
		t.Errorf("the service has %q", got)
	}
	s.told = map[string]string{}
	s.pass("b-unloadable", Failed, "", "set a1")
}

// Of a file of which a block is muster's, the service has to be told all: the
// block may be the servers of a backend that begins before it.
func TestLiveInBlock(t *testing.T) {
	s := newLiveService(t)
	s.put("a.conf", "all of it\n")
	file := func(text string) File {
		f := s.file("a.conf", text)
		f.Block = "#"
		return f
	}
	for _, text := range []string{"one", "two"} {
		s.converge(s.unit("web", file(text)), InSync)
		whole, err := os.ReadFile(s.path("a.conf"))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.told[s.path("a.conf")]; got != string(whole) || !strings.HasPrefix(got, "all of it\n# BEGIN") {
			t.Errorf("the service has %q", got)
		}
	}
	if ran := strings.Join(s.commands(), " "); ran != "check reload check" {
		t.Errorf("ran %q", ran)
	}
}
