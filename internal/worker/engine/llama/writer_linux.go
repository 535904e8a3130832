package llama

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

// writer decodes for all generations of a model: one loop on one thread, which
// puts a token of each that writes, and a part of a prompt of those that are
// read, into one batch.
type writer struct {
	m     *model
	c     *calls
	s     *space
	b     *pack
	k     *choices
	slots []*slot
	// context is what one sequence holds, tokens.
	context int
	// pace is how long a token of a prompt took last time.
	pace time.Duration
	turn uint64
	// reader is the slot whose prompt is read first in the next batch: the first
	// may take all the room there is.
	reader int
	// wronged says that the last batch was ended for one while others were in it.
	// The next one is theirs: who cancels again and again must not stop them for
	// good. guarded tells those who cancel.
	wronged bool
	guarded atomic.Bool

	mu    sync.Mutex
	queue []*job
	// forgotten are the owners whose conversations are to go.
	forgotten []uint64
	busy      int
	over      bool
	wake      chan struct{}
	done      chan struct{}
}

// slot is a sequence of the context.
type slot struct {
	id int
	// held are the tokens whose keys and values the context has.
	held []engine.Token
	// owner of what is held: it is reused for the same owner alone. 0 = nobody,
	// whose is cleared when the slot is taken.
	owner uint64
	job   *job
	// used is the turn it was used last.
	used uint64
	// reads is how many tokens of its job's prompt are in the batch.
	reads int
}

// job is one generation.
type job struct {
	request engine.Request
	sampler *sampler
	events  chan engine.Event
	// stop asks the loop to end it; full says that the loop waits for its events
	// to be taken.
	stop, full atomic.Bool

	came, began, first, last time.Time
	// next was chosen and is not in the context yet.
	next   engine.Token
	writes bool
	result engine.Result
	err    error
}

// startWriter makes the context that generates.
func (m *model) startWriter() error {
	c := m.c
	p := c.contextDefault()
	n := m.info.Parallel
	p.ctx = uint32(m.info.Context * n)
	p.batch, p.ubatch = limits.EngineBatch, limits.EngineBatch
	p.seqs = uint32(n)
	p.outputs = uint32((n + limits.EngineOutputs - 1) / limits.EngineOutputs * limits.EngineOutputs)
	// Or layers that the processor has would be copied to the device for each
	// long prompt, beside what was counted.
	p.opOffload = 0
	s, err := m.space(p, m.info.Threads)
	if err != nil {
		return err
	}
	w := &writer{m: m, c: c, s: s, context: min(m.info.Context, int(c.contextSeq(s.h))), wake: make(chan struct{}, 1), done: make(chan struct{})}
	if s.memory == 0 || m.c.modelHasEnc(m.h) {
		s.close()
		return errs.New(errs.ModelRole, "llama.load").With("it does not write")
	}
	if w.b, err = newPack(c, limits.EngineBatch); err != nil {
		s.close()
		return err
	}
	w.k = newChoices(c, m.info.Vocabulary)
	m.info.Context = w.context
	for i := range n {
		w.slots = append(w.slots, &slot{id: i})
	}
	m.writer = w
	go w.run()
	return nil
}

// Generate continues a prompt; see [engine.Model].
func (m *model) Generate(ctx context.Context, r engine.Request, emit func(engine.Event) error) (engine.Result, error) {
	done, err := m.use("generate")
	if err != nil {
		return engine.Result{}, err
	}
	defer done()
	w := m.writer
	if w == nil {
		return engine.Result{}, errs.New(errs.ModelRole, "llama.generate")
	}
	if len(r.Prompt) == 0 && m.info.AddBOS {
		r.Prompt = []engine.Token{engine.Token(m.c.vocabBOS(m.vocab))}
	}
	if len(r.Prompt) == 0 {
		return engine.Result{}, errs.New(errs.Malformed, "llama.generate").With("an empty prompt")
	}
	if err := m.check(r.Prompt); err != nil {
		return engine.Result{}, err
	}
	if n := len(r.Prompt); n >= w.context {
		return engine.Result{}, overflow(n, w.context)
	}
	if ctx.Err() != nil {
		return engine.Result{}, errs.Wrap(errs.Cancelled, "llama.generate", ctx.Err())
	}
	s, err := m.sampler(r.Sampling, r.Prompt)
	if err != nil {
		return engine.Result{}, err
	}
	j := &job{request: r, sampler: s, events: make(chan engine.Event, limits.EngineEvents), came: time.Now()}
	if !w.submit(j) {
		s.free()
		return engine.Result{}, errs.New(errs.Cancelled, "llama.generate")
	}
	return w.follow(ctx, j, emit)
}

