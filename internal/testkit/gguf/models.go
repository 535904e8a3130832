package gguf

import (
	"fmt"
	"math"
	"slices"
)

// Shape of a model of the llama architecture.
type Shape struct {
	Name           string
	Context, Embed int
	Layers, FF     int
	Heads, KVHeads int
	Vocabulary     int
	// Weights' type; those of one dimension are always F32.
	Type TensorType
	// Tied: the output uses the table of tokens.
	Tied bool
	// Template of chats; empty = the usual one here, "-" = none.
	Template string
	Seed     uint64
}

// Small is a chat model of about 1 MB, which loads in milliseconds. It says
// words at random, each depending on all before it.
func Small(seed uint64) Shape {
	return Shape{Name: "small", Context: 2048, Embed: 64, Layers: 2, FF: 128, Heads: 4, KVHeads: 2, Type: F32, Seed: seed}
}

// Bench are the two sizes of the benchmark, of 0.13 and 0.49 thousand million
// weights.
func Bench(seed uint64) []Shape {
	return []Shape{
		{Name: "0.1B", Context: 4096, Embed: 768, Layers: 12, FF: 2048, Heads: 12, KVHeads: 12, Vocabulary: 32000, Type: Q4_0, Seed: seed},
		{Name: "0.5B", Context: 4096, Embed: 1024, Layers: 28, FF: 4096, Heads: 16, KVHeads: 8, Vocabulary: 49152, Type: Q4_0, Tied: true, Seed: seed},
	}
}

// Llama is a model with random weights of the shape.
func Llama(s Shape) *File {
	p := newPieces(nil)
	p.filler(s.Vocabulary)
	n := len(p.texts)
	f := &File{KV: s.header(p)}
	w := func(name string, deviation float64, dims ...int) {
		f.Tensors = append(f.Tensors, weights(s.Seed, tensor(name, s.Type, dims...), float32(deviation)))
	}
	norm := func(name string) {
		f.Tensors = append(f.Tensors, Same(tensor(name, F32, s.Embed), 1))
	}
	in, ff := 1/math.Sqrt(float64(s.Embed)), 1/math.Sqrt(float64(s.FF))
	kv := s.Embed / s.Heads * s.KVHeads
	w("token_embd.weight", 1, s.Embed, n)
	for i := range s.Layers {
		b := fmt.Sprintf("blk.%d.", i)
		norm(b + "attn_norm.weight")
		// Twice the usual deviation: attention that looks somewhere.
		w(b+"attn_q.weight", 2*in, s.Embed, s.Embed)
		w(b+"attn_k.weight", 2*in, s.Embed, kv)
		w(b+"attn_v.weight", in, s.Embed, kv)
		w(b+"attn_output.weight", in, s.Embed, s.Embed)
		norm(b + "ffn_norm.weight")
		w(b+"ffn_gate.weight", in, s.Embed, s.FF)
		w(b+"ffn_up.weight", in, s.Embed, s.FF)
		w(b+"ffn_down.weight", ff, s.FF, s.Embed)
	}
	norm("output_norm.weight")
	switch {
	case s.Tied:
	case s.Type == F32:
		// Words rather than bytes, and a clear choice: a deviation of 6 between
		// logits, so that the least bits of a sum do not decide.
		out := tensor("output.weight", F32, s.Embed, n)
		r := fork(s.Seed, out.Name)
		f.Tensors = append(f.Tensors, rows(out, func(i int, to []float32) {
			scale := float32(6 * in * spread)
			if p.kinds[i] != normal {
				scale /= 8
			}
			for j := range to {
				to[j] = scale * r.uniform()
			}
		}))
	default:
		w("output.weight", 6*in, s.Embed, n)
	}
	return f
}

// Script is a chat model that always says the words of answer, one token each,
// and then ends its turn. The words differ from each other. Its layers do
// nothing, so that neither threads nor batches change a bit of what it says.
func Script(answer ...string) *File {
	const dims = 256
	s := Shape{Name: "script", Context: 2048, Embed: dims, Layers: 1, FF: 32, Heads: 4, KVHeads: 4, Type: F32, Seed: 1}
	p := newPieces(answer)
	// after are the tokens that each token follows.
	after := map[int][]int{}
	said := []int{}
	for _, w := range answer {
		said = append(said, p.word(w))
	}
	said = append(said, endID)
	begin := []int{firstByte + '\n', startID, bosID, p.ids["."], p.ids["?"], p.ids[":"]}
	for i, id := range said {
		if slices.Contains(said[:i], id) {
			panic("BUG: a script says a word twice: " + p.texts[id])
		}
		if i == 0 {
			after[id] = begin
		} else {
			after[id] = said[i-1 : i]
		}
	}
	vector := func(id int, add []float32) {
		r := fork(s.Seed, p.texts[id])
		for j := range add {
			if r.next()&1 == 0 {
				add[j]++
			} else {
				add[j]--
			}
		}
	}
	f := &File{KV: s.header(p)}
	n := len(p.texts)
	f.Tensors = append(f.Tensors, rows(tensor("token_embd.weight", F32, dims, n), vector))
	for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
		f.Tensors = append(f.Tensors, tensor("blk.0."+name+".weight", F32, dims, dims))
	}
	f.Tensors = append(f.Tensors,
		tensor("blk.0.ffn_gate.weight", F32, dims, s.FF), tensor("blk.0.ffn_up.weight", F32, dims, s.FF), tensor("blk.0.ffn_down.weight", F32, s.FF, dims),
		Same(tensor("blk.0.attn_norm.weight", F32, dims), 1), Same(tensor("blk.0.ffn_norm.weight", F32, dims), 1), Same(tensor("output_norm.weight", F32, dims), 1),
		rows(tensor("output.weight", F32, dims, n), func(i int, to []float32) {
			for _, id := range after[i] {
				vector(id, to)
			}
			for j := range to {
				to[j] *= 0.2
			}
		}))
	return f
}

func tensor(name string, t TensorType, dims ...int) Tensor {
	out := Tensor{Name: name, Type: t}
	for _, d := range dims {
		out.Dims = append(out.Dims, uint64(d))
	}
	return out
}

func (s Shape) header(p *pieces) []KV {
	t := s.Template
	if t == "" {
		t = template
	}
	kv := []KV{
		{"general.architecture", "llama"},
		{"general.name", "generated " + s.Name},
		{"general.license", "cc0-1.0"},
		{"general.file_type", fileType(s.Type)},
		{"llama.context_length", uint32(s.Context)},
		{"llama.embedding_length", uint32(s.Embed)},
		{"llama.block_count", uint32(s.Layers)},
		{"llama.feed_forward_length", uint32(s.FF)},
		{"llama.attention.head_count", uint32(s.Heads)},
		{"llama.attention.head_count_kv", uint32(s.KVHeads)},
		{"llama.attention.layer_norm_rms_epsilon", float32(1e-5)},
		{"llama.rope.dimension_count", uint32(s.Embed / s.Heads)},
		{"llama.vocab_size", uint32(len(p.texts))},
	}
	kv = append(kv, p.header(t)...)
	if t == "-" {
		kv = kv[:len(kv)-1]
	}
	return kv
}

// fileType is the header's number for models of mostly this type.
func fileType(t TensorType) uint32 {
	switch t {
	case F16:
		return 1
	case Q4_0:
		return 2
	case Q8_0:
		return 7
	}
	return 0
}
