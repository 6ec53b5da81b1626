package bzip2

import "math"

// A table is the length of each symbol's code, in bits.
type table []uint8

// Codes have at most longest bits: the program's decoder takes 20, its encoder
// makes 17.
const longest = 17

// lengths chooses the lengths of a complete prefix code for symbols that occur
// so often, every symbol getting one. It minimises what the symbols take
// together with what the table itself takes, whose differences cost two bits
// a step: for a short text, more than half of it.
//
// Without the bound that makes it a prefix code (Kraft 1949: the sum of
// 2^-length is at most 1) each choice would depend on the one before alone. So
// the bound gets a price, and the least price that keeps it is looked for.
func lengths(often []int) table {
	low, high := 0.0, 1.0
	for !fits(priced(often, high)) {
		high *= 4
	}
	best := priced(often, high)
	for range 14 {
		middle := (low + high) / 2
		if t := priced(often, middle); fits(t) {
			best, high = t, middle
		} else {
			low = middle
		}
	}
	return complete(best, often)
}

// priced returns the cheapest lengths when a code of n bits costs price/2^n
// besides: dynamic programming over the symbols.
func priced(often []int, price float64) table {
	from := make([][longest + 1]uint8, len(often))
	var share [longest + 1]float64
	for l := range share {
		share[l] = math.Ldexp(price, -l)
	}
	var cost [longest + 1]float64 // of all so far, by the last length
	for i, f := range often {
		if i > 0 {
			cost, from[i] = nearest(cost)
		}
		for l := 1; l <= longest; l++ {
			cost[l] += float64(f*l) + share[l]
		}
	}
	at := uint8(1)
	for l := range cost[1:] {
		if cost[l+1] < cost[at] {
			at = uint8(l + 1)
		}
	}
	t := make(table, len(often))
	for i := len(t) - 1; i >= 0; i-- {
		t[i] = at
		at = from[i][at]
	}
	return t
}

// nearest returns for each length the least cost of coming to it from any
// other, and from which.
func nearest(cost [longest + 1]float64) (least [longest + 1]float64, from [longest + 1]uint8) {
	least = cost
	for l := range from {
		from[l] = uint8(l)
	}
	for l := 2; l <= longest; l++ {
		if c := least[l-1] + 2; c < least[l] {
			least[l], from[l] = c, from[l-1]
		}
	}
	for l := longest - 1; l >= 1; l-- {
		if c := least[l+1] + 2; c < least[l] {
			least[l], from[l] = c, from[l+1]
		}
	}
	return least, from
}

// step is what it costs a table to go from one length to another.
func step(a, b int) int { return 2 * max(a-b, b-a) }

// room is the sum of 2^-length in units of 2^-longest; a complete code has
// 2^longest.
func (t table) room() (sum int) {
	for _, l := range t {
		sum += 1 << (longest - l)
	}
	return sum
}

func fits(t table) bool { return t.room() <= 1<<longest }

// complete shortens codes until no room is left, as some decoders want it,
// each time the one that gains most. There is always one: what is left is a
// multiple of what the longest code takes.
func complete(t table, often []int) table {
	for left := 1<<longest - t.room(); left > 0; {
		best, gain := -1, 0
		for i, l := range t {
			if l == 1 || 1<<(longest-l) > left {
				continue
			}
			before := t.around(i)
			t[i]--
			g := often[i] + before - t.around(i)
			t[i]++
			if best < 0 || g > gain {
				best, gain = i, g
			}
		}
		left -= 1 << (longest - t[best])
		t[best]--
	}
	return t
}

// around is what the steps to and from the i-th length cost.
func (t table) around(i int) (cost int) {
	if i > 0 {
		cost += step(int(t[i-1]), int(t[i]))
	}
	if i+1 < len(t) {
		cost += step(int(t[i]), int(t[i+1]))
	}
	return cost
}

// size is how many bits the table takes when written.
func (t table) size() int {
	n := 5 + len(t)
	for i := 1; i < len(t); i++ {
		n += step(int(t[i-1]), int(t[i]))
	}
	return n
}

// write writes the first length, and from each to the next the steps.
func (t table) write(w *bitWriter) {
	w.write(uint64(t[0]), 5)
	at := t[0]
	for _, l := range t {
		for ; at < l; at++ {
			w.write(0b10, 2)
		}
		for ; at > l; at-- {
			w.write(0b11, 2)
		}
		w.write(0, 1)
	}
}

// codes returns the canonical codes: by length, then by symbol.
func (t table) codes() []uint32 {
	codes := make([]uint32, len(t))
	code := uint32(0)
	for l := uint8(1); l <= longest; l++ {
		for i := range t {
			if t[i] == l {
				codes[i] = code
				code++
			}
		}
		code <<= 1
	}
	return codes
}