func overflow(have, room int) error {
	return errs.New(errs.ContextOverflow, "llama.generate").With(tooLong(have, room))
}

// follow hands the events of a job on until it ends.
func (w *writer) follow(ctx context.Context, j *job, emit func(engine.Event) error) (engine.Result, error) {
	var failed error
	written := 0
	end := ctx.Done()
	// A job that is asked to end may be inside of a grammar, where the library
	// does not look whether it should.
	var late <-chan time.Time
	stop := func(err error) {
		failed, end = err, nil
		j.stop.Store(true)
		if !w.guarded.Load() {
			w.s.stop.set(true)
		}
		w.poke()
		t := time.NewTimer(limits.EngineCancel)
		late = t.C
	}
	for {
		select {
		case e, ok := <-j.events:
			if !ok {
				r := j.result
				r.Out = written
				switch {
				case errors.Is(failed, engine.ErrStop):
					r.Finish = engine.Stopped
					return r, nil
				case failed != nil:
					return r, failed
				}
				return r, j.err
			}
			if j.full.Load() {
				w.poke()
			}
			if failed == nil {
				if e.Out != nil {
					written++
				}
				if err := emit(e); err != nil {
					stop(err)
				}
			}
		case <-end:
			stop(errs.Wrap(errs.Cancelled, "llama.generate", ctx.Err()))
		case <-late:
			r := engine.Result{Prompt: len(j.request.Prompt), Out: written}
			if errors.Is(failed, engine.ErrStop) {
				r.Finish, failed = engine.Stopped, nil
			}
			return r, failed
		}
	}
}

func (w *writer) submit(j *job) bool {
	w.mu.Lock()
	if w.over {
		w.mu.Unlock()
		return false
	}
	w.queue = append(w.queue, j)
	w.mu.Unlock()
	w.poke()
	return true
}

func (w *writer) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *writer) load() (running, waiting int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.busy, len(w.queue)
}

// end ends all jobs and the loop.
func (w *writer) end() {
	w.mu.Lock()
	w.over = true
	w.mu.Unlock()
	w.s.stop.set(true)
	w.poke()
	<-w.done
}

func (w *writer) free() {
	w.b.free()
	w.k.free()
	w.s.close()
}

func (w *writer) run() {
	// The library's thread pool counts the calling thread as one of its own.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(w.done)
	for {
		w.guarded.Store(w.wronged)
		// Before anything is looked at: who asks for an end later sets it again.
		w.s.stop.set(false)
		if w.ends() {
			return
		}
		w.admit()
		w.compose()
		if w.b.len() == 0 {
			<-w.wake
			continue
		}
		w.step()
	}
}

// ends ends the jobs that were asked to, all of them when the model is closed.
func (w *writer) ends() bool {
	w.mu.Lock()
	over := w.over
	gone := []*job{}
	kept := w.queue[:0]
	for _, j := range w.queue {
		if over || j.stop.Load() {
			gone = append(gone, j)
		} else {
			kept = append(kept, j)
		}
	}
	w.queue = kept
	w.mu.Unlock()
	for _, j := range gone {
		j.result.Queue = time.Since(j.came)
		j.finish(errs.New(errs.Cancelled, "llama.generate"))
	}
	for _, s := range w.slots {
		if s.job != nil && (over || s.job.stop.Load()) {
			w.leave(s, 0, errs.New(errs.Cancelled, "llama.generate"))
		}
	}
	return over
}

// leave takes a slot's job away.
func (w *writer) leave(s *slot, why engine.Finish, err error) {
	j := s.job
	s.job = nil
	j.result.Finish = why
	if !j.first.IsZero() {
		j.result.Reading, j.result.Writing = j.first.Sub(j.began), j.last.Sub(j.first)
	}
	if j.request.Owner != 0 {
		// Its owner was forgotten meanwhile.
		w.clear(s)
	}
	w.mu.Lock()
	w.busy--
	w.mu.Unlock()
	j.finish(err)
}

