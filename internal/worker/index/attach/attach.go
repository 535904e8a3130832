// Package attach is the index worker's side of an engine that the core has
// connected it with: a client of bailey.engine.v1 on a socket of its own, with
// one handle. What comes back from there is another process's word: messages
// are validated by the generated code, vectors and texts held against limits
// here.
//
// It makes no connection and knows no model but by what the core said of it.
// Package serve makes an Engine for each Attach; package index uses it.
package attach

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/worker/index/written"
)

// Engine is one model that may be used. Its methods may be called from several
// goroutines.
type Engine struct {
	conn   *ipc.Conn
	client *enginev1.EngineServiceClient
	handle []byte
	name   string
	digest [sha256.Size]byte
	role   modelv1.Role
	loaded *modelv1.Loaded
}

// Gone is the code of calls on an engine that went away, for the options of the
// connection.
const Gone = errs.EngineCrashed

// New takes the connection over and returns the engine at its other end. It
// fails with errs.Malformed when the core says what cannot be, such as an
// embedding model without a dimension.
func New(conn *ipc.Conn, q *indexv1.AttachRequest) (*Engine, error) {
	e := &Engine{conn: conn, client: enginev1.NewEngineServiceClient(conn), handle: q.GetHandle(), name: q.GetModel(), role: q.GetRole(), loaded: q.GetLoaded()}
	copy(e.digest[:], q.GetSha256())
	if d := e.loaded.GetDimension(); e.Embeds() && (d == 0 || d > limits.MeaningDimension) {
		conn.Close()
		return nil, errs.New(errs.Malformed, "attach.new").With("an embedding model's vectors have no such dimension")
	}
	return e, nil
}

// Close ends the connection; calls on it fail. Idempotent.
func (e *Engine) Close() error { return e.conn.Close() }

// Done is closed when the engine is gone.
func (e *Engine) Done() <-chan struct{} { return e.conn.Done() }

// Over reports whether the engine is gone.
func (e *Engine) Over() bool {
	select {
	case <-e.conn.Done():
		return true
	default:
		return false
	}
}

// Name is the model's name.
func (e *Engine) Name() string { return e.name }

// Digest is the SHA-256 of the model's file.
func (e *Engine) Digest() [sha256.Size]byte { return e.digest }

// Embeds reports whether the model makes vectors, and Dimension of how many
// numbers.
func (e *Engine) Embeds() bool { return e.role == modelv1.Role_ROLE_EMBEDDING }

// Dimension is 0 for a model that makes no vectors.
func (e *Engine) Dimension() int {
	if !e.Embeds() {
		return 0
	}
	return int(e.loaded.GetDimension())
}

// Writes reports whether the model can be asked for text.
func (e *Engine) Writes() bool {
	return e.role == modelv1.Role_ROLE_CHAT || e.role == modelv1.Role_ROLE_COMPLETION
}

// Chat reports whether it takes conversations; else it continues text.
func (e *Engine) Chat() bool { return e.role == modelv1.Role_ROLE_CHAT && e.loaded.GetChat() }

// Context is how many tokens the model's prompt and answer may have together;
// 0 = not known.
func (e *Engine) Context() int { return int(e.loaded.GetContext()) }

// Embed calls emit with one vector of length 1 for each text, in order. It fails
// with the engine's error, with that of emit, or with errs.Malformed for what is
// no such vector.
func (e *Engine) Embed(ctx context.Context, texts []string, background bool, emit func(v []float32) error) error {
	const op = "attach.embed"
	if len(texts) == 0 {
		return nil
	}
	s, err := e.client.Embed(ctx, &enginev1.EmbedRequest{Grant: e.handle, Texts: texts, Background: background})
	if err != nil {
		return err
	}
	defer s.Close()
	n := 0
	for {
		m, err := s.Recv()
		if err == io.EOF {
			if n != len(texts) {
				return errs.New(errs.Malformed, op).With("the engine left a text out")
			}
			return nil
		}
		if err != nil {
			return err
		}
		v, err := vector(m.GetVector(), e.Dimension())
		if err != nil || n == len(texts) {
			return errs.New(errs.Malformed, op).With("the engine's vector is none")
		}
		n++
		if err := emit(v); err != nil {
			return err
		}
	}
}

var errVector = errors.New("attach: not a vector")

// vector decodes 32 bit numbers and makes their length 1. What is not a number,
// and a vector of no length, is refused.
func vector(b []byte, dimension int) ([]float32, error) {
	if dimension == 0 || len(b) != 4*dimension {
		return nil, errVector
	}
	v := make([]float32, dimension)
	sum := 0.0
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		sum += float64(v[i]) * float64(v[i])
	}
	if math.IsNaN(sum) || math.IsInf(sum, 0) || sum == 0 {
		return nil, errVector
	}
	scale := 1 / math.Sqrt(sum)
	if math.IsInf(scale, 0) {
		return nil, errVector
	}
	for i := range v {
		v[i] = float32(float64(v[i]) * scale)
	}
	return v, nil
}

// Write has the model answer, and calls emit with its text as it comes: whole
// characters, piece by piece. A model that chats gets system and user as two
// turns; another gets them as one text to go on from. max is the number of
// tokens it may write.
func (e *Engine) Write(ctx context.Context, system, user string, max int, emit func(text string) error) (written.Tokens, error) {
	q := &enginev1.GenerateRequest{Grant: e.handle, MaxTokens: uint32(max), Sampling: &enginev1.Sampling{Greedy: true}}
	if e.Chat() {
		q.Messages = []*enginev1.Message{{Speaker: enginev1.Speaker_SPEAKER_SYSTEM, Text: system}, {Speaker: enginev1.Speaker_SPEAKER_USER, Text: user}}
	} else {
		q.Text = system + "\n\n" + user
	}
	s, err := e.client.Generate(ctx, q)
	if err != nil {
		return written.Tokens{}, err
	}
	defer s.Close()
	var w written.Tokens
	for {
		m, err := s.Recv()
		if err == io.EOF {
			return w, nil
		}
		if err != nil {
			return w, err
		}
		switch {
		case m.GetPrompt() != nil:
			w.Prompt = int(m.GetPrompt().GetTokens())
		case m.GetPiece() != nil:
			w.Output += int(m.GetPiece().GetTokens())
			if err := emit(m.GetPiece().GetText()); err != nil {
				return w, err
			}
		case m.GetDone() != nil:
			d := m.GetDone()
			w = written.Tokens{Prompt: int(d.GetPromptTokens()), Output: int(d.GetOutputTokens()),
				Cut: d.GetFinish() == enginev1.Finish_FINISH_LENGTH || d.GetFinish() == enginev1.Finish_FINISH_CONTEXT}
		}
	}
}
