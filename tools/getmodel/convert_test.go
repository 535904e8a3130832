package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	testgguf "github.com/bailey-run/bailey/internal/testkit/gguf"
)

const tinyConfig = `{"architectures":["BertModel"],"hidden_act":"gelu","position_embedding_type":"absolute",
"hidden_size":32,"intermediate_size":64,"max_position_embeddings":8,"num_attention_heads":2,"num_hidden_layers":1,
"type_vocab_size":2,"vocab_size":8,"layer_norm_eps":1e-12}`

const tinyWords = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n##s\n東\n"

// tinyShapes are the tensors of tinyConfig.
func tinyShapes() map[string][]uint64 {
	shapes := map[string][]uint64{
		"embeddings.word_embeddings.weight":       {8, 32},
		"embeddings.position_embeddings.weight":   {8, 32},
		"embeddings.token_type_embeddings.weight": {2, 32},
	}
	dense := func(name string, out, in uint64) {
		shapes[name+".weight"], shapes[name+".bias"] = []uint64{out, in}, []uint64{out}
	}
	norm := func(name string) {
		shapes[name+".weight"], shapes[name+".bias"] = []uint64{32}, []uint64{32}
	}
	norm("embeddings.LayerNorm")
	for _, s := range []string{"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"} {
		dense("encoder.layer.0."+s, 32, 32)
	}
	norm("encoder.layer.0.attention.output.LayerNorm")
	dense("encoder.layer.0.intermediate.dense", 64, 32)
	dense("encoder.layer.0.output.dense", 32, 64)
	norm("encoder.layer.0.output.LayerNorm")
	return shapes
}

// pack makes a safetensors file of random numbers, so that a tensor in the wrong
// place is seen.
func pack(shapes map[string][]uint64) []byte {
	header := map[string]any{"__metadata__": map[string]string{"format": "pt"}}
	var data []byte
	r := rand.New(rand.NewPCG(1, 2))
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		n := uint64(1)
		for _, d := range shapes[name] {
			n *= d
		}
		from := len(data)
		for range n {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(r.Float32()-0.5))
		}
		header[name] = safetensor{"F32", shapes[name], [2]uint64{uint64(from), uint64(len(data))}}
	}
	h, err := json.Marshal(header)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(h))), h...), data...)
}

func tiny(t *testing.T) (*gguf, []byte) {
	t.Helper()
	g, err := convertBERT([]byte(tinyConfig), []byte(tinyWords), pack(tinyShapes()), about{"tiny", "nobody", "1K", "cc0-1.0"})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := g.write(&b); err != nil {
		t.Fatal(err)
	}
	return g, b.Bytes()
}

