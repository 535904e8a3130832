package llama

import (
	"fmt"
	"strings"
)

// modelParams is struct llama_model_params. Go lays it out as C does.
type modelParams struct {
	devices, bufferTypes   uintptr
	gpuLayers              int32
	splitMode, loadMode    int32
	lazyMode, mainGPU      int32
	_                      int32
	tensorSplit            uintptr
	progress, progressData uintptr
	overrides              uintptr
	vocabOnly, check       uint8
	extraBuffers, noHost   uint8
	noAlloc, mtp           uint8
	_                      [2]uint8
}

// contextParams is struct llama_context_params.
type contextParams struct {
	ctx, batch, ubatch      uint32
	seqs, snapshots         uint32
	outputs, outputsPerSeq  uint32
	threads, threadsBatch   int32
	kind, ropeScaling       int32
	pooling, attention      int32
	flashAttention          int32
	ropeBase, ropeScale     float32
	yarnExt, yarnAttn       float32
	yarnFast, yarnSlow      float32
	yarnContext             uint32
	defrag                  float32
	evaluated, evalData     uintptr
	typeK, typeV            int32
	abort, abortData        uintptr
	embeddings, offloadKQV  uint8
	noPerf, opOffload       uint8
	swaFull, unified        uint8
	_                       [2]uint8
	samplers, samplersCount uintptr
	other                   uintptr
}

// poolParams is struct ggml_threadpool_params.
type poolParams struct {
	mask           [poolThreads]uint8
	threads, prio  int32
	poll           uint32
	strict, paused uint8
	_              [2]uint8
}

// defaultBatch is the default of n_batch.
const defaultBatch = 2048

// poolThreads is GGML_MAX_N_THREADS, a part of the layout.
const poolThreads = 512

// batch is struct llama_batch.
type batch struct {
	tokens            int32
	_                 int32
	token, _, pos     uintptr
	seqs, seq, output uintptr
}

// candidate is struct llama_token_data, candidates the array of them.
type candidate struct {
	id       int32
	logit, p float32
}

type candidates struct {
	data     uintptr
	size     uint64
	selected int64
	sorted   uint8
	_        [7]uint8
}

// abi says why the library's parameters are not those that this package knows,
// or nothing. Sizes are not enough: a release that swaps two fields keeps them.
// So each field is held against the value that the source of v0.5.0 gives it.
func abi(version string, m modelParams, c contextParams, p poolParams) error {
	// A build that was not made by the project's own release scripts says so.
	if strings.TrimSuffix(version, "-dev") != Version {
		return fmt.Errorf("the library is llama.cpp %.40q, not %q", version, Version)
	}
	wantModel := modelParams{
		devices: 0, bufferTypes: 0, gpuLayers: -1, splitMode: 1, loadMode: -1, lazyMode: 1, mainGPU: 0, tensorSplit: 0,
		progress: 0, progressData: 0, overrides: 0,
		vocabOnly: 0, check: 0, extraBuffers: 1, noHost: 0, noAlloc: 0, mtp: 0,
	}
	if m != wantModel {
		return fmt.Errorf("llama_model_params are %+v, not %+v", m, wantModel)
	}
	wantContext := contextParams{
		ctx: 512, batch: defaultBatch, ubatch: 512, seqs: 1, snapshots: 0, outputs: 0, outputsPerSeq: 1, threads: 4, threadsBatch: 4,
		kind: 0, ropeScaling: -1, pooling: -1, attention: -1, flashAttention: -1,
		ropeBase: 0, ropeScale: 0, yarnExt: -1, yarnAttn: -1, yarnFast: -1, yarnSlow: -1, yarnContext: 0, defrag: -1,
		evaluated: 0, evalData: 0, typeK: 1, typeV: 1, abort: 0, abortData: 0,
		embeddings: 0, offloadKQV: 1, noPerf: 1, opOffload: 1, swaFull: 1, unified: 0,
		samplers: 0, samplersCount: 0, other: 0,
	}
	if c != wantContext {
		return fmt.Errorf("llama_context_params are %+v, not %+v", c, wantContext)
	}
	wantPool := poolParams{mask: [poolThreads]uint8{}, threads: 3, prio: 0, poll: 50, strict: 0, paused: 0}
	if p != wantPool {
		return fmt.Errorf("ggml_threadpool_params are not those of %s", Version)
	}
	return nil
}