// Forget has nothing left of an owner's conversations; see [engine.Model].
func (m *model) Forget(owner uint64) {
	done, err := m.use("forget")
	if err != nil {
		return
	}
	defer done()
	if w := m.writer; w != nil {
		w.mu.Lock()
		w.forgotten = append(w.forgotten, owner)
		w.mu.Unlock()
		w.poke()
	}
}

// forget makes the slots of the owners nobody's.
func (w *writer) forget(owners []uint64) {
	for _, s := range w.slots {
		if slices.Contains(owners, s.owner) {
			s.owner = 0
			w.clear(s)
		}
	}
}

// clear empties a free slot that is nobody's.
func (w *writer) clear(s *slot) {
	if s.job == nil && s.owner == 0 && len(s.held) > 0 {
		w.keep(s, 0)
	}
}

func (j *job) finish(err error) {
	j.err = err
	j.sampler.free()
	close(j.events)
}

// admit puts waiting jobs into free slots, each into that of its owner which
// holds most of its beginning. What was to be forgotten before a job came goes
// before that job is looked at.
func (w *writer) admit() {
	for {
		w.mu.Lock()
		gone := w.forgotten
		w.forgotten = nil
		w.mu.Unlock()
		w.forget(gone)
		free := 0
		for _, s := range w.slots {
			if s.job == nil {
				free++
			}
		}
		w.mu.Lock()
		if len(w.forgotten) > 0 {
			w.mu.Unlock()
			continue
		}
		if free == 0 || len(w.queue) == 0 {
			w.mu.Unlock()
			return
		}
		j := w.queue[0]
		w.queue = w.queue[1:]
		if j.stop.Load() {
			// Its owner may be forgotten by now.
			w.mu.Unlock()
			j.result.Queue = time.Since(j.came)
			j.finish(errs.New(errs.Cancelled, "llama.generate"))
			continue
		}
		w.busy++
		w.mu.Unlock()
		w.place(j)
	}
}

func (w *writer) place(j *job) {
	var best *slot
	most := -1
	for _, s := range w.slots {
		if s.job != nil {
			continue
		}
		n := 0
		if s.owner == j.request.Owner && s.owner != 0 {
			n = common(s.held, j.request.Prompt)
		}
		if n > most || n == most && s.used < best.used {
			best, most = s, n
		}
	}
	// The last token is read again, for what comes after it.
	most = min(most, len(j.request.Prompt)-1)
	w.turn++
	best.used, best.job, best.owner = w.turn, j, j.request.Owner
	most = w.keep(best, most)
	j.began = time.Now()
	j.result.Queue = j.began.Sub(j.came)
	j.result.Prompt, j.result.Reused = len(j.request.Prompt), most
	w.m.prompt.Add(uint64(len(j.request.Prompt) - most))
}

// keep lets a slot hold its first n tokens, or none where the model's memory
// cannot be cut, and says how many.
func (w *writer) keep(s *slot, n int) int {
	if !w.c.seqRemove(w.s.memory, int32(s.id), int32(n), -1) {
		w.c.seqRemove(w.s.memory, int32(s.id), -1, -1)
		n = 0
	}
	s.held = s.held[:n]
	return n
}

func common(a, b []engine.Token) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// compose puts the next batch together.
func (w *writer) compose() {
	w.b.reset()
	for _, s := range w.slots {
		if s.job != nil && s.job.writes && s.job.ready() {
			w.b.add(int(s.job.next), len(s.held), s.id, true)
		}
	}
	room := w.chunk()
	if w.b.len() > 0 {
		// Who writes is not kept waiting by who reads.
		room = min(room, limits.EngineMixed)
		if w.pace > 0 {
			room = min(room, beside(w.b.len(), w.pace))
		}
	}
	room = min(room, limits.EngineBatch-w.b.len())
	for i := range w.slots {
		s := w.slots[(w.reader+i)%len(w.slots)]
		s.reads = 0
		if s.job == nil || s.job.writes || !s.job.ready() {
			continue
		}
		s.reads = min(len(s.job.request.Prompt)-len(s.held), room)
		room -= s.reads
	}
	// In the order of the slots, whoever's turn it is: sums in another order are
	// rounded otherwise, and a call with a seed would say something else.
	for _, s := range w.slots {
		for i := range s.reads {
			at := len(s.held) + i
			w.b.add(int(s.job.request.Prompt[at]), at, s.id, at == len(s.job.request.Prompt)-1)
		}
	}
}

