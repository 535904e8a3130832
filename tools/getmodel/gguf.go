package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
)

// The parts of GGUF version 3 that a converted model needs, as
// ggml/include/gguf.h describes them: little-endian, strings with a length in
// front, tensor data at multiples of the alignment. The writer of testkit/gguf is
// another one, since it must be able to write what is wrong; a test compares them.
const (
	ggufMagic     = "GGUF"
	ggufVersion   = 3
	ggufAlignment = 32

	kindUint32  = 4
	kindInt32   = 5
	kindFloat32 = 6
	kindBool    = 7
	kindString  = 8
	kindArray   = 9

	tensorF32 = 0
	tensorQ80 = 8
)

// tensor is one tensor of the file; dims begin with the row's length.
type tensor struct {
	name string
	dims []uint64
	kind uint32
	data []byte
}

// gguf collects a file. Keys and tensors stand in the order in which they were
// added, so that the same input gives the same bytes.
type gguf struct {
	keys    bytes.Buffer
	count   uint64
	tensors []tensor
}

func (g *gguf) key(name string, kind uint32) {
	g.count++
	putString(&g.keys, name)
	put(&g.keys, kind)
}

func (g *gguf) text(name, v string)       { g.key(name, kindString); putString(&g.keys, v) }
func (g *gguf) number(name string, v int) { g.key(name, kindUint32); put(&g.keys, uint32(v)) }
func (g *gguf) yes(name string, v bool)   { g.key(name, kindBool); put(&g.keys, v) }
func (g *gguf) real(name string, v float32) {
	g.key(name, kindFloat32)
	put(&g.keys, math.Float32bits(v))
}

func (g *gguf) texts(name string, v []string) {
	g.key(name, kindArray)
	put(&g.keys, uint32(kindString))
	put(&g.keys, uint64(len(v)))
	for _, s := range v {
		putString(&g.keys, s)
	}
}

func (g *gguf) numbers(name string, v []int32) {
	g.key(name, kindArray)
	put(&g.keys, uint32(kindInt32))
	put(&g.keys, uint64(len(v)))
	put(&g.keys, v)
}

// write writes the file.
func (g *gguf) write(w io.Writer) error {
	var head bytes.Buffer
	head.WriteString(ggufMagic)
	put(&head, uint32(ggufVersion))
	put(&head, uint64(len(g.tensors)))
	put(&head, g.count)
	head.Write(g.keys.Bytes())
	at := uint64(0)
	for _, t := range g.tensors {
		putString(&head, t.name)
		put(&head, uint32(len(t.dims)))
		put(&head, t.dims)
		put(&head, t.kind)
		put(&head, at)
		at += uint64(len(t.data) + gap(len(t.data)))
	}
	head.Write(make([]byte, gap(head.Len())))
	if _, err := w.Write(head.Bytes()); err != nil {
		return err
	}
	for _, t := range g.tensors {
		if _, err := w.Write(t.data); err != nil {
			return err
		}
		if _, err := w.Write(make([]byte, gap(len(t.data)))); err != nil {
			return err
		}
	}
	return nil
}

// gap is what is missing to the next multiple of the alignment.
func gap(n int) int { return (ggufAlignment - n%ggufAlignment) % ggufAlignment }

func putString(b *bytes.Buffer, s string) {
	put(b, uint64(len(s)))
	b.WriteString(s)
}

// put cannot fail: a buffer takes everything, and only fixed sizes are given.
func put(b *bytes.Buffer, v any) {
	if err := binary.Write(b, binary.LittleEndian, v); err != nil {
		panic("BUG: " + err.Error())
	}
}
