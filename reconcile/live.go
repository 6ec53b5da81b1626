package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// A Live tells a running service of changes, as haproxy can be told over its
// socket.
type Live struct {
	// Can says why a service that has loaded the file with the bytes old cannot
	// be told to be as if it had loaded new; nil: it can.
	Can func(path string, old, new []byte) error
	// Tell makes the running service be as the files say, and returns what it
	// had to do for that, a line each: nothing, where nothing differs. The files
	// are whole, also where only a block is ours. It is called in place of a
	// reload, after each reload, and whenever what is on disk is found to be what
	// is loaded. again is when to call it again though nothing
	// changed; zero for never. With ErrReload in its error a reload would help.
	Tell func(ctx context.Context, files []File) (done []string, again time.Time, err error)
}

// A Told is what a running service was told.
type Told struct {
	At       time.Time `json:"at"`
	Commands []string  `json:"commands"`
}

// The service is told again so long after a reload, and so often: nobody says
// when somebody else reloads it.
const (
	tellAgain = time.Second
	tellEvery = 5 * time.Second
)

// mostTold is how many of the commands are kept for the report.
const mostTold = 100

// ErrReload is in the error of a Live that cannot tell its service until that
// has loaded the files.
var ErrReload = errors.New("it takes a reload")

// errNotLive says that there is nobody to tell.
var errNotLive = errors.New("the service cannot be told")

// tellable says why p's service cannot be told of what p changes; nil: it can.
func (p *pass) tellable() error {
	switch {
	case p.unit.Live == nil:
		return errNotLive
	case !p.applying || p.loaded == nil || !p.dirty():
		return errors.New("what it has loaded is not known")
	}
	for _, o := range p.orphans {
		if o.remove {
			return fmt.Errorf("%s goes", o.path)
		}
	}
	for _, w := range p.wants {
		if !w.seen.exists || p.loaded[w.file.Path] != w.seen.sum {
			return fmt.Errorf("it has not loaded %s as it is", w.file.Path)
		}
		if !w.dirty || w.sum == w.seen.sum {
			continue
		}
		old, err := readLoaded(w)
		if err != nil {
			return err
		}
		if err := p.unit.Live.Can(w.file.Path, old, w.bytes); err != nil {
			return err
		}
	}
	return nil
}

// readLoaded reads the file of w, which must be what was looked at.
func readLoaded(w want) ([]byte, error) {
	f, err := openFile(w.seen.real)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, w.seen.id.size+1))
	if err == nil && sumOf(text) != w.seen.whole() {
		err = fmt.Errorf("%s was changed just now", w.file.Path)
	}
	return text, err
}

// tellInstead tells the service of those changes of set that it can be told of,
// and commits them. It returns the others: they need a reload.
func (r *Reconciler) tellInstead(ctx context.Context, set []*pass) (others []*pass) {
	for _, p := range set {
		if !p.live {
			others = append(others, p)
			continue
		}
		if err := r.tell(ctx, p); err != nil {
			r.log.Warn("the running service cannot be told of a change, it is reloaded", "rule", p.unit.Rule, "error", err)
			others = append(others, p)
			continue
		}
		p.instead = true
		r.commit(p)
	}
	return others
}

// commitAll ends the passes of set, whose reload has succeeded. A reload makes
// a service forget what it was told: it is told again, also for other rules;
// and once more in a moment, for the process that answers now may be the one
// that is about to end.
func (r *Reconciler) commitAll(ctx context.Context, set []*pass) {
	for _, p := range set {
		if p.unit.Live == nil {
			r.commit(p)
			continue
		}
		err := r.tell(ctx, p)
		if errors.Is(err, ErrReload) {
			p.fail(err)
			r.leaveOwed(p)
			continue
		}
		r.commit(p)
		if err != nil { // it has the files, and not all that they say
			p.fail(err)
			p.owed = true
		}
		if p.reloaded {
			p.out.Retry = sooner(p.out.Retry, p.now.Add(tellAgain))
		}
	}
	if key := set[0].reloadKey; key != "" {
		r.remind(ctx, key, set)
	}
}

