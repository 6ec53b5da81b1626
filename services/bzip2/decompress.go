package bzip2

import (
	"errors"
	"fmt"
)

// Decompress returns what a stream of bzip2 holds, if that is at most limit
// bytes. It must be one stream and all there is. The work and the memory it
// takes are bounded by limit and by what there is to read: the standard
// library would take 400 kB for the smallest stream, and 3.6 MB where its
// header claims the largest blocks.
func Decompress(packed []byte, limit int) ([]byte, error) {
	d := &decoder{in: bitReader{data: packed}, limit: limit}
	if len(packed) < 4 || string(packed[:3]) != "BZh" || packed[3] < '1' || packed[3] > '9' {
		return nil, errors.New("it is not bzip2")
	}
	d.in.at = 4 * 8
	// Of five bytes of a block, at least four come out.
	d.most = min(int(packed[3]-'0')*100_000, limit+limit/4+5)
	if err := d.stream(); err != nil {
		return nil, err
	}
	return d.out, nil
}

// errCut is where the stream ends too soon.
var errCut = errors.New("it is cut off, or not bzip2")

// A bitReader reads bits, the highest first. Behind the end are zeros; over
// tells that.
type bitReader struct {
	data []byte
	at   int // bit
}

func (r *bitReader) bit() uint32 {
	at := r.at
	r.at++
	if at>>3 >= len(r.data) {
		return 0
	}
	return uint32(r.data[at>>3]>>(7-at&7)) & 1
}

func (r *bitReader) bits(n int) (v uint64) {
	for range n {
		v = v<<1 | uint64(r.bit())
	}
	return v
}

func (r *bitReader) over() bool { return r.at > 8*len(r.data) }

// A decoder decompresses one stream.
type decoder struct {
	in    bitReader
	out   []byte
	limit int      // bytes of out
	most  int      // bytes of a block
	block []uint32 // bytes, and then in the upper 24 bits where the next one is
}

// stream reads the blocks and the end.
func (d *decoder) stream() error {
	sum := uint32(0)
	for {
		switch d.in.bits(48) {
		case blockMagic:
			want := uint32(d.in.bits(32))
			begin := len(d.out)
			if err := d.readBlock(); err != nil {
				return err
			}
			if checksum(d.out[begin:]) != want {
				return errors.New("a block's checksum is wrong")
			}
			sum = (sum<<1 | sum>>31) ^ want
		case endMagic:
			if uint32(d.in.bits(32)) != sum && !d.in.over() {
				return errors.New("its checksum is wrong")
			}
			if d.in.over() {
				return errCut
			}
			if rest := len(d.in.data) - (d.in.at+7)/8; rest > 0 {
				return fmt.Errorf("%d bytes follow the stream", rest)
			}
			return nil
		default:
			return errCut
		}
	}
}

// readBlock reads what follows a block's checksum.
func (d *decoder) readBlock() error {
	if d.in.bit() == 1 {
		return errors.New("it is randomised, as no bzip2 has made since 1998")
	}
	origin := int(d.in.bits(24))
	list := d.in.used()
	if len(list) == 0 {
		return errors.New("a block has no bytes")
	}
	choice, tables, err := d.in.coding(len(list) + 2)
	if err != nil {
		return err
	}
	if err := d.symbols(list, choice, tables); err != nil {
		return err
	}
	if origin >= len(d.block) {
		return errors.New("a block begins outside itself")
	}
	return d.restore(origin)
}

// used reads which bytes are in use.
func (r *bitReader) used() (list []byte) {
	sixteens := r.bits(16)
	for i := range 16 {
		if sixteens>>(15-i)&1 == 0 {
			continue
		}
		part := r.bits(16)
		for j := range 16 {
			if part>>(15-j)&1 == 1 {
				list = append(list, byte(16*i+j))
			}
		}
	}
	return list
}

// coding reads the tables, and which of them each group has.
func (r *bitReader) coding(alphabet int) (choice []uint8, tables []decodingTable, err error) {
	n, groups := int(r.bits(3)), int(r.bits(15))
	if n < 2 || n > mostTables || groups == 0 {
		return nil, nil, errors.New("a block has an impossible number of tables")
	}
	list := [mostTables]uint8{0, 1, 2, 3, 4, 5}
	for range groups {
		place := 0
		for ; r.bit() == 1; place++ {
			if place >= n-1 {
				return nil, nil, errors.New("a block names a table that is not there")
			}
		}
		if r.over() {
			return nil, nil, errCut
		}
		k := list[place]
		copy(list[1:place+1], list[:place])
		list[0] = k
		choice = append(choice, k)
	}
	for range n {
		t, err := r.table(alphabet)
		if err != nil {
			return nil, nil, err
		}
		tables = append(tables, t)
	}
	return choice, tables, nil
}

