package llama

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/cores"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

// model is a loaded model, with one context that generates or with up to two
// that make vectors.
type model struct {
	lib   *Library
	c     *calls
	h     uintptr
	vocab uintptr
	// layers are on a graphics device.
	layers int
	info   engine.Info
	// pieces are the bytes of tokens that were asked for once.
	pieces []atomic.Pointer[[]byte]
	// odd are the tokens that no grammar may have; see unfit.
	odd    []int32
	looked sync.Once

	prompt, output atomic.Uint64

	writer *writer
	maker  *maker

	close sync.Once
	users users
}

// users are the calls that use a model. Its closing waits for those that are
// there and lets no other in; it must not make one wait that a call of its own
// is inside of, so a lock for readers and writers will not do.
type users struct {
	mu     sync.Mutex
	n      int
	closed bool
	none   chan struct{}
}

func (u *users) enter() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.closed {
		return false
	}
	u.n++
	return true
}

func (u *users) leave() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.n--; u.n == 0 && u.closed {
		close(u.none)
	}
}

// end lets nobody in any more; the channel is closed when nobody is left.
func (u *users) end() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.closed, u.none = true, make(chan struct{})
	if u.n == 0 {
		close(u.none)
	}
	return u.none
}

// start makes the context that the options want.
func (m *model) start(o engine.Options) error {
	c := m.c
	m.vocab = c.modelVocab(m.h)
	n := int(c.vocabSize(m.vocab))
	if n <= 0 {
		return errs.New(errs.ModelRefused, "llama.load").With("it has no vocabulary")
	}
	m.pieces = make([]atomic.Pointer[[]byte], n)
	text := func(id int32) string {
		if id < 0 {
			return ""
		}
		return strings.ToValidUTF8(c.vocabText(m.vocab, id), string(utf8.RuneError))
	}
	m.info = engine.Info{
		TrainedContext: int(c.modelContext(m.h)),
		Vocabulary:     n,
		Template:       strings.ToValidUTF8(c.modelTemplate(m.h, 0), string(utf8.RuneError)),
		BOS:            text(c.vocabBOS(m.vocab)),
		EOS:            text(c.vocabEOS(m.vocab)),
		AddBOS:         c.vocabAddBOS(m.vocab),
		Parallel:       max(1, o.Parallel),
		Threads:        o.Threads,
		Context:        o.Context,
	}
	if m.info.Threads <= 0 {
		m.info.Threads = cores.Default()
	}
	m.info.Threads = min(m.info.Threads, poolThreads)
	if m.info.Context <= 0 {
		m.info.Context = limits.EngineContext
	}
	// A model has no place beyond what it was trained for: one with a table of
	// places ends the process there, and others say nothing of use.
	if t := m.info.TrainedContext; t > 0 {
		m.info.Context = min(m.info.Context, t)
	}
	if m.info.Context > math.MaxInt32/m.info.Parallel {
		return errs.New(errs.MemoryUsedUp, "llama.load").With("the context")
	}
	if o.Embedding {
		return m.startMaker()
	}
	return m.startWriter()
}

// meta is a value of the header, as text; empty where there is none.
func (m *model) meta(key string) string {
	buf := make([]byte, limits.EngineLogLine)
	n := m.c.modelMeta(m.h, key, &buf[0], uintptr(len(buf)))
	if n < 0 || int(n) >= len(buf) {
		return ""
	}
	return string(buf[:n])
}

// space is a context with its threads and the byte that ends its work.
type space struct {
	c      *calls
	h      uintptr
	memory uintptr
	pool   uintptr
	stop   *flag
}

// space makes a context. A pool that lives as long as the context, and whose
// threads do not spin while they wait, is what keeps the library from
// collapsing on a busy machine.
func (m *model) space(p contextParams, threads int) (*space, error) {
	s := &space{c: m.c, stop: newFlag(m.c)}
	p.threads, p.threadsBatch = int32(threads), int32(threads)
	p.abort, p.abortData = m.c.strlen, s.stop.address()
	if s.h = m.c.contextNew(m.h, p); s.h == 0 {
		s.close()
		return nil, m.lib.failure("context", errs.MemoryUsedUp)
	}
	s.memory = m.c.contextMemory(s.h)
	pool := poolParams{}
	m.c.poolInit(&pool, int32(threads))
	pool.poll = 0
	if s.pool = m.c.poolNew(&pool); s.pool == 0 {
		s.close()
		return nil, errs.New(errs.MemoryUsedUp, "llama.context").With("threads")
	}
	m.c.attach(s.h, s.pool, s.pool)
	return s, nil
}

