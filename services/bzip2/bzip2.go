// Package bzip2 compresses and decompresses small texts in the format of the
// program bzip2. Go's standard library does not write it, and reads it with
// memory for large files. This one aims at few bytes: a tag has 512.
//
// There is no specification but the program, https://sourceware.org/bzip2/;
// the steps are those of its page: run-length encoding, the transform of
// Burrows and Wheeler (1994), move-to-front, Huffman codes. What the
// texts are is left to the callers.
package bzip2

import (
	"fmt"
	"hash/crc32"
	"math/bits"
)

// MaxInput is how many bytes Compress takes: one block, whatever they are.
const MaxInput = 64 << 10

// The format's magic numbers, 48 bits each: of a block, and of the end.
const (
	blockMagic = 0x314159265359
	endMagic   = 0x177245385090
)

// Compress returns data as a stream of one block, or none for no data. It is
// never more, and mostly less, than `bzip2 -9` makes of it. The same data give
// the same bytes.
func Compress(data []byte) ([]byte, error) {
	if len(data) > MaxInput {
		return nil, fmt.Errorf("cannot compress %d bytes: the limit is %d", len(data), MaxInput)
	}
	w := &bitWriter{out: []byte("BZh9")}
	sum := uint32(0)
	if len(data) > 0 {
		sum = checksum(data)
		w.write(blockMagic, 48)
		w.write(uint64(sum), 32)
		w.write(0, 1) // not randomised
		block := runs(data)
		last, origin := transform(block)
		w.write(uint64(origin), 24)
		used, symbols := front(last)
		w.bitmap(used)
		best(symbols, count(used)+2).encode(w, symbols)
	}
	w.write(endMagic, 48)
	w.write(uint64(sum), 32) // of one block, the stream's is the block's
	return w.finish(), nil
}

// checksum is the CRC-32 of Ethernet with its bits in the other order than
// hash/crc32 has them.
func checksum(data []byte) uint32 {
	mirrored := make([]byte, len(data))
	for i, b := range data {
		mirrored[i] = bits.Reverse8(b)
	}
	return bits.Reverse32(crc32.ChecksumIEEE(mirrored))
}

// runs makes 4 equal bytes and a count of every 4 to 255 of them.
func runs(data []byte) []byte {
	out := make([]byte, 0, len(data)+len(data)/4)
	for i := 0; i < len(data); {
		n := 1
		for n < 255 && i+n < len(data) && data[i+n] == data[i] {
			n++
		}
		for range min(n, 4) {
			out = append(out, data[i])
		}
		if n >= 4 {
			out = append(out, byte(n-4))
		}
		i += n
	}
	return out
}

// Symbols of the block: a run of the front byte is written in digits of value
// 1 and 2, the least first; any other place in the list as one more than it
// is; and the last symbol of the alphabet ends the block.
const (
	runA = 0
	runB = 1
)

// front replaces each byte by its place in a list of the bytes in use to whose
// front it then moves (Bentley et al. 1986).
func front(data []byte) (used [256]bool, symbols []uint16) {
	for _, b := range data {
		used[b] = true
	}
	var list []byte
	for b, is := range used {
		if is {
			list = append(list, byte(b))
		}
	}
	zeros := 0
	digits := func() {
		for ; zeros > 0; zeros = (zeros - 1) / 2 {
			symbols = append(symbols, runA+uint16(zeros+1)%2)
		}
	}
	for _, b := range data {
		at := 0
		for list[at] != b {
			at++
		}
		if at == 0 {
			zeros++
			continue
		}
		digits()
		copy(list[1:at+1], list[:at])
		list[0] = b
		symbols = append(symbols, uint16(at+1))
	}
	digits()
	return used, append(symbols, uint16(len(list)+1))
}

func count(used [256]bool) (n int) {
	for _, is := range used {
		if is {
			n++
		}
	}
	return n
}
