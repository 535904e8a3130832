package jinja

import (
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type filter func(m *machine, v value, a args) (value, error)

// filterOf returns a filter by name, or nil.
func filterOf(name string) filter {
	switch name {
	case "trim", "upper", "lower", "title", "capitalize":
		method := name
		if name == "trim" {
			method = "strip"
		}
		return func(m *machine, v value, a args) (value, error) {
			s, err := m.text(v)
			if err != nil {
				return nil, err
			}
			return textMethod(s, method)(m, a)
		}
	case "length", "count":
		return length
	case "default", "d":
		return func(_ *machine, v value, a args) (value, error) {
			otherwise, ok := a.at(0, "default_value")
			if !ok {
				otherwise = own("")
			}
			boolean, _ := a.at(1, "boolean")
			if _, ok := v.(undefined); ok || truth(boolean) && !truth(v) {
				return otherwise, nil
			}
			return v, nil
		}
	case "string", "safe":
		return func(m *machine, v value, _ args) (value, error) { return m.print(v) }
	case "escape", "e", "forceescape":
		return func(m *machine, v value, _ args) (value, error) {
			s, err := m.text(v)
			if err != nil {
				return nil, err
			}
			r := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;")
			return s.each(r.Replace), m.alloc(5 * len(s.s()))
		}
	case "int", "float":
		return func(m *machine, v value, a args) (value, error) { return convert(v, a, name == "int") }
	case "abs", "round":
		return func(_ *machine, v value, a args) (value, error) { return rounded(v, a, name == "abs") }
	case "tojson":
		return toJSON
	case "join":
		return func(m *machine, v value, a args) (value, error) {
			items, err := m.items(v)
			if err != nil {
				return nil, err
			}
			if by, ok := a.at(1, "attribute"); ok {
				if items, err = m.attributes(items, by); err != nil {
					return nil, err
				}
			}
			sep := own("")
			if d, ok := a.at(0, "d"); ok {
				if sep, err = m.text(d); err != nil {
					return nil, err
				}
			}
			return m.joinTexts(sep, items)
		}
	case "replace":
		return func(m *machine, v value, a args) (value, error) {
			s, err := m.text(v)
			if err != nil {
				return nil, err
			}
			return textMethod(s, "replace")(m, a)
		}
	case "indent":
		return indent
	case "wordcount":
		return func(m *machine, v value, _ args) (value, error) {
			s, err := m.text(v)
			if err != nil {
				return nil, err
			}
			f, err := m.fields(s)
			return int64(len(f)), err
		}
	case "items":
		return func(m *machine, v value, _ args) (value, error) {
			switch v := v.(type) {
			case undefined:
				return &list{}, nil
			case *dict:
				return dictMethod(v, "items")(m, args{})
			}
			return nil, wrong(v, "the items")
		}
	}
	return listFilter(name)
}

// text is what a filter for texts works on.
func (m *machine) text(v value) (str, error) { return m.print(v) }

func length(m *machine, v value, _ args) (value, error) {
	switch v := v.(type) {
	case undefined:
		return int64(0), nil
	case str:
		return int64(utf8.RuneCountInString(v.s())), m.scan(len(v.s()))
	case *list:
		return int64(len(v.items)), nil
	case *dict:
		return int64(len(v.keys)), nil
	}
	return nil, wrong(v, "the length")
}

func convert(v value, a args, integer bool) (value, error) {
	otherwise, ok := a.at(0, "default")
	if !ok {
		otherwise = int64(0)
		if !integer {
			otherwise = 0.0
		}
	}
	f, isNumber := number(v)
	if n, ok := whole(v); ok && integer {
		return n, nil
	}
	if s, ok := v.(str); ok {
		t := strings.TrimFunc(s.s(), space)
		if n, err := strconv.ParseInt(t, 10, 64); err == nil && integer {
			return n, nil
		}
		x, err := strconv.ParseFloat(t, 64)
		if err != nil {
			return otherwise, nil
		}
		f, isNumber = x, true
	}
	const most = 1 << 62
	switch {
	case !isNumber || integer && !(math.Abs(f) < most):
		return otherwise, nil
	case integer:
		return int64(f), nil
	}
	return f, nil
}

func rounded(v value, a args, abs bool) (value, error) {
	f, ok := number(v)
	if !ok {
		return nil, wrong(v, "a number")
	}
	if abs {
		if n, ok := whole(v); ok {
			if n < 0 {
				return integers("-", 0, n)
			}
			return n, nil
		}
		return math.Abs(f), nil
	}
	p := int64(0)
	if x, ok := a.at(0, "precision"); ok {
		p, _ = whole(x)
	}
	how := "common"
	if x, ok := a.at(1, "method"); ok {
		if s, ok := x.(str); ok {
			how = s.s()
		}
	}
	const base = 10
	scale := math.Pow(base, float64(p))
	switch how {
	case "common":
		return math.RoundToEven(f*scale) / scale, nil
	case "ceil":
		return math.Ceil(f*scale) / scale, nil
	case "floor":
		return math.Floor(f*scale) / scale, nil
	}
	return nil, failed("round by %q", how)
}

func indent(m *machine, v value, a args) (value, error) {
	s, err := m.text(v)
	if err != nil {
		return nil, err
	}
	const usual = 4
	pad := own(strings.Repeat(" ", usual))
	if w, ok := a.at(0, "width"); ok {
		if n, ok := whole(w); ok {
			p, _, err := m.repeat(own(" "), n)
			if err != nil {
				return nil, err
			}
			pad = p.(str)
		} else if pad, err = m.text(w); err != nil {
			return nil, err
		}
	}
	first, _ := a.at(1, "first")
	blank, _ := a.at(2, "blank")
	lines, err := m.split(s, own("\n"), -1, false)
	if err != nil {
		return nil, err
	}
	for i, l := range lines {
		t := l.(str)
		if i == 0 && !truth(first) || i > 0 && strings.TrimSpace(t.s()) == "" && !truth(blank) {
			continue
		}
		if lines[i], err = m.concat(own(""), pad, t); err != nil {
			return nil, err
		}
	}
	return m.joinTexts(own("\n"), lines)
}

// attributes takes one attribute, given as a.b, of each item.
func (m *machine) attributes(items []value, by value) ([]value, error) {
	if err := m.alloc(wordSize * len(items)); err != nil {
		return nil, err
	}
	out := make([]value, len(items))
	for i, v := range items {
		var err error
		if out[i], err = m.path(v, by); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (m *machine) path(v, by value) (value, error) {
	s, ok := by.(str)
	if !ok {
		return m.item(v, by)
	}
	for name := range strings.SplitSeq(s.s(), ".") {
		key := value(own(name))
		if n, err := strconv.ParseUint(name, 10, 63); err == nil { // digits alone
			key = int64(n)
		}
		var err error
		if v, err = m.item(v, key); err != nil {
			return nil, err
		}
	}
	return v, m.step(1)
}

// sorted orders items in place; the work is counted by compare.
func (m *machine) sorted(items, keys []value, reverse, fold bool) ([]value, error) {
	n := len(items)
	if err := m.alloc(2 * wordSize * n); err != nil {
		return nil, err
	}
	if err := m.step(n * bits.Len(uint(n))); err != nil {
		return nil, err
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	if fold {
		keys = slices.Clone(keys)
		for i, k := range keys {
			if s, ok := k.(str); ok {
				keys[i] = own(strings.ToLower(s.s()))
			}
		}
	}
	var failed error
	slices.SortStableFunc(order, func(a, b int) int {
		if failed != nil {
			return 0
		}
		c, err := m.compare(keys[a], keys[b])
		failed = err
		if reverse {
			return -c
		}
		return c
	})
	out := make([]value, n)
	for i, k := range order {
		out[i] = items[k]
	}
	return out, failed
}

// flag is a truth value at a place or of a name.
func (a args) flag(i int, name string) bool { v, _ := a.at(i, name); return truth(v) }

func title(s string) string {
	in := false
	return strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '\'' {
			in = false
			return r
		}
		if in {
			return unicode.ToLower(r)
		}
		in = true
		return unicode.ToUpper(r)
	}, s)
}