// The same model by the writer of testkit is the same file.
func TestTwoWriters(t *testing.T) {
	g, got := tiny(t)
	kinds := []int32{3, 3, 3, 3, 3, 1, 1, 1}
	f := &testgguf.File{KV: []testgguf.KV{
		{Key: "general.architecture", Value: "bert"}, {Key: "general.type", Value: "model"}, {Key: "general.name", Value: "tiny"},
		{Key: "general.organization", Value: "nobody"}, {Key: "general.size_label", Value: "1K"}, {Key: "general.license", Value: "cc0-1.0"},
		{Key: "general.tags", Value: []string{"sentence-similarity", "feature-extraction"}}, {Key: "general.languages", Value: []string{"en"}},
		{Key: "general.file_type", Value: uint32(7)}, {Key: "general.quantization_version", Value: uint32(2)},
		{Key: "bert.block_count", Value: uint32(1)}, {Key: "bert.context_length", Value: uint32(8)}, {Key: "bert.embedding_length", Value: uint32(32)},
		{Key: "bert.feed_forward_length", Value: uint32(64)}, {Key: "bert.attention.head_count", Value: uint32(2)},
		{Key: "bert.attention.layer_norm_epsilon", Value: float32(1e-12)}, {Key: "bert.attention.causal", Value: false}, {Key: "bert.pooling_type", Value: uint32(1)},
		{Key: "tokenizer.ggml.model", Value: "bert"}, {Key: "tokenizer.ggml.pre", Value: "default"}, {Key: "tokenizer.ggml.token_type_count", Value: uint32(2)},
		{Key: "tokenizer.ggml.tokens", Value: []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\u2581hello", "s", "\u2581東"}},
		{Key: "tokenizer.ggml.token_type", Value: kinds},
		{Key: "tokenizer.ggml.bos_token_id", Value: uint32(2)}, {Key: "tokenizer.ggml.seperator_token_id", Value: uint32(3)},
		{Key: "tokenizer.ggml.unknown_token_id", Value: uint32(1)}, {Key: "tokenizer.ggml.padding_token_id", Value: uint32(0)}, {Key: "tokenizer.ggml.mask_token_id", Value: uint32(4)},
		{Key: "tokenizer.ggml.cls_token_id", Value: uint32(2)},
		{Key: "tokenizer.ggml.add_bos_token", Value: true}, {Key: "tokenizer.ggml.add_eos_token", Value: false}, {Key: "tokenizer.ggml.add_sep_token", Value: true},
		{Key: "tokenizer.ggml.normalizer.lowercase", Value: true}, {Key: "tokenizer.ggml.normalizer.strip_accents", Value: true},
	}}
	for _, x := range g.tensors {
		f.Tensors = append(f.Tensors, testgguf.Tensor{Name: x.name, Dims: x.dims, Type: testgguf.TensorType(x.kind), Fill: func(w io.Writer) error { _, err := w.Write(x.data); return err }})
	}
	var want bytes.Buffer
	if err := f.Write(&want); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%d bytes, the other writer %d", len(got), want.Len())
	}
}

// Every tensor of the model is there once, with its numbers.
func TestTensors(t *testing.T) {
	g, _ := tiny(t)
	s, err := parseSafetensors(pack(tinyShapes()))
	if err != nil {
		t.Fatal(err)
	}
	if len(g.tensors) != len(tinyShapes()) {
		t.Errorf("%d tensors of %d", len(g.tensors), len(tinyShapes()))
	}
	for name, from := range map[string]string{
		"token_embd.weight":             "embeddings.word_embeddings.weight",
		"position_embd.weight":          "embeddings.position_embeddings.weight",
		"blk.0.attn_k.weight":           "encoder.layer.0.attention.self.key.weight",
		"blk.0.attn_output.bias":        "encoder.layer.0.attention.output.dense.bias",
		"blk.0.attn_output_norm.weight": "encoder.layer.0.attention.output.LayerNorm.weight",
		"blk.0.ffn_up.weight":           "encoder.layer.0.intermediate.dense.weight",
		"blk.0.ffn_down.weight":         "encoder.layer.0.output.dense.weight",
		"blk.0.layer_output_norm.bias":  "encoder.layer.0.output.LayerNorm.bias",
	} {
		shape := tinyShapes()[from]
		want, err := s.floats(from, shape...)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, x := range g.tensors {
			if x.name != name {
				continue
			}
			found = true
			if x.dims[0] != shape[len(shape)-1] {
				t.Errorf("%s has dimensions %v of %v", name, x.dims, shape)
			}
			if x.kind == tensorF32 && !bytes.Equal(x.data, want) {
				t.Errorf("%s has other numbers", name)
			}
			if x.kind == tensorQ80 {
				near(t, name, x.data, want)
			}
		}
		if !found {
			t.Errorf("no %s", name)
		}
	}
}

// near wants each number within half a step, and the scale's own rounding, of
// what it was.
func near(t *testing.T, name string, q, f32 []byte) {
	t.Helper()
	if len(q)/q80Bytes != len(f32)/4/q80Values || len(q)%q80Bytes != 0 {
		t.Fatalf("%s: %d bytes for %d numbers", name, len(q), len(f32)/4)
	}
	for i := range len(f32) / 4 {
		block := q[i/q80Values*q80Bytes:]
		scale := float64(unhalf(binary.LittleEndian.Uint16(block)))
		got := scale * float64(int8(block[2+i%q80Values]))
		want := float64(math.Float32frombits(binary.LittleEndian.Uint32(f32[4*i:])))
		if math.Abs(got-want) > scale*0.57 {
			t.Fatalf("%s: number %d is %v, was %v (scale %v)", name, i, got, want, scale)
		}
	}
}