// mostBits is how long a code may be.
const mostBits = 20

// A decodingTable is a prefix code: of each length the first code, how many
// there are, and where their symbols begin.
type decodingTable struct {
	first, count, begin [mostBits + 1]int
	symbols             []uint16 // by length, then by symbol
}

// table reads the lengths of a prefix code.
func (r *bitReader) table(alphabet int) (t decodingTable, err error) {
	lengths := make([]uint8, alphabet)
	at := int(r.bits(5))
	for i := range lengths {
		for {
			if at < 1 || at > mostBits {
				return t, errors.New("a code has an impossible length")
			}
			if r.bit() == 0 {
				break
			}
			at += 1 - 2*int(r.bit())
		}
		lengths[i] = uint8(at)
		t.count[at]++
	}
	code, begin := 0, 0
	for l := 1; l <= mostBits; l++ {
		code <<= 1
		t.first[l], t.begin[l] = code, begin
		code += t.count[l]
		begin += t.count[l]
		if code > 1<<l {
			return t, errors.New("a table has more codes than there can be")
		}
	}
	t.symbols = make([]uint16, alphabet)
	next := t.begin
	for s, l := range lengths {
		t.symbols[next[l]] = uint16(s)
		next[l]++
	}
	if r.over() {
		return t, errCut
	}
	return t, nil
}

// symbol reads one.
func (r *bitReader) symbol(t *decodingTable) (int, error) {
	code := 0
	for l := 1; l <= mostBits; l++ {
		code = code<<1 | int(r.bit())
		if at := code - t.first[l]; at >= 0 && at < t.count[l] {
			return int(t.symbols[t.begin[l]+at]), nil
		}
	}
	return 0, errors.New("there is no such code")
}

// symbols reads the block as it was after its transform: list has the bytes in
// use.
func (d *decoder) symbols(list []byte, choice []uint8, tables []decodingTable) error {
	d.block = d.block[:0]
	end := len(list) + 1
	zeros, digit := 0, 1 // of a run: its length so far, and what the next digit counts
	for i := 0; ; i++ {
		if i/group >= len(choice) || d.in.over() {
			return errCut
		}
		s, err := d.in.symbol(&tables[choice[i/group]])
		if err != nil {
			return err
		}
		if s <= runB {
			zeros += digit * (s + 1)
			digit *= 2
			if zeros > d.most {
				return d.tooLarge()
			}
			continue
		}
		if len(d.block)+zeros > d.most {
			return d.tooLarge()
		}
		for ; zeros > 0; zeros-- {
			d.block = append(d.block, uint32(list[0]))
		}
		digit = 1
		if s == end {
			return nil
		}
		if len(d.block) == d.most {
			return d.tooLarge()
		}
		b := list[s-1]
		copy(list[1:s], list[:s-1])
		list[0] = b
		d.block = append(d.block, uint32(b))
	}
}

func (d *decoder) tooLarge() error {
	return fmt.Errorf("it inflates to more than %d bytes", d.limit)
}

// restore undoes the transform and the run-length encoding of a block, in
// which the origin-th rotation is what it was.
func (d *decoder) restore(origin int) error {
	var begin [256]int
	for _, b := range d.block {
		begin[b]++
	}
	sum := 0
	for b, n := range begin {
		begin[b] = sum
		sum += n
	}
	for i := range d.block {
		b := d.block[i] & 0xff
		d.block[begin[b]] |= uint32(i) << 8
		begin[b]++
	}
	at := d.block[origin] >> 8
	last, same := -1, 0
	for range d.block {
		entry := d.block[at]
		b := byte(entry)
		at = entry >> 8
		n := 1
		switch {
		case same == 4: // a count
			n, same, last, b = int(b), 0, -1, byte(last)
		case int(b) == last:
			same++
		default:
			last, same = int(b), 1
		}
		if len(d.out)+n > d.limit {
			return d.tooLarge()
		}
		for range n {
			d.out = append(d.out, b)
		}
	}
	return nil
}
