package actions

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"muster/cluster"
	"muster/command"
)

// bubble runs test in a bubble of time, with commands that a fake runs.
func bubble(t *testing.T, hcl string, test func(b *bench, f *fake)) {
	dir, rulesDir := t.TempDir(), t.TempDir()
	loaded := load(t, rulesDir, hcl)
	synctest.Test(t, func(t *testing.T) {
		b, f := reopen(t, dir, ""), &fake{}
		b.exec = f.exec
		b.Use(Set{Rules: loaded})
		b.start()
		test(b, f)
		b.stop()
	})
}

const powerCycle = `
rule "power-cycle" {
  on = ["member-failed"]
  members { tags = { role = "db" } }
  for    = "2m"
  quorum = 2
  run { command = ["cycle", member.name, event.type] }
}`

func TestFor(t *testing.T) {
	db := member("db1", map[string]string{"role": "db"})
	failed, me, web := with(db, cluster.Failed), member("n", nil), member("web", nil)
	bubble(t, powerCycle, func(b *bench, f *fake) {
		ran := func(want ...string) {
			t.Helper()
			synctest.Wait()
			if diff := cmp.Diff(want, f.all()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		}
		status := func(queued, unwanted uint64) {
			t.Helper()
			if s := b.of("power-cycle"); s.Queued != queued || s.Unwanted != unwanted {
				t.Errorf("%+v", s)
			}
		}
		look := func(epoch uint64, settled bool, ms ...cluster.Member) {
			v := view(me, append(ms, web)...)
			v.Epoch, v.Settled = epoch, settled
			b.Look(v)
		}
		look(1, true, db)
		// it comes back in time
		look(1, true, failed)
		b.Hear(cluster.Event{Type: cluster.EventFailed, Members: []cluster.Member{failed}})
		time.Sleep(time.Minute)
		status(1, 0)
		look(1, true, db)
		time.Sleep(time.Hour)
		ran()
		status(0, 1)
		// it does not; another failure, of no db, is nobody's business
		look(1, true, failed, with(member("x", nil), cluster.Failed))
		time.Sleep(119 * time.Second)
		ran()
		time.Sleep(time.Second)
		ran("cycle db1 member-failed")
		time.Sleep(time.Hour)
		ran("cycle db1 member-failed") // once
		// a new incarnation of the membership knows nobody at first
		look(1, true, db)
		look(1, true, failed)
		time.Sleep(time.Minute)
		look(2, false)
		time.Sleep(2 * time.Minute)
		ran("cycle db1 member-failed") // no view to decide by
		status(1, 1)
		look(2, true, failed)
		ran("cycle db1 member-failed", "cycle db1 member-failed")
		// and one in which it is back
		look(2, true, db)
		look(2, true, failed)
		look(3, false)
		look(3, true, db)
		time.Sleep(time.Hour)
		ran("cycle db1 member-failed", "cycle db1 member-failed")
		status(0, 2)
		// too few
		look(3, true, failed)
		b.Look(view(me, failed))
		time.Sleep(time.Hour)
		ran("cycle db1 member-failed", "cycle db1 member-failed")
		if s := b.of("power-cycle"); s.Refused[RefusedQuorum] != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// A member that comes back while its action waits in the queue is spared.
func TestForIsCheckedAgainInTheQueue(t *testing.T) {
	me, a, c := member("n", map[string]string{"role": "db"}), member("a", map[string]string{"role": "db"}), member("c", map[string]string{"role": "db"})
	bubble(t, strings.Replace(powerCycle, "quorum = 2", "", 1), func(b *bench, f *fake) {
		f.does = func(ctx context.Context, _ command.Command) command.Result {
			sleep(ctx, 10*time.Minute)
			return command.Result{}
		}
		b.Look(view(me, a, c))
		b.Look(view(me, with(a, cluster.Failed), c))
		time.Sleep(time.Second)
		b.Look(view(me, with(a, cluster.Failed), with(c, cluster.Failed)))
		time.Sleep(3 * time.Minute)
		b.Look(view(me, with(a, cluster.Failed), c))
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]string{"cycle a member-failed"}, f.all()); diff != "" {
			t.Error(diff)
		}
		if s := b.of("power-cycle"); s.Heard != 2 || s.Run != 1 || s.Unwanted != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// After a restart, and for a rule that is new, counting begins anew.
func TestForBeginsAnew(t *testing.T) {
	me, db := member("n", nil), with(member("db1", map[string]string{"role": "db"}), cluster.Failed)
	bubble(t, strings.Replace(powerCycle, "quorum = 2", "", 1), func(b *bench, f *fake) {
		v := view(me)
		v.Settled = false
		b.Look(v)
		time.Sleep(time.Hour)
		b.Look(view(me, db))
		time.Sleep(90 * time.Second)
		set := b.Runner.set
		b.Use(set) // the same rules again: nothing begins anew
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := len(f.all()); n != 1 {
			t.Errorf("ran %d times", n)
		}
		b.Use(Set{})
		b.Use(set)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := len(f.all()); n != 2 {
			t.Errorf("ran %d times", n)
		}
	})
}

func TestOtherStatesThatLast(t *testing.T) {
	me, x := member("n", nil), member("x", nil)
	tagged := member("x", map[string]string{"v": "2"})
	tests := []struct {
		event         string
		before, after []cluster.Member
		back          []cluster.Member
	}{
		{cluster.EventJoin, nil, []cluster.Member{x}, []cluster.Member{with(x, cluster.Failed)}},
		{cluster.EventJoin, []cluster.Member{with(x, cluster.Failed)}, []cluster.Member{x}, nil},
		{cluster.EventLeave, []cluster.Member{with(x, cluster.Leaving)}, []cluster.Member{with(x, cluster.Left)}, []cluster.Member{x}},
		{cluster.EventUpdate, []cluster.Member{x}, []cluster.Member{tagged}, []cluster.Member{with(tagged, cluster.Failed)}},
		{cluster.EventReap, []cluster.Member{with(x, cluster.Failed)}, nil, []cluster.Member{x}},
	}
	for i, test := range tests {
		t.Run(fmt.Sprint(i, test.event), func(t *testing.T) {
			hcl := fmt.Sprintf("rule \"r\" {\n on = [%q]\n for = \"1m\"\n when = member.name == \"x\"\n run { command = [\"do\", member.name] }\n}", test.event)
			bubble(t, hcl, func(b *bench, f *fake) {
				for _, lasts := range []bool{false, true} {
					b.Look(view(me, test.before...))
					time.Sleep(time.Hour)
					before := len(f.all())
					b.Look(view(me, test.after...))
					time.Sleep(59 * time.Second)
					if !lasts {
						b.Look(view(me, test.back...))
					}
					time.Sleep(2 * time.Second)
					synctest.Wait()
					if ran := len(f.all()) - before; (ran == 1) != lasts {
						t.Errorf("lasts %v, ran %d", lasts, ran)
					}
					b.of("r")
				}
			})
		})
	}
}

func TestRetries(t *testing.T) {
	bubble(t, `
rule "r" {
  on = ["user:x"]
  run {
    command = ["do"]
    retries = 8
  }
}`, func(b *bench, f *fake) {
		var at []time.Duration
		begin := time.Now()
		f.does = func(context.Context, command.Command) command.Result {
			at = append(at, time.Since(begin))
			return failing("no")
		}
		b.Look(view(member("n", nil)))
		b.Hear(user("x", 1, ""))
		time.Sleep(10 * time.Second)
		if s := b.of("r"); s.Run != 1 || s.Running == nil || s.Failed != 0 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		s := time.Second
		want := []time.Duration{0, s, 3 * s, 7 * s, 15 * s, 31 * s, 63 * s, 123 * s, 183 * s}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Error(diff)
		}
		if s := b.of("r"); s.Failed != 1 || s.Last.Verdict != "do: exit status 1: no" {
			t.Errorf("%+v", s.Last)
		}
	})
}

// A view that lacks members is none to count a quorum in.
func TestQuorumWaitsForAView(t *testing.T) {
	me, other := member("n", nil), member("m", nil)
	bubble(t, "rule \"r\" {\n on = [\"user:x\"]\n quorum = 2\n run { command = [\"do\", event.payload] }\n}", func(b *bench, f *fake) {
		look := func(settled bool, others ...cluster.Member) {
			v := view(me, others...)
			v.Settled = settled
			b.Look(v)
			synctest.Wait()
		}
		look(false)
		b.Hear(user("x", 1, "a"))
		look(false)
		if s := b.of("r"); s.Queued != 1 {
			t.Errorf("%+v", s)
		}
		look(true, other)
		look(false) // another incarnation
		b.Hear(user("x", 2, "b"))
		b.Hear(user("x", 3, "c"))
		synctest.Wait()
		if s := b.of("r"); s.Run != 1 || s.Queued != 2 {
			t.Errorf("%+v", s)
		}
		look(true) // cut off
		look(true, with(other, cluster.Failed))
		if s := b.of("r"); s.Run != 1 || s.Refused[RefusedQuorum] != 2 {
			t.Errorf("%+v", s)
		}
		look(true, other)
		b.Hear(user("x", 4, "d"))
		synctest.Wait()
		if diff := cmp.Diff([]string{"do a", "do d"}, f.all()); diff != "" {
			t.Error(diff)
		}
	})
}

// What does not fit is counted, and told once in a while.
func TestQueueIsBounded(t *testing.T) {
	bubble(t, `
rule "r" {
  on    = ["user:x"]
  queue = 3
  run { command = ["do", event.payload] }
}`, func(b *bench, f *fake) {
		f.does = func(ctx context.Context, _ command.Command) command.Result {
			sleep(ctx, time.Minute)
			return command.Result{}
		}
		b.Look(view(member("n", nil)))
		for i := range uint64(100) {
			b.Hear(user("x", i+1, fmt.Sprint(i)))
			synctest.Wait()
		}
		if s := b.of("r"); s.Heard != 100 || s.Run != 1 || s.Queued != 3 || s.Dropped != 96 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]string{"do 0", "do 1", "do 2", "do 3"}, f.all()); diff != "" {
			t.Error(diff)
		}
		b.Hear(user("x", 200, "last"))
		synctest.Wait()
		if n := strings.Count(b.log.String(), "the queue is full"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// Of the nodes on which a rule is in force one acts.
func TestOneNode(t *testing.T) {
	const events = 200
	tags := map[string]string{"role": "build"}
	var all []cluster.Member
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		all = append(all, member(name, tags))
	}
	spare := member("f", nil)
	nodes := append(slices.Clone(all), spare)
	hcl := `
rule "r" {
  on    = ["user:x", "member-failed"]
  nodes = "one"
  self { tags = { role = "build" } }
  run { command = ["do", event.type, coalesce(event.name, "-")] }
}`
	loaded := load(t, t.TempDir(), hcl)
	dirs := map[string]string{}
	for _, m := range nodes {
		dirs[m.Name] = t.TempDir()
	}
	synctest.Test(t, func(t *testing.T) {
		total, busy := 0, 0
		failed := with(member("db", nil), cluster.Failed)
		for i, m := range nodes {
			b, f := reopen(t, dirs[m.Name], ""), &fake{}
			b.exec = f.exec
			b.Use(Set{Rules: loaded})
			b.start()
			v := view(spare, all...)
			v.Self = m.Name
			v.Settled = false
			b.Look(v)
			for n := range uint64(events) {
				b.Hear(user("x", n+1, ""))
				if n == 10 { // what came before it knew the others waits
					if s := b.of("r"); s.Queued != 11 {
						t.Errorf("%+v", s)
					}
					v.Settled = true
					b.Look(v)
				}
				synctest.Wait()
			}
			// some have seen it fail, others only heard of it
			if i%2 == 0 {
				v = view(spare, append(slices.Clone(all), failed)...)
				v.Self = m.Name
				b.Look(v)
			}
			b.Hear(cluster.Event{Type: cluster.EventFailed, Members: []cluster.Member{failed}})
			synctest.Wait()
			s := b.of("r")
			total += int(s.Run)
			if s.Run > 10 {
				busy++
			}
			if m.Name == "f" && s.Run > 0 {
				t.Error("a node acted on which the rule is not in force")
			}
			b.stop()
		}
		if total != events+1 || busy != 5 {
			t.Errorf("%d actions for %d events, by %d nodes", total, events+1, busy)
		}
	})
}

// Deadlines, the grace of commands and all else apart: an end of the agent in
// the middle of anything comes soon.
func TestEndWhileRetrying(t *testing.T) {
	bubble(t, "rule \"r\" {\n on = [\"user:x\"]\n run {\n command = [\"do\"]\n retries = 100\n }\n}", func(b *bench, f *fake) {
		f.does = func(context.Context, command.Command) command.Result { return failing("") }
		b.Look(view(member("n", nil)))
		b.Hear(user("x", 1, ""))
		time.Sleep(time.Hour)
		begin := time.Now()
		b.stop()
		if took := time.Since(begin); took > 0 {
			t.Errorf("took %v", took)
		}
	})
}
