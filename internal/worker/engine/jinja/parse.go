package jinja

import (
	"slices"
	"strconv"
)

// node is a statement.
type node interface {
	exec(*machine) (flow, error)
}

// expr is an expression.
type expr interface {
	eval(*machine) (value, error)
}

type parser struct {
	tokens []token
	at     int
	depth  int
	l      Limits
	loops  int
}

func newParser(source string, l Limits) (*parser, error) {
	tokens, err := lex(source)
	if err != nil {
		return nil, err
	}
	return &parser{tokens: tokens, l: l}, nil
}

func (p *parser) peek() token { return p.tokens[p.at] }

func (p *parser) next() token {
	t := p.tokens[p.at]
	if p.at < len(p.tokens)-1 {
		p.at++
	}
	return t
}

func (p *parser) bad(format string, args ...any) error { return bad(p.peek().line, format, args...) }

func (p *parser) down() error {
	p.depth++
	if p.depth > p.l.Depth {
		return &Error{Kind: Limit, Text: "it nests too deep", Line: p.peek().line}
	}
	return nil
}

func (p *parser) up() { p.depth-- }

// is reports whether the next token is the operator or name s.
func (p *parser) is(k tokenKind, s string) bool { t := p.peek(); return t.kind == k && t.text == s }

func (p *parser) take(k tokenKind, s string) bool {
	if !p.is(k, s) {
		return false
	}
	p.next()
	return true
}

func (p *parser) op(s string) bool   { return p.take(tokOp, s) }
func (p *parser) word(s string) bool { return p.take(tokName, s) }

func (p *parser) want(k tokenKind, what string) (token, error) {
	if t := p.peek(); t.kind == k {
		return p.next(), nil
	}
	return token{}, p.bad("%s is missing", what)
}

func (p *parser) wantOp(s string) error {
	if !p.op(s) {
		return p.bad("%q is missing", s)
	}
	return nil
}

func (p *parser) endTag() error {
	_, err := p.want(tokStmtEnd, "the end of the tag")
	return err
}

// body parses until the end or a statement of one of the names, which is left
// behind its name.
func (p *parser) body(ends ...string) ([]node, error) {
	if err := p.down(); err != nil {
		return nil, err
	}
	defer p.up()
	var out []node
	for {
		t := p.next()
		switch t.kind {
		case tokText:
			out = append(out, textNode{own(t.text)})
		case tokExprBegin:
			e, err := p.tuple()
			if err != nil {
				return nil, err
			}
			if _, err := p.want(tokExprEnd, "the end of the tag"); err != nil {
				return nil, err
			}
			out = append(out, outputNode{e, t.line})
		case tokStmtBegin:
			name, err := p.want(tokName, "the name of a statement")
			if err != nil {
				return nil, err
			}
			if slices.Contains(ends, name.text) {
				p.at-- // the caller looks at it
				return out, nil
			}
			n, err := p.statement(name)
			if err != nil {
				return nil, err
			}
			if n != nil {
				out = append(out, n)
			}
		case tokEnd:
			if len(ends) > 0 {
				return nil, p.bad("%s is missing", ends[len(ends)-1])
			}
			return out, nil
		}
	}
}

// ended parses a body with its end tag.
func (p *parser) ended(end string) ([]node, error) {
	b, err := p.body(end)
	if err != nil {
		return nil, err
	}
	p.next()
	return b, p.endTag()
}

func (p *parser) statement(name token) (node, error) {
	switch name.text {
	case "if":
		return p.ifStatement()
	case "for":
		return p.forStatement(name.line)
	case "set":
		return p.setStatement(name.line)
	case "macro":
		return p.macroStatement()
	case "call":
		return p.callStatement(name.line)
	case "filter":
		return p.filterStatement(name.line)
	case "break", "continue":
		if p.loops == 0 {
			return nil, p.bad("%s outside of a loop", name.text)
		}
		if name.text == "break" {
			return flowNode(flowBreak), p.endTag()
		}
		return flowNode(flowContinue), p.endTag()
	case "generation":
		// Marks what the assistant said, for training; it writes nothing itself.
		if err := p.endTag(); err != nil {
			return nil, err
		}
		b, err := p.ended("endgeneration")
		return blockNode(b), err
	case "include", "import", "from", "extends", "block":
		return nil, bad(name.line, "%s is refused: a template stands alone", name.text)
	}
	return nil, bad(name.line, "the statement %q is not known", name.text)
}

