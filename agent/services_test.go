package agent

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"muster/cluster"
	"muster/reconcile"
	"muster/services"
)

// offering is a member that publishes services, each "TYPE:PORT".
func offering(t *testing.T, name string, n byte, keys ...string) cluster.Member {
	t.Helper()
	m := node(name, n, "any")
	var list []services.Service
	for _, key := range keys {
		typ, port, _ := strings.Cut(key, ":")
		list = append(list, services.Service{Type: typ, Port: port})
	}
	if err := services.Set(m.Tags, list); err != nil {
		t.Fatal(err)
	}
	return m
}

const offeredRule = `
rule "offered" {
  template {
    destination = "${DIR}/out"
    contents    = "{{ range services \"web\" }}{{ .Member.Name }}:{{ .Port }} {{ end }}"
  }
  wait = "0s"
  guard {
    max_loss = "100%"
    hold     = "0s"
  }
}
`

// A file of services follows the live members that offer the type, in order,
// and nobody else: who does not offer it may change without a pass. The guard
// counts those who do.
func TestServicesAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b, c := offering(t, "a", 1, "web:443", "web:80", "dns:53"), offering(t, "b", 2, "web:8080"), offering(t, "c", 3, "dns:53")
		v := newVillage(c, b, a)
		h := newHost(t, v, offeredRule)
		h.want("out", "a:80 a:443 b:8080 ")

		seen := h.state("offered").Pass.At
		v.set(a, b, offering(t, "c", 3, "dns:54"), node("d", 4, "new"))
		h.rest()
		if again := h.state("offered").Pass.At; again != seen {
			t.Error("a member that does not offer the type caused a pass")
		}
		if n := h.state("offered").Members; n != 2 {
			t.Errorf("the file is about %d members", n)
		}

		v.set(a, failedNode(b), offering(t, "c", 3, "web:1"))
		h.want("out", "a:80 a:443 c:1 ")
		v.set(offering(t, "a", 1, "dns:53"), failedNode(b), offering(t, "c", 3, "web:1"))
		h.want("out", "c:1 ")

		// With the last one the guard keeps the file.
		v.set(node("a", 1, "any"), failedNode(b), node("c", 3, "any"))
		h.rest()
		h.want("out", "c:1 ")
		if s := h.state("offered"); s.State != reconcile.Held {
			t.Errorf("it is %s: %s", s.State, s.Why)
		}
	})
}

// A tag that cannot be read is none, and reported; its end is seen, too.
func TestUnreadableTagsAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := node("bad", 9, "any")
		bad.Tags[services.Tag] = "\x1b[2J"
		v := newVillage(offering(t, "a", 1, "web:80"), bad)
		h := newHost(t, v, offeredRule)
		h.want("out", "a:80 ")
		refused := h.state("offered").Pass.Refused
		if len(refused) != 1 || refused[0].Member != "bad" || refused[0].Value != `"\x1b[2J"` || !strings.Contains(refused[0].Reason, "cannot read the tag services") {
			t.Errorf("reported: %+v", refused)
		}
		if n := h.state("offered").Members; n != 1 {
			t.Errorf("the file is about %d members", n)
		}
		v.set(offering(t, "a", 1, "web:80"), offering(t, "bad", 9, "web:81"))
		h.want("out", "a:80 bad:81 ")
		if refused := h.state("offered").Pass.Refused; len(refused) != 0 {
			t.Errorf("still reported: %+v", refused)
		}
	})
}

// BenchmarkServices is a pass over n members that publish, all of whose tags
// have been read before, and over as many that have not.
func BenchmarkServices(b *testing.B) {
	for _, n := range []int{1_000, 10_000} {
		var v cluster.View
		for i := range n {
			m := node(fmt.Sprintf("m%05d", i), byte(i), "web")
			if err := services.Set(m.Tags, []services.Service{{Type: "web", Port: "80", Host: m.Name + ".cloud.local", IP: "10.0.0.1"}}); err != nil {
				b.Fatal(err)
			}
			v.Members = append(v.Members, m)
		}
		h := &host{dir: b.TempDir()}
		writeBench(b, h, strings.ReplaceAll(offeredRule, "${DIR}", h.dir))
		compile := func() *compiled {
			program, _, problems := Compile(h.path("rules"))
			if len(problems) > 0 {
				b.Fatal(problems)
			}
			return program.rules[0]
		}
		render := func(c *compiled) {
			if r, err := c.render(v, nil); err != nil || len(r.unit.Members) != n {
				b.Fatalf("%d members, %v", len(r.unit.Members), err)
			}
		}
		known := compile()
		render(known)
		b.Run(fmt.Sprintf("known/%d", n), func(b *testing.B) {
			for b.Loop() {
				render(known)
			}
		})
		b.Run(fmt.Sprintf("new/%d", n), func(b *testing.B) {
			for b.Loop() {
				render(compile())
			}
		})
	}
}
