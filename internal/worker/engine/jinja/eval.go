package jinja

import (
	"math"
	"strings"
)

type (
	literal   struct{ v value }
	nameExpr  string
	logicExpr struct {
		or   bool
		l, r expr
	}
	notExpr  struct{ e expr }
	compared struct {
		op   string
		e    expr
		line int
	}
	compareExpr struct {
		first expr
		rest  []compared
	}
	binaryExpr struct {
		op   string
		l, r expr
		line int
	}
	signExpr struct {
		e     expr
		minus bool
		line  int
	}
	condExpr struct{ yes, cond, no expr }
	listExpr struct {
		items []expr
		tuple bool
	}
	dictExpr struct{ keys, values []expr }
	attrExpr struct {
		of   expr
		name string
		line int
	}
	itemExpr struct {
		of, key expr
		line    int
	}
	sliceExpr struct{ from, to, step expr }
	namedExpr struct {
		name string
		e    expr
	}
	argExprs struct {
		plain []expr
		named []namedExpr
	}
	callExpr struct {
		of   expr
		args argExprs
		line int
	}
	filterExpr struct {
		of   expr
		name string
		args argExprs
		call filter
		line int
	}
	testExpr struct {
		of   expr
		name string
		args argExprs
		test test
		not  bool
		line int
	}
)

// args are the arguments of a call.
type args struct {
	plain []value
	named map[string]value
}

// at returns the argument at place i or of a name; false when it was not given.
func (a args) at(i int, name string) (value, bool) {
	if i < len(a.plain) {
		return a.plain[i], true
	}
	v, ok := a.named[name]
	return v, ok
}

func (a argExprs) eval(m *machine) (args, error) {
	out := args{}
	for _, e := range a.plain {
		v, err := e.eval(m)
		if err != nil {
			return out, err
		}
		out.plain = append(out.plain, v)
	}
	for _, e := range a.named {
		v, err := e.e.eval(m)
		if err != nil {
			return out, err
		}
		if out.named == nil {
			out.named = map[string]value{}
		}
		out.named[e.name] = v
	}
	return out, m.step(1)
}

func (e literal) eval(m *machine) (value, error) { return e.v, m.step(1) }

func (e nameExpr) eval(m *machine) (value, error) {
	if err := m.step(1); err != nil {
		return nil, err
	}
	if v, ok := m.scope.get(string(e)); ok {
		return v, nil
	}
	if f := globalOf(string(e)); f != nil {
		return &function{string(e), f}, nil
	}
	return undefined{string(e)}, nil
}

func (e *logicExpr) eval(m *machine) (value, error) {
	if err := m.down(); err != nil {
		return nil, err
	}
	defer m.up()
	l, err := e.l.eval(m)
	if err != nil || truth(l) == e.or {
		return l, err
	}
	return e.r.eval(m)
}

func (e *notExpr) eval(m *machine) (value, error) {
	if err := m.down(); err != nil {
		return nil, err
	}
	defer m.up()
	v, err := e.e.eval(m)
	return !truth(v), err
}

func (e *condExpr) eval(m *machine) (value, error) {
	if err := m.down(); err != nil {
		return nil, err
	}
	defer m.up()
	c, err := e.cond.eval(m)
	switch {
	case err != nil:
		return nil, err
	case truth(c):
		return e.yes.eval(m)
	case e.no == nil:
		return undefined{"a condition without else"}, nil
	}
	return e.no.eval(m)
}

func (e *compareExpr) eval(m *machine) (value, error) {
	if err := m.down(); err != nil {
		return nil, err
	}
	defer m.up()
	l, err := e.first.eval(m)
	if err != nil {
		return nil, err
	}
	for _, c := range e.rest {
		r, err := c.e.eval(m)
		if err != nil {
			return nil, err
		}
		yes, err := m.holds(c.op, l, r)
		if err != nil || !yes {
			return false, atLine(err, c.line)
		}
		l = r
	}
	return true, nil
}

func (m *machine) holds(op string, l, r value) (bool, error) {
	switch op {
	case "==":
		return m.equal(l, r)
	case "!=":
		same, err := m.equal(l, r)
		return !same, err
	case "in":
		return m.contains(r, l)
	case "not in":
		in, err := m.contains(r, l)
		return !in, err
	}
	c, err := m.compare(l, r)
	switch op {
	case "<":
		return c < 0, err
	case "<=":
		return c <= 0, err
	case ">":
		return c > 0, err
	}
	return c >= 0, err
}

