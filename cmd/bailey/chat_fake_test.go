package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/plat/env"
	"github.com/bailey-run/bailey/internal/plat/tty"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/storev1"
	"github.com/bailey-run/bailey/internal/worker/store"
)

// fakeCore grants what is asked for, keeps conversations in a real store, and
// answers as a test scripts it.
type fakeCore struct {
	corev1.CoreServiceServer

	t      *testing.T
	store  *store.Store
	models []*modelv1.Model

	mu      sync.Mutex
	script  []func(ctx context.Context, q *enginev1.GenerateRequest, say func(string) error) error
	asked   []*enginev1.GenerateRequest
	loads   []*modelv1.LoadRequest
	loading error
	hold    chan struct{} // a load that never ends; closed when it has begun
	dials   int
	grants  int
	conn    *ipc.Conn
}

// The methods whose names two services have.
type fakeGrant struct {
	grantv1.GrantServiceServer
	*fakeCore
}
type fakeModel struct {
	modelv1.ModelServiceServer
	*fakeCore
}
type fakeEngine struct {
	enginev1.EngineServiceServer
	*fakeCore
}

func smol() *modelv1.Model {
	return &modelv1.Model{Name: "smol", PinnedBy: "terminal", Facts: &modelv1.Facts{Sha256: make([]byte, 32), Role: modelv1.Role_ROLE_CHAT, Context: 2048, Size: 98_000_000, Parameters: 134_515_008, Quantisation: "Q4_1"}}
}

func newFakeCore(t *testing.T, dir string) *fakeCore {
	t.Helper()
	f := &fakeCore{t: t, models: []*modelv1.Model{smol()}, store: store.New(store.Config{Dir: dir, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler)})}
	t.Cleanup(func() { f.store.Close() })
	return f
}

func (f *fakeCore) connect(context.Context) (*client.Client, error) {
	f.mu.Lock()
	f.dials++
	f.mu.Unlock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	near, err := ipc.FromFD(uintptr(fds[0]))
	if err != nil {
		return nil, err
	}
	far, err := ipc.FromFD(uintptr(fds[1]))
	if err != nil {
		return nil, err
	}
	mux := rpc.NewMux(corev1.CoreServiceRoutes(f), grantv1.GrantServiceRoutes(fakeGrant{fakeCore: f}), modelv1.ModelServiceRoutes(fakeModel{fakeCore: f}),
		enginev1.EngineServiceRoutes(fakeEngine{fakeCore: f}), storev1.StoreServiceRoutes(f.store))
	f.mu.Lock()
	f.conn = ipc.New(far, ipc.Options{Mux: mux, Peer: policyv1.Caller_CALLER_CLIENT, Even: true})
	f.mu.Unlock()
	return client.Over(ipc.New(near, ipc.Options{Gone: errs.CoreUnavailable})), nil
}

func (f *fakeCore) BeginTask(context.Context, *corev1.BeginTaskRequest) (*corev1.BeginTaskResponse, error) {
	return &corev1.BeginTaskResponse{Task: "task"}, nil
}

func (f *fakeCore) EndTask(context.Context, *corev1.EndTaskRequest) (*corev1.EndTaskResponse, error) {
	return &corev1.EndTaskResponse{}, nil
}

func (f *fakeCore) find(name string) *modelv1.Model {
	for _, m := range f.models {
		if m.GetName() == name {
			return m
		}
	}
	return nil
}

func (f fakeGrant) Propose(_ context.Context, q *grantv1.ProposeRequest) (*grantv1.ProposeResponse, error) {
	m := f.find(q.GetWants()[0].GetModel())
	return &grantv1.ProposeResponse{Proposal: make([]byte, 16), ActionHash: make([]byte, 32), Ask: m.GetPinnedBy() == "",
		Rows: []*grantv1.Row{{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: m, Remembered: m.GetPinnedBy() != ""}}}, nil
}

func (f fakeGrant) Decide(_ context.Context, q *grantv1.DecideRequest) (*grantv1.DecideResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(q.GetAccepted()) == 0 {
		return nil, errs.New(errs.Denied, "fake")
	}
	f.grants++
	return &grantv1.DecideResponse{Grants: []*grantv1.Granted{{Id: "g", Handle: bytes.Repeat([]byte{byte(f.grants)}, 16)}}}, nil
}

