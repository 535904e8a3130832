package scripts

import (
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bailey-run/bailey/internal/testkit/badmodels"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
)

// writeModel FILE KIND: a generated model: chat, chat2 (other weights), long (its context), hello (one
// sentence), talker (no end), base (no template), embedding, or one of the table of bad models by its name.
func writeModel(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 2, "gguf FILE KIND")
	s := gguf.Small(1)
	var f *gguf.File
	switch args[1] {
	case "chat":
		f = gguf.Llama(s)
	case "chat2":
		s.Seed = 2
		f = gguf.Llama(s)
	case "long":
		// No machine has the memory for what its header says that it was trained for.
		s.Context = 1 << 30
		f = gguf.Llama(s)
	case "base":
		s.Template = "-"
		f = gguf.Llama(s)
	case "hello":
		f = gguf.Script("Hello", "from", "a", "generated", "model.")
	case "talker":
		// It says random words, and never ends by itself.
		f = gguf.Llama(gguf.Shape{Name: "talker", Context: 4096, Embed: 256, Layers: 4, FF: 512, Heads: 8, KVHeads: 8, Vocabulary: 4000, Type: gguf.F32, Seed: 2})
	case "embedding":
		f = gguf.Embedding(1)
	case "licensed":
		f = gguf.Llama(s).Set("general.license", "MIT\x1b[31m or so").Set("general.name", "A\nmodel\u202e")
	default:
		for _, c := range badmodels.All() {
			if c.Name == args[1] {
				ts.Check(os.WriteFile(ts.MkAbs(args[0]), c.Bytes(), 0o644))
				return
			}
		}
		ts.Fatalf("no model of kind %s", args[1])
	}
	var b strings.Builder
	ts.Check(f.Write(&b))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}
