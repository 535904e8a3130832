package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	kit "github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

func write(t testing.TB, f *kit.File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(b []byte) (*modelv1.Facts, error) { return Read(bytes.NewReader(b), uint64(len(b))) }

// refusedWith fails unless err is a refusal whose reason holds words.
func refusedWith(t *testing.T, what string, err error, words string) {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != errs.ModelRefused || !strings.Contains(e.Detail, words) {
		t.Errorf("%s: %v, want a refusal with %q", what, err, words)
	}
}

func small() *kit.File { return kit.Llama(kit.Small(1)) }

func set(f *kit.File, key string, v any) *kit.File { return f.Set(key, v) }

func TestFacts(t *testing.T) {
	f, err := read(write(t, set(set(small(), "general.license", "mit"), "general.name", "A small\x1b[31m one")))
	if err != nil {
		t.Fatal(err)
	}
	if f.Role != modelv1.Role_ROLE_CHAT || f.Architecture != "llama" || f.Context != 2048 || f.Dimension != 64 || f.Layers != 2 ||
		f.Heads != 4 || f.HeadsKv != 2 || f.Quantisation != "F32" || f.Licence != "mit" || f.Vocabulary == 0 || f.Weights != 4*f.Parameters {
		t.Errorf("%v", f)
	}
	f.Sha256 = make([]byte, 32)
	if err := f.Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		what string
		file *kit.File
		role modelv1.Role
	}{
		{"no template", kit.Llama(func() kit.Shape { s := kit.Small(1); s.Template = "-"; return s }()), modelv1.Role_ROLE_COMPLETION},
		{"BERT", kit.Embedding(1), modelv1.Role_ROLE_EMBEDDING},
		{"pooling beside a template", set(small(), "llama.pooling_type", uint32(3)), modelv1.Role_ROLE_EMBEDDING},
		{"no pooling", set(small(), "llama.pooling_type", uint32(0)), modelv1.Role_ROLE_CHAT},
	} {
		if f, err := read(write(t, c.file)); err != nil || f.Role != c.role {
			t.Errorf("%s: %v, %v", c.what, f.GetRole(), err)
		}
	}
	s := kit.Small(1)
	s.Type = kit.Q4_0
	if f, err := read(write(t, kit.Llama(s))); err != nil || f.Quantisation != "Q4_0" {
		t.Errorf("%v, %v", f, err)
	}
	// A title is cut at a character, and to UTF-8.
	f, err = read(write(t, set(small(), "general.name", strings.Repeat("ü", 200)+"\xff")))
	if err != nil || len(f.Title) > limits.ModelTitle || strings.Trim(f.Title, "ü\uFFFD") != "" {
		t.Errorf("%q, %v", f.GetTitle(), err)
	}
	// One number for each layer: the largest counts.
	f, err = read(write(t, set(small(), "llama.attention.head_count_kv", []uint32{2, 4})))
	if err != nil || f.HeadsKv != 4 {
		t.Errorf("%v, %v", f, err)
	}
}

// raw builds a header by hand.
type raw struct {
	bytes.Buffer
	w *kit.Writer
}

func begun(version uint32, tensors, keys uint64) *raw {
	r := &raw{}
	r.w = kit.NewWriter(&r.Buffer)
	r.w.U32(kit.Magic)
	r.w.U32(version)
	r.w.U64(tensors)
	r.w.U64(keys)
	return r
}

func (r *raw) key(name string, t kit.Type) *raw {
	r.w.String(name)
	r.w.U32(uint32(t))
	return r
}

func (r *raw) tensor(name string, t uint32, offset uint64, dims ...uint64) *raw {
	r.w.String(name)
	r.w.U32(uint32(len(dims)))
	for _, d := range dims {
		r.w.U64(d)
	}
	r.w.U32(t)
	r.w.U64(offset)
	return r
}

