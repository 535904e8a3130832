package serve

import (
	"bytes"
	"context"
	"encoding/binary"
	"hash/fnv"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/worker/index"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// engine is the other end of an attached socket.
type engine struct {
	enginev1.EngineServiceServer
	conn *ipc.Conn
	say  string
	// dies makes it go away in the middle: at the so-many-th vector, or after the
	// first piece of a text.
	dies int

	mu    sync.Mutex
	asked []string
	held  [][]byte
}

const dimension = 64

func (e *engine) Embed(_ context.Context, in *enginev1.EmbedRequest, out *enginev1.EngineServiceEmbedSender) error {
	e.mu.Lock()
	e.held = append(e.held, in.GetGrant())
	e.mu.Unlock()
	for _, text := range in.GetTexts() {
		e.mu.Lock()
		e.asked = append(e.asked, text)
		dead := e.dies > 0 && len(e.asked) == e.dies
		e.mu.Unlock()
		if dead {
			e.conn.Fail("the test says so")
			return errs.New(errs.Internal, "test")
		}
		v := make([]float32, dimension)
		for w := range strings.FieldsSeq(strings.ToLower(text)) {
			w = strings.Trim(w, ".?,#")
			h := fnv.New32a()
			h.Write([]byte(w))
			v[h.Sum32()%dimension]++
		}
		b := make([]byte, 0, 4*dimension)
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		if err := out.Send(&enginev1.EmbedResponse{Vector: b, Tokens: 3}); err != nil {
			return err
		}
	}
	return nil
}

func (e *engine) Generate(_ context.Context, in *enginev1.GenerateRequest, out *enginev1.EngineServiceGenerateSender) error {
	e.mu.Lock()
	e.asked = append(e.asked, in.GetText())
	for _, m := range in.GetMessages() {
		e.asked = append(e.asked, m.GetText())
	}
	e.mu.Unlock()
	for i, piece := range strings.SplitAfter(e.say, " ") {
		if err := out.Send(&enginev1.GenerateResponse{Event: &enginev1.GenerateResponse_Piece{Piece: &enginev1.Piece{Text: piece, Tokens: 1}}}); err != nil {
			return err
		}
		if e.dies > 0 && i == e.dies {
			e.conn.Fail("the test says so")
			return errs.New(errs.Internal, "test")
		}
	}
	return out.Send(&enginev1.GenerateResponse{Event: &enginev1.GenerateResponse_Done{Done: &enginev1.Done{Finish: enginev1.Finish_FINISH_END, PromptTokens: 40, OutputTokens: 9}}})
}

// worker is a service behind a connection of its own, as the core has it.
type worker struct {
	client *indexv1.IndexServiceClient
	conn   *ipc.Conn
}

func connect(t *testing.T, root string) *worker {
	t.Helper()
	s := New(index.Config{Root: func() (*dirfd.Dir, error) { return dirfd.Open(root) }, DB: t.TempDir(), Remembered: true,
		Clock: clock.System{}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	ours, theirs, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	other, err := ipc.FromFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	served := ipc.New(other, ipc.Options{Mux: rpc.NewMux(indexv1.IndexServiceRoutes(s)), Peer: policyv1.Caller_CALLER_CORE, Even: true,
		Descriptors: func(m *rpc.Method) int {
			if m == indexv1.IndexServiceAttachMethod() {
				return 1
			}
			return 0
		}})
	conn := ipc.New(ours, ipc.Options{})
	t.Cleanup(func() { conn.Close(); served.Close(); s.Close() })
	return &worker{indexv1.NewIndexServiceClient(conn), conn}
}

// attach connects the worker with e under a handle of that byte.
func (w *worker) attach(t *testing.T, e *engine, handle byte, role modelv1.Role) {
	t.Helper()
	if err := w.tryAttach(t, e, handle, role, dimension); err != nil {
		t.Fatal(err)
	}
}

func (w *worker) tryAttach(t *testing.T, e *engine, handle byte, role modelv1.Role, dim uint32) error {
	t.Helper()
	ours, theirs, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	e.conn = ipc.New(ours, ipc.Options{Mux: rpc.NewMux(enginev1.EngineServiceRoutes(e)), Peer: policyv1.Caller_CALLER_CLIENT, Even: true})
	t.Cleanup(func() { e.conn.Close() })
	_, err = w.client.Attach(ipc.WithFiles(t.Context(), []*os.File{theirs}...), &indexv1.AttachRequest{
		Handle: bytes.Repeat([]byte{handle}, 16), Model: map[bool]string{true: "minilm", false: "writer"}[role == modelv1.Role_ROLE_EMBEDDING],
		Sha256: bytes.Repeat([]byte{handle}, 32), Role: role, Loaded: &modelv1.Loaded{Engine: "test", Dimension: dim, Chat: true, Context: 2048},
	})
	return err
}

// told is what one question brought.
type told struct {
	sentences []*indexv1.Sentence
	written   []*indexv1.Written
	ended     *indexv1.WrittenDone
	done      *indexv1.Done
	order     string
}

func (w *worker) ask(t *testing.T, question string, engines ...byte) (told, error) {
	t.Helper()
	q := &indexv1.AskRequest{Grant: grant, Question: question, MaxSentences: 2}
	for _, e := range engines {
		q.Engines = append(q.Engines, bytes.Repeat([]byte{e}, 16))
	}
	s, err := w.client.Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out told
	for {
		m, err := s.Recv()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		switch {
		case m.GetSentence() != nil:
			out.sentences, out.order = append(out.sentences, m.GetSentence()), out.order+"s"
		case m.GetWritten() != nil:
			out.written, out.order = append(out.written, m.GetWritten()), out.order+"w"
		case m.GetWrittenDone() != nil:
			out.ended, out.order = m.GetWrittenDone(), out.order+"e"
		case m.GetDone() != nil:
			out.done, out.order = m.GetDone(), out.order+"d"
		}
	}
}

// The answer is found with the one model, and what the other writes stands below
// it, with its support.
func TestAskWithEngines(t *testing.T) {
	w := connect(t, folder(t))
	e := &engine{}
	w.attach(t, e, 1, modelv1.Role_ROLE_EMBEDDING)
	chat := &engine{say: "The harbour closes at nine in the evening. The moon is made of cheese."}
	w.attach(t, chat, 2, modelv1.Role_ROLE_CHAT)
	got, err := w.ask(t, "When does the harbour close?", 1, 2)
	if err != nil || len(got.sentences) == 0 || got.done.GetByMeaning() != "minilm" || got.done.GetWithoutModel() != "" {
		t.Fatalf("%v, %v", got, err)
	}
	if !strings.HasPrefix(strings.TrimLeft(got.order, "s"), "wwed") {
		t.Errorf("the order is %q", got.order)
	}
	if len(got.written) != 2 || !got.written[0].Supported || string(got.written[0].Citations[0].Path) != "harbour.md" || got.written[1].Supported || len(got.written[1].Citations) != 0 {
		t.Errorf("%v", got.written)
	}
	if d := got.ended; d.GetModel() != "writer" || d.GetFolded() || d.GetPromptTokens() != 40 || d.GetOutputTokens() != 9 || d.GetFailed() != "" {
		t.Errorf("%v", d)
	}
	for _, h := range e.held {
		if !bytes.Equal(h, bytes.Repeat([]byte{1}, 16)) {
			t.Errorf("called with %x", h)
		}
	}
	for _, text := range chat.asked {
		if strings.Contains(text, "lighthouse") {
			t.Errorf("the model was told what the answer does not say: %q", text)
		}
	}
}

// An engine that goes away leaves the answer by words, and what was written.
func TestEngineDies(t *testing.T) {
	const q = "When does the harbour close?"
	for dies := 1; dies < 9; dies += 2 {
		w := connect(t, folder(t))
		want, err := w.ask(t, q)
		if err != nil || len(want.sentences) == 0 {
			t.Fatal(want, err)
		}
		w.attach(t, &engine{dies: dies}, 1, modelv1.Role_ROLE_EMBEDDING)
		got, err := w.ask(t, q, 1)
		if err != nil || got.done.GetWithoutModel() == "" || got.done.GetByMeaning() != "" {
			t.Fatalf("dies at %d: %v, %v", dies, got, err)
		}
		if len(got.sentences) != len(want.sentences) || !proto.Equal(got.sentences[0], want.sentences[0]) {
			t.Errorf("dies at %d: %v, want %v", dies, got.sentences, want.sentences)
		}
		// A new engine under the same handle is used again.
		w.attach(t, &engine{}, 1, modelv1.Role_ROLE_EMBEDDING)
		if got, err := w.ask(t, q, 1); err != nil || got.done.GetWithoutModel() != "" {
			t.Errorf("attached again: %v, %v", got, err)
		}
	}
	w := connect(t, folder(t))
	w.attach(t, &engine{say: "The harbour closes at nine in the evening. And then it", dies: 9}, 2, modelv1.Role_ROLE_CHAT)
	got, err := w.ask(t, q, 2)
	if err != nil || len(got.sentences) == 0 || got.ended.GetFailed() == "" || got.done == nil {
		t.Errorf("%v, %v", got, err)
	}
}

func TestEnginesThatAreNone(t *testing.T) {
	w := connect(t, folder(t))
	w.attach(t, &engine{}, 1, modelv1.Role_ROLE_EMBEDDING)
	if _, err := w.ask(t, "harbour?", 9); errs.CodeOf(err) != errs.GrantMissing {
		t.Errorf("a handle of nothing: %v", err)
	}
	w.attach(t, &engine{}, 3, modelv1.Role_ROLE_EMBEDDING)
	if _, err := w.ask(t, "harbour?", 1, 3); errs.CodeOf(err) != errs.ModelRole {
		t.Errorf("two of one role: %v", err)
	}
	if err := w.tryAttach(t, &engine{}, 4, modelv1.Role_ROLE_EMBEDDING, 0); errs.CodeOf(err) != errs.Malformed {
		t.Errorf("no dimension: %v", err)
	}
	if _, err := w.client.Attach(t.Context(), &indexv1.AttachRequest{Handle: bytes.Repeat([]byte{5}, 16), Model: "m", Sha256: bytes.Repeat([]byte{5}, 32),
		Role: modelv1.Role_ROLE_CHAT, Loaded: &modelv1.Loaded{Engine: "x"}}); errs.CodeOf(err) != errs.Malformed {
		t.Errorf("no socket: %v", err)
	}
}

// Engines that have ended take no places.
func TestManyEnginesAfterEachOther(t *testing.T) {
	w := connect(t, folder(t))
	for i := range byte(limits.IndexEngines + 2) {
		e := &engine{dies: 1}
		w.attach(t, e, i+1, modelv1.Role_ROLE_EMBEDDING)
		if got, err := w.ask(t, "When does the harbour close?", i+1); err != nil || got.done.GetWithoutModel() == "" {
			t.Fatalf("it did not end: %v, %v", got, err)
		}
	}
	for i := range byte(limits.IndexEngines) {
		w.attach(t, &engine{}, i+1, modelv1.Role_ROLE_EMBEDDING)
	}
	// The control: those that live do.
	if err := w.tryAttach(t, &engine{}, 99, modelv1.Role_ROLE_EMBEDDING, dimension); errs.CodeOf(err) != errs.TooLarge {
		t.Errorf("more than there are places for: %v", err)
	}
}

// An engine's vector of another dimension is no vector of the model.
func TestWrongVectors(t *testing.T) {
	w := connect(t, folder(t))
	if err := w.tryAttach(t, &engine{}, 1, modelv1.Role_ROLE_EMBEDDING, dimension+1); err != nil {
		t.Fatal(err)
	}
	got, err := w.ask(t, "When does the harbour close?", 1)
	if err != nil || len(got.sentences) == 0 || got.done.GetWithoutModel() != string(errs.Malformed) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestVectors(t *testing.T) {
	w := connect(t, folder(t))
	e := &engine{}
	w.attach(t, e, 1, modelv1.Role_ROLE_EMBEDDING)
	w.attach(t, &engine{}, 2, modelv1.Role_ROLE_CHAT)
	run := func(handle byte) (*indexv1.VectorsResponse, error) {
		s, err := w.client.Vectors(t.Context(), &indexv1.VectorsRequest{Engine: bytes.Repeat([]byte{handle}, 16)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		var last *indexv1.VectorsResponse
		for {
			m, err := s.Recv()
			if err == io.EOF {
				return last, nil
			}
			if err != nil {
				return last, err
			}
			last = m
		}
	}
	last, err := run(1)
	if err != nil || last.GetDone() == 0 || last.GetDone() != last.GetTotal() {
		t.Fatalf("%v, %v", last, err)
	}
	n := len(e.asked)
	if last, err = run(1); err != nil || last.GetDone() != last.GetTotal() || len(e.asked) != n {
		t.Errorf("again: %v, %v, %d texts more", last, err, len(e.asked)-n)
	}
	if _, err := run(2); errs.CodeOf(err) != errs.ModelRole {
		t.Errorf("by a model that writes: %v", err)
	}
	if _, err := run(7); errs.CodeOf(err) != errs.GrantMissing {
		t.Errorf("by nothing: %v", err)
	}
}

func TestSummarizeWithEngine(t *testing.T) {
	w := connect(t, folder(t))
	w.attach(t, &engine{say: "The harbour closes at nine in the evening."}, 2, modelv1.Role_ROLE_CHAT)
	s, err := w.client.Summarize(t.Context(), &indexv1.SummarizeRequest{Grant: grant, Engines: [][]byte{bytes.Repeat([]byte{2}, 16)}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	order, supported := "", 0
	var end *indexv1.WrittenDone
	for {
		m, err := s.Recv()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case m.GetSentence() != nil:
			order += "s"
		case m.GetWritten() != nil:
			order += "w"
			if m.GetWritten().GetSupported() {
				supported++
			}
		case m.GetWrittenDone() != nil:
			order += "e"
			end = m.GetWrittenDone()
		case m.GetDone() != nil:
			order += "d"
		}
	}
	if rest := strings.TrimLeft(order, "s"); strings.TrimLeft(rest, "w") != "ed" || rest == order {
		t.Errorf("the order is %q", order)
	}
	if end.GetFiles() < 2 || supported == 0 || end.GetModel() != "writer" {
		t.Errorf("%v, %d supported", end, supported)
	}
}