func (f fakeModel) List(_ context.Context, q *modelv1.ListRequest, out *modelv1.ModelServiceListSender) error {
	for _, m := range f.models {
		if q.GetName() == "" || q.GetName() == m.GetName() {
			if err := out.Send(&modelv1.ListResponse{Model: m}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f fakeModel) Load(ctx context.Context, q *modelv1.LoadRequest, out *modelv1.ModelServiceLoadSender) error {
	f.mu.Lock()
	f.loads = append(f.loads, q)
	err, hold := f.loading, f.hold
	f.mu.Unlock()
	if hold != nil {
		close(hold)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	if err := out.Send(&modelv1.LoadResponse{Event: &modelv1.LoadResponse_Progress{Progress: &modelv1.LoadProgress{Thousandths: 500}}}); err != nil {
		return err
	}
	return out.Send(&modelv1.LoadResponse{Event: &modelv1.LoadResponse_Loaded{Loaded: &modelv1.Loaded{Engine: "fake 1", Context: 2048, Threads: 1, Chat: true}}})
}

func (f fakeEngine) Stats(context.Context, *enginev1.StatsRequest) (*enginev1.StatsResponse, error) {
	return &enginev1.StatsResponse{Memory: 200_000_000, OutputTokens: 5}, nil
}

func (f fakeEngine) Generate(ctx context.Context, q *enginev1.GenerateRequest, out *enginev1.EngineServiceGenerateSender) error {
	f.mu.Lock()
	f.asked = append(f.asked, q)
	var step func(context.Context, *enginev1.GenerateRequest, func(string) error) error
	if len(f.script) > 0 {
		step = f.script[0]
		f.script = f.script[1:]
	}
	f.mu.Unlock()
	tokens := uint32(0)
	say := func(s string) error {
		tokens++
		return out.Send(&enginev1.GenerateResponse{Event: &enginev1.GenerateResponse_Piece{Piece: &enginev1.Piece{Text: s, Tokens: 1}}})
	}
	if step == nil {
		step = func(context.Context, *enginev1.GenerateRequest, func(string) error) error { return say("Yes.") }
	}
	if err := step(ctx, q, say); err != nil {
		return err
	}
	finish := enginev1.Finish_FINISH_END
	if most := q.GetMaxTokens(); most > 0 && tokens >= most {
		finish = enginev1.Finish_FINISH_LENGTH
	}
	return out.Send(&enginev1.GenerateResponse{Event: &enginev1.GenerateResponse_Done{Done: &enginev1.Done{Finish: finish, OutputTokens: tokens, OutputUs: 100_000, Seed: 7}}})
}

func (f *fakeCore) request(n int) *enginev1.GenerateRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[n]
}

func (f *fakeCore) lastLoad() *modelv1.LoadRequest {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.loads[len(f.loads)-1]
}

func (f *fakeCore) loaded() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.loads)
}

func (f *fakeCore) far() *ipc.Conn {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conn
}

// newest is the id of the conversation that was used last.
func (f *fakeCore) newest(t *testing.T) string {
	t.Helper()
	cl, err := f.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	all, err := conversations(t.Context(), cl, 1)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	return all[0].GetId()
}

// says is an answer in these pieces.
func says(pieces ...string) func(context.Context, *enginev1.GenerateRequest, func(string) error) error {
	return func(_ context.Context, _ *enginev1.GenerateRequest, say func(string) error) error {
		for _, p := range pieces {
			if err := say(p); err != nil {
				return err
			}
		}
		return nil
	}
}

// endless says some words, and then waits to be stopped.
func endless(ctx context.Context, _ *enginev1.GenerateRequest, say func(string) error) error {
	if err := say("It goes on and "); err != nil {
		return err
	}
	<-ctx.Done()
	return context.Cause(ctx)
}

// fails says some words, and ends with an error.
func fails(code errs.Code, words string) func(context.Context, *enginev1.GenerateRequest, func(string) error) error {
	return func(_ context.Context, _ *enginev1.GenerateRequest, say func(string) error) error {
		if words != "" {
			if err := say(words); err != nil {
				return err
			}
		}
		return errs.New(code, "fake")
	}
}

// stage is a terminal at which a play types.
type stage struct {
	mu    sync.Mutex
	all   bytes.Buffer
	more  *sync.Cond
	seen  int
	typed chan string
	raw   bool
}

func newStage() *stage {
	s := &stage{typed: make(chan string, 100)}
	s.more = sync.NewCond(&s.mu)
	return s
}

func (s *stage) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all.Write(p)
	s.more.Broadcast()
	return len(p), nil
}

