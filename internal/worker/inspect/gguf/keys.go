package gguf

import (
	"bytes"
	"hash/maphash"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
)

// kind is the type of a value.
type kind uint32

const (
	kindU8 kind = iota
	kindI8
	kindU16
	kindI16
	kindU32
	kindI32
	kindF32
	kindBool
	kindString
	kindArray
	kindU64
	kindI64
	kindF64
	kinds
)

// width is the bytes of a value; 0 for strings and arrays.
func (k kind) width() uint64 {
	switch k {
	case kindU8, kindI8, kindBool:
		return 1
	case kindU16, kindI16:
		return 2
	case kindU32, kindI32, kindF32:
		return 4
	case kindU64, kindI64, kindF64:
		return 8
	}
	return 0
}

// value is what is kept of a key's value.
type value struct {
	kind kind
	// number is an integer or a bool; of an array of integers, its largest.
	number uint64
	// negative says that the number, or one of the array, is below zero.
	negative bool
	// text is the beginning of a string.
	text string
	// length of the string, or elements of the array, whose type is of.
	length uint64
	of     kind
}

// header is what was read so far.
type header struct {
	nKeys, nTensors int
	values          map[string]value
	weights         uint64
	parameters      uint64
	quantisation    string
}

const (
	tokensKey   = "tokenizer.ggml.tokens"
	templateKey = "tokenizer.chat_template"
)

// keys reads all keys with their values.
func (h *header) keys(r *reader) {
	for i := range h.nKeys {
		what := "key " + strconv.Itoa(i+1)
		key := r.text(limits.ModelKeyName, limits.ModelKeyName, "the name of "+what)
		if r.err != nil {
			return
		}
		if key == "" {
			r.fail("%s has no name", what)
			return
		}
		if _, twice := h.values[key]; twice {
			r.fail("%s has the name of one before it", what)
			return
		}
		h.values[key] = h.value(r, key, "the value of "+what)
		if r.err != nil {
			return
		}
	}
}

func (h *header) value(r *reader, key, what string) value {
	v := value{kind: kind(r.u32("the type of " + what))}
	switch {
	case r.err != nil:
	case v.kind >= kinds:
		r.fail("%s has a type that does not exist", what)
	case v.kind == kindString:
		v.length, v.text = r.str(mostOf(key), what)
	case v.kind == kindArray:
		h.array(r, key, what, &v)
	default:
		v.number, v.negative = r.number(v.kind, what)
	}
	return v
}

// mostOf is how long the string of a key may be.
func mostOf(key string) uint64 {
	if strings.HasPrefix(key, templateKey) {
		return limits.ModelTemplate
	}
	return limits.ModelString
}

// str reads a string and returns its length and beginning.
func (r *reader) str(most uint64, what string) (uint64, string) {
	from := r.pos
	s := r.text(most, limits.ModelTitle, what)
	if r.err != nil {
		return 0, ""
	}
	return r.pos - from - 8, s
}

func (r *reader) number(k kind, what string) (n uint64, negative bool) {
	b := r.bytes(int(k.width()), what)
	if b == nil || k == kindF32 || k == kindF64 {
		return 0, false
	}
	for i := len(b) - 1; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	switch k {
	case kindI8:
		negative = int8(n) < 0
	case kindI16:
		negative = int16(n) < 0
	case kindI32:
		negative = int32(n) < 0
	case kindI64:
		negative = int64(n) < 0
	}
	return n, negative
}

// array reads an array. Its elements are walked only where they matter: strings,
// whose lengths vary, and the numbers that layers have one each of.
func (h *header) array(r *reader, key, what string, v *value) {
	v.of = kind(r.u32("the element type of " + what))
	v.length = r.u64("the length of " + what)
	switch {
	case r.err != nil:
		return
	case v.of >= kinds:
		r.fail("the elements of %s have a type that does not exist", what)
	case v.of == kindArray:
		r.fail("%s is an array of arrays", what)
	case v.length > limits.ModelElements:
		r.fail("%s has more than %d elements", what, limits.ModelElements)
	case v.of == kindString && key == tokensKey:
		h.vocabulary(r, v.length)
	case v.of == kindString:
		for i := uint64(0); i < v.length && r.err == nil; i++ {
			r.text(mostOf(key), 0, "an element of "+what)
		}
	case v.length <= limits.ModelLayers && v.of != kindF32 && v.of != kindF64:
		for i := uint64(0); i < v.length && r.err == nil; i++ {
			n, negative := r.number(v.of, what)
			v.number, v.negative = max(v.number, n), v.negative || negative
		}
	default:
		// No overflow: both factors are bounded.
		r.take(v.length*v.of.width(), what)
	}
}

// vocabulary reads the tokens and refuses one that stands there twice: llama.cpp
// aborts on it. They are told apart by a keyed hash of 64 bits, so that a token
// costs 8 bytes whatever its length; that two of a million different ones collide
// happens once in 30 million files, and not at the second try.
func (h *header) vocabulary(r *reader, n uint64) {
	if n > limits.ModelVocabulary {
		r.fail("its vocabulary has more than %d tokens", limits.ModelVocabulary)
		return
	}
	seed := maphash.MakeSeed()
	var seen []uint64
	for i := uint64(0); i < n && r.err == nil; i++ {
		length := r.length(limits.ModelString, "a token")
		var hash maphash.Hash
		hash.SetSeed(seed)
		empty, whole := true, true
		for length > 0 && r.err == nil {
			part := r.bytes(int(min(length, limits.ModelHeaderBuffer)), "a token")
			length -= uint64(len(part))
			// llama.cpp reads it up to a zero byte.
			text, _, cut := bytes.Cut(part, []byte{0})
			if whole && len(text) > 0 {
				hash.Write(text)
				empty = false
			}
			whole = whole && !cut
		}
		if empty {
			// What llama.cpp puts in the place of an empty one.
			hash.WriteString("[EMPTY_" + strconv.FormatUint(i, 10) + "]")
		}
		seen = append(seen, hash.Sum64())
	}
	if r.err != nil {
		return
	}
	slices.Sort(seen)
	for i := 1; i < len(seen); i++ {
		if seen[i] == seen[i-1] {
			r.fail("its vocabulary has the same token twice")
			return
		}
	}
}

// u32 returns the number of a key that has to be a 32-bit unsigned integer;
// present says whether it is there at all.
func (h *header) u32(key string, most uint64) (n uint32, present bool, err error) {
	v, ok := h.values[key]
	if !ok {
		return 0, false, nil
	}
	if v.kind != kindU32 {
		return 0, true, refused("%s is not a number of 32 bits", key)
	}
	if v.number > most {
		return 0, true, refused("%s is larger than %d", key, most)
	}
	return uint32(v.number), true, nil
}

// perLayer returns the number of a key that may be one for each layer: the
// largest then.
func (h *header) perLayer(key string, layers uint32) (n uint32, present bool, err error) {
	v, ok := h.values[key]
	if !ok || v.kind != kindArray {
		return h.u32(key, limits.ModelWidth)
	}
	if v.of != kindU32 && v.of != kindI32 || v.length < uint64(layers) || v.length > limits.ModelLayers {
		return 0, true, refused("%s has not a number for each layer", key)
	}
	if v.negative || v.number > limits.ModelWidth {
		return 0, true, refused("%s holds a number that is no width", key)
	}
	return uint32(min(v.number, math.MaxUint32)), true, nil
}
