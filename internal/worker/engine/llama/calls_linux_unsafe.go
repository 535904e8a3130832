//go:build linux

package llama

import (
	"fmt"
	"path/filepath"
	"unsafe"

	"github.com/ebitengine/purego"
)

// calls are the functions of C that this package calls. What C has as a pointer
// to something of its own is a uintptr here.
type calls struct {
	// libc.
	fdopen      func(fd int32, mode string) uintptr
	fclose      func(file uintptr) int32
	dup         func(fd int32) int32
	setenv      func(name, value string, overwrite int32) int32
	calloc      func(n, size uintptr) unsafe.Pointer
	free        func(p unsafe.Pointer)
	setpriority func(which, who, prio int32) int32
	strlen      uintptr

	// libggml-base, libggml and the processor's library.
	poolInit    func(p *poolParams, threads int32)
	ggmlLog     func(callback, data uintptr)
	backendLoad func(path string) uintptr
	poolNew     func(p *poolParams) uintptr
	poolFree    func(pool uintptr)
	deviceCount func(registry uintptr) uintptr
	deviceGet   func(registry, i uintptr) uintptr
	deviceName  func(device uintptr) string
	deviceSays  func(device uintptr) string
	deviceInit  func(device, params uintptr) uintptr
	deviceRoom  func(device uintptr, free, total *uint64)
	backendFree func(backend uintptr)

	// libllama.
	version        func() string
	modelDefaults  func() modelParams
	contextDefault func() contextParams
	backendInit    func()
	llamaLog       func(callback, data uintptr)
	modelLoad      func(file uintptr, p modelParams) uintptr
	modelFree      func(model uintptr)
	modelVocab     func(model uintptr) uintptr
	modelContext   func(model uintptr) int32
	modelLayers    func(model uintptr) int32
	modelSize      func(model uintptr) uint64
	modelWidth     func(model uintptr) int32
	modelHasEnc    func(model uintptr) bool
	modelMeta      func(model uintptr, key string, buf *byte, size uintptr) int32
	modelTemplate  func(model uintptr, name uintptr) string
	contextNew     func(model uintptr, p contextParams) uintptr
	contextFree    func(ctx uintptr)
	contextSeq     func(ctx uintptr) uint32
	contextMemory  func(ctx uintptr) uintptr
	contextPooling func(ctx uintptr) int32
	attach         func(ctx, pool, poolBatch uintptr)
	vocabSize      func(vocab uintptr) int32
	vocabText      func(vocab uintptr, token int32) string
	vocabIsEnd     func(vocab uintptr, token int32) bool
	vocabBOS       func(vocab uintptr) int32
	vocabEOS       func(vocab uintptr) int32
	vocabAddBOS    func(vocab uintptr) bool
	tokenize       func(vocab uintptr, text *byte, length int32, to *int32, room int32, special, parse bool) int32
	piece          func(vocab uintptr, token int32, buf *byte, length, strip int32, special bool) int32
	batchNew       func(tokens, embedding, seqs int32) batch
	batchFree      func(b batch)
	decode         func(ctx uintptr, b batch) int32
	encode         func(ctx uintptr, b batch) int32
	logits         func(ctx uintptr, i int32) *float32
	embeddings     func(ctx uintptr, seq int32) *float32
	seqRemove      func(memory uintptr, seq, from, to int32) bool
	memoryClear    func(memory uintptr, data bool)

	chainNew     func(noPerf uint8) uintptr
	chainAdd     func(chain, sampler uintptr)
	samplerFree  func(sampler uintptr)
	samplerApply func(sampler uintptr, c *candidates)
	samplerTake  func(sampler uintptr, token int32)
	greedy       func() uintptr
	dist         func(seed uint32) uintptr
	topK         func(k int32) uintptr
	topP         func(p float32, keep uintptr) uintptr
	minP         func(p float32, keep uintptr) uintptr
	temperature  func(t float32) uintptr
	penalties    func(vocabulary, last int32, repeat, frequency, presence float32) uintptr
	grammar      func(vocab uintptr, text, root string) uintptr
}

// symbol is a function by its name in C.
type symbol struct {
	name string
	to   any
}

func (c *calls) libc() []symbol {
	return []symbol{
		{"fdopen", &c.fdopen}, {"fclose", &c.fclose}, {"dup", &c.dup}, {"setenv", &c.setenv},
		{"calloc", &c.calloc}, {"free", &c.free}, {"setpriority", &c.setpriority}, {"strlen", &c.strlen},
	}
}

func (c *calls) base() []symbol {
	return []symbol{
		{"ggml_threadpool_params_init", &c.poolInit}, {"ggml_log_set", &c.ggmlLog},
		{"ggml_backend_reg_dev_count", &c.deviceCount}, {"ggml_backend_reg_dev_get", &c.deviceGet},
		{"ggml_backend_dev_name", &c.deviceName}, {"ggml_backend_dev_description", &c.deviceSays},
		{"ggml_backend_dev_init", &c.deviceInit}, {"ggml_backend_dev_memory", &c.deviceRoom}, {"ggml_backend_free", &c.backendFree},
	}
}