// inForce returns p's files as they are on disk, once p has put its own there.
func (p *pass) inForce() ([]File, error) {
	var files []File
	for _, w := range p.wants {
		f := *w.file
		f.Bytes, f.Block = w.bytes, ""
		if w.dirty && !p.applying {
			if !w.seen.exists {
				continue
			}
			var err error
			if f.Bytes, err = readLoaded(w); err != nil {
				return nil, err
			}
		}
		files = append(files, f)
	}
	return files, nil
}

// tell makes p's service be as p's files say that are on disk.
func (r *Reconciler) tell(ctx context.Context, p *pass) error {
	files, err := p.inForce()
	if err != nil {
		return fmt.Errorf("cannot tell the running service: %w", err)
	}
	done, again, err := p.unit.Live.tell(ctx, files)
	p.out.Told = append(p.out.Told, done...)
	p.out.Retry = sooner(sooner(p.out.Retry, again), p.now.Add(tellEvery))
	if err != nil {
		return fmt.Errorf("cannot tell the running service: %w", err)
	}
	r.mu.Lock()
	p.st.live = &told{live: p.unit.Live, files: files, reload: p.reloadKey}
	r.mu.Unlock()
	return nil
}

// tell is Tell, with what it says fit to be shown.
func (l *Live) tell(ctx context.Context, files []File) (done []string, again time.Time, err error) {
	done, again, err = l.Tell(ctx, files)
	if len(done) > mostTold {
		done = append(done[:mostTold:mostTold], fmt.Sprintf("… and %d more", len(done)-mostTold))
	}
	if !slices.ContainsFunc(files, func(f File) bool { return f.Sensitive }) {
		return done, again, err
	}
	if len(done) > 0 {
		done = []string{"withheld: it may show a sensitive file"}
	}
	switch {
	case errors.Is(err, ErrReload):
		err = fmt.Errorf("%w (why is withheld: it may show a sensitive file)", ErrReload)
	case err != nil:
		err = errors.New("why is withheld: it may show a sensitive file")
	}
	return done, again, err
}

// A told is what a rule's service was told last.
type told struct {
	live   *Live
	files  []File
	reload string // key of the reload
}

// remind tells those services again that were reloaded for others than their
// own rule. What does not work is done by the rule's next pass.
func (r *Reconciler) remind(ctx context.Context, reloadKey string, but []*pass) {
	r.mu.Lock()
	waiting := map[string]*told{}
	for rule, st := range r.rules {
		if st.live != nil && st.live.reload == reloadKey {
			waiting[rule] = st.live
		}
	}
	r.mu.Unlock()
	for _, p := range but {
		delete(waiting, p.unit.Rule)
	}
	for rule, t := range waiting {
		if _, _, err := t.live.tell(ctx, t.files); err != nil {
			r.log.Warn("the running service cannot be told after a reload; it is tried again", "rule", rule, "error", err)
		}
	}
}

// keepTold makes sure that the service of a rule, if that has loaded what is on
// disk, is as the files there say, whoever reloaded it: also of a rule that has
// others in mind, which are held, wait or have failed.
func (r *Reconciler) keepTold(ctx context.Context, p *pass) {
	if p.unit.Live == nil {
		r.mu.Lock()
		p.st.live = nil
		r.mu.Unlock()
		return
	}
	if p.err != nil || p.act || !p.isLoaded() || len(p.loaded) == 0 {
		return
	}
	if p.unit.Reload != nil {
		p.reloadKey = keyOf(*p.unit.Reload)
	}
	p.applying = false
	err := r.tell(ctx, p)
	if err == nil {
		return
	}
	if errors.Is(err, ErrReload) {
		r.note(record{Kind: recUndone, Rule: p.unit.Rule, Owed: true})
	}
	if p.out.State == InSync {
		p.fail(err)
		p.owed = true
		return
	}
	r.log.Warn("the running service cannot be told of the files that are in force; it is tried again", "rule", p.unit.Rule, "error", err)
	p.out.Retry = sooner(p.out.Retry, p.now.Add(tellAgain))
}
