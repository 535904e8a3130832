package gguf

// class is what an architecture is good for here.
type class uint8

const (
	// text continues text.
	text class = iota + 1
	// vectors makes vectors of text.
	vectors
	// part is a part of another model: a projector, or a draft of its next tokens.
	part
	// other makes sound, or makes text by another way than one token after the
	// other, which Bailey's engine does not do.
	other
)

// architectures are those that llama.cpp v0.5.0 knows, by the names in its
// llama-arch.cpp. The list is committed because an architecture that is not in it
// is refused before anybody is asked, and never loaded to find that out. The
// library is pinned, so the list changes with it and is never behind it.
func architectures() map[string]class {
	out := map[string]class{}
	for _, row := range []struct {
		class class
		names []string
	}{
		{text, []string{
			"llama", "llama4", "deci", "falcon", "grok", "gpt2", "gptj", "gptneox", "mpt", "baichuan", "starcoder", "refact", "bloom",
			"stablelm", "qwen", "qwen2", "qwen2moe", "qwen2vl", "qwen3", "qwen3moe", "qwen3next", "qwen3vl", "qwen3vlmoe", "qwen35",
			"qwen35moe", "qwen4exp", "phi2", "phi3", "phimoe", "plamo", "plamo2", "plamo3", "codeshell", "orion", "internlm2", "minicpm",
			"minicpm3", "gemma", "gemma2", "gemma3", "gemma3n", "gemma4", "starcoder2", "mamba", "mamba2", "maple", "jamba", "falcon-h1",
			"xverse", "command-r", "cohere2", "cohere2moe", "dbrx", "olmo", "olmo2", "olmoe", "muse-glimmer", "openelm", "arctic",
			"deepseek", "deepseek2", "deepseek2-ocr", "deepseek32", "deepseek4", "chatglm", "glm4", "glm4moe", "glm-dsa", "bitnet",
			"jais", "jais2", "nemotron", "nemotron_h", "nemotron_h_moe", "exaone", "exaone4", "exaone-moe", "rwkv6", "rwkv6qwen2",
			"rwkv7", "arwkv7", "granite", "granitemoe", "granitehybrid", "graniteswitch", "granite_swa", "chameleon", "plm", "bailingmoe",
			"bailingmoe2", "bailingmoe3", "dots1", "dots3note", "arcee", "afmoe", "laguna", "ernie4_5", "ernie4_5-moe", "hunyuan-moe",
			"hunyuan-dense", "hunyuan_vl", "hy_v3", "hy_v4", "smollm3", "gpt-oss", "lfm2", "lfm2moe", "smallthinker", "seed_oss",
			"grovemoe", "apertus", "minimax-01", "hrm_text", "minimax-m2", "minimax-m3", "cogvlm", "pangu-embedded", "mistral3",
			"mistral4", "paddleocr", "mimo2", "step35", "spark2_5", "maincoder", "kimi-linear", "kimi-k3", "talkie", "mellum", "nanbeige",
		}},
		{vectors, []string{
			"bert", "modern-bert", "nomic-bert", "nomic-bert-moe", "neo-bert", "jina-bert-v2", "jina-bert-v3", "eurobert",
			"gemma-embedding", "llama-embed",
		}},
		{part, []string{
			"clip", "gemma4-assistant", "eagle3", "dflash",
		}},
		{other, []string{
			"t5", "t5encoder", "wavtokenizer-dec", "dream", "llada", "llada-moe", "rnd1", "qwen3tts", "pockettts",
		}},
	} {
		for _, n := range row.names {
			out[n] = row.class
		}
	}
	return out
}
