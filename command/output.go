package command

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// MaxOutput is how many bytes of a command's output are kept.
const MaxOutput = 8 << 10

const (
	headSize = MaxOutput / 2
	tailSize = MaxOutput/2 - 64 // leaves room for the line between the two
)

// A keeper keeps the head and the tail of what it reads and counts the rest.
// The zero keeper is ready for use.
type keeper struct {
	last       bool // no head: a longer tail
	head, tail []byte
	at         int // where in a full tail the oldest byte stands
	total      int64
}

func (k *keeper) sizes() (head, tail int) {
	if k.last {
		return 0, MaxOutput
	}
	return headSize, tailSize
}

func (k *keeper) add(b []byte) {
	headSize, tailSize := k.sizes()
	k.total += int64(len(b))
	n := min(headSize-len(k.head), len(b))
	k.head = append(k.head, b[:n]...)
	b = b[n:]
	if len(b) > tailSize {
		b = b[len(b)-tailSize:]
	}
	n = min(tailSize-len(k.tail), len(b))
	k.tail = append(k.tail, b[:n]...)
	for b = b[n:]; len(b) > 0; b = b[n:] {
		n = copy(k.tail[k.at:], b)
		k.at = (k.at + n) % tailSize
	}
}

// result returns what was kept, in order, and how much was not.
func (k *keeper) result() (kept []byte, dropped int64) {
	dropped = k.total - int64(len(k.head)) - int64(len(k.tail))
	kept = k.head
	if dropped > 0 && !k.last {
		kept = fmt.Appendf(kept, "\n[… %d bytes left out …]\n", dropped)
	}
	kept = append(kept, k.tail[k.at:]...)
	return append(kept, k.tail[:k.at]...), dropped
}

// A sink takes what a command prints, from one pipe or from two.
type sink struct {
	mu     sync.Mutex
	both   keeper
	limit  int // of stdout
	stdout []byte
	more   int64 // bytes of the standard output that are not in stdout
}

// drain reads r to its end or its close. apart says that it is the standard
// output alone.
func (s *sink) drain(r io.Reader, apart bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		s.mu.Lock()
		s.both.add(buf[:n])
		if apart {
			fits := min(s.limit-len(s.stdout), n)
			s.stdout = append(s.stdout, buf[:fits]...)
			s.more += int64(n - fits)
		}
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Verdict says in a few words how the command ended, without its output:
// "exit status 1", "killed by SIGSEGV", "timed out after 30s", or Err.
func (r Result) Verdict() string {
	switch {
	case r.Err != nil:
		return r.Err.Error()
	case r.TimedOut:
		// Rounded, so that the same failure reads the same the next time.
		round := time.Millisecond
		if r.Timeout >= time.Second {
			round = 100 * time.Millisecond
		}
		return "timed out after " + r.Timeout.Round(round).String()
	case r.Signal != "":
		return "killed by " + r.Signal
	default:
		return "exit status " + strconv.Itoa(r.ExitCode)
	}
}

// String is Verdict and the last few hundred bytes of the output as one line
// for a log: lines joined with " | ", everything that is not printable escaped.
func (r Result) String() string {
	tail := Line(r.Output, 600)
	if tail == "" {
		return r.Verdict()
	}
	return r.Verdict() + ": " + tail
}

// Line makes one harmless line of the end of b, from at most limit bytes of it:
// no control characters, no invalid UTF-8, no line breaks.
func Line(b []byte, limit int) string {
	b = []byte(strings.TrimSpace(string(b)))
	var s strings.Builder
	if cut := len(b) - limit; cut > 0 {
		for cut < len(b) && !utf8.RuneStart(b[cut]) {
			cut++
		}
		b = b[cut:]
		s.WriteString("… ")
	}
	for text := string(b); text != ""; {
		c, size := utf8.DecodeRuneInString(text)
		switch {
		case c == '\n':
			s.WriteString(" | ")
		case c == '\t' || c == '\r':
			s.WriteByte(' ')
		case c == utf8.RuneError && size == 1:
			fmt.Fprintf(&s, `\x%02x`, text[0])
		case !unicode.IsPrint(c):
			quoted := strconv.QuoteRuneToASCII(c)
			s.WriteString(quoted[1 : len(quoted)-1])
		default:
			s.WriteRune(c)
		}
		text = text[size:]
	}
	return s.String()
}
