package bzip2

import (
	"cmp"
	"slices"
)

// transform sorts the rotations of data and returns the last byte of each, and
// where the unrotated one has come to. By doubling the length that is compared
// (Manber and Myers 1993), so that no data makes it slow.
func transform(data []byte) (last []byte, origin int) {
	n := len(data)
	order, rank, next := make([]int, n), make([]int, n), make([]int, n)
	for i, b := range data {
		order[i], rank[i] = i, int(b)
	}
	for length := 0; ; length = max(1, 2*length) {
		// Rotations are in the order of their first `length` bytes; by rank.
		second := func(i int) int { return rank[(i+length)%n] }
		compare := func(a, b int) int {
			return cmp.Or(cmp.Compare(rank[a], rank[b]), cmp.Compare(second(a), second(b)))
		}
		slices.SortFunc(order, compare)
		classes := 0
		for i, at := range order {
			if i > 0 && compare(order[i-1], at) != 0 {
				classes++
			}
			next[at] = classes
		}
		rank, next = next, rank
		if classes == n-1 || length >= n { // what is equal now is so for ever
			break
		}
	}
	last = make([]byte, n)
	for i, at := range order {
		last[i] = data[(at+n-1)%n]
		if at == 0 {
			origin = i
		}
	}
	return last, origin
}
