package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// str is a text that knows which of its bytes came of which Text. Its marks are
// in order, do not touch when they have the same id, and are never changed once
// the str is a value.
type str struct {
	text  string
	b     []byte // instead of text while it is being written
	marks []mark
}

type mark struct{ from, to, id int }

func own(s string) str { return str{text: s} }

func (s *str) s() string {
	if s.b != nil {
		s.text, s.b = string(s.b), nil
	}
	return s.text
}

// all returns s with all of its bytes marked as the first mark's of others, when
// there is one: for results in which the bytes cannot be told apart.
func all(s string, others ...str) str {
	for _, o := range others {
		if len(o.marks) > 0 && s != "" {
			return str{text: s, marks: []mark{{0, len(s), o.marks[0].id}}}
		}
	}
	return own(s)
}

// append adds t to a str that is being written.
func (s *str) append(t str) {
	if s.b == nil {
		s.b = []byte(s.text)
	}
	at := len(s.b)
	s.b = append(s.b, t.s()...)
	for _, k := range t.marks {
		s.mark(mark{k.from + at, k.to + at, k.id})
	}
}

func (s *str) mark(k mark) {
	if n := len(s.marks); n > 0 && s.marks[n-1].to == k.from && s.marks[n-1].id == k.id {
		s.marks[n-1].to = k.to
		return
	}
	if k.to > k.from {
		s.marks = append(s.marks, k)
	}
}

// part returns the bytes from i to j.
func (s str) part(i, j int) str {
	out := own(s.s()[i:j])
	for _, k := range s.marks {
		if k.to > i && k.from < j {
			out.mark(mark{max(k.from, i) - i, min(k.to, j) - i, k.id})
		}
	}
	return out
}

// spans returns the parts with their ids.
func (s *str) spans() []Span {
	t := s.s()
	var out []Span
	at := 0
	add := func(to, id int) {
		if to > at {
			out = append(out, Span{t[at:to], id})
			at = to
		}
	}
	for _, k := range s.marks {
		add(k.from, Own)
		add(k.to, k.id)
	}
	add(len(t), Own)
	return out
}

// each applies f to the parts.
func (s str) each(f func(string) string) str {
	if len(s.marks) == 0 {
		return own(f(s.s()))
	}
	out := str{b: []byte{}}
	for _, p := range s.spans() {
		t := str{text: f(p.Text)}
		if p.ID != Own {
			t.mark(mark{0, len(t.text), p.ID})
		}
		out.append(t)
	}
	out.s()
	return out
}

// space is what Python's str.strip takes away.
func space(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func (s str) trim(left, right bool, cut func(rune) bool) str {
	t := s.s()
	i, j := 0, len(t)
	if left {
		i = len(t) - len(strings.TrimLeftFunc(t, cut))
	}
	if right {
		j = i + len(strings.TrimRightFunc(t[i:], cut))
	}
	return s.part(i, j)
}

// runes returns the characters.
func (m *machine) runes(s str) ([]value, error) {
	const size = 4 * wordSize
	if err := m.alloc(size * utf8.RuneCountInString(s.s())); err != nil {
		return nil, err
	}
	if err := m.cuts(s, utf8.RuneCountInString(s.s())); err != nil {
		return nil, err
	}
	var out []value
	for i, r := range s.s() {
		out = append(out, s.part(i, i+utf8.RuneLen(r)))
	}
	return out, nil
}

// partSize is about what two parts of a text in the making take, in bytes.
const partSize = 8 * wordSize

// concat joins texts with sep between.
func (m *machine) concat(sep str, parts ...str) (str, error) {
	n := 0
	for i, p := range parts {
		if i > 0 {
			n += len(sep.s())
		}
		n += len(p.s())
		if n > m.l.Memory {
			return str{}, limit("its values take too much memory")
		}
	}
	if err := m.alloc(n + len(parts)); err != nil {
		return str{}, err
	}
	out := str{b: make([]byte, 0, n)}
	for i, p := range parts {
		if i > 0 {
			out.append(sep)
		}
		out.append(p)
	}
	out.s()
	return out, nil
}

// split divides s at sep, at most n times; n < 0 is always.
func (m *machine) split(s, sep str, n int, fromRight bool) ([]value, error) {
	t, by := s.s(), sep.s()
	if by == "" {
		return nil, failed("split by an empty text")
	}
	pieces := 1 + strings.Count(t, by)
	if err := m.alloc(len(t) + 4*wordSize*pieces); err != nil {
		return nil, err
	}
	if err := m.cuts(s, pieces); err != nil {
		return nil, err
	}
	var out []value
	if fromRight {
		j := len(t)
		for i := strings.LastIndex(t[:j], by); i >= 0 && n != 0; i = strings.LastIndex(t[:j], by) {
			out = append(out, s.part(i+len(by), j))
			j = i
			n--
		}
		out = append(out, s.part(0, j))
		for a, b := 0, len(out)-1; a < b; a, b = a+1, b-1 {
			out[a], out[b] = out[b], out[a]
		}
		return out, nil
	}
	at := 0
	for i := strings.Index(t, by); i >= 0 && n != 0; i = strings.Index(t[at:], by) {
		out = append(out, s.part(at, at+i))
		at += i + len(by)
		n--
	}
	return append(out, s.part(at, len(t))), nil
}

// fields divides s at runs of white space.
func (m *machine) fields(s str) ([]value, error) {
	t := s.s()
	if err := m.alloc(2 * wordSize * len(t)); err != nil {
		return nil, err
	}
	if err := m.cuts(s, len(t)/2); err != nil {
		return nil, err
	}
	var out []value
	from := -1
	for i, r := range t {
		switch {
		case space(r) && from >= 0:
			out = append(out, s.part(from, i))
			from = -1
		case !space(r) && from < 0:
			from = i
		}
	}
	if from >= 0 {
		out = append(out, s.part(from, len(t)))
	}
	return out, nil
}

// replace puts with in place of old, at most n times; n < 0 is always.
func (m *machine) replace(s, old, with str, n int) (str, error) {
	t, o := s.s(), old.s()
	count := strings.Count(t, o)
	if n >= 0 {
		count = min(count, n)
	}
	if count == 0 {
		return s, m.scan(len(t))
	}
	if err := m.alloc(len(t) + count*(len(with.s())+1)); err != nil {
		return str{}, err
	}
	if err := m.cuts(s, count); err != nil {
		return str{}, err
	}
	out := str{b: make([]byte, 0, len(t))}
	at := 0
	for ; count > 0; count-- {
		i := at
		if o == "" {
			// Between all characters, as Python does.
			if at > 0 || len(out.b) > 0 {
				_, k := utf8.DecodeRuneInString(t[at:])
				i = at + k
			}
		} else {
			i += strings.Index(t[at:], o)
		}
		out.append(s.part(at, i))
		out.append(with)
		at = i + len(o)
	}
	out.append(s.part(at, len(t)))
	out.s()
	return out, nil
}
