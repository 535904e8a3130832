// Package gguf reads the header of a GGUF file, of versions 2 and 3, and says what
// model it is. The file is taken for hostile: every length and count has a bound
// in package limits and is held against what is left of the file before anything
// is read or kept, products and sums are checked, and memory does not depend on
// what the file claims.
//
// The format is github.com/ggml-org/ggml/blob/master/docs/gguf.md; where llama.cpp
// v0.5.0 reads it more strictly, so does this, because what passes here is loaded
// there: offsets of tensors are those that follow from their sizes, without gaps,
// names have at most 63 bytes, texts have no zero byte, and a token stands in the vocabulary once (twice
// aborts llama.cpp). What this lets pass may still end the engine; it then ends
// nothing but its own process.
//
// It refuses, with errs.ModelRefused and the reason: version 1 and big-endian
// files, other formats by what they look like, parts of split models, adapters
// and projectors, architectures that llama.cpp v0.5.0 does not know or that neither
// talk nor embed. It reads no weights and executes nothing. The inspect worker is
// its only user.
package gguf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

const magic = "GGUF"

// Read returns what the header of a file of size bytes says. Sha256 and size of
// the result are not set.
func Read(src io.ReaderAt, size uint64) (*modelv1.Facts, error) {
	r := &reader{src: src, size: size, buf: make([]byte, limits.ModelHeaderBuffer)}
	h := &header{values: map[string]value{}}
	if r.begin(h) {
		h.keys(r)
		h.tensors(r)
	}
	if r.err != nil {
		return nil, r.err
	}
	return h.facts()
}

func refused(format string, a ...any) error {
	return errs.New(errs.ModelRefused, "gguf.read").With(fmt.Sprintf(format, a...))
}

// reader reads forward. The first error stays, and every later read gives zero.
type reader struct {
	src       io.ReaderAt
	size, pos uint64
	// buf[:n] is what the file has at at.
	buf []byte
	at  uint64
	n   int
	err error
}

func (r *reader) fail(format string, a ...any) {
	if r.err == nil {
		r.err = refused(format, a...)
	}
}

// take checks that n more bytes are there and may belong to the header, and
// moves behind them.
func (r *reader) take(n uint64, what string) bool {
	switch {
	case r.err != nil:
	case n > r.size-r.pos:
		r.fail("the file ends inside %s", what)
	case n > limits.ModelHeader-r.pos:
		r.fail("its header is longer than %d bytes", limits.ModelHeader)
	default:
		r.pos += n
		return true
	}
	return false
}

// bytes returns the next n bytes, at most len(r.buf) of them, until the next call.
func (r *reader) bytes(n int, what string) []byte {
	from := r.pos
	if !r.take(uint64(n), what) {
		return nil
	}
	if from < r.at || from+uint64(n) > r.at+uint64(r.n) {
		got, err := r.src.ReadAt(r.buf[:min(uint64(len(r.buf)), r.size-from)], int64(from))
		r.at, r.n = from, got
		if got < n {
			if err == nil || err == io.EOF {
				r.fail("the file became shorter while it was read")
			} else if r.err == nil {
				r.err = errs.Wrap(errs.ModelRefused, "gguf.read", err).With("the file cannot be read")
			}
			return nil
		}
	}
	return r.buf[from-r.at : from-r.at+uint64(n)]
}

func (r *reader) u32(what string) uint32 {
	if b := r.bytes(4, what); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64(what string) uint64 {
	if b := r.bytes(8, what); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// length reads the length of a string and holds it against what is left.
func (r *reader) length(most uint64, what string) uint64 {
	n := r.u64("the length of " + what)
	if r.err == nil && n > most {
		r.fail("%s is longer than %d bytes", what, most)
		return 0
	}
	return n
}

// text reads a string and returns its first keep bytes. A zero byte is refused
// anywhere in it: llama.cpp reads texts up to there, and would see another one.
func (r *reader) text(most, keep uint64, what string) string {
	var out strings.Builder
	for n := r.length(most, what); n > 0 && r.err == nil; {
		part := r.bytes(int(min(n, limits.ModelHeaderBuffer)), what)
		if bytes.IndexByte(part, 0) >= 0 {
			r.fail("%s has a zero byte in it", what)
		}
		n -= uint64(len(part))
		out.Write(part[:min(uint64(len(part)), keep-uint64(out.Len()))])
	}
	if r.err != nil {
		return ""
	}
	return out.String()
}

// begin reads what stands before the keys.
func (r *reader) begin(h *header) bool {
	if r.size == 0 {
		r.fail("the file is empty")
		return false
	}
	start := r.bytes(int(min(uint64(headSize), r.size)), "its first bytes")
	if r.err != nil {
		return false
	}
	if len(start) < len(magic) || string(start[:len(magic)]) != magic {
		if what := looksLike(start); what != "" {
			r.fail("it is not GGUF; it looks like %s", what)
		} else {
			r.fail("it does not begin like GGUF")
		}
		return false
	}
	r.pos = uint64(len(magic))
	switch version := r.u32("the version"); {
	case r.err != nil:
	case version == 1:
		r.fail("it is GGUF version 1, which engines do not read any more; convert it again")
	case version != 0 && version&0xffff == 0:
		r.fail("it is a big-endian GGUF file, made for another kind of machine")
	case version != 2 && version != 3:
		r.fail("it is GGUF version %d; 2 and 3 are known", version)
	}
	tensors, keys := r.u64("the number of tensors"), r.u64("the number of keys")
	switch {
	case r.err != nil:
	case tensors == 0:
		r.fail("it has no tensors: a vocabulary or a description alone")
	case tensors > limits.ModelTensors:
		r.fail("it has more than %d tensors", limits.ModelTensors)
	case keys > limits.ModelKeys:
		r.fail("it has more than %d keys", limits.ModelKeys)
	}
	h.nKeys, h.nTensors = int(min(keys, limits.ModelKeys)), int(min(tensors, limits.ModelTensors))
	return r.err == nil
}
