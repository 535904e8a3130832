package serve

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
	"github.com/bailey-run/bailey/internal/worker/engine"
	"github.com/bailey-run/bailey/internal/workerkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// library is a small model of a model: a token is a byte, and control tokens
// stand behind them.
type library struct {
	info    engine.Info
	control []string
	// defined are texts that are tokens in any text, as some files call their
	// control tokens.
	defined []string
	// generate is the whole of a generation.
	generate func(context.Context, engine.Request, func(engine.Event) error) (engine.Result, error)
	load     func(func(float32)) error
	embed    func(ctx context.Context, texts []string, emit func([]float32, int, int) error) error
	forget   func(owner uint64)
	closed   bool
}

const chatml = `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

func newLibrary() *library {
	return &library{
		info:    engine.Info{Context: 1024, TrainedContext: 2048, Parallel: 1, Threads: 1, Vocabulary: 300, Template: chatml, BOS: "<s>", EOS: "<|im_end|>"},
		control: []string{"<s>", "<|im_start|>", "<|im_end|>"},
	}
}

func (l *library) Name() string    { return "fake 1" }
func (l *library) Variant() string { return "none" }

func (l *library) Load(_ context.Context, f *os.File, o engine.Options, progress func(float32)) (engine.Model, error) {
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil || int64(len(b)) != o.Size {
		return nil, errs.New(errs.ModelRefused, "fake.load")
	}
	if l.load != nil {
		if err := l.load(progress); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// first is the first control token, word the first of those that are defined.
const (
	first = 256
	word  = 1 << 16
)

func (l *library) Info() engine.Info { return l.info }

func (l *library) Tokenize(s string, control bool) ([]engine.Token, error) {
	var out []engine.Token
next:
	for s != "" {
		if control {
			for i, c := range l.control {
				if strings.HasPrefix(s, c) {
					out = append(out, engine.Token(first+i))
					s = s[len(c):]
					continue next
				}
			}
		}
		for i, d := range l.defined {
			if strings.HasPrefix(s, d) {
				out = append(out, engine.Token(word+i))
				s = s[len(d):]
				continue next
			}
		}
		out = append(out, engine.Token(s[0]))
		s = s[1:]
	}
	return out, nil
}

func (l *library) Bytes(t engine.Token) []byte {
	if t >= word {
		return []byte(l.defined[t-word])
	}
	if t >= first {
		return nil
	}
	return []byte{byte(t)}
}

func (l *library) Generate(ctx context.Context, r engine.Request, emit func(engine.Event) error) (engine.Result, error) {
	return l.generate(ctx, r, emit)
}

func (l *library) Forget(owner uint64) {
	if l.forget != nil {
		l.forget(owner)
	}
}

func (l *library) Embed(ctx context.Context, texts []string, _ bool, emit func([]float32, int, int) error) error {
	return l.embed(ctx, texts, emit)
}

func (l *library) Stats() engine.Stats { return engine.Stats{PromptTokens: 7, Running: 1} }
func (l *library) Close() error        { l.closed = true; return nil }

// says writes pieces of a text, one token each.
func says(pieces ...string) func(context.Context, engine.Request, func(engine.Event) error) (engine.Result, error) {
	return func(ctx context.Context, r engine.Request, emit func(engine.Event) error) (engine.Result, error) {
		res := engine.Result{Finish: engine.End, Prompt: len(r.Prompt)}
		if err := emit(engine.Event{Read: &engine.Read{Tokens: len(r.Prompt), Total: len(r.Prompt)}}); err != nil {
			return res, err
		}
		for i, p := range pieces {
			if ctx.Err() != nil {
				return res, errs.New(errs.Cancelled, "fake")
			}
			if r.MaxTokens > 0 && i >= r.MaxTokens {
				res.Finish = engine.Length
				return res, nil
			}
			res.Out++
			o := &engine.Out{Token: engine.Token(i), Bytes: []byte(p)}
			for k := range r.Logprobs {
				o.Candidates = append(o.Candidates, engine.Candidate{Bytes: []byte(p), Logprob: -float32(k)})
			}
			if err := emit(engine.Event{Out: o}); err == engine.ErrStop {
				res.Finish = engine.Stopped
				return res, nil
			} else if err != nil {
				return res, err
			}
		}
		return res, nil
	}
}

// rig is a service behind a worker's guard on a connection, as the core sees it.
type rig struct {
	t      testing.TB
	s      *Service
	conn   *ipc.Conn
	engine *enginev1.EngineServiceClient
	worker *workerv1.WorkerServiceClient
}

var grant = []byte("a model's grant.")

func newRig(t testing.TB, l engine.Library) *rig {
	t.Helper()
	mine, end, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ipc.FromFile(end)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := New(Config{Library: l, Clock: clock.System{}, Memory: func() uint64 { return 1 << 20 }, Log: log})
	kit := workerkit.New(workerkit.Config{Kind: "engine", Release: "r", Clock: clock.System{}, Log: log, Seal: func() error { return nil }})
	worker := ipc.New(theirs, ipc.Options{Mux: kit.Mux(enginev1.EngineServiceRoutes(s)), Peer: policyv1.Caller_CALLER_CORE, Even: true, Log: log,
		Descriptors: func(m *rpc.Method) int {
			if m.Number == enginev1.EngineServiceLoadMethod().Number || m.Number == enginev1.EngineServiceServeMethod().Number {
				return 1
			}
			return 0
		}})
	conn := ipc.New(mine, ipc.Options{})
	r := &rig{t: t, s: s, conn: conn, engine: enginev1.NewEngineServiceClient(conn), worker: workerv1.NewWorkerServiceClient(conn)}
	t.Cleanup(func() { conn.Close(); worker.Close(); s.Close() })
	ctx := t.Context()
	if _, err := r.worker.Hello(ctx, &workerv1.HelloRequest{Release: "r", Kind: "engine", Nonce: grant}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.worker.Seal(ctx, &workerv1.SealRequest{}); err != nil {
		t.Fatal(err)
	}
	return r
}

// load loads a file of some bytes in a role.
func (r *rig) load(role modelv1.Role) (*modelv1.Loaded, []uint32, error) {
	r.t.Helper()
	f, err := os.Create(r.t.TempDir() + "/model")
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("GGUF"); err != nil {
		r.t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		r.t.Fatal(err)
	}
	return r.loadFile(f, &enginev1.LoadRequest{Size: 4, Role: role})
}

func (r *rig) loadFile(f *os.File, q *enginev1.LoadRequest) (*modelv1.Loaded, []uint32, error) {
	ctx := r.t.Context()
	if f != nil {
		ctx = ipc.WithFiles(ctx, f)
	}
	s, err := r.engine.Load(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	defer s.Close()
	var progress []uint32
	var loaded *modelv1.Loaded
	for {
		m, err := s.Recv()
		if err == io.EOF {
			return loaded, progress, nil
		}
		if err != nil {
			return nil, progress, err
		}
		if p := m.GetProgress(); p != nil {
			progress = append(progress, p.Thousandths)
		}
		if l := m.GetLoaded(); l != nil {
			loaded = l
		}
	}
}

// ready is a rig with a loaded model and a grant.
func ready(t *testing.T, l engine.Library, f func(*workerv1.PutGrantRequest)) *rig {
	t.Helper()
	r := newRig(t, l)
	if _, _, err := r.load(modelv1.Role_ROLE_CHAT); err != nil {
		t.Fatal(err)
	}
	r.put(f)
	return r
}

func (r *rig) put(f func(*workerv1.PutGrantRequest)) {
	r.t.Helper()
	q := &workerv1.PutGrantRequest{Handle: grant, Kind: policyv1.Kind_KIND_MODEL_RUN}
	if f != nil {
		f(q)
	}
	if _, err := r.worker.PutGrant(r.t.Context(), q); err != nil {
		r.t.Fatal(err)
	}
}

// heard is all that one call said.
type heard struct {
	text       string
	pieces     []*enginev1.Piece
	prompt     *enginev1.Prompt
	reading    []*enginev1.Reading
	done       *enginev1.Done
	tokens     uint32
	candidates int
}

func (r *rig) generate(ctx context.Context, q *enginev1.GenerateRequest) (*heard, error) {
	if q.Grant == nil {
		q.Grant = grant
	}
	s, err := r.engine.Generate(ctx, q)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	h := &heard{}
	for {
		m, err := s.Recv()
		if err == io.EOF {
			return h, nil
		}
		if err != nil {
			return h, err
		}
		switch {
		case m.GetPrompt() != nil:
			h.prompt = m.GetPrompt()
		case m.GetReading() != nil:
			h.reading = append(h.reading, m.GetReading())
		case m.GetDone() != nil:
			h.done = m.GetDone()
		case m.GetPiece() != nil:
			h.pieces = append(h.pieces, m.GetPiece())
			h.text += m.GetPiece().Text
			h.tokens += m.GetPiece().Tokens
			h.candidates += len(m.GetPiece().Candidates)
		}
	}
}

func user(s string) *enginev1.Message {
	return &enginev1.Message{Speaker: enginev1.Speaker_SPEAKER_USER, Text: s}
}

func system(s string) *enginev1.Message {
	return &enginev1.Message{Speaker: enginev1.Speaker_SPEAKER_SYSTEM, Text: s}
}

func assistant(s string) *enginev1.Message {
	return &enginev1.Message{Speaker: enginev1.Speaker_SPEAKER_ASSISTANT, Text: s}
}

// spelled writes tokens out, control tokens in brackets of their own.
func (l *library) spelled(tokens []engine.Token) string {
	var b strings.Builder
	for _, t := range tokens {
		if t >= word {
			b.WriteString("[" + strings.Trim(l.defined[t-word], "<|>") + "]")
			continue
		}
		if t >= first {
			b.WriteString("[" + strings.Trim(l.control[t-first], "<|>") + "]")
			continue
		}
		b.WriteByte(byte(t))
	}
	return b.String()
}
