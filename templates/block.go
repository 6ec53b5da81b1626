package templates

import (
	"reflect"

	"muster/cluster"
)

// A memory is what is kept between executions for one key of for_each: the
// output of ranges whose bodies depend on nothing but their member, .Vars,
// .Rule and .Each.Key.
type memory struct {
	vars   map[string]any
	rule   string
	blocks []block
	size   int // of the last output
}

// maxMemories bounds the keys of for_each that are remembered.
const maxMemories = 1024

// A blockCode is a range over members that is not left to text/template whole.
type blockCode struct {
	native bool    // text/template is not needed at all
	body   segment // then
	keep   bool    // its output is kept between executions
}

// A block is the output of one range.
type block struct {
	members []cluster.Member // sorted by name
	ends    []uint32         // where in bytes the output of each member ends
	bytes   []byte
	refused map[string]Refusal
}

// start returns where the output of the i-th member begins.
func (b *block) start(i int) uint32 {
	if i == 0 {
		return 0
	}
	return b.ends[i-1]
}

// A blockRun is a range in progress, and what came of it.
type blockRun struct {
	list    []cluster.Member
	from    []int32 // for each of list: its index in the block kept, or -1
	ends    []uint32
	refused map[string]Refusal
	outer   []byte // the output before the range
	before  int    // its length
	plain   int    // members of a list of which nothing is kept; -1: it is kept
	at      [2]int // where in the output the range's is
	done    bool
}

// remember returns what is kept for d, if it still holds.
func (t *Template) remember(d *Data) *memory {
	key := d.EachKey
	m := t.memory[key]
	if m == nil || m.rule != d.Rule || !reflect.DeepEqual(m.vars, d.Vars) {
		if m == nil && len(t.memory) >= maxMemories {
			clear(t.memory)
		}
		m = &memory{vars: d.Vars, rule: d.Rule, blocks: make([]block, len(t.blocks))}
		t.memory[key] = m
	}
	return m
}

// change returns those of a list's members whose output is not kept, and
// begins to collect it.
func (r *run) change(id int, list reflect.Value) (reflect.Value, error) {
	b := &r.blocks[id]
	*b = blockRun{plain: lenOf(list)}
	if b.plain == 0 && !r.t.blocks[id].keep {
		return list, nil
	}
	ms, ok := list.Interface().([]cluster.Member)
	if !ok {
		return list, nil
	}
	if r.memory == nil || !r.t.blocks[id].keep {
		return r.renderNative(id, ms, list)
	}
	b.compare(&r.memory.blocks[id], ms)
	changed := ms
	if n := count(b.from); n < len(ms) {
		changed = make([]cluster.Member, 0, n)
		for i, from := range b.from {
			if from < 0 {
				changed = append(changed, ms[i])
			}
		}
	}
	b.plain, b.refused = -1, map[string]Refusal{}
	b.outer, b.before = r.out, len(r.out)
	b.ends = make([]uint32, 0, len(changed)+1)
	r.out, r.block = nil, b
	return r.renderNative(id, changed, reflect.ValueOf(changed))
}

// renderNative renders ms, if text/template is not needed for it, and returns
// the list of those that are left for it: none, or list.
func (r *run) renderNative(id int, ms []cluster.Member, list reflect.Value) (reflect.Value, error) {
	code := &r.t.blocks[id]
	if !code.native {
		return list, nil
	}
	for i := range ms {
		r.t.spend(1)
		r.begin(id)
		r.current, r.index = &ms[i], i
		if err := r.native(code.body); err != nil {
			return list, err
		}
	}
	return reflect.ValueOf(ms[:0]), nil
}

// count returns how many members are not kept.
func count(from []int32) (n int) {
	for _, f := range from {
		if f < 0 {
			n++
		}
	}
	return n
}

// compare notes in b which of ms are kept. Both are sorted by name.
func (b *blockRun) compare(kept *block, ms []cluster.Member) {
	b.list = ms
	b.from = make([]int32, len(ms))
	k := 0
	for i := range ms {
		m := &ms[i]
		for k < len(kept.members) && kept.members[k].Name != m.Name && kept.members[k].Name < m.Name {
			k++
		}
		b.from[i] = -1
		if k < len(kept.members) && kept.members[k].Equal(*m) {
			b.from[i] = int32(k)
			k++
		}
	}
}

// begin ends the output of the member before.
func (r *run) begin(id int) {
	if b := &r.blocks[id]; b.plain < 0 {
		b.ends = append(b.ends, uint32(len(r.out)))
	}
}

// emit prints a range's whole output: what is kept and what is new. It
// reports whether there are any members.
func (r *run) emit(id int) (bool, error) {
	b := &r.blocks[id]
	if b.plain >= 0 {
		return b.plain > 0, nil
	}
	kept := &r.memory.blocks[id]
	r.begin(id)
	fresh, ends := r.out, b.ends
	out := b.outer
	b.ends = make([]uint32, len(b.list))
	next, start := 0, len(out)
	for i := 0; i < len(b.list); i++ {
		if b.from[i] < 0 {
			out = append(out, fresh[ends[next]:ends[next+1]]...)
			next++
			b.ends[i] = uint32(len(out) - start)
			continue
		}
		first := i
		for i+1 < len(b.list) && b.from[i+1] == b.from[i]+1 {
			i++
		}
		from := kept.start(int(b.from[first]))
		shift := uint32(len(out)-start) - from
		out = append(out, kept.bytes[from:kept.ends[b.from[i]]]...)
		for j := first; j <= i; j++ {
			b.ends[j] = kept.ends[b.from[j]] + shift
		}
	}
	r.recall(b, kept)
	b.at, b.done, b.outer = [2]int{start, len(out)}, true, nil
	r.out, r.block = out, nil
	return len(b.list) > 0, r.bounded()
}

// recall notes the refusals of members whose output is kept.
func (r *run) recall(b *blockRun, kept *block) {
	if len(kept.refused) == 0 {
		return
	}
	for i := range b.list {
		if b.from[i] < 0 {
			continue
		}
		if why, ok := kept.refused[b.list[i].Name]; ok {
			note(b.refused, why)
			note(r.refused, why)
		}
	}
}

// keep remembers what r rendered; of a pass that left members out, only how
// much.
func (r *run) keep() {
	if r.memory == nil {
		return
	}
	r.memory.size = len(r.out)
	if len(r.excluded) > 0 {
		return
	}
	for i := range r.blocks {
		b := &r.blocks[i]
		if !b.done {
			continue
		}
		r.memory.blocks[i] = block{members: b.list, ends: b.ends, refused: b.refused,
			bytes: r.out[b.at[0]:b.at[1]:b.at[1]]}
	}
}
