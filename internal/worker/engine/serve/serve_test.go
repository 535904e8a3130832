package serve

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

func TestLoad(t *testing.T) {
	l := newLibrary()
	l.load = func(progress func(float32)) error {
		for i := range 100_000 {
			progress(float32(i) / 100_000)
		}
		return nil
	}
	r := newRig(t, l)
	start := time.Now()
	loaded, progress, err := r.load(modelv1.Role_ROLE_CHAT)
	if err != nil {
		t.Fatal(err)
	}
	if n := int(time.Since(start)/limits.EngineProgress) + 1; len(progress) == 0 || len(progress) > n {
		t.Errorf("%d reports of progress", len(progress))
	}
	if !loaded.Chat || loaded.ChatRefused != "" || loaded.Engine != "fake 1" || loaded.Variant != "none" || loaded.Context != 1024 || loaded.Memory == 0 {
		t.Errorf("loaded %v", loaded)
	}
	if _, _, err := r.load(modelv1.Role_ROLE_CHAT); !is(err, errs.Malformed) {
		t.Errorf("a second load: %v", err)
	}
	if err := r.s.Close(); err != nil || !l.closed {
		t.Errorf("closed %v, %v", l.closed, err)
	}
	if err := r.s.Close(); err != nil {
		t.Error(err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*library, *enginev1.LoadRequest) bool // false = no descriptor
		want   errs.Code
	}{
		"no descriptor":       {func(*library, *enginev1.LoadRequest) bool { return false }, errs.Malformed},
		"no size":             {func(_ *library, q *enginev1.LoadRequest) bool { q.Size = 0; return true }, errs.Malformed},
		"another size":        {func(_ *library, q *enginev1.LoadRequest) bool { q.Size = 5; return true }, errs.ModelRefused},
		"no role":             {func(_ *library, q *enginev1.LoadRequest) bool { q.Role = 0; return true }, errs.ModelRole},
		"it makes no vectors": {func(_ *library, q *enginev1.LoadRequest) bool { q.Role = modelv1.Role_ROLE_EMBEDDING; return true }, errs.ModelRole},
		"vectors out of bound": {func(l *library, q *enginev1.LoadRequest) bool {
			l.info.Dimension = 8193
			q.Role = modelv1.Role_ROLE_EMBEDDING
			return true
		}, errs.ModelRefused},
		"the library refuses": {func(l *library, _ *enginev1.LoadRequest) bool {
			l.load = func(func(float32)) error { return errs.New(errs.MemoryUsedUp, "fake") }
			return true
		}, errs.MemoryUsedUp},
	} {
		l := newLibrary()
		q := &enginev1.LoadRequest{Size: 4, Role: modelv1.Role_ROLE_CHAT}
		with := c.change(l, q)
		r := newRig(t, l)
		f, err := os.CreateTemp(t.TempDir(), "model")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString("GGUF"); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		file := f
		if !with {
			file = nil
		}
		if _, _, err := r.loadFile(file, q); !is(err, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		f.Close()
		r.put(nil)
		if _, err := r.generate(t.Context(), &enginev1.GenerateRequest{Text: "x"}); !is(err, errs.Malformed) {
			t.Errorf("%s: a call without a model: %v", name, err)
		}
	}
}

// A model whose template cannot be used is loaded, for text; it says why it cannot
// chat, and nothing else is put in the template's place.
func TestNoChatWithoutTheTemplate(t *testing.T) {
	for source, want := range map[string]string{
		"": "brings none", "{{ raise_exception('no') }}": "it says: line 1: no", "{% for i in range(10**9) %}{% endfor %}": "range",
		"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}": "deep",
	} {
		l := newLibrary()
		l.info.Template = source
		l.generate = says("x")
		r := newRig(t, l)
		loaded, _, err := r.load(modelv1.Role_ROLE_CHAT)
		if err != nil {
			t.Fatal(err)
		}
		if loaded.Chat || !strings.Contains(loaded.ChatRefused, want) {
			t.Errorf("%q: loaded %v", source, loaded)
		}
		r.put(nil)
		if _, err := r.generate(t.Context(), &enginev1.GenerateRequest{Messages: []*enginev1.Message{user("x")}}); !is(err, errs.TemplateRefused) {
			t.Errorf("%q: chat: %v", source, err)
		}
		if h, err := r.generate(t.Context(), &enginev1.GenerateRequest{Text: "x"}); err != nil || h.text != "x" {
			t.Errorf("%q: text: %v", source, err)
		}
	}
}

func embedder() *library {
	l := newLibrary()
	l.info.Dimension = 2
	l.embed = func(ctx context.Context, texts []string, emit func([]float32, int, int) error) error {
		for i, s := range texts {
			if err := emit([]float32{float32(i), 0.5}, len(s), i); err != nil {
				return err
			}
		}
		return nil
	}
	return l
}

func (r *rig) embed(q *enginev1.EmbedRequest) ([]*enginev1.EmbedResponse, error) {
	q.Grant = grant
	s, err := r.engine.Embed(r.t.Context(), q)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var out []*enginev1.EmbedResponse
	for {
		m, err := s.Recv()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, m)
	}
}

