package jinja

import (
	"slices"
	"strings"
)

// listFilter returns one of the filters for lists, or nil.
func listFilter(name string) filter {
	switch name {
	case "list":
		return func(m *machine, v value, _ args) (value, error) {
			items, err := m.items(v)
			if err != nil {
				return nil, err
			}
			return &list{items: slices.Clone(items)}, m.alloc(wordSize * len(items))
		}
	case "first", "last":
		return func(m *machine, v value, _ args) (value, error) {
			items, err := m.items(v)
			if err != nil {
				return nil, err
			}
			if len(items) == 0 {
				return undefined{"an item of an empty list"}, nil
			}
			if name == "first" {
				return items[0], nil
			}
			return items[len(items)-1], nil
		}
	case "reverse":
		return func(m *machine, v value, _ args) (value, error) {
			items, err := m.items(v)
			if err != nil {
				return nil, err
			}
			if err := m.alloc(wordSize * len(items)); err != nil {
				return nil, err
			}
			items = slices.Clone(items)
			slices.Reverse(items)
			if _, ok := v.(str); ok {
				return m.joinTexts(own(""), items)
			}
			return &list{items: items}, nil
		}
	case "sort":
		return func(m *machine, v value, a args) (value, error) {
			items, err := m.items(v)
			if err != nil {
				return nil, err
			}
			keys := items
			if by, ok := a.at(2, "attribute"); ok {
				if keys, err = m.attributes(items, by); err != nil {
					return nil, err
				}
			}
			items, err = m.sorted(items, keys, a.flag(0, "reverse"), !a.flag(1, "case_sensitive"))
			return &list{items: items}, err
		}
	case "dictsort":
		return func(m *machine, v value, a args) (value, error) {
			d, ok := v.(*dict)
			if !ok {
				return nil, wrong(v, "dictsort")
			}
			pairs, err := dictMethod(d, "items")(m, args{})
			if err != nil {
				return nil, err
			}
			by := int64(0)
			if b, ok := a.at(1, "by"); ok {
				if s, ok := b.(str); ok && s.s() == "value" {
					by = 1
				}
			}
			items := pairs.(*list).items
			keys, err := m.attributes(items, by)
			if err != nil {
				return nil, err
			}
			items, err = m.sorted(items, keys, a.flag(2, "reverse"), !a.flag(0, "case_sensitive"))
			return &list{items: items}, err
		}
	case "unique":
		return func(m *machine, v value, a args) (value, error) {
			items, err := m.items(v)
			if err != nil {
				return nil, err
			}
			keys := items
			if by, ok := a.at(1, "attribute"); ok {
				if keys, err = m.attributes(items, by); err != nil {
					return nil, err
				}
			}
			var out, seen list
			for i, k := range keys {
				if s, ok := k.(str); ok && !a.flag(0, "case_sensitive") {
					k = own(strings.ToLower(s.s()))
				}
				in, err := m.contains(&seen, k)
				if err != nil {
					return nil, err
				}
				if !in {
					seen.items, out.items = append(seen.items, k), append(out.items, items[i])
				}
			}
			return &out, nil
		}
	case "map":
		return mapped
	case "select", "reject":
		return func(m *machine, v value, a args) (value, error) { return m.selected(v, a, nil, name == "reject") }
	case "selectattr", "rejectattr":
		return func(m *machine, v value, a args) (value, error) {
			if len(a.plain) == 0 {
				return nil, failed("%s without an attribute", name)
			}
			by := a.plain[0]
			return m.selected(v, args{plain: a.plain[1:]}, by, name == "rejectattr")
		}
	case "min", "max", "sum":
		return func(m *machine, v value, a args) (value, error) { return m.reduced(v, a, name) }
	case "batch", "slice":
		return func(m *machine, v value, a args) (value, error) { return m.grouped(v, a, name == "batch") }
	}
	return nil
}

