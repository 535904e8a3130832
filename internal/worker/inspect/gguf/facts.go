package gguf

import (
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// The pooling types of llama.cpp that matter here.
const (
	poolingNone = 0
	poolingRank = 4
)

// facts checks what the keys say and returns it.
func (h *header) facts() (*modelv1.Facts, error) {
	f := &modelv1.Facts{Weights: h.weights, Parameters: h.parameters, Quantisation: h.quantisation}
	arch, err := h.architecture()
	if err != nil {
		return nil, err
	}
	f.Architecture = arch
	if parts, ok := h.values["split.count"]; ok && parts.number > 1 {
		return nil, refused("it is one part of a model of %d files; put them together with llama-gguf-split --merge", parts.number)
	}
	for _, n := range []struct {
		key       string
		to        *uint32
		least     uint32
		most      uint64
		mandatory bool
	}{
		{"block_count", &f.Layers, 1, limits.ModelLayers, true},
		{"embedding_length", &f.Dimension, 1, limits.ModelWidth, true},
		{"context_length", &f.Context, 1, limits.ModelContext, true},
		{"attention.key_length", &f.KeyLength, 0, limits.ModelWidth, false},
		{"attention.value_length", &f.ValueLength, 0, limits.ModelWidth, false},
	} {
		key := arch + "." + n.key
		v, present, err := h.u32(key, n.most)
		switch {
		case err != nil:
			return nil, err
		case !present && n.mandatory:
			return nil, refused("%s is missing", key)
		case v < n.least:
			return nil, refused("%s is 0", key)
		}
		*n.to = v
	}
	if err := h.heads(f); err != nil {
		return nil, err
	}
	if f.Vocabulary, err = h.tokens(); err != nil {
		return nil, err
	}
	if f.Role, err = h.role(arch); err != nil {
		return nil, err
	}
	if f.Role == modelv1.Role_ROLE_EMBEDDING {
		out, present, err := h.u32(arch+".embedding_length_out", limits.ModelWidth)
		if err != nil {
			return nil, err
		}
		if out > f.Dimension {
			return nil, refused("its vectors have more numbers than its layers")
		}
		if present && out > 0 {
			f.Dimension = out
		}
	}
	f.Title = h.title("general.name")
	if f.Licence = h.title("general.license"); f.Licence == "" {
		f.Licence = h.title("general.license.name")
	}
	return f, nil
}

func (h *header) architecture() (string, error) {
	if t := h.values["general.type"]; t.kind == kindString && t.text != "" && t.text != "model" {
		return "", refused("it is not a model but %s", fileType(t.text))
	}
	v, ok := h.values["general.architecture"]
	if !ok || v.kind != kindString || v.length == 0 {
		return "", refused("it does not say its architecture")
	}
	if v.length > limits.ModelWord || strings.Trim(v.text, "abcdefghijklmnopqrstuvwxyz0123456789_.-") != "" {
		return "", refused("the name of its architecture is none")
	}
	switch architectures()[v.text] {
	case text, vectors:
		return v.text, nil
	case part:
		return "", refused("its architecture, %s, is a part of another model", v.text)
	case other:
		return "", refused("its architecture, %s, neither continues text nor makes vectors of it", v.text)
	}
	return "", refused("its architecture, %s, is not known to this engine", v.text)
}

// fileType names a file that belongs to a model.
func fileType(s string) string {
	switch s {
	case "adapter":
		return "an adapter (LoRA), which goes on top of one"
	case "mmproj":
		return "a projector for pictures or sound, which goes beside one"
	case "imatrix":
		return "a matrix that was made to quantise one"
	case "vocab":
		return "a vocabulary"
	}
	return "something else, by its own words"
}

func (h *header) heads(f *modelv1.Facts) error {
	heads, _, err := h.perLayer(f.Architecture+".attention.head_count", f.Layers)
	if err != nil {
		return err
	}
	kv, present, err := h.perLayer(f.Architecture+".attention.head_count_kv", f.Layers)
	if err != nil {
		return err
	}
	if !present {
		kv = heads
	}
	if heads > f.Dimension && f.KeyLength == 0 {
		return refused("it has more heads than its layers are wide")
	}
	f.Heads, f.HeadsKv = heads, kv
	return nil
}

// tokens checks the vocabulary and the arrays that llama.cpp reads beside it by
// its length, and returns that.
func (h *header) tokens() (uint32, error) {
	v, ok := h.values[tokensKey]
	if !ok || v.kind != kindArray || v.of != kindString || v.length == 0 {
		return 0, refused("it has no vocabulary")
	}
	for key, of := range map[string][2]kind{
		"tokenizer.ggml.scores":     {kindF32, kindI32},
		"tokenizer.ggml.token_type": {kindI32, kindU32},
	} {
		beside, ok := h.values[key]
		if !ok {
			continue
		}
		if beside.kind != kindArray || beside.of != of[0] && beside.of != of[1] || beside.length < v.length {
			return 0, refused("%s has not one number for each token", key)
		}
	}
	return uint32(v.length), nil
}

// role: what makes vectors by its architecture or its pooling does so even where
// a template is left from the model that it was made of.
func (h *header) role(arch string) (modelv1.Role, error) {
	pooling, present, err := h.u32(arch+".pooling_type", limits.ModelWidth)
	if err != nil {
		return 0, err
	}
	if present && pooling == poolingRank {
		return 0, refused("it ranks pairs of texts (a reranker), which this release has no use for")
	}
	if present && pooling > poolingRank {
		return 0, refused("%s.pooling_type is %d, which no engine knows", arch, pooling)
	}
	if architectures()[arch] == vectors || present && pooling != poolingNone {
		return modelv1.Role_ROLE_EMBEDDING, nil
	}
	if t := h.values[templateKey]; t.kind == kindString && t.length > 0 {
		return modelv1.Role_ROLE_CHAT, nil
	}
	return modelv1.Role_ROLE_COMPLETION, nil
}

// title returns a text for people, cut to what the schema takes, at a character.
func (h *header) title(key string) string {
	v := h.values[key]
	if v.kind != kindString {
		return ""
	}
	s := strings.ToValidUTF8(v.text, "\uFFFD")
	for len(s) > limits.ModelTitle {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}
