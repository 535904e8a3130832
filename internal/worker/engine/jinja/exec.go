package jinja

// flow is how a statement ended.
type flow uint8

const (
	flowOn flow = iota
	flowBreak
	flowContinue
)

type scope struct {
	vars map[string]value
	up   *scope
}

func (s *scope) get(name string) (value, bool) {
	for ; s != nil; s = s.up {
		if v, ok := s.vars[name]; ok {
			return v, true
		}
	}
	return nil, false
}

// inner returns a scope whose names do not leave it.
func (s *scope) inner() *scope { return &scope{vars: map[string]value{}, up: s} }

func (m *machine) exec(nodes []node) (flow, error) {
	if err := m.down(); err != nil {
		return 0, err
	}
	defer m.up()
	for _, n := range nodes {
		if err := m.step(1); err != nil {
			return 0, err
		}
		if f, err := n.exec(m); f != flowOn || err != nil {
			return f, err
		}
	}
	return flowOn, nil
}

// at adds the line to an error that has none.
func atLine(err error, line int) error {
	if e, ok := err.(*Error); ok && e.Line == 0 {
		c := *e
		c.Line = line
		return &c
	}
	return err
}

type (
	textNode   struct{ text str }
	outputNode struct {
		e    expr
		line int
	}
	flowNode  flow
	blockNode []node
	branch    struct {
		cond expr
		body []node
	}
	ifNode struct {
		branches []branch
		other    []node
	}
	forNode struct {
		names       []string
		over, where expr
		body, other []node
		line        int
	}
	setNode struct {
		names     []string
		attribute string
		value     expr
		filters   []*filterExpr
		body      []node
		line      int
	}
	parameter struct {
		name  string
		value expr
	}
	macroNode struct {
		name       string
		parameters []parameter
		body       []node
	}
	callNode struct {
		parameters []parameter
		call       *callExpr
		body       []node
		line       int
	}
	filterNode struct {
		filters []*filterExpr
		body    []node
		line    int
	}
)

func (n textNode) exec(m *machine) (flow, error)  { return flowOn, m.write(n.text) }
func (n flowNode) exec(*machine) (flow, error)    { return flow(n), nil }
func (n blockNode) exec(m *machine) (flow, error) { return m.exec(n) }

func (n outputNode) exec(m *machine) (flow, error) {
	v, err := n.e.eval(m)
	if err != nil {
		return 0, atLine(err, n.line)
	}
	s, err := m.print(v)
	if err != nil {
		return 0, atLine(err, n.line)
	}
	return flowOn, m.write(s)
}

func (n *ifNode) exec(m *machine) (flow, error) {
	for _, b := range n.branches {
		v, err := b.cond.eval(m)
		if err != nil {
			return 0, err
		}
		if truth(v) {
			return m.exec(b.body)
		}
	}
	return m.exec(n.other)
}

// bind sets the targets of a loop or a set.
func (m *machine) bind(s *scope, names []string, v value) error {
	if len(names) == 1 {
		s.vars[names[0]] = v
		return nil
	}
	items, err := m.items(v)
	if err != nil {
		return err
	}
	if len(items) != len(names) {
		return failed("%d values for %d names", len(items), len(names))
	}
	for i, name := range names {
		s.vars[name] = items[i]
	}
	return nil
}

func (n *forNode) exec(m *machine) (flow, error) {
	f, err := n.loop(m)
	return f, atLine(err, n.line)
}

func (n *forNode) loop(m *machine) (flow, error) {
	v, err := n.over.eval(m)
	if err != nil {
		return 0, err
	}
	items, err := m.items(v)
	if err != nil {
		return 0, err
	}
	outer := m.scope
	defer func() { m.scope = outer }()
	if n.where != nil {
		var kept []value
		for _, e := range items {
			m.scope = outer.inner()
			if err := m.bind(m.scope, n.names, e); err != nil {
				return 0, err
			}
			yes, err := n.where.eval(m)
			if err != nil {
				return 0, err
			}
			if truth(yes) {
				kept = append(kept, e)
			}
		}
		items = kept
	}
	if len(items) == 0 {
		m.scope = outer
		return m.exec(n.other)
	}
	depth := 0
	if up, ok := outer.get("loop"); ok {
		if l, ok := up.(*loop); ok {
			depth = l.depth + 1
		}
	}
	l := &loop{items: items, depth: depth}
	for i, e := range items {
		if err := m.step(1); err != nil {
			return 0, err
		}
		l.at = i
		m.scope = outer.inner()
		if err := m.bind(m.scope, n.names, e); err != nil {
			return 0, err
		}
		m.scope.vars["loop"] = l
		f, err := m.exec(n.body)
		if err != nil {
			return 0, err
		}
		if f == flowBreak {
			break
		}
	}
	return flowOn, nil
}

// loop is the value of the name loop.
type loop struct {
	items []value
	at    int
	depth int
	last  args
}

