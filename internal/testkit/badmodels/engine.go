package badmodels

import (
	"encoding/binary"
	"io"
	"math"
	"strings"

	"github.com/bailey-run/bailey/internal/testkit/gguf"
)

// shapes are files that a reader of headers cannot tell from good ones: what is
// wrong shows when the engine puts them together, or computes.
func shapes() []Case {
	without := func(name string) func() *gguf.File {
		return func() *gguf.File {
			f := good()
			var keep []gguf.Tensor
			for _, t := range f.Tensors {
				if t.Name != name {
					keep = append(keep, t)
				}
			}
			f.Tensors = keep
			return f
		}
	}
	reshaped := func(name string, dims ...uint64) func() *gguf.File {
		return func() *gguf.File {
			f := good()
			for i, t := range f.Tensors {
				if t.Name == name {
					f.Tensors[i] = gguf.Tensor{Name: name, Dims: dims}
				}
			}
			return f
		}
	}
	filled := func(name string, v float32) func() *gguf.File {
		return func() *gguf.File {
			f := good()
			for i, t := range f.Tensors {
				if t.Name == name {
					f.Tensors[i].Fill = func(w io.Writer) error { return repeat(w, t.Size()/4, v) }
				}
			}
			return f
		}
	}
	return []Case{
		file("norm-missing", "its last norm is missing", ByEngine, without("output_norm.weight")),
		file("layer-missing", "a tensor of its second layer is missing", ByEngine, without("blk.1.attn_q.weight")),
		file("layers-3-of-2", "three layers by its header, two in the file", ByEngine, with("llama.block_count", uint32(3))),
		file("layers-1-of-2", "one layer by its header, two in the file", ByEngine, with("llama.block_count", uint32(1))),
		file("tensor-reshaped", "a tensor of another shape", ByEngine, reshaped("blk.0.attn_q.weight", 64, 32)),
		file("output-narrow", "an output for half of the vocabulary", ByEngine, reshaped("output.weight", 64, 100)),
		file("tensor-surplus", "a tensor that belongs to nothing", ByEngine, more(gguf.Tensor{Name: "backdoor.weight", Dims: []uint64{64}})),
		file("width-32", "half of its width by its header", ByEngine, with("llama.embedding_length", uint32(32))),
		file("epsilon-missing", "no epsilon of its norms", ByEngine, with("llama.attention.layer_norm_rms_epsilon", nil)),
		file("bert-of-llama", "a llama that says it is a BERT", ByReader, with("general.architecture", "bert")),
		file("heads-3", "64 numbers in 3 heads", ByEngine, with("llama.attention.head_count", uint32(3))),
		file("heads-0", "no heads", ByEngine, with("llama.attention.head_count", uint32(0))),
		file("heads-kv-3", "4 heads over 3 of keys", ByEngine, with("llama.attention.head_count_kv", uint32(3))),
		file("heads-kv-0", "no heads of keys", ByEngine, with("llama.attention.head_count_kv", uint32(0))),
		file("key-length-1", "keys of one number", ByEngine, with("llama.attention.key_length", uint32(1))),
		file("rope-odd", "positions turned in 15 of 16 numbers", ByEngine, with("llama.rope.dimension_count", uint32(15))),
		file("rope-nonsense", "a way to scale positions that nobody knows", Ends, with("llama.rope.scaling.type", "nonsense")),
		file("experts-2000", "2,000 experts", Ends, with("llama.expert_count", uint32(2000))),
		file("experts-used", "experts in use, and none there", Ends, with("llama.expert_used_count", uint32(4))),
		file("experts-8", "eight experts by its header, none in the file", ByEngine, func() *gguf.File {
			return with("llama.expert_count", uint32(8))().Set("llama.expert_used_count", uint32(2))
		}),
		file("nan-weights", "weights that are not numbers", ByEngine, filled("blk.0.attn_q.weight", float32(math.NaN()))),
		file("nan-output", "an output of what is not numbers", ByEngine, filled("output.weight", float32(math.NaN()))),
		file("huge-weights", "weights of 3·10^38", ByEngine, filled("output.weight", 3e38)),
		file("infinite-weights", "infinite weights", ByEngine, filled("output.weight", float32(math.Inf(1)))),
		file("epsilon-nan", "an epsilon that is not a number", Ends, with("llama.attention.layer_norm_rms_epsilon", float32(math.NaN()))),
		file("bert-positions", "a BERT with positions for half of its context", ByEngine, bert("bert.context_length", uint32(512))),
		file("bert-cls-beyond", "a BERT whose first token is beyond its vocabulary", Answers, bert("tokenizer.ggml.cls_token_id", uint32(1<<30))),
		file("bert-no-special", "a BERT without its special tokens", Answers, func() *gguf.File {
			f := gguf.Embedding(1)
			for _, k := range []string{"padding", "unknown", "bos", "cls", "seperator", "mask"} {
				f.Set("tokenizer.ggml."+k+"_token_id", nil)
			}
			return f
		}),
		file("bert-heads-7", "a BERT of 64 numbers in 7 heads", ByEngine, bert("bert.attention.head_count", uint32(7))),
		file("merges-garbage", "a BPE tokenizer whose merges are no pairs", Answers, func() *gguf.File {
			return good().Set("tokenizer.ggml.model", "gpt2").Set("tokenizer.ggml.merges", []string{"", "x", " ", "a b c"})
		}),
		file("merges-beyond", "a BPE tokenizer whose merges make what is no token", Answers, func() *gguf.File {
			return good().Set("tokenizer.ggml.model", "gpt2").Set("tokenizer.ggml.merges", []string{"qq zz", "a b"})
		}),
		file("context-2e30", "a context of 2^30, by its own word", Answers, with("llama.context_length", uint32(1<<30))),
	}
}