func TestEachCapAtItsLimitAndOnePast(t *testing.T) {
	tensors := func(n int) *kit.File {
		f := small()
		for i := len(f.Tensors); i < n; i++ {
			f.Tensors = append(f.Tensors, kit.Tensor{Name: fmt.Sprint("t", i), Dims: []uint64{1}, Type: kit.F32})
		}
		return f
	}
	keys := func(n int) *kit.File {
		f := small()
		for i := len(f.KV); i < n; i++ {
			f.KV = append(f.KV, kit.KV{Key: fmt.Sprint("k", i), Value: uint32(i)})
		}
		return f
	}
	vocabulary := func(n int) *kit.File {
		tokens := make([]string, n)
		for i := range tokens {
			tokens[i] = fmt.Sprint("t", i)
		}
		f := set(small(), tokensKey, tokens)
		return set(set(f, "tokenizer.ggml.scores", nil), "tokenizer.ggml.token_type", nil)
	}
	extra := func(t kit.Tensor) *kit.File {
		f := small()
		f.Tensors = append(f.Tensors, t)
		return f
	}
	dims := func(n uint32) *kit.File {
		t := kit.Tensor{Name: "x", Type: kit.F32}
		for range n {
			t.Dims = append(t.Dims, 1)
		}
		return extra(t)
	}
	aligned := func(n uint32) *kit.File {
		f := set(small(), "general.alignment", n)
		f.Alignment = uint64(n)
		return f
	}
	for _, c := range []struct {
		what     string
		at, past *kit.File
		words    string
	}{
		{"keys", keys(limits.ModelKeys), keys(limits.ModelKeys + 1), "keys"},
		{"tensors", tensors(limits.ModelTensors), tensors(limits.ModelTensors + 1), "tensors"},
		{"a key's name", set(small(), strings.Repeat("k", limits.ModelKeyName), true), set(small(), strings.Repeat("k", limits.ModelKeyName+1), true), "the name of key"},
		{"a string", set(small(), "x", strings.Repeat("s", limits.ModelString)), set(small(), "x", strings.Repeat("s", limits.ModelString+1)), "longer than"},
		{"the template", set(small(), templateKey, strings.Repeat("s", limits.ModelTemplate)), set(small(), templateKey, strings.Repeat("s", limits.ModelTemplate+1)), "longer than"},
		{"another template", set(small(), templateKey+".tool_use", strings.Repeat("s", limits.ModelTemplate)), set(small(), templateKey+".tool_use", strings.Repeat("s", limits.ModelTemplate+1)), "longer than"},
		{"elements", set(small(), "x", bytesOf(limits.ModelElements)), set(small(), "x", bytesOf(limits.ModelElements+1)), "elements"},
		{"tokens", vocabulary(limits.ModelVocabulary), vocabulary(limits.ModelVocabulary + 1), "vocabulary"},
		{"a tensor's name", extra(kit.Tensor{Name: strings.Repeat("n", limits.ModelTensorName), Dims: []uint64{1}}), extra(kit.Tensor{Name: strings.Repeat("n", limits.ModelTensorName+1), Dims: []uint64{1}}), "the name of tensor"},
		{"dimensions", dims(limits.ModelTensorDims), dims(limits.ModelTensorDims + 1), "dimensions"},
		{"alignment", aligned(limits.ModelAlignment), aligned(2 * limits.ModelAlignment), "general.alignment"},
		{"layers", set(small(), "llama.block_count", uint32(limits.ModelLayers)), set(small(), "llama.block_count", uint32(limits.ModelLayers+1)), "llama.block_count"},
		{"the least layers", set(small(), "llama.block_count", uint32(1)), set(small(), "llama.block_count", uint32(0)), "llama.block_count"},
		{"width", set(small(), "llama.embedding_length", uint32(limits.ModelWidth)), set(small(), "llama.embedding_length", uint32(limits.ModelWidth+1)), "llama.embedding_length"},
		{"context", set(small(), "llama.context_length", uint32(limits.ModelContext)), set(small(), "llama.context_length", uint32(limits.ModelContext+1)), "llama.context_length"},
		{"heads", set(small(), "llama.attention.head_count", uint32(64)), set(small(), "llama.attention.head_count", uint32(65)), "more heads"},
		{"architecture", set(small(), "general.architecture", "llama"), set(small(), "general.architecture", strings.Repeat("a", limits.ModelWord+1)), "architecture"},
		{"parts", set(small(), "split.count", uint16(1)), set(small(), "split.count", uint16(2)), "one part"},
	} {
		if _, err := read(write(t, c.at)); err != nil {
			t.Errorf("%s, at the limit: %v", c.what, err)
		}
		_, err := read(write(t, c.past))
		refusedWith(t, c.what, err, c.words)
	}
	// 256 MB of keys, each within its own limit: the file is not written to be read.
	_, err := Read(endless(), 1<<40)
	refusedWith(t, "the header", err, "header is longer")
}