// beside is how many tokens of prompts are read beside so many that are written,
// where one takes pace: what limits.EngineStep allows, and such that the rows of the
// batch are whole groups, since a part of one costs as much.
func beside(written int, pace time.Duration) int {
	const rows = limits.EngineRows
	all := written + int(limits.EngineStep/pace)
	return max(all/rows, written/rows+1)*rows - written
}

// ready reports whether there is room for what a job says next.
func (j *job) ready() bool {
	j.full.Store(len(j.events) >= cap(j.events)-2)
	// Who took the last one may have looked at full before it was set.
	return !j.full.Load() || len(j.events) < cap(j.events)-2
}

// chunk is how many tokens of a prompt are read at once: as many that one step of
// the graph, between which the library looks whether it should end, stays below
// limits.EnginePause.
func (w *writer) chunk() int {
	if w.pace == 0 {
		return limits.EngineFirstChunk
	}
	// The largest steps of a layer, the three of its feed forward network, take
	// about a quarter of its time each.
	layer := limits.EnginePause * 4
	n := int(layer * time.Duration(max(1, w.c.modelLayers(w.m.h))) / w.pace)
	if n > limits.EngineBlock {
		n -= n % limits.EngineBlock
	}
	return min(max(n, limits.EngineLeastChunk), limits.EngineBatch)
}

// step decodes the batch and takes what it gave.
func (w *writer) step() {
	began := time.Now()
	code := w.c.decode(w.s.h, w.b.b)
	if code != 0 {
		w.mend(code)
		return
	}
	w.wronged = false
	// Only behind a batch that came to its end: else one could always be in the batch
	// that is aborted.
	w.reader = (w.reader + 1) % len(w.slots)
	n := w.b.len()
	if n >= limits.EngineLeastChunk {
		w.pace = max(1, time.Since(began)/time.Duration(n))
	}
	at := 0
	for at < n {
		s := w.slots[*w.b.seq[at]]
		for at < n && *w.b.seq[at] == int32(s.id) {
			s.held = append(s.held, engine.Token(w.b.token[at]))
			at++
		}
		j := s.job
		if !j.writes {
			j.tell(engine.Event{Read: &engine.Read{Tokens: len(s.held), Total: len(j.request.Prompt), Reused: j.result.Reused}}, len(s.held) == len(j.request.Prompt))
		}
		if w.b.out[at-1] != 0 {
			w.take(s, at-1)
		}
	}
}

// tell sends an event; one that need not come is left out when there is little
// room.
func (j *job) tell(e engine.Event, must bool) {
	if !must && len(j.events) > cap(j.events)/2 {
		return
	}
	j.events <- e
}

// take chooses the next token of a slot from what the batch's entry gave.
func (w *writer) take(s *slot, entry int) {
	j := s.job
	logits := floats(w.c.logits(w.s.h, int32(entry)), w.m.info.Vocabulary)
	t, err := j.sampler.next(w.k, logits)
	now := time.Now()
	if j.first.IsZero() {
		j.first = now
	}
	j.last = now
	j.writes = true
	switch {
	case err != nil:
		w.leave(s, 0, err)
		return
	case w.c.vocabIsEnd(w.m.vocab, int32(t)):
		w.leave(s, engine.End, nil)
		return
	}
	out := &engine.Out{Token: t, Bytes: w.m.bytes(t)}
	if n := j.request.Logprobs; n > 0 {
		out.Candidates = w.candidates(logits, t, n)
	}
	j.result.Out++
	w.m.output.Add(1)
	j.next = t
	j.events <- engine.Event{Out: out}
	switch {
	case j.result.Out == j.request.MaxTokens:
		w.leave(s, engine.Length, nil)
	case len(s.held) >= w.context:
		w.leave(s, engine.Full, nil)
	}
}
