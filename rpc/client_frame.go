package rpc

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// A limits bounds one frame, which is one MessagePack value.
type limits struct {
	bytes    int // of the frame
	elements int // values in it, all levels together
	depth    int // maps and arrays within each other
	width    int // keys and values, or values, of one map or array; 0: any
}

// fromServer bounds what a client takes: a list of 10,000 members with five
// tags each is a frame of 2.6 MB and 340,000 values, and one of 100,000 fits.
var fromServer = limits{bytes: 64 << 20, elements: 4 << 20, depth: 8, width: 128 << 10}

// errFrame is in the error about bytes that are no frame, or too much of one.
var errFrame = errors.New("not a message of Serf's RPC")

// A frameReader reads one frame after the other without decoding it, so that
// what is decoded later is known to be whole and within limits. It takes
// memory only for bytes that have arrived.
//
// The format is https://github.com/msgpack/msgpack/blob/master/spec.md;
// extension types are not part of Serf's RPC.
type frameReader struct {
	r      *bufio.Reader
	limits limits
	buf    []byte
}

func newFrameReader(r io.Reader, l limits) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, 16<<10), limits: l}
}

// keepBuffer is the largest buffer that is kept from one frame to the next.
const keepBuffer = 1 << 20

// next returns the next frame, which is valid until the call after. The error
// is io.EOF only between two frames.
func (f *frameReader) next() ([]byte, error) {
	if cap(f.buf) > keepBuffer {
		f.buf = nil
	}
	f.buf = f.buf[:0]
	var open [16]int // values that the maps and arrays around still lack
	depth := 0
	for range f.limits.elements {
		n, err := f.value()
		if err != nil {
			if err == io.EOF && len(f.buf) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if most := f.limits.width; most > 0 && n > most {
			return nil, fmt.Errorf("%w: a map or an array of %d", errFrame, n)
		}
		if n > 0 {
			if depth == min(f.limits.depth, len(open)) {
				return nil, fmt.Errorf("%w: values lie more than %d deep within each other", errFrame, depth)
			}
			open[depth] = n
			depth++
			continue
		}
		for depth > 0 {
			if open[depth-1]--; open[depth-1] > 0 {
				break
			}
			depth--
		}
		if depth == 0 {
			return f.buf, nil
		}
	}
	return nil, fmt.Errorf("%w: more than %d values in one", errFrame, f.limits.elements)
}

// value reads one value, of a map or an array only its head: n is how many
// values it then holds.
func (f *frameReader) value() (n int, err error) {
	c, err := f.r.ReadByte()
	if err != nil {
		return 0, err
	}
	f.buf = append(f.buf, c)
	switch {
	case c <= 0x7f, c >= 0xe0, c == 0xc0, c == 0xc2, c == 0xc3: // small integer, nil, bool
		return 0, nil
	case c <= 0x8f: // map
		return 2 * int(c&0x0f), nil
	case c <= 0x9f: // array
		return int(c & 0x0f), nil
	case c <= 0xbf: // string
		return 0, f.take(int(c & 0x1f))
	case c >= 0xc4 && c <= 0xc6: // bytes
		return 0, f.text(1 << (c - 0xc4))
	case c == 0xca, c == 0xce, c == 0xd2: // 32 bits
		return 0, f.take(4)
	case c == 0xcb, c == 0xcf, c == 0xd3: // 64 bits
		return 0, f.take(8)
	case c == 0xcc, c == 0xd0:
		return 0, f.take(1)
	case c == 0xcd, c == 0xd1:
		return 0, f.take(2)
	case c >= 0xd9 && c <= 0xdb: // string
		return 0, f.text(1 << (c - 0xd9))
	case c == 0xdc, c == 0xdd: // array
		return f.length(2 << (c - 0xdc))
	case c == 0xde, c == 0xdf: // map
		n, err := f.length(2 << (c - 0xde))
		return 2 * n, err
	}
	return 0, fmt.Errorf("%w: a value of type %#x", errFrame, c)
}

// text takes a length of size bytes, and as many bytes as it says.
func (f *frameReader) text(size int) error {
	n, err := f.length(size)
	if err != nil {
		return err
	}
	return f.take(n)
}

// length takes a number of size bytes.
func (f *frameReader) length(size int) (int, error) {
	if err := f.take(size); err != nil {
		return 0, err
	}
	var n uint64
	switch b := f.buf[len(f.buf)-size:]; size {
	case 1:
		n = uint64(b[0])
	case 2:
		n = uint64(binary.BigEndian.Uint16(b))
	default:
		n = uint64(binary.BigEndian.Uint32(b))
	}
	if n > uint64(f.limits.bytes) { // each takes a byte at least
		return 0, f.tooLong()
	}
	return int(n), nil
}

// take appends n bytes to the frame.
func (f *frameReader) take(n int) error {
	if n > f.limits.bytes-len(f.buf) {
		return f.tooLong()
	}
	for n > 0 {
		part := min(n, 64<<10)
		at := len(f.buf)
		f.buf = append(f.buf, make([]byte, part)...)
		if _, err := io.ReadFull(f.r, f.buf[at:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		n -= part
	}
	return nil
}

func (f *frameReader) tooLong() error {
	return fmt.Errorf("%w: longer than %d bytes", errFrame, f.limits.bytes)
}
