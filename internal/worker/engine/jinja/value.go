package jinja

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// value is one of: undefined, nil, bool, int64, float64, str, *list, *dict,
// *namespace, *function.
type value any

type undefined struct{ name string }

type list struct {
	items []value
	tuple bool
}

// dict keeps its keys in order: texts, whole numbers and none.
type dict struct {
	keys  []value
	index map[string]value // by the id of the key
}

// id is what tells keys apart; false for what cannot be one.
func id(k value) (string, bool) {
	if s, ok := k.(str); ok {
		return s.s(), true
	}
	if n, ok := whole(k); ok {
		return "\x00" + strconv.FormatInt(n, 10), true
	}
	return "\x00none", k == nil
}

func (d *dict) set(k, v value) {
	i, _ := id(k)
	if _, ok := d.index[i]; !ok {
		d.keys = append(d.keys, k)
	}
	d.index[i] = v
}

// at is the value of one of its own keys.
func (d *dict) at(k value) value { i, _ := id(k); return d.index[i] }

func newDict() *dict { return &dict{index: map[string]value{}} }

type namespace struct{ vars map[string]value }

type call func(m *machine, a args) (value, error)

type function struct {
	name string
	call call
}

// Pair and Pairs are a dictionary in a given order.
type (
	Pair struct {
		Key   string
		Value any
	}
	Pairs []Pair
)

// given turns what the caller gave into a value.
func given(v any) value {
	switch v := v.(type) {
	case nil:
		return nil
	case bool, float64:
		return v
	case int:
		return int64(v)
	case string:
		return own(v)
	case Text:
		t := own(v.Text)
		t.mark(mark{0, len(v.Text), v.ID})
		return t
	case []any:
		l := &list{}
		for _, e := range v {
			l.items = append(l.items, given(e))
		}
		return l
	case map[string]any:
		d := newDict()
		for _, k := range slices.Sorted(maps.Keys(v)) {
			d.set(own(k), given(v[k]))
		}
		return d
	case Pairs:
		d := newDict()
		for _, p := range v {
			d.set(own(p.Key), given(p.Value))
		}
		return d
	}
	panic(fmt.Sprintf("BUG: a template's variable of type %T", v))
}

func truth(v value) bool {
	switch v := v.(type) {
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case str:
		return v.s() != ""
	case *list:
		return len(v.items) > 0
	case *dict:
		return len(v.keys) > 0
	case *namespace, *function:
		return true
	}
	return false
}

func typeName(v value) string {
	switch v.(type) {
	case undefined:
		return "undefined"
	case nil:
		return "none"
	case bool:
		return "a truth value"
	case int64, float64:
		return "a number"
	case str:
		return "a text"
	case *list:
		return "a list"
	case *dict:
		return "a dictionary"
	case *namespace:
		return "a namespace"
	}
	return "a function"
}

// needs names what is undefined, or the type.
func wrong(v value, op string) error {
	if u, ok := v.(undefined); ok {
		return failed("%s is undefined", u.name)
	}
	return failed("%s of %s", op, typeName(v))
}

// print is what {{ v }} writes: Python's str().
func (m *machine) print(v value) (str, error) {
	switch v := v.(type) {
	case undefined:
		return own(""), nil
	case str:
		return v, nil
	}
	var b strings.Builder
	var texts []str
	if err := m.repr(&b, v, &texts); err != nil {
		return str{}, err
	}
	return all(b.String(), texts...), nil
}

