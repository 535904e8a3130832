package gguf

import (
	"encoding/binary"
	"io"
	"math"
)

// random is splitmix64: the same numbers on every machine and release of Go.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// uniform is between -1 and 1.
func (r *random) uniform() float32 { return float32(int64(r.next())) / (1 << 63) }

// fork makes a generator of its own for a name, so that a tensor's weights do
// not depend on those before it.
func fork(seed uint64, name string) *random {
	r := random(seed)
	for _, b := range []byte(name) {
		r ^= random(b)
		r.next()
	}
	return &r
}

// spread makes uniform numbers have a deviation of 1.
const spread = 1.7320508

// weights fills a tensor with numbers of the deviation.
func weights(seed uint64, t Tensor, deviation float32) Tensor {
	t.Fill = func(w io.Writer) error {
		r := fork(seed, t.Name)
		switch t.Type {
		case Q4_0:
			return blocks(w, t.Size()/18, func(b []byte) {
				// Sixteen levels, evenly: a deviation of 4.6 times the scale.
				binary.LittleEndian.PutUint16(b, half(deviation/4.6*(1+float32(0.2*r.uniform()))))
				binary.LittleEndian.PutUint64(b[2:], r.next())
				binary.LittleEndian.PutUint64(b[10:], r.next())
			}, 18)
		case Q8_0:
			return blocks(w, t.Size()/34, func(b []byte) {
				binary.LittleEndian.PutUint16(b, half(deviation/73.6))
				for i := 2; i < 34; i += 8 {
					binary.LittleEndian.PutUint64(b[i:], r.next())
				}
			}, 34)
		case F16:
			return blocks(w, t.Size()/2, func(b []byte) {
				binary.LittleEndian.PutUint16(b, half(deviation*spread*r.uniform()))
			}, 2)
		}
		return blocks(w, t.Size()/4, func(b []byte) { putFloat(b, deviation*spread*r.uniform()) }, 4)
	}
	return t
}

// Same fills a tensor of 32 bit numbers with one number.
func Same(t Tensor, v float32) Tensor {
	t.Fill = func(w io.Writer) error {
		return blocks(w, t.Size()/4, func(b []byte) { putFloat(b, v) }, 4)
	}
	return t
}

// rows fills a tensor of 32 bit numbers row by row.
func rows(t Tensor, row func(i int, to []float32)) Tensor {
	t.Fill = func(w io.Writer) error {
		line := make([]float32, t.Dims[0])
		for i := range int(t.Dims[1]) {
			clear(line)
			row(i, line)
			if err := binary.Write(w, binary.LittleEndian, line); err != nil {
				return err
			}
		}
		return nil
	}
	return t
}

func putFloat(b []byte, v float32) { binary.LittleEndian.PutUint32(b, math.Float32bits(v)) }

func blocks(w io.Writer, n uint64, block func([]byte), size int) error {
	const many = 4096
	buf := make([]byte, 0, many*size)
	for i := range n {
		buf = buf[:len(buf)+size]
		block(buf[len(buf)-size:])
		if len(buf) == cap(buf) || i == n-1 {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	return nil
}