func (m *machine) contains(in, v value) (bool, error) {
	switch in := in.(type) {
	case undefined:
		return false, nil
	case str:
		s, ok := v.(str)
		if !ok {
			return false, wrong(v, "a search in a text")
		}
		return strings.Contains(in.s(), s.s()), m.scan(len(in.s()))
	case *list:
		for _, e := range in.items {
			if same, err := m.equal(e, v); same || err != nil {
				return same, err
			}
		}
		return false, nil
	case *dict:
		k, ok := id(v)
		if ok {
			_, ok = in.index[k]
		}
		return ok, m.step(1)
	}
	return false, wrong(in, "a search")
}

func (e *signExpr) eval(m *machine) (value, error) {
	if err := m.down(); err != nil {
		return nil, err
	}
	defer m.up()
	v, err := e.e.eval(m)
	if err != nil {
		return nil, err
	}
	if n, ok := whole(v); ok {
		if e.minus {
			return -n, nil
		}
		return n, nil
	}
	f, ok := v.(float64)
	if !ok {
		return nil, atLine(wrong(v, "a sign"), e.line)
	}
	if e.minus {
		f = -f
	}
	return f, nil
}

func (e *binaryExpr) eval(m *machine) (value, error) {
	if err := m.down(); err != nil {
		return nil, err
	}
	defer m.up()
	l, err := e.l.eval(m)
	if err != nil {
		return nil, err
	}
	r, err := e.r.eval(m)
	if err != nil {
		return nil, err
	}
	v, err := m.binary(e.op, l, r)
	return v, atLine(err, e.line)
}

func (m *machine) binary(op string, l, r value) (value, error) {
	if op == "~" {
		a, err := m.print(l)
		if err != nil {
			return nil, err
		}
		b, err := m.print(r)
		if err != nil {
			return nil, err
		}
		return m.concat(own(""), a, b)
	}
	for _, v := range []value{l, r} {
		if _, ok := v.(undefined); ok {
			return nil, wrong(v, "")
		}
	}
	if op == "+" {
		switch a := l.(type) {
		case str:
			if b, ok := r.(str); ok {
				return m.concat(own(""), a, b)
			}
		case *list:
			if b, ok := r.(*list); ok && a.tuple == b.tuple {
				if err := m.alloc(wordSize * (len(a.items) + len(b.items))); err != nil {
					return nil, err
				}
				return &list{items: append(append([]value(nil), a.items...), b.items...), tuple: a.tuple}, nil
			}
		}
	}
	if op == "*" {
		if n, ok := whole(r); ok {
			if v, done, err := m.repeat(l, n); done {
				return v, err
			}
		}
		if n, ok := whole(l); ok {
			if v, done, err := m.repeat(r, n); done {
				return v, err
			}
		}
	}
	if op == "%" {
		if _, ok := l.(str); ok {
			return m.percent(l, r)
		}
	}
	a, ok1 := whole(l)
	b, ok2 := whole(r)
	if ok1 && ok2 {
		return integers(op, a, b)
	}
	x, ok1 := number(l)
	y, ok2 := number(r)
	if !ok1 || !ok2 {
		return nil, failed("%s %s %s", typeName(l), op, typeName(r))
	}
	return floats(op, x, y)
}

// repeat is a text or a list n times.
func (m *machine) repeat(v value, n int64) (value, bool, error) {
	n = max(n, 0)
	size := 0
	switch v := v.(type) {
	case str:
		size = len(v.s())
	case *list:
		size = len(v.items) * wordSize
	default:
		return nil, false, nil
	}
	if n > int64(m.l.Memory) || size > 0 && n > int64(m.l.Memory/size) {
		return nil, true, limit("its values take too much memory")
	}
	if err := m.alloc(size * int(n)); err != nil {
		return nil, true, err
	}
	if l, ok := v.(*list); ok {
		out := &list{tuple: l.tuple}
		for range n {
			out.items = append(out.items, l.items...)
		}
		return out, true, nil
	}
	s := v.(str)
	out := str{b: make([]byte, 0, size*int(n))}
	if size > 0 {
		for range n {
			out.append(s)
		}
	}
	out.s()
	return out, true, nil
}

