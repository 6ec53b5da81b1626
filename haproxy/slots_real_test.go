package haproxy

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Slots: who has one keeps it, the others take what is free.
func TestSlots(t *testing.T) {
	head := "backend web\n    server-template s 1-4 0.0.0.0:1 weight 2 check disabled\n"
	p := newProxy(t, head)
	r := p.runtime(0)
	slots := func(members ...string) string {
		text := head
		for _, m := range members {
			text += "    # slot " + m + "\n"
		}
		return text
	}
	p.push(r, slots("a 127.9.0.1:80", "b [::1]:80 weight 0", "c 127.9.0.3:80"))
	p.want("web", "s1 127.9.0.1 80 weight 2 ready", "s2 ::1 80 weight 0 ready", "s3 127.9.0.3 80 weight 2 ready", "s4 0.0.0.0 1 weight 2 maint")
	p.quiet(r, slots("c 127.9.0.3:80", "b [::1]:80 weight 0", "a 127.9.0.1:80"))
	p.push(r, slots("b [::1]:80", "c 127.9.0.3:80", "d 127.9.0.4:80"))
	p.want("web", "s1 127.9.0.1 80 weight 2 maint", "s2 ::1 80 weight 2 ready", "s3 127.9.0.3 80 weight 2 ready", "s4 127.9.0.4 80 weight 2 ready")
	// Two members at one address have two slots.
	p.push(r, slots("d 127.9.0.4:80 weight 5", "e 127.9.0.4:80 weight 5"))
	p.want("web", "s1 127.9.0.4 80 weight 5 ready", "s2 ::1 80 weight 2 maint", "s3 127.9.0.3 80 weight 2 maint", "s4 127.9.0.4 80 weight 5 ready")
	// One that comes back gets what it had, in spite of its number.
	p.push(r, slots("c 127.9.0.3:80", "d 127.9.0.4:80"))
	p.want("web", "s1 127.9.0.4 80 weight 2 ready", "s2 ::1 80 weight 2 maint", "s3 127.9.0.3 80 weight 2 ready", "s4 127.9.0.4 80 weight 5 maint")
	// Too many: those that fit are there.
	text := slots("a 127.9.0.1:80", "b 127.9.0.2:80", "c 127.9.0.3:80", "d 127.9.0.4:80", "e 127.9.0.5:80", "f 127.9.0.6:80")
	_, err := r.Push(t.Context(), []byte(text))
	if err == nil || errors.Is(err, ErrReload) || !strings.Contains(err.Error(), "6 members and only 4 slots") {
		t.Errorf("too many: %v", err)
	}
	p.want("web", "s1 127.9.0.4 80 weight 2 ready", "s2 127.9.0.1 80 weight 2 ready", "s3 127.9.0.3 80 weight 2 ready", "s4 127.9.0.2 80 weight 2 ready")
	// One that drains is taken before a member gets none.
	slow := p.runtime(time.Hour)
	if _, err := slow.Push(t.Context(), []byte(slots("a 127.9.0.1:80", "b 127.9.0.2:80", "c 127.9.0.3:80", "e 127.9.0.5:80"))); err != nil {
		t.Fatal(err)
	}
	p.want("web", "s1 127.9.0.5 80 weight 2 ready", "s2 127.9.0.1 80 weight 2 ready", "s3 127.9.0.3 80 weight 2 ready", "s4 127.9.0.2 80 weight 2 ready")
	// After a reload, which has them all disabled.
	p.reload()
	p.push(r, slots("a 127.9.0.1:80"))
	p.want("web", "s1 127.9.0.1 80 weight 2 ready", "s2 0.0.0.0 1 weight 2 maint", "s3 0.0.0.0 1 weight 2 maint", "s4 0.0.0.0 1 weight 2 maint")
	// Slots that haproxy does not have.
	_, err = r.Push(t.Context(), []byte("backend web\n    server-template s 5-6 0.0.0.0:1\n    # slot a 127.9.0.1:80\n"))
	if err == nil {
		t.Error("slots that are not there were no error")
	}
}
