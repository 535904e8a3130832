// Package badmodels is a table of files that are no good as models: what people
// take for one, headers that lie, tensors that lie elsewhere, templates that never
// end, and files that are in order and still bring an engine down. Each row says
// who has to stop it. Only tests use it; it makes every file from a seed and
// reads none.
package badmodels

import (
	"bytes"

	"github.com/bailey-run/bailey/internal/testkit/gguf"
)

// Verdict is who stops a file, and how.
type Verdict string

// The verdicts.
const (
	// ByReader: the reader of headers refuses it, before anybody is asked.
	ByReader Verdict = "refused by the reader"
	// ByEngine: the engine refuses to load it, and goes on.
	ByEngine Verdict = "refused by the engine"
	// Ends: it ends its engine, and is set aside after three times.
	Ends Verdict = "ends its engine, set aside"
	// Template: it loads; its chat template is refused, and no other is put in
	// its place.
	Template Verdict = "its template is refused"
	// Stuck: it answers, and cannot keep to a JSON schema.
	Stuck Verdict = "answers, but to no schema"
	// Answers: it loads and answers, however badly.
	Answers Verdict = "answers"
)

// Case is one file.
type Case struct {
	Name string
	// What is wrong with it, for people.
	What string
	Want Verdict
	make func() []byte
}

// Bytes makes the file.
func (c Case) Bytes() []byte { return c.make() }

// All is the table.
func All() []Case {
	var out []Case
	for _, group := range [][]Case{others(), headers(), tensors(), keys(), vocabularies(), shapes(), nuls(), templates()} {
		out = append(out, group...)
	}
	return out
}

// bytesOf writes a file.
func bytesOf(f *gguf.File) []byte {
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		panic("BUG: a bad model cannot be written: " + err.Error())
	}
	return b.Bytes()
}

func file(name, what string, want Verdict, f func() *gguf.File) Case {
	return Case{name, what, want, func() []byte { return bytesOf(f()) }}
}

func plain(name, what, content string) Case {
	return Case{name, what, ByReader, func() []byte { return []byte(content) }}
}

// good is the model that most rows are made from.
func good() *gguf.File { return gguf.Llama(gguf.Small(1)) }

// with is a good model with another value of one key; nil takes the key out.
func with(key string, v any) func() *gguf.File {
	return func() *gguf.File { return good().Set(key, v) }
}

// more is a good model with one tensor more.
func more(t gguf.Tensor) func() *gguf.File {
	return func() *gguf.File {
		f := good()
		f.Tensors = append(f.Tensors, t)
		return f
	}
}

// raw writes a header by hand.
func raw(name, what string, do func(w *gguf.Writer)) Case {
	return Case{name, what, ByReader, func() []byte {
		var b bytes.Buffer
		do(gguf.NewWriter(&b))
		return b.Bytes()
	}}
}

func begin(w *gguf.Writer, version uint32, tensors, keys uint64) {
	w.U32(gguf.Magic)
	w.U32(version)
	w.U64(tensors)
	w.U64(keys)
}
