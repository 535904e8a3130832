package jinja

import (
	"slices"
	"strconv"
)

// Precedence, loosest first: condition, or, and, not, comparison, + and -, ~,
// * / // %, **, unary, then filters and tests, then what stands behind a name.
// It is that of jinja2's parser.

func (p *parser) expression() (expr, error) {
	if err := p.down(); err != nil {
		return nil, err
	}
	defer p.up()
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	for p.word("if") {
		c := &condExpr{yes: e}
		if c.cond, err = p.or(); err != nil {
			return nil, err
		}
		if p.word("else") {
			if c.no, err = p.expression(); err != nil {
				return nil, err
			}
		}
		e = c
	}
	return e, nil
}

// tuple parses an expression, or several with commas between.
func (p *parser) tuple() (expr, error) {
	e, err := p.expression()
	if err != nil || !p.is(tokOp, ",") {
		return e, err
	}
	t := &listExpr{items: []expr{e}, tuple: true}
	for p.op(",") {
		k := p.peek().kind
		if k == tokStmtEnd || k == tokExprEnd || p.is(tokOp, ")") {
			break
		}
		if e, err = p.expression(); err != nil {
			return nil, err
		}
		t.items = append(t.items, e)
	}
	return t, nil
}

func (p *parser) or() (expr, error)  { return p.logic("or", (*parser).and) }
func (p *parser) and() (expr, error) { return p.logic("and", (*parser).not) }

func (p *parser) logic(op string, sub func(*parser) (expr, error)) (expr, error) {
	l, err := sub(p)
	for err == nil && p.word(op) {
		var r expr
		if r, err = sub(p); err == nil {
			l = &logicExpr{op == "or", l, r}
		}
	}
	return l, err
}

func (p *parser) not() (expr, error) {
	if !p.word("not") {
		return p.comparison()
	}
	if err := p.down(); err != nil {
		return nil, err
	}
	defer p.up()
	e, err := p.not()
	return &notExpr{e}, err
}

func (p *parser) comparison() (expr, error) {
	l, err := p.sum()
	if err != nil {
		return nil, err
	}
	c := &compareExpr{first: l}
	for {
		line := p.peek().line
		op := ""
		switch t := p.peek(); {
		case t.kind == tokOp && slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, t.text):
			op = p.next().text
		case p.word("in"):
			op = "in"
		case p.is(tokName, "not") && p.tokens[min(p.at+1, len(p.tokens)-1)].text == "in":
			p.next()
			p.next()
			op = "not in"
		}
		if op == "" {
			if len(c.rest) == 0 {
				return l, nil
			}
			return c, nil
		}
		r, err := p.sum()
		if err != nil {
			return nil, err
		}
		c.rest = append(c.rest, compared{op, r, line})
	}
}

func (p *parser) sum() (expr, error)    { return p.binary((*parser).joined, "+", "-") }
func (p *parser) joined() (expr, error) { return p.binary((*parser).term, "~") }
func (p *parser) term() (expr, error)   { return p.binary((*parser).power, "*", "/", "//", "%") }
func (p *parser) power() (expr, error)  { return p.binary((*parser).unary, "**") }

func (p *parser) binary(sub func(*parser) (expr, error), ops ...string) (expr, error) {
	l, err := sub(p)
	for err == nil {
		t := p.peek()
		if t.kind != tokOp || !slices.Contains(ops, t.text) {
			return l, nil
		}
		p.next()
		var r expr
		if r, err = sub(p); err == nil {
			l = &binaryExpr{t.text, l, r, t.line}
		}
	}
	return nil, err
}

func (p *parser) unary() (expr, error) { return p.signed(true) }

func (p *parser) signed(filters bool) (expr, error) {
	if err := p.down(); err != nil {
		return nil, err
	}
	defer p.up()
	line := p.peek().line
	var e expr
	var err error
	switch {
	case p.op("-"):
		if e, err = p.signed(false); err != nil {
			return nil, err
		}
		e = &signExpr{e, true, line}
	case p.op("+"):
		if e, err = p.signed(false); err != nil {
			return nil, err
		}
		e = &signExpr{e, false, line}
	default:
		if e, err = p.primary(); err != nil {
			return nil, err
		}
	}
	if e, err = p.postfix(e); err != nil {
		return nil, err
	}
	if filters {
		if e, err = p.filtered(e); err != nil {
			return nil, err
		}
	}
	return e, nil
}