// bert is a good embedding model with another value of one key.
func bert(key string, v any) func() *gguf.File {
	return func() *gguf.File { return gguf.Embedding(1).Set(key, v) }
}

func repeat(w io.Writer, n uint64, v float32) error {
	b := binary.LittleEndian.AppendUint32(nil, math.Float32bits(v))
	_, err := w.Write([]byte(strings.Repeat(string(b), int(n))))
	return err
}

// templates are models that are in order, with a chat template that is not. None
// of them may say a word in a conversation.
func templates() []Case {
	t := func(name, what, template string) Case {
		return file("template-"+name, what, Template, with("tokenizer.chat_template", template))
	}
	return []Case{
		t("endless", "a template that loops 10^9 times", `{% for i in range(1000000000) %}x{% endfor %}`),
		t("nested", "loops in loops in loops", strings.Repeat(`{% for i in range(100000) %}`, 8)+"x"+strings.Repeat(`{% endfor %}`, 8)),
		t("doubling", "a string that is doubled 60 times", `{% set ns = namespace(s='x') %}{% for i in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}`),
		t("recursion", "a macro that calls itself", `{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}`),
		t("include", "a template that includes a file", `{% include '/etc/passwd' %}`),
		t("import", "a template that imports a file", `{% import '/etc/passwd' as p %}{{ p }}`),
		t("attributes", "a template that looks for Python's insides", `{{ ''.__class__.__mro__[1].__subclasses__() }}`),
		t("syntax", "a template that does not parse", `{% for message in messages %}{{ message['content'] `),
		t("filter", "a filter that does not exist", `{{ messages | launch_missiles }}`),
		t("raises", "a template that refuses every conversation", `{{ raise_exception('no') }}`),
		t("deep", "20,000 parentheses", "{{ "+strings.Repeat("(", 20000)+"1"+strings.Repeat(")", 20000)+" }}"),
		t("huge-number", "a string of 10^12 characters", `{{ 'x' * 1000000000000 }}`),
		file("template-too-long", "a template of 256 KiB and one byte", ByReader, with("tokenizer.chat_template", strings.Repeat("x", 256<<10+1))),
	}
}
