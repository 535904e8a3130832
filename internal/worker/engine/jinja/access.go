package jinja

import "unicode/utf8"

func (e *attrExpr) eval(m *machine) (value, error) {
	if err := m.down(); err != nil {
		return nil, err
	}
	defer m.up()
	of, err := e.of.eval(m)
	if err != nil {
		return nil, err
	}
	v, err := m.attribute(of, e.name)
	return v, atLine(err, e.line)
}

// attribute is of.name: a method first, then an entry.
func (m *machine) attribute(of value, name string) (value, error) {
	switch of := of.(type) {
	case undefined:
		return nil, failed("%s is undefined and has no %s", of.name, name)
	case *loop:
		if v, ok := of.attribute(name); ok {
			return v, nil
		}
	case *namespace:
		if v, ok := of.vars[name]; ok {
			return v, nil
		}
	case *dict:
		if f := dictMethod(of, name); f != nil {
			return &function{name, f}, nil
		}
		if v, ok := of.index[name]; ok {
			return v, nil
		}
	case str:
		if f := textMethod(of, name); f != nil {
			return &function{name, f}, nil
		}
	case *list:
		if f := listMethod(of, name); f != nil {
			return &function{name, f}, nil
		}
	}
	return undefined{name}, nil
}

func (e *itemExpr) eval(m *machine) (value, error) {
	if err := m.down(); err != nil {
		return nil, err
	}
	defer m.up()
	of, err := e.of.eval(m)
	if err != nil {
		return nil, err
	}
	if s, ok := e.key.(*sliceExpr); ok {
		v, err := s.of(m, of)
		return v, atLine(err, e.line)
	}
	k, err := e.key.eval(m)
	if err != nil {
		return nil, err
	}
	v, err := m.item(of, k)
	return v, atLine(err, e.line)
}

// item is of[key]: an entry first, then a method.
func (m *machine) item(of, key value) (value, error) {
	if u, ok := of.(undefined); ok {
		return nil, failed("%s is undefined", u.name)
	}
	if d, ok := of.(*dict); ok {
		if k, ok := id(key); ok {
			if v, ok := d.index[k]; ok {
				return v, m.step(1)
			}
		}
	}
	if i, ok := whole(key); ok {
		switch of := of.(type) {
		case *list:
			if i < 0 {
				i += int64(len(of.items))
			}
			if i >= 0 && i < int64(len(of.items)) {
				return of.items[i], nil
			}
		case str:
			if err := m.scan(len(of.s())); err != nil {
				return nil, err
			}
			if i < 0 {
				i += int64(utf8.RuneCountInString(of.s()))
			}
			n := int64(0)
			for at, r := range of.s() {
				if n == i {
					return of.part(at, at+utf8.RuneLen(r)), nil
				}
				n++
			}
		}
		return undefined{"an item"}, nil
	}
	s, ok := key.(str)
	if !ok {
		return undefined{"an item"}, nil
	}
	return m.attribute(of, s.s())
}

func (s *sliceExpr) eval(*machine) (value, error) { return nil, failed("a slice of nothing") }

// of is Python's of[from:to:step].
func (s *sliceExpr) of(m *machine, of value) (value, error) {
	bound := func(e expr) (int64, bool, error) {
		if e == nil {
			return 0, false, nil
		}
		v, err := e.eval(m)
		if err != nil || v == nil {
			return 0, false, err
		}
		n, ok := whole(v)
		if !ok {
			return 0, false, wrong(v, "a slice's bound")
		}
		return n, true, nil
	}
	from, hasFrom, err := bound(s.from)
	if err != nil {
		return nil, err
	}
	to, hasTo, err := bound(s.to)
	if err != nil {
		return nil, err
	}
	step, hasStep, err := bound(s.step)
	if err != nil {
		return nil, err
	}
	if !hasStep {
		step = 1
	}
	if step == 0 {
		return nil, failed("a slice with a step of 0")
	}
	var items []value
	_, isText := of.(str)
	switch of := of.(type) {
	case *list:
		items = of.items
	case str:
		if items, err = m.runes(of); err != nil {
			return nil, err
		}
	default:
		return nil, wrong(of, "a slice")
	}
	n := int64(len(items))
	low, high := int64(0), n
	if step < 0 {
		low, high = -1, n-1
	}
	place := func(i int64, has bool, otherwise int64) int64 {
		if !has {
			return otherwise
		}
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	if step > 0 {
		from, to = place(from, hasFrom, 0), place(to, hasTo, n)
	} else {
		from, to = place(from, hasFrom, n-1), place(to, hasTo, -1)
	}
	if err := m.alloc(wordSize * len(items)); err != nil {
		return nil, err
	}
	out := &list{}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		out.items = append(out.items, items[i])
		if step > n || step < -n {
			break // the next one is outside, and adding could overflow
		}
	}
	if l, ok := of.(*list); ok {
		out.tuple = l.tuple
	}
	if !isText {
		return out, nil
	}
	return m.joinTexts(own(""), out.items)
}

// joinTexts joins values, which are printed, with sep between.
func (m *machine) joinTexts(sep str, items []value) (str, error) {
	parts := make([]str, 0, len(items))
	for _, v := range items {
		s, err := m.print(v)
		if err != nil {
			return str{}, err
		}
		parts = append(parts, s)
	}
	return m.concat(sep, parts...)
}
