package main

import (
	"encoding/json"
	"fmt"
	"strings"
)

// bertConfig is what is used of a BERT model's config.json; all else that the
// file says must be what BERT has.
type bertConfig struct {
	Architectures []string `json:"architectures"`
	Activation    string   `json:"hidden_act"`
	Positions     string   `json:"position_embedding_type"`
	Hidden        uint64   `json:"hidden_size"`
	Inner         uint64   `json:"intermediate_size"`
	Context       uint64   `json:"max_position_embeddings"`
	Heads         uint64   `json:"num_attention_heads"`
	Layers        uint64   `json:"num_hidden_layers"`
	Types         uint64   `json:"type_vocab_size"`
	Vocabulary    uint64   `json:"vocab_size"`
	Epsilon       float32  `json:"layer_norm_eps"`
}

// about is what the file says of itself.
type about struct{ name, organisation, size, licence string }

// Values of llama.cpp's enumerations.
const (
	fileMostlyQ80 = 7
	poolingMean   = 1
	tokenNormal   = 1
	tokenControl  = 3
)

// convertBERT makes a GGUF out of a sentence-transformers BERT: matrices and the
// words' vectors in Q8_0, norms, biases, positions and token types as they are.
// Vectors are the mean over a text's tokens. Texts are lower-cased and lose their
// accents, as the tokenizer of the model does; words of more than 100 letters,
// which it takes as unknown, are split by llama.cpp.
func convertBERT(config, vocabulary, weights []byte, a about) (*gguf, error) {
	var c bertConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	if len(c.Architectures) != 1 || c.Architectures[0] != "BertModel" || c.Activation != "gelu" || c.Positions != "absolute" {
		return nil, fmt.Errorf("config.json: not the BERT that is converted here: %+v", c)
	}
	if c.Hidden == 0 || c.Hidden%q80Values != 0 || c.Inner%q80Values != 0 || c.Heads == 0 || c.Hidden%c.Heads != 0 {
		return nil, fmt.Errorf("config.json: widths that do not divide: %+v", c)
	}
	tokens := strings.Split(strings.TrimSuffix(string(vocabulary), "\n"), "\n")
	if uint64(len(tokens)) != c.Vocabulary {
		return nil, fmt.Errorf("vocab.txt has %d tokens, the model %d", len(tokens), c.Vocabulary)
	}
	s, err := parseSafetensors(weights)
	if err != nil {
		return nil, err
	}
	g := &gguf{}
	g.text("general.architecture", "bert")
	g.text("general.type", "model")
	g.text("general.name", a.name)
	g.text("general.organization", a.organisation)
	g.text("general.size_label", a.size)
	g.text("general.license", a.licence)
	g.texts("general.tags", []string{"sentence-similarity", "feature-extraction"})
	g.texts("general.languages", []string{"en"})
	g.number("general.file_type", fileMostlyQ80)
	g.number("general.quantization_version", 2)
	g.number("bert.block_count", int(c.Layers))
	g.number("bert.context_length", int(c.Context))
	g.number("bert.embedding_length", int(c.Hidden))
	g.number("bert.feed_forward_length", int(c.Inner))
	g.number("bert.attention.head_count", int(c.Heads))
	g.real("bert.attention.layer_norm_epsilon", c.Epsilon)
	g.yes("bert.attention.causal", false)
	g.number("bert.pooling_type", poolingMean)
	if err := wordPiece(g, tokens, c.Types); err != nil {
		return nil, err
	}
	return g, bertTensors(g, s, c)
}

// wordPiece adds the vocabulary in llama.cpp's spelling: the beginning of a word
// is marked and not its continuation.
func wordPiece(g *gguf, tokens []string, types uint64) error {
	special := map[string]string{"[CLS]": "bos", "[SEP]": "seperator", "[UNK]": "unknown", "[PAD]": "padding", "[MASK]": "mask"}
	ids := map[string]int{}
	spelt := make([]string, len(tokens))
	kinds := make([]int32, len(tokens))
	for i, t := range tokens {
		kinds[i] = tokenNormal
		if rest, ok := strings.CutPrefix(t, "##"); ok {
			spelt[i] = rest
		} else {
			spelt[i] = "\u2581" + t
		}
		if name, ok := special[t]; ok {
			spelt[i], kinds[i], ids[name] = t, tokenControl, i
		}
	}
	g.text("tokenizer.ggml.model", "bert")
	g.text("tokenizer.ggml.pre", "default")
	g.number("tokenizer.ggml.token_type_count", int(types))
	g.texts("tokenizer.ggml.tokens", spelt)
	g.numbers("tokenizer.ggml.token_type", kinds)
	for _, name := range []string{"bos", "seperator", "unknown", "padding", "mask"} {
		id, ok := ids[name]
		if !ok {
			return fmt.Errorf("vocab.txt has no %s token", name)
		}
		g.number("tokenizer.ggml."+name+"_token_id", id)
	}
	g.number("tokenizer.ggml.cls_token_id", ids["bos"])
	g.yes("tokenizer.ggml.add_bos_token", true)
	g.yes("tokenizer.ggml.add_eos_token", false)
	g.yes("tokenizer.ggml.add_sep_token", true)
	g.yes("tokenizer.ggml.normalizer.lowercase", true)
	g.yes("tokenizer.ggml.normalizer.strip_accents", true)
	return nil
}

func bertTensors(g *gguf, s *safetensors, c bertConfig) error {
	var failed error
	add := func(name, from string, kind uint32, shape ...uint64) {
		b, err := s.floats(from, shape...)
		if err != nil {
			if failed == nil {
				failed = err
			}
			return
		}
		if kind == tensorQ80 {
			b = q80(b)
		}
		dims := make([]uint64, len(shape))
		for i, d := range shape {
			dims[len(shape)-1-i] = d
		}
		g.tensors = append(g.tensors, tensor{name, dims, kind, b})
	}
	norm := func(name, from string) {
		add(name+".weight", from+".weight", tensorF32, c.Hidden)
		add(name+".bias", from+".bias", tensorF32, c.Hidden)
	}
	dense := func(name, from string, out, in uint64) {
		add(name+".weight", from+".weight", tensorQ80, out, in)
		add(name+".bias", from+".bias", tensorF32, out)
	}
	add("token_embd.weight", "embeddings.word_embeddings.weight", tensorQ80, c.Vocabulary, c.Hidden)
	add("position_embd.weight", "embeddings.position_embeddings.weight", tensorF32, c.Context, c.Hidden)
	add("token_types.weight", "embeddings.token_type_embeddings.weight", tensorF32, c.Types, c.Hidden)
	norm("token_embd_norm", "embeddings.LayerNorm")
	for i := range c.Layers {
		to, from := fmt.Sprintf("blk.%d.", i), fmt.Sprintf("encoder.layer.%d.", i)
		dense(to+"attn_q", from+"attention.self.query", c.Hidden, c.Hidden)
		dense(to+"attn_k", from+"attention.self.key", c.Hidden, c.Hidden)
		dense(to+"attn_v", from+"attention.self.value", c.Hidden, c.Hidden)
		dense(to+"attn_output", from+"attention.output.dense", c.Hidden, c.Hidden)
		norm(to+"attn_output_norm", from+"attention.output.LayerNorm")
		dense(to+"ffn_up", from+"intermediate.dense", c.Inner, c.Hidden)
		dense(to+"ffn_down", from+"output.dense", c.Hidden, c.Inner)
		norm(to+"layer_output_norm", from+"output.LayerNorm")
	}
	return failed
}
