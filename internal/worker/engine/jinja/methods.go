package jinja

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// dictMethod returns a method of a dictionary, or nil. Those that change it are
// not there, as in jinja2's immutable sandbox.
func dictMethod(d *dict, name string) call {
	switch name {
	case "items", "keys", "values":
		return func(m *machine, _ args) (value, error) {
			const pair = 4
			if err := m.alloc(pair * wordSize * len(d.keys)); err != nil {
				return nil, err
			}
			out := &list{}
			for _, k := range d.keys {
				switch v := d.at(k); name {
				case "keys":
					out.items = append(out.items, k)
				case "values":
					out.items = append(out.items, v)
				default:
					out.items = append(out.items, &list{items: []value{k, v}, tuple: true})
				}
			}
			return out, nil
		}
	case "get":
		return func(m *machine, a args) (value, error) {
			k, ok := a.at(0, "key")
			if !ok {
				return nil, failed("get without a key")
			}
			if i, ok := id(k); ok {
				if v, ok := d.index[i]; ok {
					return v, m.step(1)
				}
			}
			v, _ := a.at(1, "default")
			return v, m.step(1)
		}
	}
	return nil
}

// listMethod returns a method of a list, or nil; see dictMethod.
func listMethod(l *list, name string) call {
	switch name {
	case "count", "index":
		return func(m *machine, a args) (value, error) {
			if len(a.plain) != 1 {
				return nil, failed("%s of what", name)
			}
			n := int64(0)
			for i, e := range l.items {
				same, err := m.equal(e, a.plain[0])
				if err != nil {
					return nil, err
				}
				if same && name == "index" {
					return int64(i), nil
				}
				if same {
					n++
				}
			}
			if name == "index" {
				return nil, failed("it is not in the list")
			}
			return n, nil
		}
	}
	return nil
}

// argument returns the text at a place; ok is false when there is none, or none.
func (a args) argument(i int, name string) (str, bool, error) {
	v, ok := a.at(i, name)
	if !ok || v == nil {
		return str{}, false, nil
	}
	s, ok := v.(str)
	if !ok {
		return str{}, false, wrong(v, "a text")
	}
	return s, true, nil
}

func (a args) number(i int, name string, otherwise int64) (int, error) {
	v, ok := a.at(i, name)
	if !ok {
		return int(otherwise), nil
	}
	n, ok := whole(v)
	if !ok {
		return 0, wrong(v, "a number")
	}
	const most = 1 << 40
	return int(max(min(n, most), -most)), nil
}

// textMethod returns a method of a text, or nil.
func textMethod(s str, name string) call {
	switch name {
	case "strip", "lstrip", "rstrip":
		return func(m *machine, a args) (value, error) {
			cut, ok, err := a.argument(0, "chars")
			if err != nil {
				return nil, err
			}
			is := space
			if ok {
				is = func(r rune) bool { return strings.ContainsRune(cut.s(), r) }
			}
			if err := m.scan(len(s.s()) * (1 + len(cut.s()))); err != nil {
				return nil, err
			}
			return s.trim(name != "rstrip", name != "lstrip", is), nil
		}
	case "upper", "lower", "title", "capitalize", "swapcase":
		return func(m *machine, _ args) (value, error) {
			return cased(s, name), m.alloc(2 * len(s.s()))
		}
	case "split", "rsplit":
		return func(m *machine, a args) (value, error) {
			sep, ok, err := a.argument(0, "sep")
			if err != nil {
				return nil, err
			}
			n, err := a.number(1, "maxsplit", -1)
			if err != nil {
				return nil, err
			}
			if !ok {
				if n >= 0 {
					return nil, failed("split at white space with a count")
				}
				out, err := m.fields(s)
				return &list{items: out}, err
			}
			out, err := m.split(s, sep, n, name == "rsplit")
			return &list{items: out}, err
		}
	case "splitlines":
		return func(m *machine, _ args) (value, error) {
			if s.s() == "" {
				return &list{}, nil
			}
			out, err := m.split(s, own("\n"), -1, false)
			if err == nil && strings.HasSuffix(s.s(), "\n") {
				out = out[:len(out)-1]
			}
			return &list{items: out}, err
		}
	case "startswith", "endswith":
		return func(m *machine, a args) (value, error) {
			v, _ := a.at(0, "prefix")
			affixes := []value{v}
			if l, ok := v.(*list); ok {
				affixes = l.items
			}
			for _, v := range affixes {
				t, ok := v.(str)
				if !ok {
					return nil, wrong(v, "a text")
				}
				if err := m.scan(len(t.s())); err != nil {
					return nil, err
				}
				if name == "startswith" && strings.HasPrefix(s.s(), t.s()) || name == "endswith" && strings.HasSuffix(s.s(), t.s()) {
					return true, nil
				}
			}
			return false, nil
		}
	case "removeprefix", "removesuffix":
		return func(m *machine, a args) (value, error) {
			t, _, err := a.argument(0, "prefix")
			if err != nil {
				return nil, err
			}
			i, j := 0, len(s.s())
			if name == "removeprefix" && strings.HasPrefix(s.s(), t.s()) {
				i = len(t.s())
			} else if name == "removesuffix" && strings.HasSuffix(s.s(), t.s()) {
				j -= len(t.s())
			}
			return s.part(i, j), m.alloc(j - i)
		}
	case "replace":
		return func(m *machine, a args) (value, error) {
			old, ok1, err := a.argument(0, "old")
			if err != nil {
				return nil, err
			}
			with, ok2, err := a.argument(1, "new")
			if err != nil {
				return nil, err
			}
			if !ok1 || !ok2 {
				return nil, failed("replace needs two texts")
			}
			n, err := a.number(2, "count", -1)
			if v, ok := a.at(2, "count"); ok && v == nil {
				n, err = -1, nil
			}
			if err != nil {
				return nil, err
			}
			return m.replace(s, old, with, n)
		}
	case "find", "rfind", "index", "count":
		return func(m *machine, a args) (value, error) {
			t, _, err := a.argument(0, "sub")
			if err != nil {
				return nil, err
			}
			if len(a.plain) > 1 {
				return nil, failed("%s from a place on is not supported", name)
			}
			if err := m.scan(len(s.s())); err != nil {
				return nil, err
			}
			if name == "count" {
				return int64(strings.Count(s.s(), t.s())), nil
			}
			i := strings.Index(s.s(), t.s())
			if name == "rfind" {
				i = strings.LastIndex(s.s(), t.s())
			}
			if i < 0 {
				if name == "index" {
					return nil, failed("it is not in the text")
				}
				return int64(-1), nil
			}
			return int64(utf8.RuneCountInString(s.s()[:i])), nil
		}
	case "join":
		return func(m *machine, a args) (value, error) {
			if len(a.plain) != 1 {
				return nil, failed("join of what")
			}
			items, err := m.items(a.plain[0])
			if err != nil {
				return nil, err
			}
			return m.joinTexts(s, items)
		}
	case "format":
		return func(m *machine, a args) (value, error) { return m.format(s, a) }
	case "isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower", "isdecimal", "isnumeric":
		return func(m *machine, _ args) (value, error) { return isAll(s.s(), name), m.scan(len(s.s())) }
	}
	return nil
}