func (c *calls) ggml() []symbol { return []symbol{{"ggml_backend_load", &c.backendLoad}} }

func (c *calls) cpu() []symbol {
	return []symbol{{"ggml_threadpool_new", &c.poolNew}, {"ggml_threadpool_free", &c.poolFree}}
}

func (c *calls) llama() []symbol {
	return []symbol{
		{"llama_version", &c.version},
		{"llama_model_default_params", &c.modelDefaults},
		{"llama_context_default_params", &c.contextDefault},
		{"llama_backend_init", &c.backendInit},
		{"llama_log_set", &c.llamaLog},
		{"llama_model_load_from_file_ptr", &c.modelLoad},
		{"llama_model_free", &c.modelFree},
		{"llama_model_get_vocab", &c.modelVocab},
		{"llama_model_n_ctx_train", &c.modelContext},
		{"llama_model_n_layer", &c.modelLayers},
		{"llama_model_size", &c.modelSize},
		{"llama_model_n_embd_out", &c.modelWidth},
		{"llama_model_has_encoder", &c.modelHasEnc},
		{"llama_model_meta_val_str", &c.modelMeta},
		{"llama_model_chat_template", &c.modelTemplate},
		{"llama_init_from_model", &c.contextNew},
		{"llama_free", &c.contextFree},
		{"llama_n_ctx_seq", &c.contextSeq},
		{"llama_get_memory", &c.contextMemory},
		{"llama_pooling_type", &c.contextPooling},
		{"llama_attach_threadpool", &c.attach},
		{"llama_vocab_n_tokens", &c.vocabSize},
		{"llama_vocab_get_text", &c.vocabText},
		{"llama_vocab_is_eog", &c.vocabIsEnd},
		{"llama_vocab_bos", &c.vocabBOS},
		{"llama_vocab_eos", &c.vocabEOS},
		{"llama_vocab_get_add_bos", &c.vocabAddBOS},
		{"llama_tokenize", &c.tokenize},
		{"llama_token_to_piece", &c.piece},
		{"llama_batch_init", &c.batchNew},
		{"llama_batch_free", &c.batchFree},
		{"llama_decode", &c.decode},
		{"llama_encode", &c.encode},
		{"llama_get_logits_ith", &c.logits},
		{"llama_get_embeddings_seq", &c.embeddings},
		{"llama_memory_seq_rm", &c.seqRemove},
		{"llama_memory_clear", &c.memoryClear},
		{"llama_sampler_chain_init", &c.chainNew},
		{"llama_sampler_chain_add", &c.chainAdd},
		{"llama_sampler_free", &c.samplerFree},
		{"llama_sampler_apply", &c.samplerApply},
		{"llama_sampler_accept", &c.samplerTake},
		{"llama_sampler_init_greedy", &c.greedy},
		{"llama_sampler_init_dist", &c.dist},
		{"llama_sampler_init_top_k", &c.topK},
		{"llama_sampler_init_top_p", &c.topP},
		{"llama_sampler_init_min_p", &c.minP},
		{"llama_sampler_init_temp", &c.temperature},
		{"llama_sampler_init_penalties", &c.penalties},
		{"llama_sampler_init_grammar", &c.grammar},
	}
}

// bind finds the functions in an opened library.
func bind(handle uintptr, symbols []symbol) error {
	for _, s := range symbols {
		at, err := purego.Dlsym(handle, s.name)
		if err != nil {
			return fmt.Errorf("%s is not there", s.name)
		}
		if to, ok := s.to.(*uintptr); ok {
			*to = at
			continue
		}
		purego.RegisterFunc(s.to, at)
	}
	return nil
}

// open opens a library of dir; its functions are seen by those opened after it
// only by their own need for them.
func open(dir, name string) (uintptr, error) {
	return purego.Dlopen(filepath.Join(dir, name), purego.RTLD_NOW|purego.RTLD_LOCAL)
}

// score is how well a processor's library fits this processor; 0 = not at all.
func score(handle uintptr) int32 {
	at, err := purego.Dlsym(handle, "ggml_backend_score")
	if err != nil {
		return 0
	}
	var f func() int32
	purego.RegisterFunc(&f, at)
	return f()
}

// cText copies a text of C's, so many bytes of it at most.
func cText(p *byte, most int) string {
	if p == nil {
		return ""
	}
	n := 0
	for n < most && *(*byte)(unsafe.Add(unsafe.Pointer(p), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(p, n))
}

// floats shows so many numbers of C's.
func floats(p *float32, n int) []float32 { return unsafe.Slice(p, n) }
