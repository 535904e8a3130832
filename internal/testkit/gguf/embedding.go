package gguf

import (
	"fmt"
	"math"
)

// Embedding is a BERT model of a few hundred KB that makes vectors of 64
// numbers: the mean of its words' own random vectors, changed a little by their
// neighbours. Texts with the same words are near to each other, others are not.
// more words stand in its vocabulary beside common ones; what stands there not
// is spelt.
func Embedding(seed uint64, more ...string) *File {
	const (
		dims    = 64
		layers  = 1
		ff      = 64
		context = 256
	)
	tokens := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
	seen := map[string]bool{}
	add := func(s string) {
		if !seen[s] {
			seen[s] = true
			tokens = append(tokens, s)
		}
	}
	for c := '!'; c <= '~'; c++ {
		if c >= 'A' && c <= 'Z' {
			continue
		}
		// As converters write them: a beginning has the mark of a space, a
		// continuation nothing.
		add(space + string(c))
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			add(string(c))
		}
	}
	for _, w := range append(common(), more...) {
		add(space + w)
	}
	kinds := make([]int32, len(tokens))
	for i := range kinds {
		kinds[i] = normal
		if i < 5 {
			kinds[i] = control
		}
	}
	f := &File{KV: []KV{
		{"general.architecture", "bert"},
		{"general.name", "generated embedding"},
		{"general.license", "cc0-1.0"},
		{"general.file_type", uint32(0)},
		{"bert.context_length", uint32(context)},
		{"bert.embedding_length", uint32(dims)},
		{"bert.block_count", uint32(layers)},
		{"bert.feed_forward_length", uint32(ff)},
		{"bert.attention.head_count", uint32(4)},
		{"bert.attention.layer_norm_epsilon", float32(1e-12)},
		{"bert.attention.causal", false},
		{"bert.pooling_type", uint32(1)},
		{"tokenizer.ggml.model", "bert"},
		{"tokenizer.ggml.tokens", tokens},
		{"tokenizer.ggml.token_type", kinds},
		{"tokenizer.ggml.token_type_count", uint32(2)},
		{"tokenizer.ggml.padding_token_id", uint32(0)},
		{"tokenizer.ggml.unknown_token_id", uint32(1)},
		{"tokenizer.ggml.bos_token_id", uint32(2)},
		{"tokenizer.ggml.cls_token_id", uint32(2)},
		{"tokenizer.ggml.seperator_token_id", uint32(3)},
		{"tokenizer.ggml.mask_token_id", uint32(4)},
	}}
	w := func(name string, deviation float64, shape ...int) {
		f.Tensors = append(f.Tensors, weights(seed, tensor(name, F32, shape...), float32(deviation)))
	}
	norm := func(name string) {
		f.Tensors = append(f.Tensors, Same(tensor(name+".weight", F32, dims), 1), tensor(name+".bias", F32, dims))
	}
	in := 0.2 / math.Sqrt(dims)
	w("token_embd.weight", 1, dims, len(tokens))
	w("token_types.weight", 0.01, dims, 2)
	w("position_embd.weight", 0.05, dims, context)
	norm("token_embd_norm")
	for i := range layers {
		b := fmt.Sprintf("blk.%d.", i)
		for _, name := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
			w(b+name+".weight", in, dims, dims)
			f.Tensors = append(f.Tensors, tensor(b+name+".bias", F32, dims))
		}
		norm(b + "attn_output_norm")
		w(b+"ffn_up.weight", in, dims, ff)
		f.Tensors = append(f.Tensors, tensor(b+"ffn_up.bias", F32, ff))
		w(b+"ffn_down.weight", in, ff, dims)
		f.Tensors = append(f.Tensors, tensor(b+"ffn_down.bias", F32, dims))
		norm(b + "layer_output_norm")
	}
	return f
}
