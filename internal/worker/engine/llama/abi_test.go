package llama

import (
	"reflect"
	"strings"
	"testing"
)

func defaults() (modelParams, contextParams, poolParams) {
	return modelParams{gpuLayers: -1, splitMode: 1, loadMode: -1, lazyMode: 1, extraBuffers: 1},
		contextParams{
			ctx: 512, batch: defaultBatch, ubatch: 512, seqs: 1, outputsPerSeq: 1, threads: 4, threadsBatch: 4,
			ropeScaling: -1, pooling: -1, attention: -1, flashAttention: -1,
			yarnExt: -1, yarnAttn: -1, yarnFast: -1, yarnSlow: -1, defrag: -1, typeK: 1, typeV: 1,
			offloadKQV: 1, noPerf: 1, opOffload: 1, swaFull: 1,
		}, poolParams{threads: 3, poll: 50}
}

// Each field that has another value than the release gives it is noticed, and so
// is each other release.
func TestABI(t *testing.T) {
	m, c, p := defaults()
	for _, v := range []string{"0.5.0", "0.5.0-dev"} {
		if err := abi(v, m, c, p); err != nil {
			t.Error(err)
		}
	}
	for _, v := range []string{"", "0.5.1", "0.5.0-dev-dev", "0.5.00", "v0.5.0", "0.4.9-dev", strings.Repeat("x", 1000)} {
		if abi(v, m, c, p) == nil {
			t.Errorf("release %.20q passed", v)
		}
	}
	changed := 0
	each := func(params any, try func() error) {
		v := reflect.ValueOf(params).Elem()
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if name == "_" {
				continue
			}
			f := reflect.NewAt(v.Field(i).Type(), v.Field(i).Addr().UnsafePointer()).Elem()
			if f.Kind() == reflect.Array {
				f = f.Index(f.Len() - 1)
			}
			before := reflect.New(f.Type()).Elem()
			before.Set(f)
			switch {
			case f.CanInt():
				f.SetInt(f.Int() + 1)
			case f.CanUint():
				f.SetUint(f.Uint() + 1)
			default:
				f.SetFloat(f.Float() + 1)
			}
			if try() == nil {
				t.Errorf("%T.%s changed and passed", params, name)
			}
			f.Set(before)
			changed++
		}
	}
	each(&m, func() error { return abi(Version, m, c, p) })
	each(&c, func() error { return abi(Version, m, c, p) })
	each(&p, func() error { return abi(Version, m, c, p) })
	if changed < 50 {
		t.Errorf("%d fields were tried", changed)
	}
}

// The sizes in C, by the compiler that the libraries were built with.
func TestSizes(t *testing.T) {
	for _, c := range []struct {
		got, want uintptr
	}{
		{reflect.TypeFor[modelParams]().Size(), 80}, {reflect.TypeFor[contextParams]().Size(), 160}, {reflect.TypeFor[poolParams]().Size(), 528},
		{reflect.TypeFor[batch]().Size(), 56}, {reflect.TypeFor[candidate]().Size(), 12}, {reflect.TypeFor[candidates]().Size(), 32},
	} {
		if c.got != c.want {
			t.Errorf("%d bytes, want %d", c.got, c.want)
		}
	}
}
