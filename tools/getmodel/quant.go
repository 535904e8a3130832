package main

import (
	"encoding/binary"
	"math"
)

// A block of Q8_0 is a 16-bit scale and 32 bytes (ggml/src/ggml-common.h,
// block_q8_0).
const (
	q80Values = 32
	q80Bytes  = 2 + q80Values
)

// q80 quantises little-endian 32-bit floats as ggml's quantize_row_q8_0_ref
// does, so that the bytes are the same on every machine. len(f32) is a multiple
// of a block.
func q80(f32 []byte) []byte {
	out := make([]byte, 0, len(f32)/4/q80Values*q80Bytes)
	var x [q80Values]float32
	for ; len(f32) > 0; f32 = f32[4*q80Values:] {
		top := float32(0)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(f32[4*i:]))
			top = max(top, float32(math.Abs(float64(x[i]))))
		}
		scale := top / 127
		inverse := float32(0)
		if scale != 0 {
			inverse = 1 / scale
		}
		out = binary.LittleEndian.AppendUint16(out, half(scale))
		for i := range x {
			out = append(out, byte(int8(math.Round(float64(float32(x[i]*inverse))))))
		}
	}
	return out
}

// half rounds to the nearest IEEE 754 binary16, ties to even.
func half(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits >> 16 & 0x8000)
	exp := int(bits>>23&0xff) - 127 + 15
	frac := bits & 0x7fffff
	switch {
	case exp >= 31: // too large, or infinite; a NaN stays one
		if exp == 0xff-127+15 && frac != 0 {
			return sign | 0x7e00
		}
		return sign | 0x7c00
	case exp <= -11: // less than half of the smallest
		return sign
	case exp <= 0: // subnormal
		return sign | uint16(even(frac|0x800000, uint(14-exp)))
	}
	// A carry out of the fraction goes into the exponent, as it should.
	return sign | uint16(even(uint32(exp)<<23|frac, 13))
}

// even shifts right and rounds to nearest, ties to even.
func even(v uint32, by uint) uint32 {
	q, rest, tie := v>>by, v&(1<<by-1), uint32(1)<<(by-1)
	if rest > tie || rest == tie && q&1 == 1 {
		q++
	}
	return q
}
