package rpc

import (
	"bufio"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// A body puts down the MessagePack value that follows a header, piece by
// piece: none of it need be in memory at once.
type body func(w *bufio.Writer) error

// A writer is one connection's only way out. Whoever has something to send
// waits for its turn, and holds nothing back from its own source meanwhile:
// what bounds a connection's memory is the buffer here and the subscriptions
// behind it. A client that takes nothing for as long as the time-out ends it.
type writer struct {
	mu  sync.Mutex
	buf *bufio.Writer
}

func newWriter(c net.Conn, timeout time.Duration) *writer {
	return &writer{buf: bufio.NewWriterSize(&deadlineWriter{c, timeout}, 16<<10)}
}

// send sends an answer or a record. The rest of the connection's state that
// must change along with what the client was told may be changed by told,
// which is called before anybody else sends; it may be nil.
func (w *writer) send(seq uint64, problem string, b body, told func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.put(seq, problem, b); err != nil {
		return err
	}
	if err := w.buf.Flush(); err != nil {
		return err
	}
	if told != nil {
		told()
	}
	return nil
}

// put puts down an answer or a record without pushing it out. The caller
// holds the lock.
func (w *writer) put(seq uint64, problem string, b body) error {
	if _, err := w.buf.Write(appendHeader(w.buf.AvailableBuffer(), seq, problem)); err != nil {
		return err
	}
	if b == nil {
		return nil
	}
	return b(w.buf)
}

// value is the body of any value the codec knows.
func value(v any) body {
	return func(w *bufio.Writer) error {
		var b []byte
		if err := codec.NewEncoderBytes(&b, newHandle()).Encode(v); err != nil {
			return err
		}
		_, err := w.Write(b)
		return err
	}
}

// A deadlineWriter gives every write a time-out of its own.
type deadlineWriter struct {
	net.Conn
	timeout time.Duration
}

func (w *deadlineWriter) Write(p []byte) (int, error) {
	if err := w.SetWriteDeadline(time.Now().Add(w.timeout)); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}
