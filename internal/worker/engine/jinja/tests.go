package jinja

import (
	"strings"
)

type test func(m *machine, v value, a args) (bool, error)

// testOf returns a test by name, or nil.
func testOf(name string) test {
	kind := func(is func(value) bool) test {
		return func(_ *machine, v value, _ args) (bool, error) { return is(v), nil }
	}
	switch name {
	case "defined", "undefined":
		return kind(func(v value) bool { _, u := v.(undefined); return u == (name == "undefined") })
	case "none":
		return kind(func(v value) bool { return v == nil })
	case "boolean":
		return kind(func(v value) bool { _, ok := v.(bool); return ok })
	case "true", "false":
		return kind(func(v value) bool { b, ok := v.(bool); return ok && b == (name == "true") })
	case "integer":
		return kind(func(v value) bool { _, ok := v.(int64); return ok })
	case "float":
		return kind(func(v value) bool { _, ok := v.(float64); return ok })
	case "number":
		return kind(func(v value) bool { _, ok := number(v); return ok })
	case "string":
		return kind(func(v value) bool { _, ok := v.(str); return ok })
	case "mapping":
		return kind(func(v value) bool { _, ok := v.(*dict); return ok })
	case "iterable", "sequence":
		return kind(func(v value) bool {
			switch v.(type) {
			case str, *list, *dict:
				return true
			case undefined:
				return true
			}
			return false
		})
	case "callable":
		return kind(func(v value) bool { _, ok := v.(*function); return ok })
	case "lower", "upper":
		return func(m *machine, v value, _ args) (bool, error) {
			s, err := m.print(v)
			if err != nil {
				return false, err
			}
			return isAll(s.s(), "is"+name), m.scan(len(s.s()))
		}
	case "odd", "even", "divisibleby":
		return func(_ *machine, v value, a args) (bool, error) {
			by := value(int64(2))
			if name == "divisibleby" {
				by, _ = a.at(0, "num")
			}
			n, ok1 := whole(v)
			d, ok2 := whole(by)
			if !ok1 || !ok2 || d == 0 {
				return false, wrong(v, "a division")
			}
			return (n%d == 0) != (name == "odd"), nil
		}
	case "sameas":
		return func(m *machine, v value, a args) (bool, error) {
			o, _ := a.at(0, "other")
			if typeName(v) != typeName(o) {
				return false, nil
			}
			return m.equal(v, o)
		}
	case "filter":
		return func(_ *machine, v value, _ args) (bool, error) {
			s, ok := v.(str)
			return ok && filterOf(s.s()) != nil, nil
		}
	case "test":
		return func(_ *machine, v value, _ args) (bool, error) {
			s, ok := v.(str)
			return ok && testOf(s.s()) != nil, nil
		}
	}
	op := map[string]string{
		"eq": "==", "equalto": "==", "==": "==", "ne": "!=", "!=": "!=", "lt": "<", "lessthan": "<", "<": "<", "le": "<=", "<=": "<=",
		"gt": ">", "greaterthan": ">", ">": ">", "ge": ">=", ">=": ">=", "in": "in",
	}[name]
	if op == "" {
		return nil
	}
	return func(m *machine, v value, a args) (bool, error) {
		if len(a.plain) != 1 {
			return false, failed("the test %s needs one value", name)
		}
		return m.holds(op, v, a.plain[0])
	}
}