// endless is a header that goes on and on: arrays of bytes, all zero.
func endless() io.ReaderAt {
	const elements = limits.ModelElements
	z := &sparse{}
	at := z.put(0, begun(3, 1, limits.ModelKeys).Bytes())
	for i := range limits.ModelHeader/elements + 1 {
		k := &raw{}
		k.w = kit.NewWriter(&k.Buffer)
		k.key(fmt.Sprint("k", i), kit.Array)
		k.w.U32(uint32(kit.Uint8))
		k.w.U64(elements)
		at = z.put(at, k.Bytes()) + elements
	}
	return z
}

// sparse is a file of zeros with pieces.
type sparse struct {
	at []int64
	b  [][]byte
}

func (s *sparse) put(at int64, b []byte) int64 {
	s.at, s.b = append(s.at, at), append(s.b, b)
	return at + int64(len(b))
}

func (s *sparse) ReadAt(b []byte, at int64) (int, error) {
	clear(b)
	for i, from := range s.at {
		switch {
		case from >= at && from < at+int64(len(b)):
			copy(b[from-at:], s.b[i])
		case from < at && at-from < int64(len(s.b[i])):
			copy(b, s.b[i][at-from:])
		}
	}
	return len(b), nil
}

func TestWhatIsWrongIsRefused(t *testing.T) {
	for _, c := range []struct {
		what, words string
		b           []byte
	}{
		{"an empty file", "empty", nil},
		{"one byte", "does not begin", []byte("G")},
		{"four bytes", "the version", []byte("GGUF")},
		{"version 1", "version 1", begun(1, 1, 1).Bytes()},
		{"version 4", "version 4", begun(4, 1, 1).Bytes()},
		{"version 0", "version 0", begun(0, 1, 1).Bytes()},
		{"big-endian", "big-endian", begun(3<<24, 1, 1).Bytes()},
		{"no tensors", "no tensors", begun(3, 0, 1).Bytes()},
		{"2^63 tensors", "tensors", begun(3, 1<<63, 1).Bytes()},
		{"2^64-1 keys", "keys", begun(3, 1, math.MaxUint64).Bytes()},
		{"a value of type 13", "a type that does not exist", begun(3, 1, 1).key("k", 13).Bytes()},
		{"a value of type 2^32-1", "a type that does not exist", begun(3, 1, 1).key("k", math.MaxUint32).Bytes()},
		{"an array of arrays", "array of arrays", array(kit.Array, 1)},
		{"elements of type 99", "a type that does not exist", array(99, 1)},
		{"2^63 elements", "elements", array(kit.Uint8, 1<<63)},
		{"2^64-1 strings", "elements", array(kit.String, math.MaxUint64)},
		{"more elements than bytes", "the file ends inside", array(kit.Float64, 1000)},
		{"an empty key", "has no name", begun(3, 1, 1).key("", kit.Bool).Bytes()},
	} {
		_, err := read(c.b)
		refusedWith(t, c.what, err, c.words)
	}
	extra := func(ts ...kit.Tensor) *kit.File {
		f := small()
		f.Tensors = append(f.Tensors, ts...)
		return f
	}
	offset := func(n uint64) *uint64 { return &n }
	for _, c := range []struct {
		what, words string
		f           *kit.File
	}{
		{"the same key twice", "the name of one before", &kit.File{KV: []kit.KV{{Key: "a", Value: true}, {Key: "a", Value: true}}, Tensors: small().Tensors}},
		{"the same tensor twice", "that of one before", extra(kit.Tensor{Name: "output_norm.weight", Dims: []uint64{1}})},
		{"a tensor without a name", "has no name", extra(kit.Tensor{Dims: []uint64{1}})},
		{"an empty dimension", "empty dimension", extra(kit.Tensor{Name: "x", Dims: []uint64{4, 0}})},
		{"no dimension", "dimensions", extra(kit.Tensor{Name: "x"})},
		{"a product of 2^64", "larger than any memory", extra(kit.Tensor{Name: "x", Dims: []uint64{1 << 32, 1 << 32}, Fill: func(io.Writer) error { return nil }})},
		{"a product that wraps to 4", "larger than any memory", extra(kit.Tensor{Name: "x", Dims: []uint64{1<<62 + 1, 4}})},
		{"overlapping tensors", "overlaps", extra(kit.Tensor{Name: "x", Dims: []uint64{8}, Offset: offset(0)})},
		{"a gap", "leaves a gap", extra(kit.Tensor{Name: "x", Dims: []uint64{8}, Offset: offset(1 << 40)})},
		{"an offset of 2^64-1", "leaves a gap", extra(kit.Tensor{Name: "x", Dims: []uint64{8}, Offset: offset(math.MaxUint64)})},
		{"rows that are no blocks", "multiple of its blocks", extra(kit.Tensor{Name: "x", Dims: []uint64{31}, Type: kit.Q4_0})},
		{"a removed type", "stored in a way", extra(kit.Tensor{Name: "x", Dims: []uint64{32}, Type: 4})},
		{"an unknown type", "stored in a way", extra(kit.Tensor{Name: "x", Dims: []uint64{32}, Type: 1000})},
		{"the same token twice", "same token twice", set(small(), tokensKey, []string{"a", "b", "a"})},
		{"a token that an empty one becomes", "same token twice", set(small(), tokensKey, []string{"a", "[EMPTY_2]", ""})},
		{"the same token twice, up to a zero byte", "same token twice", set(small(), tokensKey, []string{"a", "b", "a\x00x"})},
		{"a token that one of a zero byte becomes", "same token twice", set(small(), tokensKey, []string{"a", "[EMPTY_2]", "\x00x"})},
		{"a zero byte in a key's name", "the name of key 1 has a zero byte", &kit.File{KV: []kit.KV{{Key: "llama.context_length\x00", Value: uint32(16)}}, Tensors: small().Tensors}},
		{"a zero byte in the architecture", "has a zero byte", set(small(), "general.architecture", "llama\x00")},
		{"a zero byte far behind in a template", "has a zero byte", set(small(), templateKey, strings.Repeat("x", limits.ModelTemplate-1)+"\x00")},
		{"a zero byte in an element", "has a zero byte", set(small(), "tokenizer.ggml.merges", []string{"a b", "a\x00 b"})},
		{"a zero byte in a tensor's name", "has a zero byte", extra(kit.Tensor{Name: "output_norm.weight\x00", Dims: []uint64{1}})},
		{"an unknown pooling", "llama.pooling_type is 5", set(small(), "llama.pooling_type", uint32(5))},
		{"vectors wider than layers", "more numbers than its layers", set(kit.Embedding(1), "bert.embedding_length_out", uint32(65))},
		{"no vocabulary", "no vocabulary", set(small(), tokensKey, nil)},
		{"a vocabulary of numbers", "no vocabulary", set(small(), tokensKey, []uint32{1, 2})},
		{"fewer scores than tokens", "one number for each token", set(small(), "tokenizer.ggml.scores", []float32{1})},
		{"kinds of one byte", "one number for each token", set(small(), "tokenizer.ggml.token_type", make([]bool, 1<<16))},
		{"an unknown architecture", "is not known", set(small(), "general.architecture", "perceptron")},
		{"an architecture with a path", "is none", set(small(), "general.architecture", "../llama")},
		{"no architecture", "does not say", set(small(), "general.architecture", nil)},
		{"an architecture that is a number", "does not say", set(small(), "general.architecture", uint32(1))},
		{"a projector", "part of another", set(small(), "general.architecture", "clip")},
		{"a vocoder", "neither continues", set(small(), "general.architecture", "wavtokenizer-dec")},
		{"an adapter", "adapter", set(small(), "general.type", "adapter")},
		{"a reranker", "reranker", set(small(), "llama.pooling_type", uint32(4))},
		{"alignment 0", "power of two", set(small(), "general.alignment", uint32(0))},
		{"alignment 24", "power of two", set(small(), "general.alignment", uint32(24))},
		{"alignment of 64 bits", "32 bits", set(small(), "general.alignment", uint64(32))},
		{"layers as text", "32 bits", set(small(), "llama.block_count", "2")},
		{"layers below zero", "32 bits", set(small(), "llama.block_count", int32(-1))},
		{"no context", "is missing", set(small(), "llama.context_length", nil)},
		{"heads below zero", "no width", set(small(), "llama.attention.head_count", []int32{4, -1})},
		{"heads for one layer of two", "each layer", set(small(), "llama.attention.head_count", []uint32{4})},
	} {
		_, err := read(write(t, c.f))
		refusedWith(t, c.what, err, c.words)
	}
	whole := write(t, small())
	_, err := read(whole[:len(whole)-40])
	refusedWith(t, "a tensor past the end", err, "beyond the end")
}