// unhalf is binary16 as IEEE 754 defines it.
func unhalf(h uint16) float32 {
	exp, frac := int(h>>10&31), float64(h&1023)
	v := math.Ldexp(1024+frac, exp-25)
	if exp == 0 {
		v = math.Ldexp(frac, -24)
	}
	if exp == 31 {
		v = math.Inf(1)
		if frac != 0 {
			v = math.NaN()
		}
	}
	if h>>15 == 1 {
		v = -v
	}
	return float32(v)
}

func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		if f := unhalf(uint16(h)); f == f && half(f) != uint16(h) {
			t.Fatalf("%#x is %v and comes back as %#x", h, f, half(f))
		}
	}
	// Between two neighbours the nearer one, on a tie the even one.
	for h := range uint16(0x7bff) {
		a, b := unhalf(h), unhalf(h+1)
		mid := a + (b-a)/2
		for f, want := range map[float32]uint16{mid: h + h&1, math.Nextafter32(mid, 0): h, math.Nextafter32(mid, 1e9): h + 1} {
			if got := half(f); got != want {
				t.Fatalf("%v between %#x and %#x became %#x", f, h, h+1, got)
			}
		}
	}
	if half(65520) != 0x7c00 || half(-1e9) != 0xfc00 || half(1e-30) != 0 || half(float32(math.NaN()))&0x3ff == 0 {
		t.Error("what does not fit")
	}
}

func TestQuantisesZeros(t *testing.T) {
	if got := q80(make([]byte, 4*q80Values)); !bytes.Equal(got, make([]byte, q80Bytes)) {
		t.Errorf("%x", got)
	}
}

// What is not the model that is expected is refused, and says what is wrong.
func TestRefuses(t *testing.T) {
	good := pack(tinyShapes())
	without := tinyShapes()
	delete(without, "encoder.layer.0.output.dense.bias")
	turned := tinyShapes()
	turned["encoder.layer.0.output.dense.weight"] = []uint64{64, 32}
	long := func(b []byte) []byte { return append(binary.LittleEndian.AppendUint64(nil, 1<<40), b[8:]...) }
	for _, c := range []struct {
		name, config, words string
		weights             []byte
		says                string
	}{
		{"nothing", tinyConfig, tinyWords, nil, "0 bytes"},
		{"long header", tinyConfig, tinyWords, long(good), "header of"},
		{"cut", tinyConfig, tinyWords, good[:len(good)-4], "lies at"},
		{"no JSON", tinyConfig, tinyWords, append([]byte{2, 0, 0, 0, 0, 0, 0, 0}, "[["...), "safetensors: "},
		{"a tensor missing", tinyConfig, tinyWords, pack(without), "no tensor encoder.layer.0.output.dense.bias"},
		{"a tensor turned", tinyConfig, tinyWords, pack(turned), "not F32 [32 64]"},
		{"words missing", tinyConfig, "[PAD]\n", good, "1 tokens"},
		{"no separator", tinyConfig, strings.Replace(tinyWords, "[SEP]", "sep", 1), good, "no seperator"},
		{"another architecture", strings.Replace(tinyConfig, "BertModel", "LlamaModel", 1), tinyWords, good, "not the BERT"},
		{"another activation", strings.Replace(tinyConfig, `"gelu"`, `"relu"`, 1), tinyWords, good, "not the BERT"},
		{"widths", strings.Replace(tinyConfig, `"hidden_size":32`, `"hidden_size":33`, 1), tinyWords, good, "do not divide"},
		{"config", "{", tinyWords, good, "config.json"},
	} {
		_, err := convertBERT([]byte(c.config), []byte(c.words), c.weights, about{})
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzSafetensors(f *testing.F) {
	f.Add(pack(tinyShapes()))
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseSafetensors(b)
		if err != nil {
			return
		}
		for name, e := range s.entries {
			if got, err := s.floats(name, e.Shape...); err == nil && len(got)%4 != 0 {
				t.Fatalf("%s has %d bytes", name, len(got))
			}
		}
	})
}
