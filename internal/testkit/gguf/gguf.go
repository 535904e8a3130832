// Package gguf writes GGUF files for tests and benchmarks: models with random
// weights, the same bytes from the same seed, and files that are wrong in any
// way a test wants. It never reads one, refuses nothing on purpose, and only
// tests and bench/ use it.
//
// [File] is the format: what is left zero in it is put right by Write, what is
// set is written as it stands, true or not. [Chat], [Script], [Embedding] and
// [Llama] are models.
//
// The format is github.com/ggml-org/ggml/blob/master/docs/gguf.md, version 3.
package gguf

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Magic is "GGUF" as the file has it.
const Magic = 0x46554747

// Version is the one that is written when File.Version is 0.
const Version = 3

// Alignment of the tensors' data when File.Alignment is 0, bytes.
const Alignment = 32

// Type of a value.
type Type uint32

// The types of values.
const (
	Uint8 Type = iota
	Int8
	Uint16
	Int16
	Uint32
	Int32
	Float32
	Bool
	String
	Array
	Uint64
	Int64
	Float64
)

// TensorType is how numbers of a tensor are stored.
type TensorType uint32

// The tensor types that models here are made of.
const (
	F32  TensorType = 0
	F16  TensorType = 1
	Q4_0 TensorType = 2
	Q8_0 TensorType = 8
)

// KV is one entry of the header. Value is a bool, an integer of a fixed size,
// a float, a string, a slice of one of these, or [Raw].
type KV struct {
	Key   string
	Value any
}

// Raw is a value whose type and bytes are written as they stand.
type Raw struct {
	Type  Type
	Bytes []byte
}

// Tensor is one entry of the table of tensors, with its data.
type Tensor struct {
	Name string
	// Dims, the innermost first.
	Dims []uint64
	Type TensorType
	// Fill writes the data, Size bytes of it; nil = zeros.
	Fill func(io.Writer) error
	// Offset that the table says; nil = the right one.
	Offset *uint64
	// Dimensions that the table says it has; nil = len(Dims).
	Dimensions *uint32
}

// Size of the data, bytes, by type and dimensions.
func (t Tensor) Size() uint64 {
	n := uint64(1)
	for _, d := range t.Dims {
		n *= d
	}
	switch t.Type {
	case F32:
		return n * 4
	case F16:
		return n * 2
	case Q4_0:
		return n / 32 * 18
	case Q8_0:
		return n / 32 * 34
	}
	return 0
}

// File is a GGUF file.
type File struct {
	// Magic and Version; 0 = the right ones.
	Magic, Version uint32
	// Tensors and KVs that the header says there are; nil = as many as there are.
	TensorCount, KVCount *uint64
	KV                   []KV
	Tensors              []Tensor
	// Alignment of the data; 0 = 32. It is not written to the header by itself.
	Alignment uint64
	// Cut ends the file after so many bytes; 0 = at its end.
	Cut uint64
}

// Get is the value of a key; nil = it is not there.
func (f *File) Get(key string) any {
	for _, kv := range f.KV {
		if kv.Key == key {
			return kv.Value
		}
	}
	return nil
}

// Set gives a key of f another value, adds it, or, with nil, takes it out.
func (f *File) Set(key string, v any) *File {
	var out []KV
	found := false
	for _, kv := range f.KV {
		if kv.Key == key {
			found = true
			if v == nil {
				continue
			}
			kv.Value = v
		}
		out = append(out, kv)
	}
	if !found && v != nil {
		out = append(out, KV{Key: key, Value: v})
	}
	f.KV = out
	return f
}

// Write writes the file.
func (f *File) Write(to io.Writer) error {
	if f.Cut > 0 {
		to = &cut{to, f.Cut}
	}
	buffered := bufio.NewWriterSize(to, 1<<20)
	w := &Writer{to: buffered}
	err := f.write(w)
	if err == nil {
		err = w.err
	}
	if err == nil {
		err = buffered.Flush()
	}
	if err == errCut {
		return nil
	}
	return err
}

func (f *File) write(w *Writer) error {
	align := f.Alignment
	if align == 0 {
		align = Alignment
	}
	w.U32(or(f.Magic, Magic))
	w.U32(or(f.Version, Version))
	w.U64(given(f.TensorCount, uint64(len(f.Tensors))))
	w.U64(given(f.KVCount, uint64(len(f.KV))))
	for _, kv := range f.KV {
		w.String(kv.Key)
		if err := w.value(kv.Value); err != nil {
			return fmt.Errorf("%s: %w", kv.Key, err)
		}
	}
	at := uint64(0)
	for _, t := range f.Tensors {
		w.String(t.Name)
		w.U32(given(t.Dimensions, uint32(len(t.Dims))))
		for _, d := range t.Dims {
			w.U64(d)
		}
		w.U32(uint32(t.Type))
		w.U64(given(t.Offset, at))
		at = padded(at+t.Size(), align)
	}
	w.pad(align)
	for _, t := range f.Tensors {
		before := w.n
		if t.Fill == nil {
			w.zeros(t.Size())
		} else if err := t.Fill(w); err != nil {
			return err
		} else if w.err == nil && w.n-before != t.Size() {
			return fmt.Errorf("%s: %d bytes written of %d", t.Name, w.n-before, t.Size())
		}
		w.pad(align)
	}
	return nil
}

