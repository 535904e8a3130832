package models

import (
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// Fit says what loading a model takes, beside what the machine has. context is
// tokens of one conversation, 0 = the default, and at most what the model was
// trained for: no engine gives it more. parallel conversations, 0 = one;
// available is bytes.
//
// Weights are the tensors' bytes. The cache holds a key and a value of 16 bits
// for each token of each conversation, layer and head; a model that makes
// vectors has none. The computation's scratch memory grows with the width of a
// layer and the tokens of one step, and the mask of its attention with the context;
// beside it the engine keeps what the file has besides weights, its vocabulary above
// all, several times over. The factors are from what engines took (RATIONALE.md). Pages of the file that
// the engine maps are not counted: the system drops them before it swaps.
func Fit(f *modelv1.Facts, context, parallel uint32, available uint64) *modelv1.Fit {
	context = contextOf(f, context)
	parallel = max(1, parallel)
	out := &modelv1.Fit{Weights: f.GetWeights(), Available: available, Context: context}
	out.Cache = cacheOf(f, context, parallel)
	out.Compute = computeOf(f, context, parallel)
	out.Fits = need(f, context, parallel) <= available
	out.LongestContext = longest(f, parallel, available)
	return out
}

// Need is what loading takes in all, in bytes.
func Need(fit *modelv1.Fit) uint64 {
	return saturated(fit.GetWeights(), saturated(fit.GetCache(), fit.GetCompute()))
}

func contextOf(f *modelv1.Facts, context uint32) uint32 {
	if context == 0 {
		context = limits.EngineContext
	}
	if trained := f.GetContext(); trained > 0 {
		context = min(context, trained)
	}
	return min(context, limits.ModelContext)
}

// cacheOf multiplies numbers that the reader has bounded: no product leaves 64
// bits (2^30 tokens × 64 × 512 layers × 2^24 × 2 would, so it saturates).
func cacheOf(f *modelv1.Facts, context, parallel uint32) uint64 {
	if f.GetRole() == modelv1.Role_ROLE_EMBEDDING {
		return 0
	}
	heads := uint64(f.GetHeadsKv())
	if heads == 0 {
		heads = uint64(f.GetHeads())
	}
	key, value := uint64(f.GetKeyLength()), uint64(f.GetValueLength())
	if each := headWidth(f); key == 0 {
		key = each
	}
	if value == 0 {
		value = key
	}
	return product(2*(key+value), heads, uint64(f.GetLayers()), uint64(context), uint64(parallel))
}

func headWidth(f *modelv1.Facts) uint64 {
	if f.GetHeads() == 0 {
		return 0
	}
	return uint64(f.GetDimension()) / uint64(f.GetHeads())
}

func computeOf(f *modelv1.Facts, context, parallel uint32) uint64 {
	tokens := product(uint64(context), uint64(parallel))
	step := min(uint64(limits.ModelStep), tokens)
	widths := product(4*limits.ModelWidths, step, uint64(f.GetDimension()))
	mask := product(2, step, tokens)
	header := product(limits.ModelHeaderTimes, f.GetSize()-min(f.GetSize(), f.GetWeights()))
	return saturated(saturated(limits.ModelFixed, header), saturated(widths, mask))
}

func need(f *modelv1.Facts, context, parallel uint32) uint64 {
	return saturated(f.GetWeights(), saturated(cacheOf(f, context, parallel), computeOf(f, context, parallel)))
}

// longest is the largest context that fits, at most what the model was trained
// for; 0 = none.
func longest(f *modelv1.Facts, parallel uint32, available uint64) uint32 {
	low, high := uint32(0), f.GetContext()
	if high == 0 {
		high = limits.EngineContext
	}
	for low < high {
		mid := high - (high-low)/2
		if need(f, mid, parallel) <= available {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return low
}

// product and saturated stop at 2^64-1.
func product(factors ...uint64) uint64 {
	out := uint64(1)
	for _, n := range factors {
		if n != 0 && out > ^uint64(0)/n {
			return ^uint64(0)
		}
		out *= n
	}
	return out
}

func saturated(a, b uint64) uint64 {
	if a > ^uint64(0)-b {
		return ^uint64(0)
	}
	return a + b
}
