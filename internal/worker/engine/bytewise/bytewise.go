// Package bytewise is the part that engines without weights have in common:
// each byte is a token, an answer is a text that a function gives, and the rest
// (conversations at once, what is kept of a prompt, limits, cancelling) is as
// the interface wants it. Packages fake and extractive are made of it. It
// refuses what [engine.Model] says is refused, and takes no file into account.
package bytewise

import (
	"context"
	"errors"
	"hash/fnv"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

// Control tokens behind the 256 bytes.
const (
	begin = 256 + iota
	turnStart
	turnEnd
	vocabulary
)

// names are the texts of the control tokens.
func names() []string { return []string{"<s>", "<|im_start|>", "<|im_end|>"} }

// Template is a chat template as many models have it.
const Template = `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

// Voice is what such an engine says.
type Voice struct {
	// Say gives the answer to a prompt; it must be the same for the same request.
	Say func(ctx context.Context, prompt string, s engine.Sampling) (string, error)
	// Vector gives a text's vector; it is made of length 1 behind it.
	Vector func(text string) []float32
	// Step is called before each part of a prompt, with -1, and before each token,
	// with its number. An error ends the call. May be nil.
	Step func(ctx context.Context, n int) error
	// Dimension of the vectors.
	Dimension int
	// Trained is the context that the model says it was made for.
	Trained int
}

// New makes a model.
func New(v Voice, o engine.Options) engine.Model {
	i := engine.Info{
		Context: o.Context, TrainedContext: v.Trained, Parallel: max(1, o.Parallel), Threads: max(1, o.Threads),
		Vocabulary: vocabulary, Template: Template, BOS: names()[0], EOS: names()[2], AddBOS: true,
	}
	if i.Context <= 0 {
		i.Context = limits.EngineContext
	}
	if v.Trained > 0 {
		i.Context = min(i.Context, v.Trained)
	}
	m := &model{voice: v, info: i, embeds: o.Embedding, closed: make(chan struct{}), free: make(chan *sequence, i.Parallel)}
	if o.Embedding {
		m.info.Dimension = v.Dimension
	}
	for range i.Parallel {
		s := &sequence{}
		m.all = append(m.all, s)
		m.free <- s
	}
	return m
}

type model struct {
	voice  Voice
	info   engine.Info
	embeds bool
	free   chan *sequence
	all    []*sequence
	closed chan struct{}
	once   sync.Once
	calls  sync.WaitGroup

	mu    sync.Mutex
	over  bool
	stats engine.Stats
}

// sequence is what one conversation left.
type sequence struct {
	held []engine.Token
	// owner of what is held, guarded by the mutex of the model; 0 = nobody.
	owner uint64
}

func (m *model) Info() engine.Info { return m.info }

func (m *model) Stats() engine.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stats
}

func (m *model) count(f func(*engine.Stats)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(&m.stats)
}

func (m *model) Tokenize(text string, control bool) ([]engine.Token, error) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	out := make([]engine.Token, 0, len(text))
next:
	for len(text) > 0 {
		if control {
			for i, name := range names() {
				if rest, ok := strings.CutPrefix(text, name); ok {
					text = rest
					out = append(out, engine.Token(begin+i))
					continue next
				}
			}
		}
		out = append(out, engine.Token(text[0]))
		text = text[1:]
	}
	return out, nil
}

func (m *model) Bytes(t engine.Token) []byte {
	if t < 0 || t >= begin {
		return nil
	}
	return []byte{byte(t)}
}

// enter begins a call that Close ends.
func (m *model) enter(ctx context.Context, op string) (context.Context, func(), error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.over {
		return nil, nil, errs.New(errs.Cancelled, op).With("the model was closed")
	}
	m.calls.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := make(chan struct{})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		select {
		case <-m.closed:
			cancel()
		case <-stop:
		}
	}()
	return ctx, func() {
		close(stop)
		<-gone
		cancel()
		m.calls.Done()
	}, nil
}

func (m *model) Generate(ctx context.Context, r engine.Request, emit func(engine.Event) error) (engine.Result, error) {
	const op = "bytewise.generate"
	ctx, leave, err := m.enter(ctx, op)
	if err != nil {
		return engine.Result{}, err
	}
	defer leave()
	if m.embeds {
		return engine.Result{}, errs.New(errs.ModelRole, op)
	}
	if len(r.Prompt) == 0 {
		r.Prompt = []engine.Token{begin}
	}
	text := []byte{}
	for _, t := range r.Prompt {
		if t < 0 || t >= vocabulary {
			return engine.Result{}, errs.New(errs.Malformed, op)
		}
		text = append(text, m.Bytes(t)...)
		if t >= begin {
			text = append(text, names()[t-begin]...)
		}
	}
	if len(r.Prompt) >= m.info.Context {
		return engine.Result{}, errs.New(errs.ContextOverflow, op)
	}
	came := time.Now()
	s, err := m.take(ctx, r)
	if err != nil {
		return engine.Result{}, err
	}
	defer func() { m.free <- s }()
	m.count(func(s *engine.Stats) { s.Running++ })
	defer m.count(func(s *engine.Stats) { s.Running-- })

	res := engine.Result{Prompt: len(r.Prompt), Queue: time.Since(came)}
	began := time.Now()
	res.Reused = min(common(s.held, r.Prompt), len(r.Prompt)-1)
	s.held = s.held[:res.Reused]
	m.count(func(s *engine.Stats) { s.PromptTokens += uint64(res.Prompt - res.Reused) })
	stopped := func(err error) (engine.Result, error) {
		if errors.Is(err, engine.ErrStop) {
			res.Finish = engine.Stopped
			return res, nil
		}
		return res, err
	}
	for len(s.held) < len(r.Prompt) {
		if err := m.step(ctx, -1); err != nil {
			return res, err
		}
		s.held = r.Prompt[:min(len(r.Prompt), len(s.held)+limits.EngineLeastChunk)]
		if err := emit(engine.Event{Read: &engine.Read{Tokens: len(s.held), Total: len(r.Prompt), Reused: res.Reused}}); err != nil {
			return stopped(err)
		}
	}
	s.held = append([]engine.Token(nil), r.Prompt...)
	answer, err := m.voice.Say(ctx, string(text), r.Sampling)
	if err != nil {
		return res, err
	}
	for i := 0; ; i++ {
		if err := m.step(ctx, i); err != nil {
			return res, err
		}
		now := time.Now()
		if i == 0 {
			res.Reading = now.Sub(began)
		}
		res.Writing = now.Sub(began) - res.Reading
		if i == len(answer) {
			res.Finish = engine.End
			return res, nil
		}
		t := engine.Token(answer[i])
		out := &engine.Out{Token: t, Bytes: m.Bytes(t)}
		for j := range min(r.Logprobs+1, begin) {
			if r.Logprobs > 0 {
				c := (t + engine.Token(j)) % begin
				out.Candidates = append(out.Candidates, engine.Candidate{Token: c, Bytes: m.Bytes(c), Logprob: float32(-math.Ln2 * float64(j+1))})
			}
		}
		res.Out++
		m.count(func(s *engine.Stats) { s.OutputTokens++ })
		if err := emit(engine.Event{Out: out}); err != nil {
			return stopped(err)
		}
		switch {
		case res.Out == r.MaxTokens:
			res.Finish = engine.Length
			return res, nil
		case len(s.held) >= m.info.Context:
			res.Finish = engine.Full
			return res, nil
		}
		s.held = append(s.held, t)
	}
}

func (m *model) step(ctx context.Context, n int) error {
	if m.voice.Step != nil {
		if err := m.voice.Step(ctx, n); err != nil && ctx.Err() == nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return errs.Wrap(errs.Cancelled, "bytewise.generate", ctx.Err())
	}
	return nil
}

// take waits for a sequence; of those that are free it takes the one that holds
// most of the prompt.
func (m *model) take(ctx context.Context, r engine.Request) (*sequence, error) {
	m.count(func(s *engine.Stats) { s.Waiting++ })
	defer m.count(func(s *engine.Stats) { s.Waiting-- })
	var best *sequence
	select {
	case best = <-m.free:
	case <-ctx.Done():
		return nil, errs.Wrap(errs.Cancelled, "bytewise.generate", ctx.Err())
	}
	for range m.info.Parallel - 1 {
		select {
		case s := <-m.free:
			if m.kept(s, r) > m.kept(best, r) {
				s, best = best, s
			}
			m.free <- s
		default:
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if best.owner != r.Owner || r.Owner == 0 {
		best.held = nil
	}
	best.owner = r.Owner
	return best, nil
}

// kept is how much of a request a free sequence has for its owner.
func (m *model) kept(s *sequence, r engine.Request) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.owner != r.Owner || r.Owner == 0 {
		return 0
	}
	return common(s.held, r.Prompt)
}

// Forget makes what is held nobody's.
func (m *model) Forget(owner uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.all {
		if s.owner == owner {
			s.owner = 0
		}
	}
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

func (m *model) Embed(ctx context.Context, texts []string, background bool, emit func([]float32, int, int) error) error {
	const op = "bytewise.embed"
	ctx, leave, err := m.enter(ctx, op)
	if err != nil {
		return err
	}
	defer leave()
	if !m.embeds {
		return errs.New(errs.ModelRole, op)
	}
	for i, text := range texts {
		if err := m.step(ctx, i); err != nil {
			return err
		}
		t, err := m.Tokenize(text, false)
		if err != nil {
			return err
		}
		cut := max(0, len(t)-m.info.Context)
		kept := []byte{}
		for _, t := range t[:len(t)-cut] {
			kept = append(kept, byte(t))
		}
		if err := emit(unit(m.voice.Vector(string(kept))), len(t), cut); err != nil {
			if errors.Is(err, engine.ErrStop) {
				return nil
			}
			return err
		}
	}
	return nil
}

func unit(v []float32) []float32 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	if sum == 0 {
		v[0], sum = 1, 1
	}
	for i := range v {
		v[i] = float32(float64(v[i]) / math.Sqrt(sum))
	}
	return v
}

func (m *model) Close() error {
	m.once.Do(func() {
		m.mu.Lock()
		m.over = true
		m.mu.Unlock()
		close(m.closed)
		m.calls.Wait()
	})
	return nil
}

// Words makes a vector of a text's words: each adds to one of the numbers, with
// a sign, both by its hash. Texts with the same words are near to each other.
func Words(text string, dimension int) []float32 {
	v := make([]float32, dimension)
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r <= '/' || r >= ':' && r <= '@' }) {
		h := fnv.New64a()
		h.Write([]byte(w))
		s := h.Sum64()
		sign := float32(1)
		if s>>63 == 1 {
			sign = -1
		}
		v[s%uint64(dimension)] += sign
	}
	return v
}
