package serve

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/worker/engine"
	"github.com/bailey-run/bailey/internal/worker/engine/template"
)

// prompt makes the tokens of a request, and says how many turns were left out.
func (m *loaded) prompt(ctx context.Context, in *enginev1.GenerateRequest, now time.Time) ([]engine.Token, int, error) {
	if in.Text != "" {
		t, err := m.model.Tokenize(in.Text, false)
		if err != nil {
			return nil, 0, err
		}
		t = m.begin(t)
		return t, 0, m.fits(len(t), 1)
	}
	if m.chat == nil {
		return nil, 0, m.refused
	}
	turns, err := turnsOf(in.Messages)
	if err != nil {
		return nil, 0, err
	}
	t, err := m.conversation(ctx, turns, now)
	if err != nil {
		return nil, 0, err
	}
	if in.Overflow != enginev1.Overflow_OVERFLOW_DROP_OLDEST {
		return t, 0, m.fits(len(t), 1)
	}
	// An answer needs room too, or the next turn would be cut after a word.
	keep := max(m.info.Context/limits.EngineKeptFree, 1)
	if in.MaxTokens > 0 {
		keep = min(keep, clamp(in.MaxTokens))
	}
	sizes, err := m.sizes(turns, len(t))
	if err != nil {
		return nil, 0, err
	}
	dropped := 0
	start := time.Now()
	for range limits.EngineDropRounds {
		if m.fits(len(t), keep) == nil {
			return t, dropped, nil
		}
		if time.Since(start) > limits.TemplateTime {
			break // a template so slow would keep the client waiting without a word
		}
		from, to := oldest(turns, sizes, len(t)+keep-m.info.Context)
		if to == from {
			break
		}
		turns, sizes, dropped = slices.Delete(turns, from, to), slices.Delete(sizes, from, to), dropped+to-from
		if t, err = m.conversation(ctx, turns, now); err != nil {
			return nil, 0, err
		}
	}
	return t, dropped, m.fits(len(t), 1)
}

// sizes guesses how many tokens each turn takes of a prompt: its text, and its
// share of what the template puts around.
func (m *loaded) sizes(turns []template.Message, prompt int) ([]int, error) {
	out := make([]int, len(turns))
	for i, turn := range turns {
		t, err := m.model.Tokenize(turn.Text, false)
		if err != nil {
			return nil, err
		}
		out[i] = len(t)
		prompt -= len(t)
	}
	for i := range out {
		out[i] += max(prompt, 0) / len(out)
	}
	return out, nil
}

// fits reports a prompt of n tokens that leaves no room for keep more.
func (m *loaded) fits(n, keep int) error {
	if room := m.info.Context - keep; n > room {
		return errs.New(errs.ContextOverflow, "engine.generate").With(fmt.Sprintf("it has %d tokens, and %d fit", n, max(room, 0)))
	}
	return nil
}

// turnsOf checks the shape of a conversation, which the schema cannot say.
func turnsOf(messages []*enginev1.Message) ([]template.Message, error) {
	const op = "engine.generate"
	turns := make([]template.Message, 0, len(messages))
	for _, q := range messages {
		t := template.Message{Text: q.Text}
		switch q.Speaker {
		case enginev1.Speaker_SPEAKER_SYSTEM:
			t.Role = template.System
		case enginev1.Speaker_SPEAKER_USER:
			t.Role = template.User
		case enginev1.Speaker_SPEAKER_ASSISTANT:
			t.Role = template.Assistant
		default:
			return nil, errs.New(errs.Malformed, op).With("a message without a speaker")
		}
		turns = append(turns, t)
	}
	if turns[len(turns)-1].Role != template.User {
		return nil, errs.New(errs.Malformed, op).With("the last message is not the user's")
	}
	return turns, nil
}

// oldest returns which turns to leave out: the oldest but the system's, so many
// that excess tokens go by the sizes; at least one, with the answers behind it,
// so that the conversation still begins with the user. The last turn stays.
func oldest(turns []template.Message, sizes []int, excess int) (from, to int) {
	for from < len(turns) && turns[from].Role == template.System {
		from++
	}
	to = from
	for to < len(turns)-1 && (excess > 0 || to == from || turns[to].Role != template.User) {
		excess -= sizes[to]
		to++
	}
	return from, to
}

