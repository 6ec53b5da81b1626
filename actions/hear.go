package actions

import (
	"encoding/hex"
	"errors"
	"time"

	"muster/cluster"
	"muster/rules"
	"muster/signing"
)

// Hear takes in an event. It never waits for a command.
func (r *Runner) Hear(e cluster.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.Type == cluster.EventUser && r.folder.changed() {
		r.rescan()
	}
	h := &heard{raw: e, inner: e}
	if e.Type == cluster.EventUser {
		h.inner.Payload, _ = signing.Open(e.Payload)
	}
	handlers := false
	for _, l := range r.lanes {
		if l.kind == KindHandler {
			handlers = true
		} else if l.triggered(e) && !l.waiting() {
			r.hear(l, h)
		}
	}
	r.remember(h)
	if handlers {
		r.coalesce(e)
	}
	if e.Type == cluster.EventUser {
		r.ledger.witness(e.LTime)
		r.touch()
	}
}

// A heard is an event in the course of being handed to lanes.
type heard struct {
	raw, inner cluster.Event // as it came, and with the payload that a signature was over

	verified bool // the rest is known
	signed   signing.Signed
	err      error
	replayed bool
}

// hear judges an event at once, or as soon as there is a view to judge it by.
// Its signature is verified at once: the envelope is used up then for all that
// comes later, but not for the lanes that wait with it.
func (r *Runner) hear(l *lane, h *heard) {
	switch {
	case l.ready(r.world.view):
		r.judge(l, h)
	case len(l.early) < l.limit():
		if l.rule != nil && l.rule.Signature {
			r.verify(h)
		}
		l.heard++
		l.early = append(l.early, h)
	default:
		l.heard++
		r.drop(l, h.raw, nil)
	}
}

// hearEarly judges what had to wait for a view.
func (r *Runner) hearEarly(l *lane) {
	if len(l.early) == 0 || !l.ready(r.world.view) {
		return
	}
	early := l.early
	l.early = nil
	for _, h := range early {
		l.heard--
		r.judge(l, h)
		r.remember(h)
	}
}

// judge decides what becomes of an event on one lane, and counts it.
func (r *Runner) judge(l *lane, h *heard) {
	if len(h.raw.Members) == 0 || l.kind != KindRule {
		l.heard++
		r.occasion(l, h, &job{event: h.inner})
		return
	}
	for i := range h.raw.Members {
		l.heard++
		m := h.raw.Members[i]
		if !l.rule.Matches(m, r.world.view) {
			l.unwanted++
			continue
		}
		e := h.inner
		e.Members = []cluster.Member{m}
		r.occasion(l, h, &job{event: e, member: &m})
	}
}

// occasion queues j, or says why not. h is nil for what comes from no event.
func (r *Runner) occasion(l *lane, h *heard, j *job) {
	user := j.event.Type == cluster.EventUser
	var k key
	if user {
		k = keyOf(l.id, h.raw)
	}
	switch {
	case r.set.Refuse != "" && l.kind != KindHandler:
		l.refuse(RefusedGossip)
	case user && r.ledger.known(k) != nil:
		l.refuse(RefusedReplay)
	case l.rule != nil && !r.wanted(l, h, j):
	case len(l.queue) >= l.limit():
		r.drop(l, j.event, j.member)
	default:
		if user {
			j.entry = r.ledger.accept(k, j.event.Payload, j.signer)
		}
		l.queue = append(l.queue, j)
		r.wake(l)
	}
}

// wanted reports whether the rule is to act on j here and now, and counts why
// not.
func (r *Runner) wanted(l *lane, h *heard, j *job) bool {
	if l.rule.Signature && !r.signed(l, h, j) {
		return false
	}
	w := &r.world
	want := l.rule.InForce(w.view.SelfMember())
	if want {
		var err error
		want, err = l.rule.Wanted(r.picture(l, j))
		r.evaluated(l, err)
	}
	if want && l.rule.Nodes == rules.NodesOne {
		want = l.sight.leads(w, j.event, j.member)
	}
	if !want {
		l.unwanted++
	}
	return want
}

// picture is what the rule's expressions see.
func (r *Runner) picture(l *lane, j *job) rules.Occasion {
	return rules.Occasion{
		Inputs: rules.Inputs{View: r.world.view, Members: l.sight.members(&r.world, r.now)},
		Event:  j.event, Signer: j.signer, Member: j.member,
	}
}

