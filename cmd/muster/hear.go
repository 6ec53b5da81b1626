package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/term"

	"muster/cluster"
	"muster/rpc"
)

// progressEvery is how often a progress line is drawn afresh.
const progressEvery = 100 * time.Millisecond

// hear hands take one answer after another until it has enough, the time is
// over, or Ctrl-C, which is an error. On a terminal the progress is shown
// meanwhile, on a line of its own that goes away.
func (a *app) hear(ctx context.Context, answers *rpc.Answers, progress func() string, take func(cluster.Answer) bool, enough bool) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	line := a.newProgress()
	defer line.clear()
	for !enough {
		line.draw(progress())
		tick, cancel := context.WithTimeout(ctx, progressEvery)
		answer, err := answers.Next(tick)
		cancel()
		switch {
		case err == nil:
			line.clear()
			enough = take(answer)
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("interrupted: %s", progress())
		case !errors.Is(err, context.DeadlineExceeded):
			return err
		}
	}
	return nil
}

// A progressLine is a line on the terminal that changes. Its zero value shows
// nothing.
type progressLine struct {
	w     io.Writer // nil: none
	drawn string
}

// newProgress is a line on standard error where that is a terminal.
func (a *app) newProgress() *progressLine {
	if f, ok := a.err.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		return &progressLine{w: a.err}
	}
	return &progressLine{}
}

func (p *progressLine) draw(text string) {
	if p.w == nil || text == p.drawn {
		return
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", text)
	p.drawn = text
}

func (p *progressLine) clear() {
	if p.w != nil && p.drawn != "" {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.drawn = ""
	}
}