func TestEmbed(t *testing.T) {
	r := newRig(t, embedder())
	loaded, _, err := r.load(modelv1.Role_ROLE_EMBEDDING)
	if err != nil || loaded.Dimension != 2 || loaded.Chat {
		t.Fatalf("%v, %v", loaded, err)
	}
	r.put(nil)
	got, err := r.embed(&enginev1.EmbedRequest{Texts: []string{"a", "bcd"}})
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	v := got[1].Vector
	if len(v) != 8 || math.Float32frombits(binary.LittleEndian.Uint32(v)) != 1 || math.Float32frombits(binary.LittleEndian.Uint32(v[4:])) != 0.5 || got[1].Tokens != 3 || got[1].Truncated != 1 {
		t.Errorf("%v", got[1])
	}
	if _, err := r.generate(t.Context(), &enginev1.GenerateRequest{Text: "x"}); !is(err, errs.ModelRole) {
		t.Errorf("generate: %v", err)
	}
	l := newLibrary()
	if _, err := ready(t, l, nil).embed(&enginev1.EmbedRequest{Texts: []string{"a"}}); !is(err, errs.ModelRole) {
		t.Errorf("embed of a chat model: %v", err)
	}
}

// The vectors whose tokens are beyond the quota are not given out, whoever asks
// at once.
func TestEmbedQuota(t *testing.T) {
	r := newRig(t, embedder())
	if _, _, err := r.load(modelv1.Role_ROLE_EMBEDDING); err != nil {
		t.Fatal(err)
	}
	const quota = 100
	r.put(func(q *workerv1.PutGrantRequest) { q.MaxTokens = quota })
	var read atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			got, err := r.embed(&enginev1.EmbedRequest{Texts: []string{"aa", "aa"}})
			if err != nil && !is(err, errs.QuotaUsedUp) {
				t.Errorf("got %v", err)
			}
			for _, m := range got {
				read.Add(int64(m.Tokens))
			}
		})
	}
	wg.Wait()
	if read.Load() != quota {
		t.Errorf("vectors of %d tokens, the quota is %d", read.Load(), quota)
	}
}

// Another worker is answered on its own socket, with its one row.
func TestServe(t *testing.T) {
	l := newLibrary()
	l.generate = says("hello")
	r := newRig(t, l)
	if _, _, err := r.load(modelv1.Role_ROLE_CHAT); err != nil {
		t.Fatal(err)
	}
	r.put(nil)
	other := []byte("the peer's row..")
	if _, err := r.worker.PutGrant(t.Context(), &workerv1.PutGrantRequest{Handle: other, Kind: policyv1.Kind_KIND_MODEL_RUN}); err != nil {
		t.Fatal(err)
	}
	mine, end, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.engine.Serve(ipc.WithFiles(t.Context(), end), &enginev1.ServeRequest{Handle: other}); err != nil {
		t.Fatal(err)
	}
	end.Close()
	conn := ipc.New(mine, ipc.Options{})
	defer conn.Close()
	peer := &rig{t: t, engine: enginev1.NewEngineServiceClient(conn)}
	if h, err := peer.generate(t.Context(), &enginev1.GenerateRequest{Grant: other, Text: "x"}); err != nil || h.text != "hello" {
		t.Errorf("the peer: %v", err)
	}
	if _, err := peer.generate(t.Context(), &enginev1.GenerateRequest{Text: "x"}); !is(err, errs.GrantMissing) {
		t.Errorf("the core's row on the peer's socket: %v", err)
	}
	if _, err := r.generate(t.Context(), &enginev1.GenerateRequest{Grant: other, Text: "x"}); !is(err, errs.GrantMissing) {
		t.Errorf("the peer's row on the core's socket: %v", err)
	}
	if _, err := r.engine.Serve(t.Context(), &enginev1.ServeRequest{Handle: grant}); !is(err, errs.Malformed) {
		t.Errorf("without a descriptor: %v", err)
	}
	if _, err := r.worker.DropGrant(t.Context(), &workerv1.DropGrantRequest{Handle: other}); err != nil {
		t.Fatal(err)
	}
	<-conn.Done()
}