func or(v, otherwise uint32) uint32 {
	if v == 0 {
		return otherwise
	}
	return v
}

func given[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}

func padded(n, align uint64) uint64 { return (n + align - 1) / align * align }

// Writer writes the parts of a file; with it a test puts together what File
// cannot say. The first error stays.
type Writer struct {
	to  io.Writer
	n   uint64
	err error
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{to: w} }

// Err is the first error.
func (w *Writer) Err() error { return w.err }

// Write writes bytes as they are.
func (w *Writer) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.to.Write(b)
	w.n, w.err = w.n+uint64(n), err
	return n, err
}

// U32 writes a number of four bytes.
func (w *Writer) U32(v uint32) { w.Write(binary.LittleEndian.AppendUint32(nil, v)) }

// U64 writes a number of eight bytes.
func (w *Writer) U64(v uint64) { w.Write(binary.LittleEndian.AppendUint64(nil, v)) }

// String writes a text with its length.
func (w *Writer) String(s string) { w.StringOf(uint64(len(s)), s) }

// StringOf writes a text with any length.
func (w *Writer) StringOf(length uint64, s string) {
	w.U64(length)
	io.WriteString(w, s)
}

func (w *Writer) zeros(n uint64) {
	page := make([]byte, min(n, 1<<16))
	for n > 0 && w.err == nil {
		k := min(n, uint64(len(page)))
		w.Write(page[:k])
		n -= k
	}
}

func (w *Writer) pad(align uint64) { w.zeros(padded(w.n, align) - w.n) }

func (w *Writer) value(v any) error {
	if raw, ok := v.(Raw); ok {
		w.U32(uint32(raw.Type))
		w.Write(raw.Bytes)
		return nil
	}
	if t, ok := scalar(v); ok {
		w.U32(uint32(t))
		return w.plain(v)
	}
	switch v := v.(type) {
	case []string:
		return list(w, String, v)
	case []float32:
		return list(w, Float32, v)
	case []int32:
		return list(w, Int32, v)
	case []uint32:
		return list(w, Uint32, v)
	case []uint64:
		return list(w, Uint64, v)
	case []bool:
		return list(w, Bool, v)
	}
	return fmt.Errorf("no way to write a %T", v)
}

func list[T any](w *Writer, t Type, vs []T) error {
	w.U32(uint32(Array))
	w.U32(uint32(t))
	w.U64(uint64(len(vs)))
	for _, v := range vs {
		if err := w.plain(v); err != nil {
			return err
		}
	}
	return nil
}

func scalar(v any) (Type, bool) {
	switch v.(type) {
	case uint8:
		return Uint8, true
	case int8:
		return Int8, true
	case uint16:
		return Uint16, true
	case int16:
		return Int16, true
	case uint32:
		return Uint32, true
	case int32:
		return Int32, true
	case float32:
		return Float32, true
	case bool:
		return Bool, true
	case string:
		return String, true
	case uint64:
		return Uint64, true
	case int64:
		return Int64, true
	case float64:
		return Float64, true
	}
	return 0, false
}

func (w *Writer) plain(v any) error {
	if s, ok := v.(string); ok {
		w.String(s)
		return nil
	}
	return binary.Write(w, binary.LittleEndian, v)
}

// cut takes so many bytes and no more.
type cut struct {
	to   io.Writer
	left uint64
}

var errCut = fmt.Errorf("gguf: cut here")

func (c *cut) Write(b []byte) (int, error) {
	if uint64(len(b)) > c.left {
		n, err := c.to.Write(b[:c.left])
		c.left -= uint64(n)
		if err == nil {
			err = errCut
		}
		return n, err
	}
	n, err := c.to.Write(b)
	c.left -= uint64(n)
	return n, err
}

// half is the nearest number of 16 bits; what is too small for it is 0.
func half(f float32) uint16 {
	b := math.Float32bits(f)
	sign := uint16(b >> 16 & 0x8000)
	exp := int(b>>23&0xff) - 127 + 15
	switch {
	case exp <= 0:
		return sign
	case exp >= 31:
		return sign | 0x7c00
	}
	return sign | uint16(exp)<<10 | uint16(b>>13&0x3ff)
}