// bytesOf is an array of so many bytes.
func bytesOf(n uint64) kit.Raw {
	b := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, uint32(kit.Uint8)), n)
	return kit.Raw{Type: kit.Array, Bytes: append(b, make([]byte, n)...)}
}

func array(of kit.Type, n uint64) []byte {
	r := begun(3, 1, 1).key("k", kit.Array)
	r.w.U32(uint32(of))
	r.w.U64(n)
	return r.Bytes()
}

func TestLooksLike(t *testing.T) {
	for begins, words := range map[string]string{
		"PK\x03\x04\x00\x00\x08\x08":             "zip",
		"\x80\x02}q\x00(X":                       "pickle",
		"\x80\x04\x95\x00\x00":                   "pickle",
		"\x40\x02\x00\x00\x00\x00\x00\x00{\"__m": "safetensors",
		"\x08\x07\x12\x07pytorch":                "ONNX",
		"lmgg\x00\x00":                           "before GGUF",
		"tjgg\x01\x00":                           "before GGUF",
		"\x89HDF\r\n\x1a\n":                      "HDF5",
		"\x1c\x00\x00\x00TFL3":                   "TensorFlow",
		"\x1f\x8b\x08\x00":                       "gzip",
		"<!DOCTYPE html>":                        "web page",
		"\n<html lang=en>":                       "web page",
		"{\"error\":\"Repository not found\"}":   "JSON",
		"version https://git-lfs.github.com/":    "Git LFS",
		"\x7fELF\x02\x01":                        "a program",
	} {
		_, err := read([]byte(begins))
		refusedWith(t, begins, err, words)
	}
	_, err := read([]byte("Once upon a time"))
	refusedWith(t, "text", err, "does not begin like GGUF")
}