func integers(op string, a, b int64) (value, error) {
	switch op {
	case "+":
		if c := a + b; (c > a) == (b > 0) {
			return c, nil
		}
	case "-":
		if c := a - b; (c < a) == (b > 0) {
			return c, nil
		}
	case "*":
		if a == 0 || b == 0 {
			return int64(0), nil
		}
		if c := a * b; c/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64) {
			return c, nil
		}
	case "//", "%":
		if b == 0 {
			return nil, failed("a division by 0")
		}
		if b == -1 {
			if op == "%" {
				return int64(0), nil
			}
			return integers("-", 0, a)
		}
		q, r := a/b, a%b
		if r != 0 && (r < 0) != (b < 0) {
			q, r = q-1, r+b
		}
		if op == "%" {
			return r, nil
		}
		return q, nil
	case "**":
		const exact = 1 << 53
		if b < 0 {
			return floats(op, float64(a), float64(b))
		}
		if f := math.Pow(float64(a), float64(b)); math.Abs(f) < exact {
			return int64(f), nil
		}
	case "/":
		return floats(op, float64(a), float64(b))
	}
	return nil, failed("a number is too large")
}

func floats(op string, x, y float64) (value, error) {
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "**":
		return math.Pow(x, y), nil
	}
	if y == 0 {
		return nil, failed("a division by 0")
	}
	switch op {
	case "/":
		return x / y, nil
	case "//":
		return math.Floor(x / y), nil
	}
	r := math.Mod(x, y)
	if r != 0 && (r < 0) != (y < 0) {
		r += y
	}
	return r, nil
}

func (e *listExpr) eval(m *machine) (value, error) {
	if err := m.down(); err != nil {
		return nil, err
	}
	defer m.up()
	if err := m.alloc(wordSize * len(e.items)); err != nil {
		return nil, err
	}
	out := &list{tuple: e.tuple}
	for _, x := range e.items {
		v, err := x.eval(m)
		if err != nil {
			return nil, err
		}
		out.items = append(out.items, v)
	}
	return out, nil
}

func (e *dictExpr) eval(m *machine) (value, error) {
	if err := m.down(); err != nil {
		return nil, err
	}
	defer m.up()
	const entry = 8
	if err := m.alloc(entry * wordSize * len(e.keys)); err != nil {
		return nil, err
	}
	out := newDict()
	for i := range e.keys {
		k, err := e.keys[i].eval(m)
		if err != nil {
			return nil, err
		}
		if _, ok := id(k); !ok {
			return nil, wrong(k, "a dictionary's key")
		}
		v, err := e.values[i].eval(m)
		if err != nil {
			return nil, err
		}
		out.set(k, v)
	}
	return out, nil
}

func (e *callExpr) eval(m *machine) (value, error) { return e.with(m, nil) }

// with calls, with what a call block holds as caller.
func (e *callExpr) with(m *machine, caller *function) (value, error) {
	if err := m.down(); err != nil {
		return nil, err
	}
	defer m.up()
	v, err := e.of.eval(m)
	if err != nil {
		return nil, err
	}
	f, ok := v.(*function)
	if !ok {
		return nil, atLine(wrong(v, "a call"), e.line)
	}
	a, err := e.args.eval(m)
	if err != nil {
		return nil, err
	}
	if caller != nil {
		if a.named == nil {
			a.named = map[string]value{}
		}
		a.named["caller"] = caller
	}
	out, err := f.call(m, a)
	return out, atLine(err, e.line)
}

func (e *filterExpr) eval(m *machine) (value, error) {
	if err := m.down(); err != nil {
		return nil, err
	}
	defer m.up()
	v, err := e.of.eval(m)
	if err != nil {
		return nil, err
	}
	return e.apply(m, v)
}

func (e *filterExpr) apply(m *machine, v value) (value, error) {
	if e.call == nil {
		return nil, bad(e.line, "the filter %q is not known", e.name)
	}
	a, err := e.args.eval(m)
	if err != nil {
		return nil, err
	}
	out, err := e.call(m, v, a)
	return out, atLine(err, e.line)
}

func (e *testExpr) eval(m *machine) (value, error) {
	if err := m.down(); err != nil {
		return nil, err
	}
	defer m.up()
	v, err := e.of.eval(m)
	if err != nil {
		return nil, err
	}
	a, err := e.args.eval(m)
	if err != nil {
		return nil, err
	}
	if e.test == nil {
		return nil, bad(e.line, "the test %q is not known", e.name)
	}
	yes, err := e.test(m, v, a)
	return yes != e.not, atLine(err, e.line)
}
