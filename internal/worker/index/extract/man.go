package extract

import (
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// manual reads man pages: roff with the man macros (man(7), groff_man(7)) or
// the mdoc macros (mdoc(7)). Macros become the prose that a reader sees; what
// lays out pages is left out. Conditions are decided for a terminal.
type manual struct {
	*builder
	name     string // of the page, for .Nm without words
	role     doc.Role
	synopsis bool
	tag      bool // the next line of text is the tag of an item (.TP)
	literal  bool // between .nf and .fi
	from     int  // where the literal text began
	head     int  // level of a heading whose words stand on the next line
	sections int  // seen so far
	lists    int
	made     int  // bytes of text that macros made, not the source
	last     bool // the last condition's value, for .el
}

func scanMan(b *builder, _ string) {
	m := &manual{builder: b}
	b.spill = m.flush
	for at := 0; at < len(b.src); {
		end, next := line(b.src, at)
		at = m.line(at, end, next)
	}
	if m.literal {
		m.endLiteral(len(b.src))
	}
	m.flush()
}

// line reads the line source[at:end] and returns where to go on.
func (m *manual) line(at, end, next int) int {
	src := m.src
	if at >= end {
		if !m.literal {
			m.flush()
		}
		return next
	}
	if c := src[at]; c != '.' && c != '\'' {
		if m.literal {
			return next
		}
		if blank(src[at:end]) {
			m.flush()
			return next
		}
		m.roff(at, end)
		m.lineEnd(end)
		return next
	}
	i := at + 1
	for i < end && (src[i] == ' ' || src[i] == '\t') {
		i++
	}
	j := i
	for j < end && src[j] > ' ' && (src[j] != '\\' || j == i) && !(j > i && src[j-1] == '\\') {
		j++
	}
	req := src[i:j]
	args := j
	for args < end && (src[args] == ' ' || src[args] == '\t') {
		args++
	}
	return m.request(req, at, args, end, next)
}

// lineEnd ends a line of text.
func (m *manual) lineEnd(end int) {
	switch {
	case m.head > 0:
		m.heading(m.head)
	case m.tag:
		m.tag = false
	}
	m.space(end)
}

func (m *manual) heading(level int) {
	m.head = 0
	title := m.close(doc.Heading, level)
	if level > 1 {
		return
	}
	m.role, m.synopsis = doc.Prose, false
	if m.sections++; m.sections == 1 {
		// The first section is NAME, in whatever language.
		m.role = doc.FrontMatter
		return
	}
	switch strings.ToUpper(title) {
	case "SYNOPSIS", "LIBRARY", "ÜBERSICHT", "SINOPSIS", "SINOPSE", "SINTASSI", "SINTASSIS", "SAMENVATTING", "SKŁADNIA", "SYNTAX", "ОБЗОР", "СИНТАКСИС", "КОРОТКИЙ ОПИС", "書式", "概要", "概述", "总览", "摘要", "요약":
		m.role, m.synopsis = doc.Code, true
	case "SEE ALSO", "COLOPHON":
		m.role = doc.Boilerplate
	case "COPYRIGHT", "LICENSE", "LICENCE", "COPYING":
		m.role = doc.LicenceText
	}
}

// flush ends a paragraph.
func (m *manual) flush() {
	role := m.role
	if role == doc.Prose && m.lists > 0 {
		role = doc.ListItem
	}
	if m.head > 0 {
		m.heading(m.head)
		return
	}
	m.close(role, 0)
}

func (m *manual) request(req string, at, args, end, next int) int {
	src := m.src
	if strings.HasPrefix(req, "\\") { // .\" and .\}
		return next
	}
	if m.literal {
		switch req {
		case "fi", "EE", "Ed", "SH", "SS", "Sh", "Ss", "PP", "LP", "P":
			m.endLiteral(at)
			if req != "SH" && req != "SS" && req != "Sh" && req != "Ss" {
				return next
			}
		default:
			return next
		}
	}
	switch req {
	case "TH", "Dt":
		a := m.args(args, end)
		if len(a) > 0 && m.doc.Title == "" {
			m.name = plainArg(src[a[0].from:a[0].to])
			m.doc.Title = m.name
			if req == "Dt" {
				m.doc.Title = strings.ToLower(m.name)
			}
			if len(a) > 1 {
				m.doc.Title += "(" + plainArg(src[a[1].from:a[1].to]) + ")"
			}
			m.name = strings.ToLower(m.name)
		}
	case "SH", "SS", "Sh", "Ss":
		m.flush()
		m.tag, m.lists = false, 0
		level := 1
		if req[1] == 'S' || req[1] == 's' {
			level = 2
		}
		if args >= end {
			m.head = level
			return next
		}
		if req[1] == 'h' || req[1] == 's' {
			m.mdoc(args, end)
		} else {
			m.join(args, end, true)
		}
		m.heading(level)
	case "PP", "LP", "P", "sp", "Pp", "bp", "Lp":
		m.flush()
		m.tag = false
		if req[0] != 's' {
			m.lists = 0
		}
	case "IP":
		m.flush()
		m.lists = 1
		if a := m.args(args, end); len(a) > 0 {
			m.item(a[0].from, a[0].to)
		}
	case "TP", "TQ":
		if req == "TP" {
			m.flush()
		}
		m.tag, m.lists = true, 1
	case "HP":
		m.flush()
	case "RS":
		// A short line before an indented block is the tag of an item, as in
		// pages made from DocBook.
		if n := len(m.buf); n > 0 && n < 80 && !m.synopsis && strings.IndexByte(".:;", m.buf[n-1]) < 0 {
			m.lists = 1
			m.space(at)
		} else {
			m.flush()
		}
	case "br", "RE", "ti", "in":
		if m.synopsis || req != "br" && len(m.buf) > 0 && !m.tag {
			m.flush()
		}
		m.space(at)
	case "B", "I", "SB", "SM", "R":
		if args >= end {
			return next // it sets the next line in that font
		}
		m.join(args, end, true)
		m.lineEnd(end)
	case "BR", "BI", "IR", "IB", "RB", "RI":
		m.join(args, end, false)
		m.lineEnd(end)
	case "nf", "EX":
		m.flush()
		m.literal, m.from = true, next
	case "Bd":
		m.flush()
		if s := src[args:end]; strings.Contains(s, "literal") || strings.Contains(s, "unfilled") {
			m.literal, m.from = true, next
		}
	case "TS":
		m.flush()
		to, after := m.until(next, ".TE")
		m.raw(doc.Table, next, to)
		return after
	case "UR", "UE", "MT", "ME":
		if req[1] == 'E' && args < end && len(m.buf) > 0 {
			m.gap = false
			m.roff(args, end)
		}
		m.space(end)
	case "SY", "YS", "OP":
		if req == "SY" {
			m.flush()
		}
		if req != "YS" {
			m.join(args, end, true)
			m.space(end)
		}
	case "so":
		m.flush()
		m.words(args, end)
		m.close(doc.Boilerplate, 0)
	case "de", "de1", "am", "ig":
		stop := ".."
		if a := m.args(args, end); req == "ig" && len(a) > 0 {
			stop = "." + src[a[0].from:a[0].to]
		}
		_, after := m.until(next, stop)
		return after
	case "if", "ie", "el":
		return m.condition(req, args, end, next)
	case "\"", "ad", "na", "hy", "nh", "ne", "ns", "rs", "ft", "fi", "EE", "ds", "nr", "rr", "rm", "rn", "tr", "ll", "lt", "pl", "po", "ps", "vs", "ta", "tc", "fp", "PD", "DT", "AT", "UC", "IX", "als", "mso", "TE", "Dd", "Os", "ce", "cs", "ul", "cu", "hw", "hc", "ec", "eo", "cc", "c2", "it", "nx", "rd", "ex", "pm", "tm", "ab", "ss", "lg", "uf", "fc", "hcode", "Vb", "Ve", "Sp", "Ed", "Bk", "Ek", "Sm", "pc", "nop", "do":
		if req == "Sp" {
			m.flush()
		}
		if req == "Vb" {
			m.flush()
			to, after := m.until(next, ".Ve")
			m.raw(doc.Code, next, to)
			return after
		}
	default:
		if m.mdocLine(req, at, args, end) {
			return next
		}
	}
	return next
}

// item adds the tag of an item, unless it is a bullet.
func (m *manual) item(from, to int) {
	if s := m.src[from:to]; strings.Trim(s, "*o-\\(bu[]. ") == "" || s == "\\(bu" || s == "\\(em" {
		return
	}
	m.roff(from, to)
	m.space(min(to, len(m.src)-1))
}

func (m *manual) endLiteral(to int) {
	m.literal = false
	role := doc.Code
	if m.role == doc.LicenceText || m.role == doc.Boilerplate {
		role = m.role
	}
	// Escapes would have to be read by whoever searches.
	for at := m.from; at < to; {
		end, next := line(m.src, at)
		if end > at && (m.src[at] == '.' || m.src[at] == '\'') {
			at = next
			continue
		}
		if at < end {
			if len(m.buf) > limits.BlockCode/2 || m.open() && blank(m.src[at:end]) && len(m.buf) > limits.BlockCode/4 {
				m.close(role, 0)
			}
			m.escaped(at, min(end, to), true)
		}
		m.newline(end)
		at = next
	}
	m.close(role, 0)
}

// until finds the line that begins with mark, from at on; after is where the
// next line begins. Without one all the rest is taken.
func (m *manual) until(at int, mark string) (to, after int) {
	for at < len(m.src) {
		end, next := line(m.src, at)
		if s := m.src[at:end]; strings.HasPrefix(s, mark) || s != "" && s[0] == '\'' && mark[0] == '.' && strings.HasPrefix(s[1:], mark[1:]) {
			return at, next
		}
		at = next
	}
	return at, at
}

// condition reads .if, .ie and .el for a terminal: n holds, t does not, and of
// other conditions none is taken to hold.
func (m *manual) condition(req string, args, end, next int) int {
	src := m.src
	i := args
	value := !m.last
	if req != "el" {
		j := i
		for j < end && src[j] > ' ' {
			j++
		}
		switch c := src[i:j]; c {
		case "n", "!t", "'n'":
			value = true
		default:
			value = false
		}
		m.last = value
		i = j
	} else {
		m.last = true
	}
	for i < end && src[i] == ' ' {
		i++
	}
	braces := strings.HasPrefix(src[i:end], "\\{")
	if value {
		if braces {
			i += 2
			if i < end && src[i] == '\\' {
				i++
			}
		}
		if i >= end {
			return next
		}
		// One request: more of these on one line are not read.
		if k := i; src[k] == '.' || src[k] == '\'' {
			if s := strings.TrimLeft(src[k+1:end], " \t"); !strings.HasPrefix(s, "i") && !strings.HasPrefix(s, "el") {
				return m.line(k, end, next)
			}
		}
		return next
	}
	if !braces {
		return next
	}
	// What is left out ends with its \}. Lines with braces are counted.
	depth := strings.Count(src[i:end], "\\{") - strings.Count(src[i:end], "\\}")
	for at := next; at < len(src) && depth > 0; {
		e, n := line(src, at)
		depth += strings.Count(src[at:e], "\\{") - strings.Count(src[at:e], "\\}")
		at, next = n, n
	}
	return next
}

// arg is a macro's argument, without its quotes.
type arg struct {
	from, to int
	quoted   bool
}

// args reads the arguments of a macro.
func (m *manual) args(at, end int) []arg {
	src := m.src
	var out []arg
	for at < end && len(out) < 200 {
		for at < end && (src[at] == ' ' || src[at] == '\t') {
			at++
		}
		if at >= end || strings.HasPrefix(src[at:end], "\\\"") {
			break
		}
		if src[at] == '"' {
			j := at + 1
			for j < end && (src[j] != '"' || j+1 < end && src[j+1] == '"') {
				if src[j] == '"' {
					j++
				}
				j++
			}
			j = min(j, end)
			out = append(out, arg{at + 1, j, true})
			at = min(j+1, end)
			continue
		}
		j := at
		for j < end && src[j] != ' ' && src[j] != '\t' {
			if src[j] == '\\' && j+1 < end {
				j++
			}
			j++
		}
		j = min(j, end)
		out = append(out, arg{at, j, false})
		at = j
	}
	return out
}

// join adds the arguments with or without a space between them.
func (m *manual) join(at, end int, spaces bool) {
	for i, a := range m.args(at, end) {
		if i > 0 && spaces {
			m.space(a.from - 1)
		}
		m.roff(a.from, a.to)
	}
}

// plainArg is an argument without escapes.
func plainArg(s string) string {
	b := builder{src: s, doc: &doc.Document{}}
	b.escaped(0, len(s), false)
	return clip(strings.TrimSpace(string(b.buf)))
}