// A file that ends anywhere in its header is refused, and says where it ends.
func TestTruncatedAnywhere(t *testing.T) {
	whole := write(t, tiny())
	if _, err := read(whole); err != nil {
		t.Fatal(err)
	}
	// Behind the last tensor is padding, which nobody needs.
	for n := range len(whole) - kit.Alignment {
		if _, err := read(whole[:n]); errs.CodeOf(err) != errs.ModelRefused {
			t.Fatalf("%d of %d bytes: %v", n, len(whole), err)
		}
		// A file that became shorter while it is read, too.
		if _, err := Read(bytes.NewReader(whole[:n]), uint64(len(whole))); n < len(whole)-256 && errs.CodeOf(err) != errs.ModelRefused {
			t.Fatalf("shortened to %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

// tiny has every form that a header has, and a header of below 2 KB.
func tiny() *kit.File {
	return &kit.File{
		KV: []kit.KV{
			{Key: "general.architecture", Value: "llama"}, {Key: "llama.block_count", Value: uint32(1)},
			{Key: "llama.embedding_length", Value: uint32(4)}, {Key: "llama.context_length", Value: uint32(8)},
			{Key: "a", Value: uint8(1)}, {Key: "b", Value: int16(-1)}, {Key: "c", Value: 1.5}, {Key: "d", Value: []uint64{1, 2}},
			{Key: "e", Value: []bool{true}}, {Key: "f", Value: []string{"x", ""}}, {Key: templateKey, Value: "{{ x }}"},
			{Key: tokensKey, Value: []string{"<s>", "</s>", "a"}},
			{Key: "tokenizer.ggml.scores", Value: []float32{0, 0, 0}}, {Key: "tokenizer.ggml.token_type", Value: []int32{3, 3, 1}},
		},
		Tensors: []kit.Tensor{{Name: "token_embd.weight", Dims: []uint64{4, 3}}, {Name: "output_norm.weight", Dims: []uint64{4}}},
	}
}

// Any eight bytes of a header may claim anything: it is refused or read, in
// memory that does not depend on the claim.
func TestAnyLengthAnywhere(t *testing.T) {
	whole := write(t, tiny())
	var before, after runtime.MemStats
	for _, claim := range []uint64{1 << 63, math.MaxUint64, 1 << 32, 1<<31 - 1, 1 << 24, 0} {
		for at := 4; at+8 <= len(whole); at++ {
			b := bytes.Clone(whole)
			binary.LittleEndian.PutUint64(b[at:], claim)
			runtime.ReadMemStats(&before)
			_, err := read(b)
			runtime.ReadMemStats(&after)
			if err != nil && errs.CodeOf(err) != errs.ModelRefused {
				t.Fatalf("%x at %d: %v", claim, at, err)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
				t.Fatalf("%x at %d took %d bytes", claim, at, took)
			}
		}
	}
}

// failing is a disk with an error.
type failing struct{ io.ReaderAt }

func (f failing) ReadAt(b []byte, at int64) (int, error) { return 0, errors.New("input/output error") }

func TestDiskError(t *testing.T) {
	_, err := Read(failing{}, 100)
	refusedWith(t, "a disk error", err, "cannot be read")
}

func FuzzRead(f *testing.F) {
	f.Add(write(f, tiny()))
	f.Add(write(f, kit.Embedding(1))[:4096])
	f.Add(begun(1, 1, 1).Bytes())
	f.Add(array(kit.String, 3))
	f.Add(begun(3, 1, 0).tensor("x", 2, 0, 32, 1).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		facts, err := read(b)
		if err != nil {
			if errs.CodeOf(err) != errs.ModelRefused {
				t.Fatal(err)
			}
			return
		}
		facts.Sha256 = make([]byte, 32)
		if err := facts.Validate(); err != nil {
			t.Fatal(err)
		}
		if facts.Weights > uint64(len(b)) {
			t.Fatalf("%d bytes of weights in %d", facts.Weights, len(b))
		}
	})
}
