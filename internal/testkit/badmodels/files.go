package badmodels

import (
	"math"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/testkit/gguf"
)

// others are files of another kind.
func others() []Case {
	return []Case{
		plain("empty", "0 bytes", ""),
		plain("one-byte", "one byte", "G"),
		plain("text", "a story", "Once upon a time there was a file.\n"),
		plain("pytorch", "a zip archive, as PyTorch writes", "PK\x03\x04\x14\x00\x08\x08"+strings.Repeat("\x00", 100)),
		plain("pickle", "a Python pickle that starts a program", "\x80\x04\x95\x1e\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x94\x85\x94R\x94."),
		plain("safetensors", "a safetensors file", "\x18\x00\x00\x00\x00\x00\x00\x00{\"__metadata__\":{\"a\":\"b\"}}"),
		plain("onnx", "an ONNX model", "\x08\x07\x12\x07pytorch\x1a\x062.0.0\x3a\x80\x01"),
		plain("ggml", "a GGML file of 2023", "tjgg\x03\x00\x00\x00"+strings.Repeat("\x20", 100)),
		plain("page", "the web page of a failed download", "<!DOCTYPE html><html><title>404</title></html>"),
		plain("lfs", "a Git LFS pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 98362432\n"),
		plain("gzip", "a gzip archive", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"),
	}
}

// headers are GGUF files whose beginning is wrong.
func headers() []Case {
	whole := func() []byte { return bytesOf(good()) }
	cut := func(name, what string, n func([]byte) int) Case {
		return Case{name, what, ByReader, func() []byte { b := whole(); return b[:n(b)] }}
	}
	count := func(n uint64) *uint64 { return &n }
	return []Case{
		file("version-1", "GGUF version 1", ByReader, func() *gguf.File { f := good(); f.Version = 1; return f }),
		file("version-4", "GGUF version 4", ByReader, func() *gguf.File { f := good(); f.Version = 4; return f }),
		file("big-endian", "written for a big-endian machine", ByReader, func() *gguf.File { f := good(); f.Version = 3 << 24; return f }),
		cut("cut-at-magic", "cut behind the magic", func([]byte) int { return 4 }),
		cut("cut-in-keys", "cut in the keys", func([]byte) int { return 300 }),
		cut("cut-in-tokens", "cut in the vocabulary", func([]byte) int { return 3000 }),
		cut("cut-in-weights", "the last tensor reaches beyond the end", func(b []byte) int { return len(b) / 2 }),
		file("keys-2e63", "claims 2^63 keys", ByReader, func() *gguf.File { f := good(); f.KVCount = count(1 << 63); return f }),
		file("tensors-2e64", "claims 2^64-1 tensors", ByReader, func() *gguf.File { f := good(); f.TensorCount = count(math.MaxUint64); return f }),
		file("tensors-65537", "claims 65,537 tensors", ByReader, func() *gguf.File { f := good(); f.TensorCount = count(65537); return f }),
		file("no-tensors", "no tensors: a vocabulary alone", ByReader, func() *gguf.File { f := good(); f.Tensors = nil; return f }),
		raw("string-2e63", "a string of 2^63 bytes", func(w *gguf.Writer) { begin(w, 3, 1, 1); w.StringOf(1<<63, "key") }),
		raw("string-2e64", "a string of 2^64-1 bytes", func(w *gguf.Writer) {
			begin(w, 3, 1, 1)
			w.String("k")
			w.U32(uint32(gguf.String))
			w.StringOf(math.MaxUint64, "x")
		}),
		raw("array-2e64", "an array of 2^64-1 strings", func(w *gguf.Writer) {
			begin(w, 3, 1, 1)
			w.String("k")
			w.U32(uint32(gguf.Array))
			w.U32(uint32(gguf.String))
			w.U64(math.MaxUint64)
		}),
		raw("array-1e9", "an array of 2^30 numbers in a file of 60 bytes", func(w *gguf.Writer) {
			begin(w, 3, 1, 1)
			w.String("k")
			w.U32(uint32(gguf.Array))
			w.U32(uint32(gguf.Float64))
			w.U64(1 << 30)
		}),
		raw("nested", "an array of arrays of arrays", func(w *gguf.Writer) {
			begin(w, 3, 1, 1)
			w.String("k")
			w.U32(uint32(gguf.Array))
			for range 1000 {
				w.U32(uint32(gguf.Array))
				w.U64(1)
			}
		}),
		raw("type-99", "a value of type 99", func(w *gguf.Writer) { begin(w, 3, 1, 1); w.String("k"); w.U32(99) }),
		file("key-twice", "the same key twice", ByReader, func() *gguf.File {
			f := good()
			f.KV = append(f.KV, gguf.KV{Key: "general.architecture", Value: "bert"})
			return f
		}),
		file("key-empty", "a key without a name", ByReader, with("", true)),
	}
}

// tensors are files whose table of tensors lies.
func tensors() []Case {
	at := func(n uint64) *uint64 { return &n }
	return []Case{
		file("tensor-twice", "the same tensor twice", ByReader, more(gguf.Tensor{Name: "output_norm.weight", Dims: []uint64{64}})),
		file("tensor-unnamed", "a tensor without a name", ByReader, more(gguf.Tensor{Dims: []uint64{64}})),
		file("tensor-long-name", "a tensor whose name has 64 bytes", ByReader, more(gguf.Tensor{Name: strings.Repeat("n", 64), Dims: []uint64{1}})),
		file("overlap", "two tensors in the same place", ByReader, more(gguf.Tensor{Name: "x", Dims: []uint64{64}, Offset: at(0)})),
		file("gap", "a gap between two tensors", ByReader, more(gguf.Tensor{Name: "x", Dims: []uint64{64}, Offset: at(1 << 30)})),
		file("offset-2e64", "a tensor at 2^64-32", ByReader, more(gguf.Tensor{Name: "x", Dims: []uint64{64}, Offset: at(math.MaxUint64 - 31)})),
		file("dims-0", "a dimension of 0", ByReader, more(gguf.Tensor{Name: "x", Dims: []uint64{64, 0}})),
		file("dims-none", "no dimension", ByReader, more(gguf.Tensor{Name: "x", Dims: nil})),
		file("dims-5", "five dimensions", ByReader, more(gguf.Tensor{Name: "x", Dims: []uint64{1, 1, 1, 1, 1}})),
		file("dims-wrap", "dimensions whose product wraps to 4", ByReader, more(gguf.Tensor{Name: "x", Dims: []uint64{1<<62 + 1, 4}})),
		file("type-removed", "a tensor type that was removed", ByReader, more(gguf.Tensor{Name: "x", Dims: []uint64{32}, Type: 4})),
		file("type-1000", "a tensor type that never was", ByReader, more(gguf.Tensor{Name: "x", Dims: []uint64{32}, Type: 1000})),
		file("half-a-block", "rows of 31 numbers in blocks of 32", ByReader, more(gguf.Tensor{Name: "x", Dims: []uint64{31}, Type: gguf.Q4_0})),
		file("alignment-0", "alignment 0", ByReader, with("general.alignment", uint32(0))),
		file("alignment-24", "alignment 24", ByReader, with("general.alignment", uint32(24))),
		file("alignment-2e31", "alignment 2^31", ByReader, with("general.alignment", uint32(1<<31))),
	}
}

// keys are files whose keys say what no model is.
func keys() []Case {
	return []Case{
		file("architecture-unknown", "an architecture that nobody knows", ByReader, with("general.architecture", "perceptron")),
		file("architecture-none", "no architecture", ByReader, with("general.architecture", nil)),
		file("architecture-path", "an architecture that is a path", ByReader, with("general.architecture", "../../../etc/passwd")),
		file("architecture-number", "an architecture that is a number", ByReader, with("general.architecture", uint32(7))),
		file("projector", "a projector for pictures", ByReader, with("general.architecture", "clip")),
		file("vocoder", "a model that makes sound", ByReader, with("general.architecture", "wavtokenizer-dec")),
		file("adapter", "an adapter (LoRA)", ByReader, with("general.type", "adapter")),
		file("pooling-77", "a way to make vectors that nobody knows", ByReader, bert("bert.pooling_type", uint32(77))),
		file("vectors-96", "vectors of 96 numbers, by its word, of layers of 64", ByReader, bert("bert.embedding_length_out", uint32(96))),
		file("reranker", "a reranker", ByReader, with("llama.pooling_type", uint32(4))),
		file("part-of-3", "one file of three", ByReader, with("split.count", uint16(3))),
		file("layers-none", "no number of layers", ByReader, with("llama.block_count", nil)),
		file("layers-0", "0 layers", ByReader, with("llama.block_count", uint32(0))),
		file("layers-513", "513 layers", ByReader, with("llama.block_count", uint32(513))),
		file("layers-2e32", "2^32-1 layers", ByReader, with("llama.block_count", uint32(math.MaxUint32))),
		file("layers-text", "a number of layers in words", ByReader, with("llama.block_count", "two")),
		file("context-0", "a context of 0", ByReader, with("llama.context_length", uint32(0))),
		file("context-2e32", "a context of 2^32-1", ByReader, with("llama.context_length", uint32(math.MaxUint32))),
		file("width-2e32", "a width of 2^32-1", ByReader, with("llama.embedding_length", uint32(math.MaxUint32))),
		file("heads-65", "more heads than it is wide", ByReader, with("llama.attention.head_count", uint32(65))),
		file("heads-negative", "heads below zero", ByReader, with("llama.attention.head_count", []int32{4, -1})),
	}
}

// vocabularies are files whose tokens are wrong.
func vocabularies() []Case {
	const tokens = "tokenizer.ggml.tokens"
	return []Case{
		file("vocabulary-none", "no vocabulary", ByReader, with(tokens, nil)),
		file("vocabulary-numbers", "a vocabulary of numbers", ByReader, with(tokens, []uint32{1, 2, 3})),
		file("token-twice", "the same token twice, which aborts llama.cpp", ByReader, func() *gguf.File {
			f := good()
			all := tokensOf(f)
			all[len(all)-1] = all[len(all)-2]
			return f.Set(tokens, all)
		}),
		file("scores-short", "one score for all tokens", ByReader, with("tokenizer.ggml.scores", []float32{1})),
		file("kinds-of-bytes", "kinds of tokens in too few bytes", ByReader, with("tokenizer.ggml.token_type", make([]bool, 1<<16))),
		file("tokenizer-unknown", "a tokenizer that nobody knows", ByEngine, with("tokenizer.ggml.model", "dictionary")),
		file("tokenizer-none", "no tokenizer", ByEngine, with("tokenizer.ggml.model", nil)),
		file("merges-none", "a BPE tokenizer without merges", ByEngine, with("tokenizer.ggml.model", "gpt2")),
		file("bos-beyond", "a first token beyond the vocabulary", Answers, with("tokenizer.ggml.bos_token_id", uint32(1<<30))),
		file("eos-beyond", "a last token beyond the vocabulary", Answers, with("tokenizer.ggml.eos_token_id", uint32(math.MaxUint32))),
		file("tokens-control", "control tokens alone", Stuck, spelling()),
		file("token-brace", "a vocabulary that can say { and no more", Stuck, spelling("{")),
		file("token-no-brace", "a vocabulary that can say all but { and }", Stuck, func() *gguf.File {
			var all []string
			for _, t := range tokensOf(good()) {
				if !strings.ContainsAny(t, "{}") {
					all = append(all, t)
				}
			}
			return spelling(all...)()
		}),
		file("no-newline", "a vocabulary of three letters", ByEngine, func() *gguf.File {
			f := good()
			f.Set(tokens, []string{"a", "b", "c"}).Set("tokenizer.ggml.scores", []float32{0, 0, 0})
			return f.Set("tokenizer.ggml.token_type", []int32{1, 1, 1})
		}),
	}
}

// spelling is a good model in which only these tokens have a text, all others are
// control tokens.
func spelling(texts ...string) func() *gguf.File {
	return func() *gguf.File {
		const kinds, normal, control = "tokenizer.ggml.token_type", 1, 3
		f := good()
		var all []int32
		for _, t := range tokensOf(f) {
			if slices.Contains(texts, t) {
				all = append(all, normal)
			} else {
				all = append(all, control)
			}
		}
		return f.Set(kinds, all)
	}
}

// nuls are files with a zero byte in a text. The engine reads texts up to there,
// so that it would see another key, tensor or template than the reader.
func nuls() []Case {
	first := func(key string, v any, f func() *gguf.File) func() *gguf.File {
		return func() *gguf.File {
			out := f()
			out.KV = append([]gguf.KV{{Key: key, Value: v}}, out.KV...)
			return out
		}
	}
	return []Case{
		file("nul-context", "a context for the reader and another for the engine", ByReader, first("llama.context_length\x00x", uint32(4096), with("llama.context_length", uint32(16)))),
		file("nul-type", "an adapter behind a zero byte", ByReader, first("general.type\x00", "adapter", good)),
		file("nul-pooling", "a reranker behind a zero byte", ByReader, first("bert.pooling_type\x00x", uint32(4), func() *gguf.File { return gguf.Embedding(1) })),
		file("nul-architecture", "an architecture with a zero byte", ByReader, with("general.architecture", "llama\x00")),
		file("nul-template", "a template for the reader and another for the engine", ByReader, with("tokenizer.chat_template", "{{ messages }}\x00{% for m in messages %}{{ m['content'] }}{% endfor %}")),
		file("nul-late", "a zero byte far behind in a template", ByReader, with("tokenizer.chat_template", strings.Repeat("x", 200<<10)+"\x00")),
		file("nul-tensor", "a tensor's name with a zero byte", ByReader, more(gguf.Tensor{Name: "output_norm.weight\x00", Dims: []uint64{64}})),
		file("nul-token", "two tokens that are one up to a zero byte", ByReader, func() *gguf.File {
			f := good()
			all := tokensOf(f)
			all[400] = all[401] + "\x00x"
			return f.Set("tokenizer.ggml.tokens", all)
		}),
		file("nul-token-empty", "a token that is empty up to a zero byte", Answers, func() *gguf.File {
			f := good()
			all := tokensOf(f)
			all[400] = "\x00x"
			return f.Set("tokenizer.ggml.tokens", all)
		}),
	}
}

func tokensOf(f *gguf.File) []string {
	for _, kv := range f.KV {
		if kv.Key == "tokenizer.ggml.tokens" {
			return append([]string(nil), kv.Value.([]string)...)
		}
	}
	panic("BUG: a model without tokens")
}