// conversation renders turns and makes tokens of them.
func (m *loaded) conversation(ctx context.Context, turns []template.Message, now time.Time) ([]engine.Token, error) {
	spans, err := m.chat.Render(ctx, turns, now)
	if err != nil {
		return nil, err
	}
	t, err := m.encode(spans)
	if err != nil {
		return nil, err
	}
	return m.begin(t), nil
}

// begin puts the beginning of sequence in front, once.
func (m *loaded) begin(t []engine.Token) []engine.Token {
	if m.bos == nil || len(t) > 0 && t[0] == m.bos[0] {
		return t
	}
	return append(append(make([]engine.Token, 0, len(t)+1), m.bos...), t...)
}

// encode makes tokens of a rendered prompt such that no text of a message
// becomes a control token.
//
// Models were trained on prompts that were encoded as a whole, and a prompt that
// is encoded in parts reads a little differently at the seams. So the whole is
// encoded first, with control tokens. Where exactly those of the template's own
// parts came of it, and all else is text, it is what was meant. Where not,
// because a message spells a control token or makes one together with its
// surroundings, the parts are encoded on their own, those of messages without
// control tokens.
//
// Some files call their control tokens ordinary words, which a vocabulary makes
// tokens of in any text. Words of the template's own that look like marks are
// taken for control tokens too, and in the texts of messages cut in two.
func (m *loaded) encode(spans []template.Span) ([]engine.Token, error) {
	var all strings.Builder
	own := make([][]engine.Token, len(spans))
	marks := map[engine.Token]string{}
	for i, s := range spans {
		all.WriteString(s.Text)
		if s.Message >= 0 {
			continue
		}
		var err error
		if own[i], err = m.model.Tokenize(s.Text, true); err != nil {
			return nil, err
		}
		for _, t := range own[i] {
			if b := string(m.model.Bytes(t)); looksLikeMark(b) {
				marks[t] = b
			}
		}
	}
	whole, err := m.model.Tokenize(all.String(), true)
	if err != nil {
		return nil, err
	}
	got, meant := shape{marks: marks}, shape{marks: marks}
	got.tokens(m.model, whole)
	for i, s := range spans {
		if s.Message >= 0 {
			meant.text(s.Text)
		} else {
			meant.tokens(m.model, own[i])
		}
	}
	if string(got.b) == string(meant.b) {
		return whole, nil
	}
	var out []engine.Token
	for i, s := range spans {
		if s.Message < 0 {
			out = append(out, own[i]...)
			continue
		}
		for _, piece := range within(s.Text, marks) {
			t, err := m.model.Tokenize(piece, false)
			if err != nil {
				return nil, err
			}
			out = append(out, t...)
		}
	}
	return out, nil
}

// looksLikeMark reports whether a token's text is of the form <|name|>, <name> or
// [NAME].
func looksLikeMark(s string) bool {
	const shortest = 3
	s = strings.TrimSpace(s)
	return len(s) >= shortest && (s[0] == '<' && s[len(s)-1] == '>' || s[0] == '[' && s[len(s)-1] == ']')
}

// within cuts a text in two within each of the marks.
func within(s string, marks map[engine.Token]string) []string {
	cuts := []int{0, len(s)}
	for _, mark := range marks {
		for at := 0; ; {
			i := strings.Index(s[at:], mark)
			if i < 0 {
				break
			}
			_, first := utf8.DecodeRuneInString(mark)
			at += i + first
			cuts = append(cuts, at)
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	var out []string
	for i := 1; i < len(cuts); i++ {
		out = append(out, s[cuts[i-1]:cuts[i]])
	}
	return out
}

// shape is the text and the control tokens of a prompt, in order. Spaces do not
// count, since some vocabularies put one in front of each text.
type shape struct {
	b     []byte
	marks map[engine.Token]string
}

func (s *shape) text(t string) {
	for i := range len(t) {
		if t[i] != ' ' {
			s.b = append(s.b, t[i])
		}
	}
}

func (s *shape) tokens(m engine.Model, tokens []engine.Token) {
	for _, t := range tokens {
		_, marked := s.marks[t]
		if b := m.Bytes(t); len(b) > 0 && !marked {
			s.text(string(b))
			continue
		}
		s.b = append(s.b, 0xff) // in no valid UTF-8
		s.b = binary.LittleEndian.AppendUint32(s.b, uint32(t))
	}
}