// evaluated notes how the evaluation of `when` went, and logs what is new.
func (r *Runner) evaluated(l *lane, err error) {
	text := ""
	if err != nil {
		text = oneLine(err.Error())
	}
	if text != l.problem && err != nil && r.tell(l) { // others choose what to fail with
		r.log.Warn("cannot judge an event", "rule", l.name, "error", text)
	}
	l.problem = text
}

// signed verifies the signature of a user event, and counts why it is none.
func (r *Runner) signed(l *lane, h *heard, j *job) bool {
	r.verify(h)
	switch {
	case errors.Is(h.err, signing.ErrStale):
		l.refuse(RefusedStale)
	case h.err != nil:
		l.refuse(RefusedSignature)
	case h.replayed:
		l.refuse(RefusedReplay)
	default:
		j.signer = h.signed.Signer
		return true
	}
	if h.err != nil && r.tell(l) {
		r.log.Warn("an event is refused", "rule", l.name, "event", describe(h.raw, nil), "error", h.err)
		r.note(l, true, describe(h.raw, nil)+" is refused: its signature is missing, too old or not a trusted one")
	}
	return false
}

func (r *Runner) verify(h *heard) {
	if h == nil || h.verified {
		return
	}
	h.verified = true
	if _, signed := signing.Open(h.raw.Payload); h.raw.Type != cluster.EventUser || !signed {
		h.err = signing.ErrUnsigned
		return
	}
	var trusted *signing.Trusted
	if r.c.Trusted != nil {
		trusted = r.c.Trusted()
	}
	h.signed, h.err = trusted.Verify(h.raw.Name, h.raw.Payload, r.now(), r.c.MaxAge)
	h.replayed = h.err == nil && r.ledger.used(h.nonce())
}

// nonce is by what an envelope is remembered.
func (h *heard) nonce() string { return h.signed.Signer + " " + hex.EncodeToString(h.signed.Nonce[:]) }

// remember makes the envelope of h one that was used, whether or not anybody
// acted on it here: it may have been another node's turn. It comes after what
// was accepted, so that a kill in between loses nothing.
func (r *Runner) remember(h *heard) {
	if h.verified && h.err == nil && !h.replayed {
		until := h.signed.Time.Add(r.c.MaxAge + 2*signing.MaxSkew)
		r.ledger.use(h.nonce(), until)
	}
}

// drop counts what did not fit, and says so now and then.
func (r *Runner) drop(l *lane, e cluster.Event, member *cluster.Member) {
	l.dropped++
	l.untold++
	if r.tell(l) {
		r.log.Warn("the queue is full", l.kind, l.name, "queue", l.limit(), "event", describe(e, member), "dropped", l.untold)
		r.note(l, true, "the queue is full: "+describe(e, member)+" is dropped")
		l.untold = 0
	}
}

// tell reports whether it is time for another line of the log about l.
func (r *Runner) tell(l *lane) bool {
	now := r.now()
	if !l.toldAt.IsZero() && now.Sub(l.toldAt) < 10*time.Second {
		return false
	}
	l.toldAt = now
	return true
}

// coalesce hands an event on to the handlers as Serf's agent does.
func (r *Runner) coalesce(e cluster.Event) {
	if !r.coalescer.Add(e, r.now()) {
		r.hearHandlers(e)
	}
	r.schedule()
}

// schedule sets the clock for what the coalescer holds back.
func (r *Runner) schedule() {
	if due := r.coalescer.Due(); r.flush == nil && !due.IsZero() {
		r.flush = time.AfterFunc(due.Sub(r.now()), func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.flush == nil {
				return // stopped
			}
			r.flush = nil
			for _, e := range r.coalescer.Flush(r.now()) {
				r.hearHandlers(e)
			}
			r.schedule()
		})
	}
}

func (r *Runner) hearHandlers(e cluster.Event) {
	h := &heard{raw: e, inner: e}
	if e.Type == cluster.EventUser {
		h.inner.Payload, _ = signing.Open(e.Payload)
	}
	for _, l := range r.lanes {
		if l.kind == KindHandler && l.triggered(e) {
			r.hear(l, h)
		}
	}
	r.touch()
}