func (p *parser) primary() (expr, error) {
	t := p.next()
	switch t.kind {
	case tokName:
		switch t.text {
		case "true", "True":
			return literal{true}, nil
		case "false", "False":
			return literal{false}, nil
		case "none", "None":
			return literal{nil}, nil
		}
		if reserved(t.text) {
			return nil, bad(t.line, "%q stands where a value belongs", t.text)
		}
		return nameExpr(t.text), nil
	case tokString:
		s := t.text
		for p.peek().kind == tokString {
			s += p.next().text
		}
		return literal{own(s)}, nil
	case tokInt:
		return p.integer(t.text)
	case tokFloat:
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			return nil, bad(t.line, "a number is too large")
		}
		return literal{f}, nil
	case tokOp:
		switch t.text {
		case "(":
			if p.op(")") {
				return &listExpr{tuple: true}, nil
			}
			e, err := p.tuple()
			if err != nil {
				return nil, err
			}
			return e, p.wantOp(")")
		case "[":
			l := &listExpr{}
			for !p.op("]") {
				if len(l.items) > 0 {
					if err := p.wantOp(","); err != nil {
						return nil, err
					}
					if p.op("]") {
						break
					}
				}
				e, err := p.expression()
				if err != nil {
					return nil, err
				}
				l.items = append(l.items, e)
			}
			return l, nil
		case "{":
			return p.dictionary()
		}
	}
	return nil, bad(t.line, "a value is missing")
}

func (p *parser) dictionary() (expr, error) {
	d := &dictExpr{}
	for !p.op("}") {
		if len(d.keys) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
			if p.op("}") {
				break
			}
		}
		k, err := p.expression()
		if err != nil {
			return nil, err
		}
		if err := p.wantOp(":"); err != nil {
			return nil, err
		}
		v, err := p.expression()
		if err != nil {
			return nil, err
		}
		d.keys, d.values = append(d.keys, k), append(d.values, v)
	}
	return d, nil
}

// postfix parses .name, [key] and (arguments).
func (p *parser) postfix(e expr) (expr, error) {
	for {
		line := p.peek().line
		switch {
		case p.op("."):
			switch t := p.next(); t.kind {
			case tokName:
				e = &attrExpr{e, t.text, line}
			case tokInt: // l.0 is l[0]
				k, err := p.integer(t.text)
				if err != nil {
					return nil, err
				}
				e = &itemExpr{e, k, line}
			default:
				return nil, bad(line, "a name is missing")
			}
		case p.op("["):
			k, err := p.subscript()
			if err != nil {
				return nil, err
			}
			e = &itemExpr{e, k, line}
		case p.op("("):
			a, err := p.arguments()
			if err != nil {
				return nil, err
			}
			e = &callExpr{e, a, line}
		default:
			return e, nil
		}
	}
}

func (p *parser) subscript() (expr, error) {
	s := &sliceExpr{}
	var err error
	if !p.is(tokOp, ":") {
		if s.from, err = p.expression(); err != nil {
			return nil, err
		}
		if p.op("]") {
			return s.from, nil
		}
	}
	if !p.op(":") {
		return nil, p.bad("%q is missing", "]")
	}
	if !p.is(tokOp, ":") && !p.is(tokOp, "]") {
		if s.to, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if p.op(":") && !p.is(tokOp, "]") {
		if s.step, err = p.expression(); err != nil {
			return nil, err
		}
	}
	return s, p.wantOp("]")
}

// filtered parses | filter and is test.
func (p *parser) filtered(e expr) (expr, error) {
	for {
		switch {
		case p.op("|"):
			f, err := p.filter(e)
			if err != nil {
				return nil, err
			}
			e = f
		case p.word("is"):
			t, err := p.test(e)
			if err != nil {
				return nil, err
			}
			e = t
		case p.is(tokOp, "("):
			line := p.next().line
			a, err := p.arguments()
			if err != nil {
				return nil, err
			}
			e = &callExpr{e, a, line}
		default:
			return e, nil
		}
	}
}

func (p *parser) filter(e expr) (*filterExpr, error) {
	t, err := p.want(tokName, "the name of a filter")
	if err != nil {
		return nil, err
	}
	// One that is not known fails when it is reached, as in jinja2: templates hold
	// branches that a conversation without tools never takes.
	f := &filterExpr{of: e, name: t.text, call: filterOf(t.text), line: t.line}
	if p.op("(") {
		if f.args, err = p.arguments(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (p *parser) test(e expr) (expr, error) {
	negated := p.word("not")
	t, err := p.want(tokName, "the name of a test")
	if err != nil {
		return nil, err
	}
	x := &testExpr{of: e, name: t.text, test: testOf(t.text), not: negated, line: t.line}
	if p.op("(") {
		x.args, err = p.arguments()
		return x, err
	}
	switch n := p.peek(); n.kind {
	case tokName:
		if slices.Contains([]string{"and", "or", "not", "in", "is", "if", "else", "recursive"}, n.text) {
			return x, nil
		}
	case tokString, tokInt, tokFloat:
	case tokOp:
		if n.text != "[" && n.text != "{" {
			return x, nil
		}
	default:
		return x, nil
	}
	a, err := p.primary()
	if err != nil {
		return nil, err
	}
	if a, err = p.postfix(a); err != nil {
		return nil, err
	}
	x.args.plain = []expr{a}
	return x, nil
}
