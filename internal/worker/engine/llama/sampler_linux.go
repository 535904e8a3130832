package llama

import (
	"bytes"
	"math"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

// sampler chooses tokens by the library's own samplers; only the likeliest of
// all is found here, in one pass over the numbers instead of three.
type sampler struct {
	m     *model
	c     *calls
	plain bool
	// chain penalises, cuts and draws; rules is the grammar. Either may be 0.
	chain, rules uintptr
}

// random is the seed with which the library draws one of its own.
const random = math.MaxUint32

func (m *model) sampler(o engine.Sampling, prompt []engine.Token) (*sampler, error) {
	c := m.c
	s := &sampler{m: m, c: c}
	greedy := o.Greedy || o.Temperature <= 0 || o.TopK == 1
	penal := o.Repeat > 0 && o.Repeat != 1 || o.Frequency != 0 || o.Presence != 0
	if o.Grammar != "" {
		s.rules = c.grammar(m.vocab, o.Grammar, "root")
		if s.rules == 0 {
			return nil, errs.New(errs.SchemaRefused, "llama.generate").With("the library does not take the grammar")
		}
	}
	if greedy && !penal && s.rules == 0 {
		s.plain = true
		return s, nil
	}
	s.chain = c.chainNew(1)
	if penal {
		repeat := o.Repeat
		if repeat <= 0 {
			repeat = 1
		}
		c.chainAdd(s.chain, c.penalties(int32(m.info.Vocabulary), limits.EnginePenaltyTokens, repeat, o.Frequency, o.Presence))
	}
	if greedy {
		c.chainAdd(s.chain, c.greedy())
	} else {
		if o.TopK > 0 {
			c.chainAdd(s.chain, c.topK(int32(o.TopK)))
		}
		if o.TopP > 0 && o.TopP < 1 {
			c.chainAdd(s.chain, c.topP(o.TopP, 1))
		}
		if o.MinP > 0 {
			c.chainAdd(s.chain, c.minP(o.MinP, 1))
		}
		c.chainAdd(s.chain, c.temperature(o.Temperature))
		seed := o.Seed
		if seed == random {
			seed--
		}
		c.chainAdd(s.chain, c.dist(seed))
	}
	// What stands in the prompt counts for the penalties, as in the library's own
	// programs.
	if penal {
		for _, t := range prompt[max(0, len(prompt)-limits.EnginePenaltyTokens):] {
			c.samplerTake(s.chain, int32(t))
		}
	}
	return s, nil
}

func (s *sampler) free() {
	for _, p := range []uintptr{s.chain, s.rules} {
		if p != 0 {
			s.c.samplerFree(p)
		}
	}
	s.chain, s.rules = 0, 0
}

// next chooses. Errors: errs.ModelRefused when the model's numbers are none,
// errs.SchemaStuck when the grammar refuses every token.
func (s *sampler) next(k *choices, logits []float32) (engine.Token, error) {
	if s.plain {
		if t, ok := likeliest(logits); ok {
			return t, nil
		}
		return 0, noNumbers()
	}
	// The library's samplers would choose among any, or end the process.
	if !tame(logits) && !numbers(logits) {
		return 0, noNumbers()
	}
	id, ok := s.draw(k, logits, false)
	if ok && s.rules != 0 {
		// The grammar looks at one token, not at all of them, as long as what is
		// drawn without it keeps to it.
		if !s.allows(k, id) {
			// Where it refuses all, the chain still draws one of them.
			if id, ok = s.draw(k, logits, true); ok && !s.allows(k, id) {
				return 0, errs.New(errs.SchemaStuck, "llama.generate")
			}
		}
		if ok {
			s.c.samplerTake(s.rules, id)
		}
	}
	if !ok {
		return 0, noNumbers()
	}
	s.c.samplerTake(s.chain, id)
	return engine.Token(id), nil
}

func noNumbers() error {
	return errs.New(errs.ModelRefused, "llama.generate").With("the model's numbers are none")
}

// allows is the verdict on one token: the grammar's, and that the token is what
// the grammar took it for. That reads the text of a control token, of which an
// answer has nothing, and no text beyond a NUL.
func (s *sampler) allows(k *choices, id int32) bool {
	k.one(id)
	s.c.samplerApply(s.rules, &k.head)
	return !math.IsInf(float64(k.list[0].logit), -1) && (s.c.vocabIsEnd(s.m.vocab, id) || whole(s.m.bytes(engine.Token(id))))
}

func whole(text []byte) bool { return len(text) > 0 && bytes.IndexByte(text, 0) < 0 }

// unfit are the tokens that the grammar takes for what they are not. They are
// looked for once, when a grammar refuses a token for the first time.
func (m *model) unfit() []int32 {
	m.looked.Do(func() {
		buf := make([]byte, 64)
		for id := range int32(m.info.Vocabulary) {
			if !m.c.vocabIsEnd(m.vocab, id) && !whole(m.spell(id, buf)) {
				m.odd = append(m.odd, id)
			}
		}
	})
	return m.odd
}

func (s *sampler) draw(k *choices, logits []float32, rules bool) (int32, bool) {
	k.fill(logits)
	if rules {
		s.c.samplerApply(s.rules, &k.head)
		for _, id := range s.m.unfit() {
			k.list[id].logit = float32(math.Inf(-1))
		}
	}
	s.c.samplerApply(s.chain, &k.head)
	return k.chosen()
}

// beyond is a magnitude that no number of a model has: of less, penalties and a
// temperature make numbers again.
const beyond = 1 << 100

// numbers reports whether a choice can be made: none is NaN or as large as beyond,
// and one is above -beyond. Some at -Inf are tokens that a model rules out.
func numbers(logits []float32) bool {
	some := false
	for _, v := range logits {
		if v != v || v >= beyond {
			return false
		}
		some = some || v > -beyond
	}
	return some
}

func likeliest(logits []float32) (engine.Token, bool) {
	best, at := float32(math.Inf(-1)), -1
	for i, v := range logits {
		if v > best {
			best, at = v, i
		}
	}
	return engine.Token(at), at >= 0 && best < beyond
}

// candidates are the chosen token and the n likeliest, by what the model said
// before any sampling.
func (w *writer) candidates(logits []float32, chosen engine.Token, n int) []engine.Candidate {
	top := make([]int32, 0, n+1)
	most := float32(math.Inf(-1))
	for i, v := range logits {
		most = max(most, v)
		if len(top) == n && !(v > logits[top[n-1]]) {
			continue
		}
		top = append(top, int32(i))
		for j := len(top) - 1; j > 0 && logits[top[j]] > logits[top[j-1]]; j-- {
			top[j], top[j-1] = top[j-1], top[j]
		}
		top = top[:min(n, len(top))]
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v - most))
	}
	log := func(id int32) float32 { return float32(float64(logits[id]-most) - math.Log(sum)) }
	out := []engine.Candidate{{Token: chosen, Bytes: w.m.bytes(chosen), Logprob: log(int32(chosen))}}
	for _, id := range top {
		if engine.Token(id) != chosen && len(out) <= n {
			out = append(out, engine.Candidate{Token: engine.Token(id), Bytes: w.m.bytes(engine.Token(id)), Logprob: log(id)})
		}
	}
	return out
}