// globalOf returns a global function, or nil.
func globalOf(name string) call {
	switch name {
	case "range":
		return rangeOf
	case "namespace":
		return func(m *machine, a args) (value, error) {
			n := &namespace{vars: map[string]value{}}
			for _, v := range a.plain {
				d, ok := v.(*dict)
				if !ok {
					return nil, wrong(v, "a namespace")
				}
				for _, k := range d.keys {
					s, ok := k.(str)
					if !ok {
						return nil, wrong(k, "a namespace")
					}
					n.vars[s.s()] = d.at(k)
				}
			}
			for k, v := range a.named {
				n.vars[k] = v
			}
			return n, m.alloc(wordSize * len(n.vars))
		}
	case "dict":
		return func(m *machine, a args) (value, error) {
			d := newDict()
			if len(a.plain) == 1 {
				from, ok := a.plain[0].(*dict)
				if !ok {
					return nil, wrong(a.plain[0], "a dictionary")
				}
				for _, k := range from.keys {
					d.set(k, from.at(k))
				}
			}
			for _, k := range sortedKeys(a.named) {
				d.set(own(k), a.named[k])
			}
			return d, m.alloc(wordSize * len(d.keys))
		}
	case "raise_exception":
		return func(m *machine, a args) (value, error) {
			text := "no reason given"
			if v, ok := a.at(0, "message"); ok {
				s, err := m.print(v)
				if err != nil {
					return nil, err
				}
				text = s.s()
			}
			return nil, &Error{Kind: Raised, Text: text}
		}
	case "strftime_now":
		return func(m *machine, a args) (value, error) {
			f, _, err := a.argument(0, "format")
			if err != nil {
				return nil, err
			}
			s, err := strftime(m.now, f.s())
			return own(s), err
		}
	case "joiner":
		return func(_ *machine, a args) (value, error) {
			sep := value(own(", "))
			if v, ok := a.at(0, "sep"); ok {
				sep = v
			}
			used := false
			return &function{"joiner", func(*machine, args) (value, error) {
				if !used {
					used = true
					return own(""), nil
				}
				return sep, nil
			}}, nil
		}
	case "cycler":
		return func(_ *machine, a args) (value, error) {
			if len(a.plain) == 0 {
				return nil, failed("a cycler of nothing")
			}
			n := &namespace{vars: map[string]value{"current": a.plain[0]}}
			at := 0
			n.vars["next"] = &function{"next", func(*machine, args) (value, error) {
				v := a.plain[at]
				at = (at + 1) % len(a.plain)
				n.vars["current"] = a.plain[at]
				return v, nil
			}}
			n.vars["reset"] = &function{"reset", func(*machine, args) (value, error) {
				at = 0
				n.vars["current"] = a.plain[0]
				return nil, nil
			}}
			return n, nil
		}
	}
	return nil
}

func rangeOf(m *machine, a args) (value, error) {
	var n [3]int64
	for i, v := range a.plain {
		w, ok := whole(v)
		if !ok || i >= len(n) {
			return nil, wrong(v, "a range")
		}
		n[i] = w
	}
	from, to, step := n[0], n[1], n[2]
	switch len(a.plain) {
	case 0:
		return nil, failed("a range of nothing")
	case 1:
		from, to, step = 0, n[0], 1
	case 2:
		step = 1
	}
	if step == 0 {
		return nil, failed("a range with a step of 0")
	}
	out := &list{}
	for i := from; step > 0 && i < to || step < 0 && i > to; {
		if len(out.items) >= m.l.Range {
			return nil, limit("a range is too long")
		}
		if err := m.alloc(wordSize); err != nil {
			return nil, err
		}
		out.items = append(out.items, i)
		next := i + step
		if (next > i) != (step > 0) {
			break
		}
		i = next
	}
	return out, nil
}

// percent is Python's text % values, for %s, %d, %% alone.
func (m *machine) percent(l, r value) (value, error) {
	s := l.(str)
	items := []value{r}
	if t, ok := r.(*list); ok && t.tuple {
		items = t.items
	}
	var parts []str
	t := s.s()
	at := 0
	for i := strings.IndexByte(t, '%'); i >= 0; i = strings.IndexByte(t[at:], '%') {
		if err := m.alloc(partSize); err != nil {
			return nil, err
		}
		parts = append(parts, s.part(at, at+i))
		at += i
		if at+1 >= len(t) {
			return nil, failed("a format is cut off")
		}
		switch c := t[at+1]; {
		case c == '%':
			parts = append(parts, s.part(at, at+1))
		case c == 's' || c == 'd':
			if len(items) == 0 {
				return nil, failed("a value for a format is missing")
			}
			v := items[0]
			items = items[1:]
			if c == 'd' {
				if _, ok := whole(v); !ok {
					return nil, wrong(v, "a number")
				}
			}
			p, err := m.print(v)
			if err != nil {
				return nil, err
			}
			parts = append(parts, p)
		default:
			return nil, failed("the format %%%c is not supported", c)
		}
		at += 2
	}
	if len(items) > 0 {
		return nil, failed("more values than formats")
	}
	return m.concat(own(""), append(parts, s.part(at, len(t)))...)
}