func TestStats(t *testing.T) {
	r := ready(t, newLibrary(), nil)
	s, err := r.engine.Stats(t.Context(), &enginev1.StatsRequest{Grant: grant})
	if err != nil || s.Memory != 1<<20 || s.PromptTokens != 7 || s.Running != 1 {
		t.Errorf("%v, %v", s, err)
	}
}

// A client that does not read costs the library nothing, and gets the rest in few
// messages.
func TestSlowClient(t *testing.T) {
	const tokens = 50_000
	l := newLibrary()
	wrote := make(chan struct{})
	l.generate = func(_ context.Context, r engine.Request, emit func(engine.Event) error) (engine.Result, error) {
		for range tokens {
			if err := emit(engine.Event{Out: &engine.Out{Bytes: []byte(" word")}}); err != nil {
				return engine.Result{}, err
			}
		}
		close(wrote)
		return engine.Result{Finish: engine.End}, nil
	}
	r := ready(t, l, nil)
	s, err := r.engine.Generate(t.Context(), &enginev1.GenerateRequest{Grant: grant, Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	<-wrote // although nothing was read yet
	n, got, text := 0, uint32(0), 0
	for {
		m, err := s.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if p := m.GetPiece(); p != nil {
			n, got, text = n+1, got+p.Tokens, text+len(p.Text)
		}
	}
	if got != tokens || text != 5*tokens || n > tokens/10 {
		t.Errorf("%d tokens, %d bytes in %d messages", got, text, n)
	}
}

// One that never reads is given up before it fills the memory.
func TestClientThatNeverReads(t *testing.T) {
	l := newLibrary()
	ended := make(chan error, 1)
	l.generate = func(_ context.Context, r engine.Request, emit func(engine.Event) error) (engine.Result, error) {
		for {
			if err := emit(engine.Event{Out: &engine.Out{Bytes: []byte(strings.Repeat("x", 1000))}}); err != nil {
				ended <- err
				return engine.Result{}, err
			}
		}
	}
	r := ready(t, l, nil)
	s, err := r.engine.Generate(t.Context(), &enginev1.GenerateRequest{Grant: grant, Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !is(err, errs.Cancelled) {
		t.Errorf("it ended with %v", err)
	}
	s.Close()
}

// A call that waits for a turn says so as long as the library goes on with
// others, and is silent when it stands: the core can tell.
func TestHeartbeat(t *testing.T) {
	s := New(Config{})
	a := newAnswer(s, nil, &enginev1.GenerateRequest{}, time.Now(), 5, 0)
	if m := a.take(true); m != nil {
		t.Errorf("a library that stands: %v", m)
	}
	s.pace.step()
	if m := a.take(true); m.GetReading().GetTotal() != 5 {
		t.Errorf("one that goes on: %v", m)
	}
	if m := a.take(true); m != nil {
		t.Errorf("one that stands again: %v", m)
	}
	if m := a.take(false); m != nil {
		t.Errorf("without a beat: %v", m)
	}
	// In the middle of an answer, tokens without text are told.
	a.box = newOutbox(func(*outbox, bool) func() error { return nil })
	defer func() { _ = a.box.finish(t.Context()) }()
	if err := a.event(engine.Event{Out: &engine.Out{}}); err != nil {
		t.Fatal(err)
	}
	if m := a.take(true); m.GetPrompt() == nil {
		t.Errorf("the prompt: %v", m)
	}
	if m := a.take(true); m.GetPiece().GetTokens() != 1 {
		t.Errorf("a token without text: %v", m)
	}
	if m := a.take(true); m != nil {
		t.Errorf("nothing new: %v", m)
	}
}

// Progress in a long prompt comes, but not too often.
func TestReading(t *testing.T) {
	l := newLibrary()
	l.generate = func(ctx context.Context, r engine.Request, emit func(engine.Event) error) (engine.Result, error) {
		for i := range 10_000 {
			if err := emit(engine.Event{Read: &engine.Read{Tokens: i, Total: 10_000, Reused: 3}}); err != nil {
				return engine.Result{}, err
			}
		}
		return says("x")(ctx, r, emit)
	}
	r := ready(t, l, nil)
	start := time.Now()
	h, err := r.generate(t.Context(), &enginev1.GenerateRequest{Text: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if n := int(time.Since(start)/limits.EngineProgress) + 1; len(h.reading) > n {
		t.Errorf("%d reports", len(h.reading))
	}
	if h.prompt == nil {
		t.Error("no word that the prompt was read")
	}
}
