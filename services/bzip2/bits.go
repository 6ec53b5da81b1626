package bzip2

// A bitWriter puts together bits, the highest first.
type bitWriter struct {
	out  []byte
	held uint64 // the lowest n bits are not in out yet
	n    uint
}

// write appends the lowest n bits of v; at most 48.
func (w *bitWriter) write(v uint64, n uint) {
	w.held = w.held<<n | v&(1<<n-1)
	w.n += n
	for w.n >= 8 {
		w.n -= 8
		w.out = append(w.out, byte(w.held>>w.n))
	}
}

// finish fills the last byte with zeros.
func (w *bitWriter) finish() []byte {
	if w.n > 0 {
		w.write(0, 8-w.n)
	}
	return w.out
}

// bitmap writes which bytes are in use: which sixteens, and of those which.
func (w *bitWriter) bitmap(used [256]bool) {
	var parts []uint64
	sixteens := uint64(0)
	for i := range 16 {
		part := uint64(0)
		for j := range 16 {
			if used[16*i+j] {
				part |= 1 << (15 - j)
			}
		}
		if part != 0 {
			sixteens |= 1 << (15 - i)
			parts = append(parts, part)
		}
	}
	w.write(sixteens, 16)
	for _, part := range parts {
		w.write(part, 16)
	}
}
