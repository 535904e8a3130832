package llama

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

// maker makes vectors: with all threads for those who wait, and in a context of
// its own on one thread of the lowest priority for work in the background. The
// second gives way to the first between two batches.
type maker struct {
	m *model
	// front and back are made when they are first used, each held by who uses it.
	front, back *desk
	waiting     atomic.Int32
	running     atomic.Int32
	over        atomic.Bool

	mu sync.Mutex
	// ahead are the calls in front; quiet is closed when there is none.
	ahead int
	quiet chan struct{}
}

// desk is a context that makes vectors.
type desk struct {
	// turn holds the right to use it.
	turn    chan struct{}
	threads int
	s       *space
	b       *pack

	mu sync.Mutex
	// serial counts batches, so that a late order to end one ends no other.
	serial int
}

// Poolings, as the library numbers them: a vector for each token, their mean, and
// one number.
const (
	poolNone = 0
	poolMean = 1
	poolRank = 4
)

func (m *model) startMaker() error {
	k := &maker{m: m, front: newDesk(m.info.Threads), back: newDesk(1)}
	m.maker = k
	m.info.Parallel = 1
	if err := k.open(k.front); err != nil {
		return err
	}
	c := m.c
	if !m.pools() && k.front.s.memory != 0 || c.contextPooling(k.front.s.h) == poolRank {
		return errs.New(errs.ModelRole, "llama.load").With("it does not make vectors")
	}
	m.info.Dimension = int(c.modelWidth(m.h))
	return nil
}

// pools reports whether the header says how the vectors of a text's tokens
// become one.
func (m *model) pools() bool {
	v := m.meta(m.meta("general.architecture") + ".pooling_type")
	return v != "" && v != fmt.Sprint(poolNone)
}

func newDesk(threads int) *desk {
	d := &desk{turn: make(chan struct{}, 1), threads: threads}
	d.turn <- struct{}{}
	return d
}

// open makes the context of a desk.
func (k *maker) open(d *desk) error {
	if d.s != nil {
		return nil
	}
	c := k.m.c
	p := c.contextDefault()
	n := uint32(max(k.m.info.Context, limits.EngineEmbedBatch))
	p.ctx, p.batch, p.ubatch = n, n, n
	p.seqs = limits.EngineEmbedTexts
	p.embeddings, p.unified = 1, 1
	if !k.m.pools() {
		p.pooling = poolMean
	}
	s, err := k.m.space(p, d.threads)
	if err != nil {
		return err
	}
	b, err := newPack(c, int(n))
	if err != nil {
		s.close()
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.s, d.b = s, b
	return nil
}

func (k *maker) load() (running, waiting int) {
	return int(k.running.Load()), int(k.waiting.Load())
}

func (k *maker) end() {
	k.over.Store(true)
	for _, d := range []*desk{k.front, k.back} {
		d.mu.Lock()
		if d.s != nil {
			d.s.stop.set(true)
		}
		d.mu.Unlock()
	}
}

func (k *maker) free() {
	for _, d := range []*desk{k.front, k.back} {
		if d.s != nil {
			d.b.free()
			d.s.close()
		}
	}
}

// text is one text on its way.
type text struct {
	tokens []engine.Token
	cut    int
}

// Embed makes vectors; see [engine.Model].
func (m *model) Embed(ctx context.Context, texts []string, background bool, emit func([]float32, int, int) error) error {
	done, err := m.use("embed")
	if err != nil {
		return err
	}
	defer done()
	k := m.maker
	if k == nil {
		return errs.New(errs.ModelRole, "llama.embed")
	}
	list := make([]text, len(texts))
	for i, s := range texts {
		if list[i], err = m.text(s); err != nil {
			return err
		}
	}
	if !background {
		k.forward()
		defer k.backward()
		return k.make(ctx, k.front, list, emit)
	}
	// A thread's priority cannot be raised again by an ordinary user, so the
	// thread ends with the work.
	out := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		const process, self = 0, 0
		m.c.setpriority(process, self, limits.EngineNice)
		out <- k.make(ctx, k.back, list, emit)
	}()
	return <-out
}