func (s *stage) Size() (int, int) { return 80, 24 }
func (s *stage) Suspend() error   { return nil }
func (s *stage) Raw() (func(), error) {
	s.raw = true
	return func() { s.raw = false }, nil
}

func (s *stage) Keys(ctx context.Context, buf []byte, wait time.Duration) (int, error) {
	var quiet <-chan time.Time
	if wait > 0 {
		quiet = time.After(wait)
	}
	select {
	case k, ok := <-s.typed:
		if !ok {
			return 0, tty.ErrEnd
		}
		return copy(buf, k), nil
	case <-quiet:
		return 0, nil
	case <-ctx.Done():
		return 0, errs.Wrap(errs.Cancelled, "stage", ctx.Err())
	}
}

// see waits until a text is on the terminal, behind what was seen before.
func (s *stage) see(t *testing.T, text string) {
	t.Helper()
	late := time.AfterFunc(10*time.Second, func() { s.more.Broadcast() })
	defer late.Stop()
	began := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if i := strings.Index(s.all.String()[s.seen:], text); i >= 0 {
			s.seen += i + len(text)
			return
		}
		if time.Since(began) > 9*time.Second {
			t.Fatalf("no %q in\n%s", text, s.all.String()[s.seen:])
		}
		s.more.Wait()
	}
}

// play is a chat of a test.
type play struct {
	*stage
	t    *testing.T
	core *fakeCore
	talk *talk
	end  chan error
	c    *cli
}

// enact begins a chat; its lines are typed and seen by the test.
func enact(t *testing.T, core *fakeCore, o chatOptions) *play {
	t.Helper()
	return enactAt(t, "", core, o)
}

// enactAt is enact for a person who is at home there.
func enactAt(t *testing.T, home string, core *fakeCore, o chatOptions) *play {
	t.Helper()
	p := &play{stage: newStage(), t: t, core: core, end: make(chan error, 1)}
	if o.sampling == nil {
		o.sampling = &enginev1.Sampling{}
	}
	p.c = &cli{out: newOutput(p.stage), errOut: p.stage, screen: screen{columns: 80}, env: env.Env{Home: home}}
	p.talk = &talk{c: p.c, o: o, connect: core.connect}
	go func() {
		ctx := context.Background()
		err := p.talk.open(ctx)
		if err == nil {
			err = p.talk.atTerminal(ctx, p.stage)
		}
		p.talk.leave(ctx, err)
		p.end <- err
	}()
	return p
}

func (p *play) type_(keys string) { p.typed <- keys }

// ask types a line and sees what is answered.
func (p *play) ask(line, answer string) {
	p.t.Helper()
	p.see(p.t, chatPrompt)
	p.type_(line + "\r")
	p.see(p.t, line)
	p.see(p.t, answer)
}

func (p *play) leaves() {
	p.t.Helper()
	p.type_("\x04")
	select {
	case err := <-p.end:
		if err != nil {
			p.t.Errorf("it ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		p.t.Fatal("it does not end")
	}
	if p.raw {
		p.t.Error("the terminal is left in raw mode")
	}
}

// kept is what the store has, oldest turn first.
func (f *fakeCore) kept(t *testing.T, id string) string {
	t.Helper()
	cl, err := f.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	s, err := cl.Store.Read(t.Context(), &storev1.ReadRequest{Id: id})
	if err != nil {
		return "error " + string(errs.CodeOf(err))
	}
	var all []string
	for {
		r, err := s.Recv()
		if errors.Is(err, io.EOF) && err == io.EOF {
			return strings.Join(all, "|")
		}
		if err != nil {
			return "error " + string(errs.CodeOf(err))
		}
		text := r.GetTurn().GetText()
		if r.GetTurn().GetUnfinished() {
			text += "…"
		}
		all = append(all, text)
	}
}

// keeps waits until the store has this: an answer is shown before it is kept.
func (f *fakeCore) keeps(t *testing.T, id, want string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; <-tick.C {
		got := f.kept(t, id)
		if got == want {
			return
		}
		if time.Since(began) > 5*time.Second {
			t.Errorf("kept %q, want %q", got, want)
			return
		}
	}
}