func (s *space) close() {
	if s.h != 0 {
		s.c.contextFree(s.h)
	}
	if s.pool != 0 {
		s.c.poolFree(s.pool)
	}
	s.stop.free()
}

// Info says what was loaded.
func (m *model) Info() engine.Info { return m.info }

// use keeps the model from being closed; it fails when it is.
func (m *model) use(op string) (func(), error) {
	if !m.users.enter() {
		return nil, errs.New(errs.Cancelled, "llama."+op).With("the model was closed")
	}
	return m.users.leave, nil
}

// Tokenize encodes text; what is not UTF-8 in it becomes the replacement
// character first, since the library's own handling of it differs by vocabulary.
func (m *model) Tokenize(text string, control bool) ([]engine.Token, error) {
	return m.tokenize(text, false, control)
}

func (m *model) tokenize(text string, special, control bool) ([]engine.Token, error) {
	done, err := m.use("tokenize")
	if err != nil {
		return nil, err
	}
	defer done()
	if len(text) > limits.EngineText {
		return nil, errs.New(errs.TooLarge, "llama.tokenize")
	}
	b := []byte(strings.ToValidUTF8(text, string(utf8.RuneError)))
	length := int32(len(b))
	if length == 0 {
		b = []byte{0}
	}
	// Most vocabularies have a token for three or more bytes; the library says
	// how many it needs when there is too little room.
	out := make([]int32, len(b)/3+16)
	for range 2 {
		n := m.c.tokenize(m.vocab, &b[0], length, &out[0], int32(len(out)), special, control)
		if n >= 0 {
			return tokens(out[:n]), nil
		}
		if int(-n) <= len(out) {
			break
		}
		out = make([]int32, -n)
	}
	return nil, errs.New(errs.TooLarge, "llama.tokenize")
}

func tokens(ids []int32) []engine.Token {
	out := make([]engine.Token, len(ids))
	for i, id := range ids {
		out[i] = engine.Token(id)
	}
	return out
}

// Bytes of a token.
func (m *model) Bytes(t engine.Token) []byte {
	if t < 0 || int(t) >= len(m.pieces) {
		return nil
	}
	if p := m.pieces[t].Load(); p != nil {
		return *p
	}
	done, err := m.use("bytes")
	if err != nil {
		return nil
	}
	defer done()
	return m.bytes(t)
}

func (m *model) bytes(t engine.Token) []byte {
	if p := m.pieces[t].Load(); p != nil {
		return *p
	}
	b := append([]byte(nil), m.spell(int32(t), make([]byte, 64))...)
	m.pieces[t].Store(&b)
	return b
}

// spell writes the bytes of a token to buf, or to a longer one.
func (m *model) spell(id int32, buf []byte) []byte {
	n := m.c.piece(m.vocab, id, &buf[0], int32(len(buf)), 0, false)
	if n < 0 {
		buf = make([]byte, -n)
		n = m.c.piece(m.vocab, id, &buf[0], int32(len(buf)), 0, false)
	}
	return buf[:max(0, n)]
}

// Stats are counted since the load.
func (m *model) Stats() engine.Stats {
	s := engine.Stats{PromptTokens: m.prompt.Load(), OutputTokens: m.output.Load(), VRAM: m.info.Graphics.VRAM}
	if m.writer != nil {
		s.Running, s.Waiting = m.writer.load()
	}
	if m.maker != nil {
		s.Running, s.Waiting = m.maker.load()
	}
	return s
}

// Close ends what runs and gives the memory back.
func (m *model) Close() error {
	m.close.Do(func() {
		none := m.users.end()
		if m.writer != nil {
			m.writer.end()
		}
		if m.maker != nil {
			m.maker.end()
		}
		<-none
		if m.writer != nil {
			m.writer.free()
		}
		if m.maker != nil {
			m.maker.free()
		}
		if m.h != 0 {
			m.c.modelFree(m.h)
		}
	})
	return nil
}

func (m *model) check(prompt []engine.Token) error {
	for _, t := range prompt {
		if t < 0 || int(t) >= len(m.pieces) {
			return errs.New(errs.Malformed, "llama.generate").With(fmt.Sprintf("token %d", t))
		}
	}
	return nil
}
