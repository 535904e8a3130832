package gguf

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

func written(t *testing.T, f *File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The bytes are the same on every machine: tests and recorded figures name
// models by their digest.
func TestReproducible(t *testing.T) {
	for _, c := range []struct {
		name, digest string
		make         func() *File
	}{
		{"small", "5e2f91eaf61c107e767576da232dc35b2d3a6759dfa6621af8b49bbc9506c94c", func() *File { return Llama(Small(1)) }},
		{"script", "b73a68e96d3127800fe1b65195e030e00625e6eec1c895e20107d17a1c20f878", func() *File { return Script("Hello", "from", "a", "generated", "model.") }},
		{"embedding", "8da165538260a5406b1a35e96dd3d0eee1f953572f5d5d7c80aefad425d52729", func() *File { return Embedding(1) }},
	} {
		a, b := written(t, c.make()), written(t, c.make())
		if !bytes.Equal(a, b) {
			t.Errorf("%s: two files differ", c.name)
		}
		sum := sha256.Sum256(a)
		if got := hex.EncodeToString(sum[:]); got != c.digest {
			t.Errorf("%s: %d bytes, digest %s, want %s", c.name, len(a), got, c.digest)
		}
	}
	if bytes.Equal(written(t, Llama(Small(1))), written(t, Llama(Small(2)))) {
		t.Error("two seeds make one file")
	}
}

func TestWrong(t *testing.T) {
	n, at := uint64(1<<40), uint64(7)
	f := &File{Version: 9, KVCount: &n, KV: []KV{{"x", Raw{Type: 77, Bytes: []byte("??")}}}, Tensors: []Tensor{{Name: "t", Dims: []uint64{32}, Type: Q4_0, Offset: &at}}}
	b := written(t, f)
	if string(b[:4]) != "GGUF" || b[4] != 9 || b[21] != 1 {
		t.Errorf("header %x", b[:24])
	}
	f.Cut = 30
	if got := written(t, f); !bytes.Equal(got, b[:30]) {
		t.Errorf("cut: %d bytes", len(got))
	}
	if err := (&File{KV: []KV{{"x", struct{}{}}}}).Write(new(bytes.Buffer)); err == nil {
		t.Error("a value of no type was written")
	}
}

func TestHalf(t *testing.T) {
	for f, want := range map[float32]uint16{0: 0, 1: 0x3c00, -2: 0xc000, 0.5: 0x3800, 1e9: 0x7c00, 1e-9: 0} {
		if got := half(f); got != want {
			t.Errorf("%v: %04x, want %04x", f, got, want)
		}
	}
}
