package rpc

import (
	"bytes"
	"context"
	"sync"
)

// frameCost is what a frame in a queue takes beside its bytes.
const frameCost = 64

// A queue holds the frames of one stream that its reader has not taken yet,
// up to a number of bytes. It never keeps the one waiting who fills it: what
// does not fit is lost, and counted.
type queue struct {
	max  int           // bytes
	wake chan struct{} // one slot: something changed

	mu     sync.Mutex
	frames [][]byte
	bytes  int
	lost   uint64
	ended  error // why nothing more comes; nil while it may
}

func newQueue(max int) *queue { return &queue{max: max, wake: make(chan struct{}, 1)} }

// put appends a copy of frame. One that is longer than the queue still fits
// into an empty one.
func (q *queue) put(frame []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch n := len(frame) + frameCost; {
	case q.ended != nil:
		return
	case q.bytes > 0 && q.bytes+n > q.max:
		q.lost++
		return
	default:
		q.bytes += n
	}
	q.frames = append(q.frames, bytes.Clone(frame))
	signal(q.wake)
}

// end says that nothing more comes. What is in the queue can still be read.
func (q *queue) end(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended == nil {
		q.ended = why
	}
	signal(q.wake)
}

// next waits for a frame and takes it.
func (q *queue) next(ctx context.Context) ([]byte, error) {
	for {
		if frame, err := q.take(); frame != nil || err != nil {
			return frame, err
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// take takes a frame if there is one; the error is why there never will be.
func (q *queue) take() ([]byte, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.frames) == 0 {
		if q.ended != nil {
			signal(q.wake) // for the next who waits
		}
		return nil, q.ended
	}
	frame := q.frames[0]
	q.frames[0] = nil
	q.bytes -= len(frame) + frameCost
	if q.frames = q.frames[1:]; len(q.frames) > 0 {
		signal(q.wake)
	} else {
		q.frames = nil
	}
	return frame, nil
}

// missed returns how many frames were lost.
func (q *queue) missed() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.lost
}

// signal fills a one-slot channel.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