// format is Python's str.format with plain places: {}, {0} and {name}.
func (m *machine) format(s str, a args) (value, error) {
	var parts []str
	t := s.s()
	at, next := 0, 0
	for i := strings.IndexAny(t, "{}"); i >= 0; i = strings.IndexAny(t[at:], "{}") {
		if err := m.alloc(partSize); err != nil {
			return nil, err
		}
		parts = append(parts, s.part(at, at+i))
		at += i
		if strings.HasPrefix(t[at:], "{{") || strings.HasPrefix(t[at:], "}}") {
			parts = append(parts, s.part(at, at+1))
			at += 2
			continue
		}
		end := strings.IndexByte(t[at:], '}')
		if end < 1 {
			return nil, failed("a format with a brace alone")
		}
		name := t[at+1 : at+end]
		at += end + 1
		v, ok := a.named[name]
		if n, err := strconv.Atoi(name); err == nil || name == "" {
			if name == "" {
				n = next
				next++
			}
			if ok = n >= 0 && n < len(a.plain); ok {
				v = a.plain[n]
			}
		}
		if !ok {
			return nil, failed("the place %.20q of a format is not supported", name)
		}
		p, err := m.print(v)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return m.concat(own(""), append(parts, s.part(at, len(t)))...)
}

func cased(s str, name string) str {
	switch name {
	case "upper":
		return s.each(strings.ToUpper)
	case "lower":
		return s.each(strings.ToLower)
	case "title":
		return s.each(title)
	case "swapcase":
		return s.each(func(t string) string {
			return strings.Map(func(r rune) rune {
				if unicode.IsUpper(r) {
					return unicode.ToLower(r)
				}
				return unicode.ToUpper(r)
			}, t)
		})
	}
	first := true
	return s.each(func(t string) string {
		t = strings.ToLower(t)
		if first && t != "" {
			_, n := utf8.DecodeRuneInString(t)
			t = strings.ToUpper(t[:n]) + t[n:]
			first = false
		}
		return t
	})
}

func isAll(s, name string) bool {
	is := map[string]func(rune) bool{
		"isdigit": unicode.IsDigit, "isdecimal": unicode.IsDigit, "isnumeric": unicode.IsNumber, "isalpha": unicode.IsLetter,
		"isspace": space, "isalnum": func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) },
	}[name]
	if is == nil { // isupper and islower: some letter, and none of the other case
		if name == "isupper" {
			return s == strings.ToUpper(s) && s != strings.ToLower(s)
		}
		return s == strings.ToLower(s) && s != strings.ToUpper(s)
	}
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !is(r) }) < 0
}