func mapped(m *machine, v value, a args) (value, error) {
	if !truth(v) {
		return &list{}, nil // as jinja2 does, whatever it is
	}
	items, err := m.items(v)
	if err != nil {
		return nil, err
	}
	if by, ok := a.named["attribute"]; ok {
		out, err := m.attributes(items, by)
		if err != nil {
			return nil, err
		}
		if d, ok := a.named["default"]; ok {
			for i := range out {
				if _, ok := out[i].(undefined); ok {
					out[i] = d
				}
			}
		}
		return &list{items: out}, nil
	}
	if len(a.plain) == 0 {
		return nil, failed("map without a filter")
	}
	name, ok := a.plain[0].(str)
	if !ok {
		return nil, wrong(a.plain[0], "a filter's name")
	}
	f := filterOf(name.s())
	if f == nil {
		return nil, failed("the filter %q is not known", name.s())
	}
	if err := m.down(); err != nil { // it may be map itself
		return nil, err
	}
	defer m.up()
	out := &list{}
	for _, e := range items {
		if err := m.alloc(wordSize); err != nil {
			return nil, err
		}
		r, err := f(m, e, args{plain: a.plain[1:], named: a.named})
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, r)
	}
	return out, nil
}

// selected keeps the items, or those whose attribute is, that pass a test.
func (m *machine) selected(v value, a args, by value, not bool) (value, error) {
	if !truth(v) {
		return &list{}, nil // as jinja2 does, whatever it is
	}
	items, err := m.items(v)
	if err != nil {
		return nil, err
	}
	check := func(_ *machine, v value, _ args) (bool, error) { return truth(v), nil }
	if len(a.plain) > 0 {
		name, ok := a.plain[0].(str)
		if !ok {
			return nil, wrong(a.plain[0], "a test's name")
		}
		if check = testOf(name.s()); check == nil {
			return nil, failed("the test %q is not known", name.s())
		}
		a = args{plain: a.plain[1:], named: a.named}
	}
	out := &list{}
	for _, e := range items {
		if err := m.alloc(wordSize); err != nil {
			return nil, err
		}
		k := e
		if by != nil {
			if k, err = m.path(e, by); err != nil {
				return nil, err
			}
		}
		yes, err := check(m, k, a)
		if err != nil {
			return nil, err
		}
		if yes != not {
			out.items = append(out.items, e)
		}
	}
	return out, nil
}

func (m *machine) reduced(v value, a args, name string) (value, error) {
	items, err := m.items(v)
	if err != nil {
		return nil, err
	}
	place := 1
	if name == "sum" {
		place = 0
	}
	keys := items
	if by, ok := a.at(place, "attribute"); ok {
		if keys, err = m.attributes(items, by); err != nil {
			return nil, err
		}
	}
	if name == "sum" {
		sum, ok := a.at(1, "start")
		if !ok {
			sum = int64(0)
		}
		for _, k := range keys {
			if sum, err = m.binary("+", sum, k); err != nil {
				return nil, err
			}
		}
		return sum, nil
	}
	if len(items) == 0 {
		return undefined{"the " + name + " of an empty list"}, nil
	}
	best := 0
	for i := 1; i < len(keys); i++ {
		c, err := m.compare(keys[i], keys[best])
		if err != nil {
			return nil, err
		}
		if name == "max" && c > 0 || name == "min" && c < 0 {
			best = i
		}
	}
	return items[best], nil
}

// grouped makes lists of a size (batch), or so many lists (slice).
func (m *machine) grouped(v value, a args, batch bool) (value, error) {
	items, err := m.items(v)
	if err != nil {
		return nil, err
	}
	w, _ := a.at(0, "linecount")
	n, ok := whole(w)
	if !ok || n < 1 || n > int64(m.l.Range) {
		return nil, failed("groups of such a size")
	}
	if err := m.alloc(2*wordSize*len(items) + wordSize*int(n)); err != nil {
		return nil, err
	}
	fill, hasFill := a.at(1, "fill_with")
	out := &list{}
	if batch {
		for g := range slices.Chunk(items, int(n)) {
			g = slices.Clone(g)
			for hasFill && len(g) < int(n) {
				g = append(g, fill)
			}
			out.items = append(out.items, &list{items: g})
		}
		return out, nil
	}
	size, more := len(items)/int(n), len(items)%int(n)
	at := 0
	for i := range int(n) {
		end := at + size
		if i < more {
			end++
		}
		g := slices.Clone(items[at:end])
		if hasFill && i >= more && more > 0 {
			g = append(g, fill)
		}
		out.items = append(out.items, &list{items: g})
		at = end
	}
	return out, nil
}