// text encodes a text with what the model wants around it, cut to the context.
func (m *model) text(s string) (text, error) {
	ids, err := m.tokenize(s, true, false)
	if err != nil {
		return text{}, err
	}
	t := text{tokens: ids}
	if n := m.info.Context; len(ids) > n {
		// The last one closes the text.
		t.cut = len(ids) - n
		t.tokens = append(ids[:n-1:n-1], ids[len(ids)-1])
	}
	if len(ids) == 0 {
		t.tokens = []engine.Token{engine.Token(max(0, m.c.vocabBOS(m.vocab)))}
	}
	return t, nil
}

func (k *maker) make(ctx context.Context, d *desk, list []text, emit func([]float32, int, int) error) error {
	for len(list) > 0 {
		n := 1
		for size := len(list[0].tokens); n < len(list) && n < limits.EngineEmbedTexts; n++ {
			if size += len(list[n].tokens); size > limits.EngineEmbedBatch {
				break
			}
		}
		vectors, err := k.batch(ctx, d, list[:n])
		if err != nil {
			return err
		}
		for i, v := range vectors {
			if err := emit(v, len(list[i].tokens)+list[i].cut, list[i].cut); err != nil {
				if errors.Is(err, engine.ErrStop) {
					return nil
				}
				return err
			}
		}
		list = list[n:]
	}
	return nil
}

// batch makes the vectors of texts that fit into one.
func (k *maker) batch(ctx context.Context, d *desk, list []text) ([][]float32, error) {
	cancelled := func() error { return errs.Wrap(errs.Cancelled, "llama.embed", ctx.Err()) }
	if err := k.enter(ctx, d); err != nil {
		return nil, cancelled()
	}
	defer k.leave(d)
	if err := k.open(d); err != nil {
		return nil, err
	}
	mine := d.begin()
	defer d.over()
	if k.over.Load() {
		return nil, cancelled()
	}
	defer context.AfterFunc(ctx, func() { d.end(mine) })()

	c, width := k.m.c, k.m.info.Dimension
	d.b.reset()
	for i, t := range list {
		for at, id := range t.tokens {
			d.b.add(int(id), at, i, true)
		}
	}
	run := c.encode
	if d.s.memory != 0 {
		c.memoryClear(d.s.memory, false)
		run = c.decode
	}
	if code := run(d.s.h, d.b.b); code != 0 {
		if ctx.Err() != nil || k.over.Load() {
			return nil, cancelled()
		}
		return nil, k.m.lib.failure("embed", errs.Internal)
	}
	out := make([][]float32, len(list))
	for i := range list {
		p := c.embeddings(d.s.h, int32(i))
		if p == nil {
			return nil, errs.New(errs.Internal, "llama.embed").With("no vector")
		}
		out[i] = unit(floats(p, width))
		k.m.prompt.Add(uint64(len(list[i].tokens)))
	}
	return out, nil
}

// begin begins a batch and returns its number.
func (d *desk) begin() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.serial++
	d.s.stop.set(false)
	return d.serial
}

// over lets nobody end the batch any more: the order may come when the model is
// closed and its memory gone.
func (d *desk) over() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.serial++
}

// end ends a batch, if it is still at work.
func (d *desk) end(serial int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.serial == serial {
		d.s.stop.set(true)
	}
}

func (k *maker) forward() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ahead++; k.ahead == 1 {
		k.quiet = make(chan struct{})
	}
}

func (k *maker) backward() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ahead--; k.ahead == 0 {
		close(k.quiet)
		k.quiet = nil
	}
}

// enter takes a desk; the one in the background waits until nobody is in front.
func (k *maker) enter(ctx context.Context, d *desk) error {
	k.waiting.Add(1)
	defer k.waiting.Add(-1)
	for d == k.back {
		k.mu.Lock()
		quiet := k.quiet
		k.mu.Unlock()
		if quiet == nil {
			break
		}
		select {
		case <-quiet:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case <-d.turn:
		k.running.Add(1)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *maker) leave(d *desk) {
	k.running.Add(-1)
	d.turn <- struct{}{}
}

// unit copies a vector and makes its length 1. A vector of no length stays what
// it is.
func unit(v []float32) []float32 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	out := make([]float32, len(v))
	if sum > 0 && !math.IsInf(sum, 0) {
		scale := 1 / math.Sqrt(sum)
		for i, x := range v {
			out[i] = float32(float64(x) * scale)
		}
	}
	return out
}
