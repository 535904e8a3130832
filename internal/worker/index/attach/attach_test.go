package attach

import (
	"encoding/binary"
	"math"
	"testing"
)

func encode(v ...float32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// Whatever an engine sends is a vector of length 1 and of the model's dimension,
// or is refused.
func FuzzVector(f *testing.F) {
	f.Add(encode(3, 4), 2)
	f.Add(encode(0, 0), 2)
	f.Add(encode(float32(math.NaN()), 1), 2)
	f.Add(encode(float32(math.Inf(1)), 1), 2)
	f.Add(encode(math.MaxFloat32, math.MaxFloat32), 2)
	f.Add(encode(math.SmallestNonzeroFloat32, 0), 2)
	f.Add([]byte{1, 2, 3}, 1)
	f.Add([]byte{}, 0)
	f.Fuzz(func(t *testing.T, b []byte, dimension int) {
		v, err := vector(b, dimension)
		if err != nil {
			return
		}
		if len(v) != dimension {
			t.Fatalf("%d numbers of %d", len(v), dimension)
		}
		sum := 0.0
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		if !(math.Abs(sum-1) < 1e-4) {
			t.Fatalf("%x has the length %v", b, sum)
		}
	})
}

func TestVector(t *testing.T) {
	v, err := vector(encode(3, 4), 2)
	if err != nil || v[0] != 0.6 || v[1] != 0.8 {
		t.Errorf("%v, %v", v, err)
	}
	for name, b := range map[string][]byte{"nothing": encode(0, 0), "no number": encode(float32(math.NaN()), 1), "without end": encode(float32(math.Inf(1)), 0), "too short": encode(1)} {
		if v, err := vector(b, 2); err == nil {
			t.Errorf("%s became %v", name, v)
		}
	}
}
