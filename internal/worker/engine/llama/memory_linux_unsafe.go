//go:build linux

package llama

import (
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/bailey-run/bailey/internal/errs"
)

// flag is a C text of no or of one character: strlen of it is false or true.
type flag struct {
	c  *calls
	at unsafe.Pointer
}

func newFlag(c *calls) *flag { return &flag{c, c.calloc(1, 8)} }

func (f *flag) address() uintptr { return uintptr(f.at) }

func (f *flag) set(on bool) {
	v := uint32(0)
	if on {
		v = 1
	}
	// Little-endian: the first byte is the character, the second its end.
	atomic.StoreUint32((*uint32)(f.at), v)
}

func (f *flag) free() {
	if f.at != nil {
		f.c.free(f.at)
		f.at = nil
	}
}

// pack is a batch, filled entry by entry.
type pack struct {
	c     *calls
	b     batch
	room  int
	token []int32
	pos   []int32
	seq   []*int32
	out   []int8
}

func newPack(c *calls, room int) (*pack, error) {
	p := &pack{c: c, b: c.batchNew(int32(room), 0, 1), room: room}
	if p.b.token == 0 {
		return nil, errs.New(errs.MemoryUsedUp, "llama.context")
	}
	p.token = view[int32](&p.b.token, room)
	p.pos = view[int32](&p.b.pos, room)
	p.seq = view[*int32](&p.b.seq, room)
	p.out = view[int8](&p.b.output, room)
	for i := range view[int32](&p.b.seqs, room) {
		view[int32](&p.b.seqs, room)[i] = 1
	}
	return p, nil
}

// view shows an array of C's whose address stands in a field.
func view[T any](at *uintptr, n int) []T { return unsafe.Slice(*(**T)(unsafe.Pointer(at)), n) }

func (p *pack) reset() { p.b.tokens = 0 }

func (p *pack) len() int { return int(p.b.tokens) }

// add adds a token and returns its place.
func (p *pack) add(token, pos, seq int, out bool) int {
	i := int(p.b.tokens)
	if i >= p.room {
		panic("BUG: a batch is over its room")
	}
	p.token[i], p.pos[i], *p.seq[i], p.out[i] = int32(token), int32(pos), int32(seq), 0
	if out {
		p.out[i] = 1
	}
	p.b.tokens++
	return i
}

func (p *pack) free() { p.c.batchFree(p.b) }

// choices is an array of candidates in C's memory.
type choices struct {
	c    *calls
	at   unsafe.Pointer
	list []candidate
	head candidates
}

func newChoices(c *calls, n int) *choices {
	k := &choices{c: c, at: c.calloc(uintptr(n), unsafe.Sizeof(candidate{}))}
	k.list = unsafe.Slice((*candidate)(k.at), n)
	return k
}

func (k *choices) fill(logits []float32) {
	list := k.list[:len(logits)]
	for i, v := range logits {
		list[i] = candidate{id: int32(i), logit: v}
	}
	k.head = candidates{data: uintptr(k.at), size: uint64(len(logits)), selected: -1, sorted: 0}
}

// tame reports whether no number is NaN or has a magnitude of beyond or more. Two
// numbers are looked at at once, which costs a fifth of what fill does.
func tame(logits []float32) bool {
	// Magnitudes are in the order of their bits, NaN behind all: what is added makes
	// the bit of the sign of those that are too large.
	const sign, magnitude = 1 << 31, 1<<31 - 1
	least := uint64(sign - math.Float32bits(beyond))
	least |= least << 32
	const both, signs = magnitude<<32 | magnitude, uint64(sign<<32 | sign)
	seen := uint64(0)
	groups := unsafe.Slice((*[8]uint64)(unsafe.Pointer(unsafe.SliceData(logits))), len(logits)/16)
	for i := range groups {
		g := &groups[i]
		seen |= (g[0]&both + least) | (g[1]&both + least) | (g[2]&both + least) | (g[3]&both + least) |
			(g[4]&both + least) | (g[5]&both + least) | (g[6]&both + least) | (g[7]&both + least)
	}
	for _, v := range logits[len(groups)*16:] {
		seen |= uint64(math.Float32bits(v)&magnitude) + least
	}
	return seen&signs == 0
}

// one makes it hold a single candidate.
func (k *choices) one(id int32) {
	k.list[0] = candidate{id: id, logit: 1}
	k.head = candidates{data: uintptr(k.at), size: 1, selected: -1, sorted: 0}
}

// chosen is the candidate that a chain of samplers selected.
func (k *choices) chosen() (int32, bool) {
	i := k.head.selected
	if i < 0 || uint64(i) >= k.head.size {
		return 0, false
	}
	// A sampler may have put an array of its own in place.
	return view[candidate](&k.head.data, int(k.head.size))[i].id, true
}

func (k *choices) free() { k.c.free(k.at) }

// devices is a list of devices as C has it, with a null behind the last; 0 is
// none. It belongs to C's memory, and is never given back.
func devices(c *calls, device uintptr) uintptr {
	at := c.calloc(2, unsafe.Sizeof(device))
	*(*uintptr)(at) = device
	return uintptr(at)
}
