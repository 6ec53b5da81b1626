package bzip2

import "slices"

const (
	group      = 50 // symbols that one table encodes
	mostTables = 6  // the format's; it wants at least two
	refining   = 4  // rounds of choosing tables for groups and groups for tables
)

// A coding is how a block's symbols are written: the tables, and which of them
// is for which group.
type coding struct {
	tables []table
	choice []int
}

// best returns the coding that takes the fewest bits.
func best(symbols []uint16, alphabet int) coding {
	// One table for all, and the shortest there is beside it: a flat one.
	least := coding{[]table{lengths(occurrences(symbols, alphabet)), lengths(make([]int, alphabet))}, make([]int, (len(symbols)+group-1)/group)}
	for n := 2; n <= min(mostTables, len(least.choice)); n++ {
		if c := several(symbols, alphabet, n); c.size(symbols) < least.size(symbols) {
			least = c
		}
	}
	return least
}

// several makes a coding of n tables. It begins with consecutive groups
// sharing one, and then lets each group choose.
func several(symbols []uint16, alphabet, n int) coding {
	groups := slices.Collect(slices.Chunk(symbols, group))
	c := coding{make([]table, n), make([]int, len(groups))}
	for i := range c.choice {
		c.choice[i] = i * n / len(groups)
	}
	for range refining {
		for k := range c.tables {
			var mine []uint16
			for i, g := range groups {
				if c.choice[i] == k {
					mine = append(mine, g...)
				}
			}
			c.tables[k] = lengths(occurrences(mine, alphabet))
		}
		changed := false
		for i, g := range groups {
			for k, t := range c.tables {
				if t.bits(g) < c.tables[c.choice[i]].bits(g) {
					c.choice[i], changed = k, true
				}
			}
		}
		if !changed {
			break
		}
	}
	return c
}

func occurrences(symbols []uint16, alphabet int) []int {
	often := make([]int, alphabet)
	for _, s := range symbols {
		often[s]++
	}
	return often
}

// bits is how many bits the symbols take.
func (t table) bits(symbols []uint16) (n int) {
	for _, s := range symbols {
		n += int(t[s])
	}
	return n
}

// places are the choices as places in a list to whose front each then moves.
func (c coding) places() []int {
	list := []int{0, 1, 2, 3, 4, 5}
	var out []int
	for _, k := range c.choice {
		at := slices.Index(list, k)
		out = append(out, at)
		list = slices.Insert(slices.Delete(list, at, at+1), 0, k)
	}
	return out
}

// size is how many bits encode writes.
func (c coding) size(symbols []uint16) int {
	n := 3 + 15
	for _, place := range c.places() {
		n += place + 1
	}
	for _, t := range c.tables {
		n += t.size()
	}
	for i, k := range c.choice {
		n += c.tables[k].bits(symbols[i*group : min((i+1)*group, len(symbols))])
	}
	return n
}

// encode writes the tables, which group has which, and the symbols.
func (c coding) encode(w *bitWriter, symbols []uint16) {
	w.write(uint64(len(c.tables)), 3)
	w.write(uint64(len(c.choice)), 15)
	for _, place := range c.places() {
		w.write(1<<(place+1)-2, uint(place+1)) // so many ones, and a zero
	}
	var codes [][]uint32
	for _, t := range c.tables {
		t.write(w)
		codes = append(codes, t.codes())
	}
	for i, s := range symbols {
		k := c.choice[i/group]
		w.write(uint64(codes[k][s]), uint(c.tables[k][s]))
	}
}