func (p *parser) ifStatement() (node, error) {
	n := &ifNode{}
	for {
		c, err := p.tuple()
		if err != nil {
			return nil, err
		}
		if err := p.endTag(); err != nil {
			return nil, err
		}
		b, err := p.body("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		n.branches = append(n.branches, branch{c, b})
		switch p.next().text {
		case "elif":
			continue
		case "else":
			if err := p.endTag(); err != nil {
				return nil, err
			}
			if n.other, err = p.ended("endif"); err != nil {
				return nil, err
			}
			return n, nil
		}
		return n, p.endTag()
	}
}

func (p *parser) forStatement(line int) (node, error) {
	n := &forNode{line: line}
	var err error
	if n.names, err = p.names("in"); err != nil {
		return nil, err
	}
	if !p.word("in") {
		return nil, p.bad("in is missing")
	}
	if n.over, err = p.or(); err != nil { // a condition behind it is the loop's
		return nil, err
	}
	if p.op(",") {
		rest := &listExpr{items: []expr{n.over}, tuple: true}
		for p.peek().kind != tokStmtEnd && !p.is(tokName, "if") {
			e, err := p.or()
			if err != nil {
				return nil, err
			}
			rest.items = append(rest.items, e)
			if !p.op(",") {
				break
			}
		}
		n.over = rest
	}
	if p.word("if") {
		if n.where, err = p.expression(); err != nil {
			return nil, err
		}
	}
	if p.is(tokName, "recursive") {
		return nil, p.bad("a recursive loop is not supported")
	}
	if err := p.endTag(); err != nil {
		return nil, err
	}
	p.loops++
	n.body, err = p.body("else", "endfor")
	p.loops--
	if err != nil {
		return nil, err
	}
	if p.next().text == "else" {
		if err := p.endTag(); err != nil {
			return nil, err
		}
		n.other, err = p.ended("endfor")
		return n, err
	}
	return n, p.endTag()
}

// names parses the targets of a loop or a set.
func (p *parser) names(end string) ([]string, error) {
	var out []string
	paren := p.op("(")
	for {
		t, err := p.want(tokName, "a name")
		if err != nil {
			return nil, err
		}
		if reserved(t.text) {
			return nil, p.bad("%q is no name", t.text)
		}
		out = append(out, t.text)
		if !p.op(",") || p.is(tokName, end) || p.is(tokOp, end) {
			break
		}
	}
	if paren {
		return out, p.wantOp(")")
	}
	return out, nil
}

func reserved(s string) bool {
	return slices.Contains([]string{"and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"}, s)
}

func (p *parser) setStatement(line int) (node, error) {
	n := &setNode{line: line}
	var err error
	if n.names, err = p.names("="); err != nil {
		return nil, err
	}
	if len(n.names) == 1 && p.op(".") {
		t, err := p.want(tokName, "a name")
		if err != nil {
			return nil, err
		}
		n.attribute = t.text
	}
	if p.op("=") {
		if n.value, err = p.tuple(); err != nil {
			return nil, err
		}
		return n, p.endTag()
	}
	if len(n.names) > 1 {
		return nil, p.bad("%q is missing", "=")
	}
	for p.op("|") {
		f, err := p.filter(nil)
		if err != nil {
			return nil, err
		}
		n.filters = append(n.filters, f)
	}
	if err := p.endTag(); err != nil {
		return nil, err
	}
	n.body, err = p.ended("endset")
	return n, err
}

// parameters parses those of a macro or a call block, behind the parenthesis.
func (p *parser) parameters() ([]parameter, error) {
	var out []parameter
	for !p.op(")") {
		if len(out) > 0 {
			if err := p.wantOp(","); err != nil {
				return nil, err
			}
		}
		t, err := p.want(tokName, "a name")
		if err != nil {
			return nil, err
		}
		q := parameter{name: t.text}
		if p.op("=") {
			if q.value, err = p.expression(); err != nil {
				return nil, err
			}
		}
		out = append(out, q)
	}
	return out, nil
}

func (p *parser) macroStatement() (node, error) {
	t, err := p.want(tokName, "a name")
	if err != nil {
		return nil, err
	}
	if err := p.wantOp("("); err != nil {
		return nil, err
	}
	n := &macroNode{name: t.text}
	if n.parameters, err = p.parameters(); err != nil {
		return nil, err
	}
	if err := p.endTag(); err != nil {
		return nil, err
	}
	loops := p.loops
	p.loops = 0
	n.body, err = p.ended("endmacro")
	p.loops = loops
	return n, err
}

func (p *parser) callStatement(line int) (node, error) {
	n := &callNode{line: line}
	var err error
	if p.op("(") {
		if n.parameters, err = p.parameters(); err != nil {
			return nil, err
		}
	}
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	c, ok := e.(*callExpr)
	if !ok {
		return nil, p.bad("call wants a call")
	}
	n.call = c
	if err := p.endTag(); err != nil {
		return nil, err
	}
	loops := p.loops
	p.loops = 0
	n.body, err = p.ended("endcall")
	p.loops = loops
	return n, err
}

func (p *parser) filterStatement(line int) (node, error) {
	n := &filterNode{line: line}
	for {
		f, err := p.filter(nil)
		if err != nil {
			return nil, err
		}
		n.filters = append(n.filters, f)
		if !p.op("|") {
			break
		}
	}
	if err := p.endTag(); err != nil {
		return nil, err
	}
	var err error
	n.body, err = p.ended("endfilter")
	return n, err
}

// arguments parses those of a call, behind the parenthesis.
func (p *parser) arguments() (argExprs, error) {
	var out argExprs
	for first := true; !p.op(")"); first = false {
		if !first {
			if err := p.wantOp(","); err != nil {
				return out, err
			}
			if p.op(")") {
				break
			}
		}
		if t := p.peek(); t.kind == tokName && p.tokens[min(p.at+1, len(p.tokens)-1)] == (token{tokOp, "=", t.line}) {
			p.next()
			p.next()
			e, err := p.expression()
			if err != nil {
				return out, err
			}
			out.named = append(out.named, namedExpr{t.text, e})
			continue
		}
		if p.is(tokOp, "*") || p.is(tokOp, "**") {
			return out, p.bad("arguments from a list are not supported")
		}
		if len(out.named) > 0 {
			return out, p.bad("an argument without a name behind one with a name")
		}
		e, err := p.expression()
		if err != nil {
			return out, err
		}
		out.plain = append(out.plain, e)
	}
	return out, nil
}

// integer reads a whole number of 64 bits.
func (p *parser) integer(s string) (expr, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil, p.bad("the number %.20s is too large", s)
	}
	return literal{n}, nil
}
