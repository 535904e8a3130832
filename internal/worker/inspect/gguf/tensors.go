package gguf

import (
	"math/bits"
	"strconv"

	"github.com/bailey-run/bailey/internal/limits"
)

// format is how a tensor's numbers are stored: blocks of so many numbers in so
// many bytes. The rows are those of llama.cpp v0.5.0 (ggml.h, ggml-common.h);
// a number that is not here was removed there, or never existed.
type format struct {
	name         string
	block, bytes uint64
}

func formats() map[uint32]format {
	return map[uint32]format{
		0:  {"F32", 1, 4},
		1:  {"F16", 1, 2},
		2:  {"Q4_0", 32, 18},
		3:  {"Q4_1", 32, 20},
		6:  {"Q5_0", 32, 22},
		7:  {"Q5_1", 32, 24},
		8:  {"Q8_0", 32, 34},
		9:  {"Q8_1", 32, 36},
		10: {"Q2_K", 256, 84},
		11: {"Q3_K", 256, 110},
		12: {"Q4_K", 256, 144},
		13: {"Q5_K", 256, 176},
		14: {"Q6_K", 256, 210},
		15: {"Q8_K", 256, 292},
		16: {"IQ2_XXS", 256, 66},
		17: {"IQ2_XS", 256, 74},
		18: {"IQ3_XXS", 256, 98},
		19: {"IQ1_S", 256, 50},
		20: {"IQ4_NL", 32, 18},
		21: {"IQ3_S", 256, 110},
		22: {"IQ2_S", 256, 82},
		23: {"IQ4_XS", 256, 136},
		24: {"I8", 1, 1},
		25: {"I16", 1, 2},
		26: {"I32", 1, 4},
		27: {"I64", 1, 8},
		28: {"F64", 1, 8},
		29: {"IQ1_M", 256, 56},
		30: {"BF16", 1, 2},
		34: {"TQ1_0", 256, 54},
		35: {"TQ2_0", 256, 66},
		39: {"MXFP4", 32, 17},
		40: {"NVFP4", 64, 36},
		41: {"Q1_0", 128, 18},
		42: {"Q2_0", 64, 18},
	}
}

// tensors reads the table of tensors and checks where their data lies.
func (h *header) tensors(r *reader) {
	align, err := h.alignment()
	if err != nil && r.err == nil {
		r.err = err
	}
	if r.err != nil {
		return
	}
	known, names := formats(), map[string]bool{}
	numbers := map[string]uint64{} // by format
	type extent struct {
		what       string
		from, size uint64
	}
	var last extent
	for i := range h.nTensors {
		what := "tensor " + strconv.Itoa(i+1)
		name := r.text(limits.ModelTensorName, limits.ModelTensorName, "the name of "+what)
		count, first := shape(r, what)
		f, ok := known[r.u32("the type of "+what)]
		offset := r.u64("the offset of " + what)
		switch {
		case r.err != nil:
			return
		case name == "" || names[name]:
			r.fail("%s has no name, or that of one before it", what)
			return
		case !ok:
			r.fail("%s is stored in a way that does not exist any more, or not yet", what)
			return
		case first%f.block != 0:
			r.fail("%s has rows that are no multiple of its blocks", what)
			return
		}
		names[name] = true
		over, size := bits.Mul64(count/f.block, f.bytes)
		end, carry := bits.Add64(last.from, last.size, 0)
		end, pad := padded(end, align)
		switch {
		case over != 0 || carry != 0 || !pad || size > r.size:
			r.fail("%s is larger than the file", what)
			return
		case offset < end:
			r.fail("%s overlaps the one before it", what)
			return
		case offset > end:
			r.fail("%s leaves a gap to the one before it", what)
			return
		}
		last = extent{what, offset, size}
		// No overflow: sizes are below the file's, and at most 8 numbers are in a byte.
		h.weights, h.parameters = h.weights+size, h.parameters+count
		if first != count {
			numbers[f.name] += count
		}
	}
	begin, ok := padded(r.pos, align)
	if !ok || begin > r.size || last.from > r.size-begin || last.size > r.size-begin-last.from {
		r.fail("the data of %s reaches beyond the end of the file", last.what)
		return
	}
	for name, n := range numbers {
		if most := numbers[h.quantisation]; n > most || n == most && name < h.quantisation {
			h.quantisation = name
		}
	}
}

// shape returns how many numbers a tensor has, and how many its rows have.
func shape(r *reader, what string) (count, first uint64) {
	n := r.u32("the shape of " + what)
	if r.err == nil && (n == 0 || n > limits.ModelTensorDims) {
		r.fail("%s has not 1 to %d dimensions", what, limits.ModelTensorDims)
	}
	count = 1
	for i := uint32(0); i < n && r.err == nil; i++ {
		d := r.u64("the shape of " + what)
		if r.err != nil {
			break
		}
		over, product := bits.Mul64(count, d)
		switch {
		case d == 0:
			r.fail("%s has an empty dimension", what)
		case over != 0 || product>>62 != 0:
			// llama.cpp counts with a sign.
			r.fail("%s is larger than any memory", what)
		}
		if count = product; i == 0 {
			first = d
		}
	}
	return count, first
}

// padded rounds up to a multiple of align, a power of two.
func padded(n, align uint64) (uint64, bool) {
	sum, carry := bits.Add64(n, align-1, 0)
	return sum &^ (align - 1), carry == 0
}

func (h *header) alignment() (uint64, error) {
	n, present, err := h.u32("general.alignment", limits.ModelAlignment)
	if err != nil || !present {
		return limits.ModelAlignmentDefault, err
	}
	if n == 0 || n&(n-1) != 0 {
		return 0, refused("general.alignment is not a power of two")
	}
	return uint64(n), nil
}