func (l *loop) attribute(name string) (value, bool) {
	n := len(l.items)
	switch name {
	case "index":
		return int64(l.at + 1), true
	case "index0":
		return int64(l.at), true
	case "revindex":
		return int64(n - l.at), true
	case "revindex0":
		return int64(n - l.at - 1), true
	case "first":
		return l.at == 0, true
	case "last":
		return l.at == n-1, true
	case "length":
		return int64(n), true
	case "depth":
		return int64(l.depth + 1), true
	case "depth0":
		return int64(l.depth), true
	case "previtem":
		if l.at == 0 {
			return undefined{"loop.previtem"}, true
		}
		return l.items[l.at-1], true
	case "nextitem":
		if l.at == n-1 {
			return undefined{"loop.nextitem"}, true
		}
		return l.items[l.at+1], true
	case "cycle":
		return &function{"loop.cycle", func(_ *machine, a args) (value, error) {
			if len(a.plain) == 0 {
				return nil, failed("loop.cycle of nothing")
			}
			return a.plain[l.at%len(a.plain)], nil
		}}, true
	case "changed":
		return &function{"loop.changed", func(m *machine, a args) (value, error) {
			same, err := m.equal(&list{items: a.plain}, &list{items: l.last.plain})
			first := l.last.plain == nil
			l.last = a
			return first || !same, err
		}}, true
	}
	return nil, false
}

func (n *setNode) exec(m *machine) (flow, error) { return flowOn, atLine(n.set(m), n.line) }

func (n *setNode) set(m *machine) error {
	var v value
	var err error
	if n.value != nil {
		v, err = n.value.eval(m)
	} else {
		v, err = m.capture(m.scope, n.body)
		for i := 0; i < len(n.filters) && err == nil; i++ {
			v, err = n.filters[i].apply(m, v)
		}
	}
	if err != nil {
		return err
	}
	if n.attribute == "" {
		return m.bind(m.scope, n.names, v)
	}
	at, _ := m.scope.get(n.names[0])
	ns, ok := at.(*namespace)
	if !ok {
		return failed("%s is no namespace", n.names[0])
	}
	ns.vars[n.attribute] = v
	return nil
}

// capture runs a body in a scope and returns what it wrote.
func (m *machine) capture(s *scope, body []node) (value, error) {
	outer := m.scope
	m.scope = s.inner()
	m.outs = append(m.outs, &str{})
	_, err := m.exec(body)
	out := m.outs[len(m.outs)-1]
	m.outs = m.outs[:len(m.outs)-1]
	m.scope = outer
	if err != nil {
		return nil, err
	}
	out.s()
	return *out, m.alloc(len(out.text))
}

// callable makes a function of a body with parameters.
func callable(name string, parameters []parameter, body []node, s *scope) *function {
	return &function{name, func(m *machine, a args) (value, error) {
		if err := m.down(); err != nil {
			return nil, err
		}
		defer m.up()
		if len(a.plain) > len(parameters) {
			return nil, failed("%s takes %d arguments", name, len(parameters))
		}
		in := s.inner()
		taken := 0
		for i, p := range parameters {
			v, ok := a.named[p.name]
			switch {
			case i < len(a.plain):
				if ok {
					return nil, failed("%s gets %s twice", name, p.name)
				}
				v = a.plain[i]
			case ok:
				taken++
			case p.value != nil:
				outer := m.scope
				m.scope = in
				var err error
				v, err = p.value.eval(m)
				m.scope = outer
				if err != nil {
					return nil, err
				}
			default:
				v = undefined{p.name}
			}
			in.vars[p.name] = v
		}
		if c, ok := a.named["caller"]; ok {
			in.vars["caller"] = c
			taken++
		}
		if taken != len(a.named) {
			return nil, failed("%s gets an argument that it does not take", name)
		}
		return m.capture(in, body)
	}}
}

func (n *macroNode) exec(m *machine) (flow, error) {
	m.scope.vars[n.name] = callable(n.name, n.parameters, n.body, m.scope)
	return flowOn, nil
}

func (n *callNode) exec(m *machine) (flow, error) {
	v, err := n.call.with(m, callable("caller", n.parameters, n.body, m.scope))
	if err != nil {
		return 0, atLine(err, n.line)
	}
	s, err := m.print(v)
	if err != nil {
		return 0, atLine(err, n.line)
	}
	return flowOn, m.write(s)
}

func (n *filterNode) exec(m *machine) (flow, error) {
	v, err := m.capture(m.scope, n.body)
	for i := 0; i < len(n.filters) && err == nil; i++ {
		v, err = n.filters[i].apply(m, v)
	}
	if err != nil {
		return 0, atLine(err, n.line)
	}
	s, ok := v.(str)
	if !ok {
		return 0, atLine(wrong(v, "a text"), n.line)
	}
	return flowOn, m.write(s)
}
