package models

import (
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// smollm2 is the header of SmolLM2-135M-Instruct as Q4_1.
func smollm2() *modelv1.Facts {
	return &modelv1.Facts{
		Role: modelv1.Role_ROLE_CHAT, Context: 8192, Dimension: 576, Layers: 30, Heads: 9, HeadsKv: 3, Vocabulary: 49152, Weights: 96576768, Size: 98362432,
	}
}

// What the engine took on a machine of 2 cores, in MB: resident memory behind a
// prompt, less the pages of the file that stay mapped beside the weights. An
// estimate may be up to a half above it and a tenth below.
func TestFitIsNearWhatWasSeen(t *testing.T) {
	tales := &modelv1.Facts{Role: modelv1.Role_ROLE_COMPLETION, Context: 512, Dimension: 64, Layers: 5, Heads: 8, HeadsKv: 4, Vocabulary: 512, Weights: 1040128}
	longer := proto.CloneOf(tales)
	longer.Context = 8192
	half := &modelv1.Facts{Role: modelv1.Role_ROLE_CHAT, Context: 4096, Dimension: 1024, Layers: 28, Heads: 16, HeadsKv: 8, Vocabulary: 49152, Weights: 276 << 20}
	for _, c := range []struct {
		what              string
		f                 *modelv1.Facts
		context, parallel uint32
		seen              uint64
	}{
		{"stories260K", tales, 512, 1, 21}, {"stories260K, longer", longer, 8192, 1, 28},
		{"SmolLM2", smollm2(), 512, 1, 249 - 97}, {"SmolLM2, default", smollm2(), 4096, 1, 345 - 97},
		{"SmolLM2, longest", smollm2(), 8192, 1, 434 - 97}, {"SmolLM2, four", smollm2(), 2048, 4, 432 - 97},
		{"0.5B generated", half, 512, 1, 616 - 276},
	} {
		got := Need(Fit(c.f, c.context, c.parallel, 0)) / 1e6
		if got*10 < c.seen*9 || got*2 > c.seen*3 {
			t.Errorf("%s: %d MB, %d were seen", c.what, got, c.seen)
		}
	}
}

func TestFit(t *testing.T) {
	f := smollm2()
	// 30 layers × 3 heads × (64+64) × 2 bytes × 4096 tokens.
	fit := Fit(f, 0, 0, 1<<40)
	if fit.Context != limits.EngineContext || fit.Cache != 30*3*128*2*4096 || fit.Weights != f.Weights || !fit.Fits || fit.LongestContext != 8192 {
		t.Errorf("%v", fit)
	}
	if four := Fit(f, 0, 4, 1<<40); four.Cache != 4*fit.Cache {
		t.Errorf("%v", four)
	}
	// Keys and values of their own width, and as many as there are query heads.
	g := &modelv1.Facts{Layers: 2, Heads: 4, KeyLength: 10, ValueLength: 6, Dimension: 64, Context: 100}
	if got := Fit(g, 50, 1, 0).Cache; got != 2*4*(10+6)*2*50 {
		t.Error(got)
	}
	// One byte too little, and the longest context that fits then.
	short := Fit(f, 0, 0, Need(fit)-1)
	if short.Fits || short.LongestContext == 0 || short.LongestContext >= fit.Context {
		t.Errorf("%v", short)
	}
	if again := Fit(f, short.LongestContext, 0, Need(fit)-1); !again.Fits {
		t.Errorf("%v", again)
	}
	if again := Fit(f, short.LongestContext+1, 0, Need(fit)-1); again.Fits {
		t.Errorf("%v", again)
	}
	if none := Fit(f, 0, 0, 1000); none.Fits || none.LongestContext != 0 {
		t.Errorf("%v", none)
	}
	// No model is given more than it was trained for.
	if more := Fit(f, 999_999_999, 0, 1<<40); more.Context != 8192 || !more.Fits || more.Cache != Fit(f, 8192, 0, 1<<40).Cache {
		t.Errorf("%v", more)
	}
	// A model that makes vectors keeps none of them.
	e := smollm2()
	e.Role = modelv1.Role_ROLE_EMBEDDING
	if got := Fit(e, 0, 0, 0).Cache; got != 0 {
		t.Error(got)
	}
	// What stands in the file beside the weights: the 25 MB of a million tokens took
	// 164 MB of an engine, and 211 while they were read.
	long := smollm2()
	long.Size += 25e6
	if more := Fit(long, 0, 0, 0).Compute - fit.Compute; more < 164e6 || more > 220e6 {
		t.Errorf("25 MB of a header count as %d", more)
	}
	cut := smollm2()
	cut.Size = 1
	if got := Fit(cut, 0, 0, 0).Compute; got >= fit.Compute {
		t.Error(got)
	}
	// The largest numbers that the reader lets pass do not wrap.
	worst := &modelv1.Facts{
		Context: limits.ModelContext, Dimension: limits.ModelWidth, Layers: limits.ModelLayers, Heads: limits.ModelWidth, HeadsKv: limits.ModelWidth,
		KeyLength: limits.ModelWidth, ValueLength: limits.ModelWidth, Weights: math.MaxUint64, Size: math.MaxUint64, Vocabulary: limits.ModelVocabulary,
	}
	if fit := Fit(worst, math.MaxUint32, limits.FitParallel, math.MaxUint64-1); fit.Fits {
		t.Errorf("%v", fit)
	}
	// A header without heads (a recurrent model).
	if fit := Fit(&modelv1.Facts{Layers: 2, Dimension: 64, Context: 100}, 0, 0, 1<<40); fit.Cache != 0 || !fit.Fits {
		t.Errorf("%v", fit)
	}
}
