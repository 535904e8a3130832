package extract

import (
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// syntax is how a family of languages writes comments.
type syntax struct {
	line       []string // begin a comment to the line's end, longest first
	open, shut string   // around a comment of several lines
	doc        bool     // strings of three quotes that begin a line are prose
	tick       bool     // ` begins a string that may span lines
}

// syntaxOf returns the syntax of a language by its file extension.
func syntaxOf(ext string) (syntax, bool) {
	switch ext {
	case "go", "js", "jsx", "ts", "tsx", "mjs", "cjs", "mts", "cts", "vue", "svelte":
		return syntax{line: []string{"//"}, open: "/*", shut: "*/", tick: true}, true
	case "c", "h", "cc", "cpp", "cxx", "c++", "hpp", "hh", "hxx", "inl", "ipp", "java", "rs", "swift", "kt", "kts", "scala", "cs", "php", "dart", "groovy", "gradle",
		"proto", "zig", "v", "sv", "sol", "d", "m", "mm", "css", "scss", "less", "glsl", "hlsl", "cu", "cuh", "vala", "as", "idl", "y", "l", "jsonc", "json5", "thrift", "fbs", "dts", "cue":
		return syntax{line: []string{"//!", "///", "//"}, open: "/*", shut: "*/"}, true
	case "py", "pyi", "pyx", "bzl", "star":
		return syntax{line: []string{"#"}, doc: true}, true
	case "sh", "bash", "zsh", "ksh", "fish", "yaml", "yml", "toml", "rb", "rake", "gemspec", "pl", "pm", "t", "r", "jl", "conf", "cfg", "cmake", "mk", "mak", "tcl", "ex", "exs",
		"nix", "awk", "sed", "tf", "hcl", "ninja", "properties", "desktop", "service", "ac", "am", "m4", "in", "cr", "nim", "coffee", "graphql", "gql", "po", "pot", "dockerfile", "makefile", "rules", "policy", "sysctl", "ps1":
		return syntax{line: []string{"#"}}, true
	case "sql":
		return syntax{line: []string{"--"}, open: "/*", shut: "*/"}, true
	case "lua":
		return syntax{line: []string{"---", "--"}, open: "--[[", shut: "]]"}, true
	case "hs", "lhs", "elm", "purs":
		return syntax{line: []string{"-- |", "--"}, open: "{-", shut: "-}"}, true
	case "adb", "ads", "vhd", "vhdl":
		return syntax{line: []string{"--"}}, true
	case "lisp", "el", "clj", "cljs", "scm", "rkt", "ss", "asm", "s", "ini", "reg", "edn":
		return syntax{line: []string{";;;", ";;", ";", "#"}}, true
	case "sty", "cls", "erl", "hrl", "matlab", "pro", "ps":
		return syntax{line: []string{"%%", "%"}}, true
	case "ml", "mli", "fs", "fsi", "pas", "pp":
		return syntax{line: []string{"//"}, open: "(*", shut: "*)"}, true
	case "vim":
		return syntax{line: []string{"\""}}, true
	case "f90", "f95", "f03", "f":
		return syntax{line: []string{"!"}}, true
	case "bat", "cmd":
		return syntax{line: []string{"REM ", "rem ", "::"}}, true
	}
	return syntax{}, false
}

// code reads source code: comments that begin a line are prose, the rest is
// code in pieces.
type code struct {
	*builder
	syn    syntax
	from   int  // source behind the last block
	seen   int  // groups of comments so far
	made   bool // by a program
	noShut int  // comments that open before it end in a line of code, or nowhere
	lines  []row
	quoted bool // the comment is a string, whose indentation says little
}

func scanSource(b *builder, ext string) {
	syn, _ := syntaxOf(ext)
	c := &code{builder: b, syn: syn, made: generated(b.src)}
	b.spill = func() { b.close(doc.Comment, 0) }
	if c.made {
		b.pieces(doc.Boilerplate, 0, len(b.src))
		return
	}
	c.scan()
}

func (c *code) scan() {
	src := c.src
	quote := ""
	for at := 0; at < len(src); {
		end, next := line(src, at)
		if quote != "" {
			if strings.Count(src[at:end], quote)%2 == 1 {
				quote = ""
			}
			at = next
			continue
		}
		_, off := indent(src[at:end])
		i := at + off
		if c.syn.open != "" && strings.HasPrefix(src[i:end], c.syn.open) {
			if to := c.blockComment(at, i); to > at {
				at = to
				continue
			}
		}
		if n := c.prefix(i, end); n > 0 && i < end {
			at = c.lineComments(at)
			continue
		}
		if c.syn.doc {
			if to := c.docString(at, i, end); to > at {
				at = to
				continue
			}
			quote = oddQuote(src[at:end])
		} else if c.syn.tick && strings.Count(src[at:end], "`")%2 == 1 {
			quote = "`"
		}
		at = next
	}
	c.flush(len(src))
}

// oddQuote returns the quotes that a line of Python opens and does not close.
func oddQuote(s string) string {
	for _, q := range []string{`"""`, "'''"} {
		if strings.Count(s, q)%2 == 1 {
			return q
		}
	}
	return ""
}

// flush closes the code between the last block and to.
func (c *code) flush(to int) {
	c.pieces(doc.Code, c.from, to)
	c.from = to
}

func (c *code) prefix(i, end int) int {
	for _, p := range c.syn.line {
		if strings.HasPrefix(c.src[i:end], p) {
			return len(p)
		}
	}
	return 0
}

// lineComments reads the comments on the lines from at on.
func (c *code) lineComments(at int) int {
	src := c.src
	start := at
	c.lines = c.lines[:0]
	deep := false
	for at < len(src) && len(c.lines) < groupRows {
		end, next := line(src, at)
		col, off := indent(src[at:end])
		n := c.prefix(at+off, end)
		if n == 0 {
			break
		}
		deep = deep || col > 0
		c.add(at+off+n, end)
		at = next
	}
	if deep && c.small() {
		return at // a remark inside code belongs to it
	}
	c.flush(start)
	c.comment()
	c.from = at
	return at
}

// add takes a line of a comment without its own marks.
func (c *code) add(from, to int) {
	src := c.src
	for from < to && (src[from] == '/' || src[from] == '!' || src[from] == '#' || src[from] == ';' || src[from] == '%') && (from == 0 || src[from-1] == src[from] || src[from] == '!') {
		from++
	}
	col, off := indent(src[from:to])
	s := strings.TrimRight(src[from+off:to], " \t\r")
	c.lines = append(c.lines, row{from + off, from + off + len(s), col})
}

// small reports a comment that says too little to stand alone.
func (c *code) small() bool {
	n := 0
	for _, r := range c.lines {
		n += r.to - r.from
	}
	return n < 60
}

// blockComment reads a comment that opens at i.
func (c *code) blockComment(at, i int) int {
	src := c.src
	from := i + len(c.syn.open)
	if from <= c.noShut {
		return at
	}
	n := strings.Index(src[from:], c.syn.shut)
	if n < 0 {
		c.noShut = len(src)
		return at
	}
	to := from + n
	end, next := line(src, to+len(c.syn.shut))
	if !blank(src[to+len(c.syn.shut) : end]) {
		c.noShut = to
		return at // code stands behind it
	}
	c.lines = c.lines[:0]
	for p := from; p <= to; {
		e, nx := line(src[:to], p)
		_, off := indent(src[p:e])
		q := p + off
		for q < e && (src[q] == '*' || src[q] == '!' && q > 0 && src[q-1] == '*' || src[q] == '|' && c.syn.open == "{-") {
			q++
		}
		c.add(q, e)
		c.full(at)
		if nx >= to {
			break
		}
		p = nx
	}
	if i > at && c.small() && c.from <= at {
		return next
	}
	if c.from <= at {
		c.flush(at)
	}
	c.comment()
	c.from = next
	return next
}

// full closes the lines collected so far of a comment that began at at, when
// there are more of them than people write.
func (c *code) full(at int) {
	if len(c.lines) < 8*groupRows {
		return
	}
	if c.from <= at {
		c.flush(at)
		c.from = at + 1 // not code any more
	}
	c.comment()
	c.lines = c.lines[:0]
}

// docString reads a string of three quotes that begins a line.
func (c *code) docString(at, i, end int) int {
	src := c.src
	j := i
	for j < end && j < i+2 && strings.IndexByte("rRuUbB", src[j]) >= 0 {
		j++
	}
	s := src[j:end]
	if !strings.HasPrefix(s, `"""`) && !strings.HasPrefix(s, "'''") {
		return at
	}
	n := strings.Index(src[j+3:], s[:3])
	if n < 0 {
		return at
	}
	to := j + 3 + n
	_, next := line(src, to)
	c.flush(at)
	c.lines = c.lines[:0]
	base := -1
	for p := j + 3; p <= to; {
		e, nx := line(src[:to], p)
		col, off := indent(src[p:e])
		t := strings.TrimRight(src[p+off:e], " \t\r")
		if p > j+3 && t != "" && (base < 0 || col < base) {
			base = col
		}
		c.lines = append(c.lines, row{p + off, p + off + len(t), col})
		c.full(at)
		if nx >= to {
			break
		}
		p = nx
	}
	for k := range c.lines {
		if k > 0 {
			c.lines[k].col = max(0, c.lines[k].col-max(base, 0))
		}
	}
	c.quoted = true
	c.comment()
	c.quoted = false
	c.from = next
	return next
}

// comment closes the collected lines as paragraphs.
func (c *code) comment() {
	c.seen++
	licence := false
	for i := 0; i < len(c.lines); {
		if c.lines[i].from >= c.lines[i].to {
			i++
			continue
		}
		j := i
		for j < len(c.lines) && c.lines[j].from < c.lines[j].to {
			j++
		}
		if first := c.lines[i : i+1]; directive(c.src[first[0].from:first[0].to]) {
			c.paragraph(doc.Boilerplate, first)
			i++
			continue
		}
		group := c.lines[i:j]
		text := c.src[group[0].from:group[len(group)-1].to]
		i = j
		switch {
		case licence || c.seen < 4 && licencePhrase(text):
			licence = true
			c.paragraph(doc.LicenceText, group)
		default:
			c.prose(group)
		}
	}
}

func (c *code) paragraph(role doc.Role, rows []row) {
	for _, r := range rows {
		c.words(r.from, r.to)
		c.space(r.to)
	}
	c.close(role, 0)
}

// prose closes a paragraph of a comment; lists, tags and examples apart.
func (c *code) prose(rows []row) {
	src := c.src
	machine := 0
	for _, r := range rows {
		if codeLine(src[r.from:r.to]) {
			machine++
		}
	}
	if !c.quoted && deepRows(rows) && !proseLike(src[rows[0].from:rows[len(rows)-1].to]) || machine*2 >= len(rows) && machine > 0 {
		c.raw(doc.Code, rows[0].from, rows[len(rows)-1].to)
		return
	}
	for k, r := range rows {
		s := src[r.from:r.to]
		if divider(s) {
			continue
		}
		n, item := bullet(s)
		if k > 0 && (item && s[0] != '(' || s[0] == '@' || s[0] == '\\' || strings.HasPrefix(s, ":param") || strings.HasPrefix(s, ":return")) {
			c.close(doc.Comment, 0)
		}
		if item {
			r.from += n
		}
		c.words(r.from, r.to)
		c.space(r.to)
	}
	c.close(doc.Comment, 0)
}

// deepRows reports lines that are all indented as examples are.
func deepRows(rows []row) bool {
	for _, r := range rows {
		if r.col < 4 {
			return false
		}
	}
	return true
}

// directive reports a comment that is for a program.
func directive(s string) bool {
	for _, p := range []string{"/usr/bin/", "/bin/", "go:", "+build", "nolint", "eslint", "prettier-", "vim:", "ex:", "-*-", "pylint", "noqa", "type:", "istanbul", "@ts-", "clang-format", "SPDX-", "region", "endregion", "cSpell", "coding:", "shellcheck", "export ", "pragma", "line ", "include", "define", "endif", "NOLINT", "jshint", "global ", "rubocop", "frozen_string_literal", "syntax="} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// licencePhrase reports words that only licence headers use.
func licencePhrase(s string) bool {
	s = strings.ToLower(s[:min(len(s), limits.SniffPhrase)])
	for _, p := range []string{"copyright (c)", "copyright ©", "copyright 19", "copyright 20", "copyright the ", "licensed under", "licensed to the", "spdx-license-identifier", "all rights reserved", "permission is hereby granted", "redistribution and use", "general public license", "this program is free software", "this file is part of", "this library is free software", "(c) copyright", "mozilla public", "governed by a", "public domain", "released under the", "permission to use, copy", "under the terms of"} {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// generated reports a file that a program wrote: it says so near its head, or
// its lines are too long for people.
func generated(src string) bool {
	head := src[:min(len(src), limits.SniffGenerated)]
	for _, p := range []string{"DO NOT EDIT", "Do not edit by hand", "@generated", "This file is automatically generated", "Automatically generated", "AUTOGENERATED", "Generated by "} {
		if i := strings.Index(head, p); i >= 0 && (p != "Generated by " || i < 200) {
			return true
		}
	}
	sample := src[:min(len(src), limits.SniffLines)]
	return len(sample) > 4*limits.DocLongLine && len(sample)/(1+strings.Count(sample, "\n")) > limits.DocLongLine
}