// repr writes what Python's repr() does.
func (m *machine) repr(b *strings.Builder, v value, texts *[]str) error {
	if err := m.down(); err != nil {
		return err
	}
	defer m.up()
	if b.Len() > m.l.Output {
		return limit("a value is too long to be written")
	}
	switch v := v.(type) {
	case undefined:
		b.WriteString("Undefined")
	case nil:
		b.WriteString("None")
	case bool:
		b.WriteString(map[bool]string{true: "True", false: "False"}[v])
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(pythonFloat(v))
	case str:
		if err := m.alloc(len(v.s())); err != nil {
			return err
		}
		*texts = append(*texts, v)
		b.WriteString(pythonQuote(v.s()))
	case *list:
		open, end := "[", "]"
		if v.tuple {
			open, end = "(", ")"
			if len(v.items) == 1 {
				end = ",)"
			}
		}
		b.WriteString(open)
		for i, e := range v.items {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := m.repr(b, e, texts); err != nil {
				return err
			}
		}
		b.WriteString(end)
	case *dict:
		b.WriteString("{")
		for i, k := range v.keys {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := m.repr(b, k, texts); err != nil {
				return err
			}
			b.WriteString(": ")
			if err := m.repr(b, v.at(k), texts); err != nil {
				return err
			}
		}
		b.WriteString("}")
	default:
		return failed("%s cannot be written", typeName(v))
	}
	return nil
}

func pythonFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	const tiny, huge = 1e-4, 1e16
	if a := math.Abs(f); a != 0 && (a < tiny || a >= huge) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

func pythonQuote(s string) string {
	q := "'"
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = `"`
	}
	r := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\r", `\r`, "\t", `\t`, q, `\`+q)
	return q + r.Replace(s) + q
}

// number returns v as a float; bool counts, as in Python.
func number(v value) (float64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

// whole returns v as an integer when it is one.
func whole(v value) (int64, bool) {
	switch v := v.(type) {
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return v, true
	}
	return 0, false
}

func (m *machine) equal(a, b value) (bool, error) {
	if err := m.down(); err != nil {
		return false, err
	}
	defer m.up()
	if x, ok := number(a); ok {
		y, ok := number(b)
		return ok && x == y, nil
	}
	switch a := a.(type) {
	case nil:
		return b == nil, nil
	case undefined:
		_, ok := b.(undefined)
		return ok, nil
	case str:
		b, ok := b.(str)
		if !ok {
			return false, nil
		}
		return a.s() == b.s(), m.scan(min(len(a.s()), len(b.s())))
	case *list:
		b, ok := b.(*list)
		if !ok || len(a.items) != len(b.items) || a.tuple != b.tuple {
			return false, nil
		}
		for i := range a.items {
			if same, err := m.equal(a.items[i], b.items[i]); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	case *dict:
		b, ok := b.(*dict)
		if !ok || len(a.keys) != len(b.keys) {
			return false, nil
		}
		for _, k := range a.keys {
			i, _ := id(k)
			v, ok := b.index[i]
			if !ok {
				return false, nil
			}
			if same, err := m.equal(a.index[i], v); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	return a == b, nil // namespaces and functions: the same one
}

// compare orders numbers, texts and lists.
func (m *machine) compare(a, b value) (int, error) {
	if err := m.down(); err != nil {
		return 0, err
	}
	defer m.up()
	x, ok1 := number(a)
	y, ok2 := number(b)
	if ok1 && ok2 {
		switch {
		case x < y:
			return -1, nil
		case x > y:
			return 1, nil
		}
		return 0, nil
	}
	s, ok1 := a.(str)
	t, ok2 := b.(str)
	if ok1 && ok2 {
		return strings.Compare(s.s(), t.s()), m.scan(min(len(s.s()), len(t.s())))
	}
	l, ok1 := a.(*list)
	k, ok2 := b.(*list)
	if ok1 && ok2 {
		for i := range min(len(l.items), len(k.items)) {
			if c, err := m.compare(l.items[i], k.items[i]); c != 0 || err != nil {
				return c, err
			}
		}
		return len(l.items) - len(k.items), nil
	}
	if u, ok := a.(undefined); ok {
		return 0, wrong(u, "")
	}
	if u, ok := b.(undefined); ok {
		return 0, wrong(u, "")
	}
	return 0, failed("%s is compared with %s", typeName(a), typeName(b))
}

// items returns what a loop goes over.
func (m *machine) items(v value) ([]value, error) {
	switch v := v.(type) {
	case undefined:
		return nil, nil
	case *list:
		return v.items, m.step(1)
	case *dict:
		return v.keys, m.step(1)
	case str:
		return m.runes(v)
	}
	return nil, wrong(v, "a loop")
}

// wordSize is about what one value in a list takes, in bytes.
const wordSize = 16
