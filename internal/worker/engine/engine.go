// Package engine says what an inference library is to Bailey: [Library] loads
// one [Model], which generates and embeds. Package llama is llama.cpp, package
// extractive answers in the words of its prompt, package fake follows a script;
// package conformance is the suite that each of them, and any later one, passes.
// Package serve puts bailey.engine.v1 in front of a Model: templates, stop texts,
// schemas, quotas and whole characters are its business, not the library's.
//
// A library opens nothing once it was made: the model comes as a descriptor.
// Only the engine worker uses this.
package engine

import (
	"context"
	"errors"
	"os"
	"time"
)

// ErrStop is what an emit function returns to end a generation early and in
// order. Generate then returns a Result and no error.
var ErrStop = errors.New("engine: enough")

// Token is a number of the model's vocabulary.
type Token int32

// Library is an inference library that was opened and is ready to load.
type Library interface {
	// Name is the library and its version, for example "llama.cpp v0.5.0".
	Name() string
	// Variant is the code that was chosen for this processor, for example "zen4".
	Variant() string
	// Load reads the model from f, which it takes over. progress gets fractions
	// from 0 to 1; when ctx ends the load ends. Errors: errs.ModelRefused for a
	// file that the library does not take, errs.MemoryUsedUp, errs.ModelRole,
	// errs.Cancelled.
	Load(ctx context.Context, f *os.File, o Options, progress func(float32)) (Model, error)
}

// Options are what a model is loaded with.
type Options struct {
	// Size of the file, bytes.
	Size int64
	// Embedding makes vectors; else it generates.
	Embedding bool
	// Context of one sequence, tokens, and never more than the model was trained
	// for; 0 = limits.EngineContext.
	Context int
	// Parallel sequences; 0 = one.
	Parallel int
	// Threads; 0 = the default of the machine: physical cores less one, at least
	// one, of those that the process may use.
	Threads int
	// VRAM that may be used, bytes; 0 = no graphics device. With one, a load whose
	// model does not go there fails: errs.NotSupported, errs.EngineMissing where the
	// library for cards is not there, errs.MemoryUsedUp. Who asks tries again with
	// the processor, in the sandbox that has no driver in it.
	VRAM uint64
}

// Info is what a loaded model says of itself.
type Info struct {
	Context, TrainedContext int
	Parallel, Threads       int
	// Dimension of its vectors, when it makes vectors.
	Dimension  int
	Vocabulary int
	// Template is the chat template of the file, Jinja; empty = none.
	Template string
	// BOS and EOS are the texts of those tokens, for templates; may be empty.
	BOS, EOS string
	// AddBOS says that the model wants BOS in front of a prompt.
	AddBOS bool
	// Graphics is what of it is on a graphics device.
	Graphics Graphics
}

// Graphics is the part of a model that a graphics device holds.
type Graphics struct {
	// Device by the name that its driver gives it; empty = the processor has all.
	Device string
	// Layers of the model that are there.
	Layers int
	// VRAM that they, their cache and their scratch memory take, bytes.
	VRAM uint64
}

// Sampling says how the next token is chosen; all fields are meant as they are.
type Sampling struct {
	Temperature float32
	Greedy      bool
	TopK        int
	TopP, MinP  float32
	Repeat      float32
	Frequency   float32
	Presence    float32
	Seed        uint32
	// Grammar is a GBNF grammar of Bailey's own making; empty = none.
	Grammar string
}

// Request is one generation.
type Request struct {
	// Owner says whose the conversation is. What a call left is used again for a
	// call of the same owner alone: how much of a prompt was still there, and how
	// soon the first token comes, would tell others what was said. 0 = nobody:
	// nothing is used again.
	Owner    uint64
	Prompt   []Token
	Sampling Sampling
	// MaxTokens to write; 0 = as the context allows.
	MaxTokens int
	// Logprobs alternatives for each token.
	Logprobs int
}

// Candidate is a token that could have come, with the natural logarithm of its
// probability before sampling.
type Candidate struct {
	Token   Token
	Bytes   []byte
	Logprob float32
}

// Event is one step of a generation. Exactly one field is set.
type Event struct {
	// Read is sent while the prompt is read.
	Read *Read
	// Out is a token that was written.
	Out *Out
}

// Read is how far the prompt is read. The last one has Tokens == Total.
type Read struct {
	Tokens, Total int
	// Reused of them were still there from a call of the same owner.
	Reused int
}

// Out is a token with its bytes, which may be part of a character. Control
// tokens have no bytes.
type Out struct {
	Token Token
	Bytes []byte
	// Candidates, the chosen one first, when they were asked for.
	Candidates []Candidate
}

// Finish is why a generation ended.
type Finish uint8

// The ends.
const (
	// End: the model ended its turn.
	End Finish = iota + 1
	// Stopped: emit returned ErrStop.
	Stopped
	// Length: MaxTokens were written.
	Length
	// Full: the context is.
	Full
)

// Result is what a generation took.
type Result struct {
	Finish              Finish
	Prompt, Reused, Out int
	// Queue is the wait for a free sequence; Reading from then to the first
	// token; Writing from there to the last.
	Queue, Reading, Writing time.Duration
}

// Stats are counted since the load.
type Stats struct {
	PromptTokens, OutputTokens uint64
	Running, Waiting           int
	// VRAM in use, bytes; Temperature of the device, thousandths of a degree.
	VRAM        uint64
	Temperature uint32
}

// Model is a loaded model. Its methods may be called from several goroutines;
// as many generations as Options.Parallel run at once, in one batch, and others
// wait.
type Model interface {
	Info() Info
	// Tokenize encodes text. With control, texts of control tokens become these
	// tokens; without, they are text like any other. BOS is not added.
	Tokenize(text string, control bool) ([]Token, error)
	// Bytes of a token; none for a control token.
	Bytes(Token) []byte
	// Generate continues a prompt. emit is called from one goroutine; an error of
	// it ends the generation and is returned. Errors: errs.ContextOverflow when the
	// prompt leaves no room for a token, errs.Cancelled, errs.MemoryUsedUp,
	// errs.ModelRole, errs.SchemaRefused when the grammar is not taken,
	// errs.SchemaStuck when it allows no token, errs.ModelRefused when the model's
	// numbers are none. A call that ends early ends within limits.EngineCancel, in
	// the prompt too.
	Generate(ctx context.Context, r Request, emit func(Event) error) (Result, error)
	// Forget has nothing left of an owner's conversations: of those that are at
	// work once they end. It does not wait for that, and comes before every call
	// that begins later.
	Forget(owner uint64)
	// Embed makes one vector of length 1 for each text, in order, and says how
	// many tokens it has and how many were left out for want of context. Work in
	// the background uses one thread of the lowest priority, and gives way.
	Embed(ctx context.Context, texts []string, background bool, emit func(vector []float32, tokens, truncated int) error) error
	Stats() Stats
	// Close gives everything back. Idempotent.
	Close() error
}
