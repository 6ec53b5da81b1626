package haproxy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawText draws a backend called web: servers of few names, addresses and
// weights, in any order, or slots.
func drawText(t *rapid.T, label string, slots bool) string {
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}), 0, 5, rapid.ID[string]).Draw(t, label)
	text := "backend web\n"
	if slots {
		text += "    server-template s 1-4 0.0.0.0:1 check disabled\n"
	}
	for i, n := range names {
		addr := fmt.Sprintf("127.0.0.%d:80", rapid.IntRange(1, 3).Draw(t, "host"))
		if rapid.IntRange(0, 4).Draw(t, "six") == 0 {
			addr = "[::1]:80"
		}
		weight := rapid.SampledFrom([]string{"", "", " weight 0", " weight 5", " weight 256"}).Draw(t, "weight")
		switch {
		case slots && i < 4:
			text += "    # slot " + n + " " + addr + weight + "\n"
		case !slots:
			options := rapid.SampledFrom([]string{"", "", "", " disabled"}).Draw(t, "disabled")
			text += "    server " + n + " " + addr + check(n) + weight + options + "\n"
		}
	}
	return text
}

// check makes some servers checked: a server's options stay.
func check(name string) string {
	if name < "d" {
		return " check"
	}
	return ""
}

func (m *model) takes() bool {
	return slices.ContainsFunc(m.servers, func(s modelServer) bool { return s.up && !s.drain && s.weight > 0 })
}

// state is what the model has, but for health: names of slots do not matter.
func (m *model) state(slots bool) []string {
	out := []string{}
	for _, s := range m.servers {
		line := fmt.Sprintf("%s %v weight %d maint %v drain %v", s.name, s.addr, s.weight, s.maint, s.drain)
		if slots && s.maint {
			continue
		}
		if slots {
			_, line, _ = strings.Cut(line, " ")
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

// Whatever haproxy has loaded, and whatever somebody has done to it since: what
// is pushable is what it has in the end, haproxy refuses no command on the way,
// nothing is left to do, and at no moment is nobody there to take requests if
// there need not be.
func TestPushConverges(t *testing.T) {
	m := &model{}
	var took, forsaken bool
	f := newFake(t, func(command string) (string, bool) {
		reply, stays := m.answer(command)
		forsaken = forsaken || took && !m.takes()
		return reply, stays
	})
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.Bool().Draw(t, "slots")
		loaded := drawText(t, "loaded", slots)
		*m = model{connections: map[string]int{}}
		if err := m.load(loaded); err != nil {
			t.Fatal(err)
		}
		now := time.Unix(1e9, 0)
		r := New(Config{Socket: f.socket, Now: func() time.Time { return now },
			Drain: rapid.SampledFrom([]time.Duration{0, 3 * time.Second}).Draw(t, "drain")})
		for range rapid.IntRange(1, 5).Draw(t, "changes") {
			wanted := drawText(t, "wanted", slots)
			if err := Pushable([]byte(loaded), []byte(wanted)); err != nil {
				t.Fatalf("%v\n%s\n%s", err, loaded, wanted)
			}
			want := &model{}
			if err := want.load(wanted); err != nil {
				t.Fatal(err)
			}
			for i := range m.servers { // checks pass, requests come and go
				s := &m.servers[i]
				s.up = s.up || s.checked && !s.maint && rapid.Bool().Draw(t, "passes")
				m.connections[s.name] = rapid.IntRange(0, 1).Draw(t, "connections")
			}
			took, forsaken = m.takes() && want.takes(), false
			settle(t, r, m, &now, wanted)
			if forsaken {
				t.Fatalf("there was a moment without servers; heard:\n%s", strings.Join(f.heard, "\n"))
			}
			took = false
			f.heard = nil
			if len(m.mistakes) > 0 {
				t.Fatalf("mistakes: %q", m.mistakes)
			}
			got := m.state(slots)
			if slots {
				want.servers = nil
				for _, b := range must(readBackends([][]byte{[]byte(wanted)})) {
					for _, s := range b.members {
						w := s.weight
						if w < 0 {
							w = 1
						}
						want.servers = append(want.servers, modelServer{name: s.name, addr: s.addr, weight: w})
					}
				}
			}
			if diff := cmp.Diff(want.state(slots), got); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			loaded = wanted
		}
	})
}

// settle pushes until all has gone that shall, and once more.
func settle(t *rapid.T, r *Runtime, m *model, now *time.Time, wanted string) {
	for i := range 20 {
		planned, err := r.Diff(t.Context(), []byte(wanted))
		if err != nil {
			t.Fatal(err)
		}
		result, err := r.Push(t.Context(), []byte(wanted))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(planned.Commands, result.Commands); diff != "" {
			t.Fatalf("Diff and Push differ:\n%s", diff)
		}
		if result.Again.IsZero() {
			if again, err := r.Push(t.Context(), []byte(wanted)); err != nil || len(again.Commands) > 0 {
				t.Fatalf("not settled: %q, %v", again.Commands, err)
			}
			return
		}
		if !result.Again.After(*now) || result.Again.Sub(*now) > lingerPoll {
			t.Fatalf("again at %v, and it is %v", result.Again, now)
		}
		*now = result.Again
		if i > 5 {
			clear(m.connections)
		}
	}
	t.Fatal("it does not settle")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
