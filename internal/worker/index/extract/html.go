package extract

import (
	"strings"

	"golang.org/x/net/html"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// page reads HTML, and DocBook, which has other names for the same things.
// There is no tree: what text is follows from the tags around it, which also
// holds for pages whose tags do not match.
type page struct {
	*builder
	z *html.Tokenizer

	at, next int // source of the current token

	heading int // level, or 0
	lists   int
	tables  int
	inCell  bool
	pre     int
	links   int
	title   bool
	main    bool

	// An element that is left out or is navigation: its name, and how many of
	// that name are open.
	hidden, aside tagCount

	linkBytes, mark int
}

type tagCount struct {
	name string
	n    int
}

// step counts a start (1) or end (-1) tag, and reports whether name was counted.
func (t *tagCount) step(name string, by int) bool {
	if t.n == 0 || t.name != name {
		return false
	}
	t.n += by
	return true
}

func scanHTML(b *builder, variant string) {
	p := &page{builder: b, z: html.NewTokenizer(strings.NewReader(b.src))}
	b.spill = p.flush
	for {
		kind := p.z.Next()
		p.at, p.next = p.next, min(p.next+len(p.z.Raw()), len(b.src))
		switch kind {
		case html.ErrorToken:
			p.flush()
			return
		case html.TextToken:
			p.text(p.at, p.next)
		case html.StartTagToken, html.SelfClosingTagToken:
			name, attrs := p.z.TagName()
			p.start(string(name), attrs, kind == html.SelfClosingTagToken)
		case html.EndTagToken:
			name, _ := p.z.TagName()
			p.end(string(name))
		}
	}
}

func (p *page) text(from, to int) {
	if p.hidden.n > 0 {
		return
	}
	before := len(p.buf)
	for at := from; at < to; {
		amp := strings.IndexByte(p.src[at:to], '&')
		if amp < 0 {
			p.piece(at, to)
			break
		}
		p.piece(at, at+amp)
		at += amp
		n := entity(p.src[at:to])
		if n == 0 {
			p.piece(at, at+1)
			at++
			continue
		}
		p.entity(at, at+n)
		at += n
	}
	if p.links > 0 {
		p.linkBytes += len(p.buf) - before
	}
}

func (p *page) piece(from, to int) {
	if p.pre > 0 && !p.title && p.heading == 0 {
		p.verbatim(from, to)
	} else {
		p.words(from, to)
	}
}

// flush closes the open block in the role that the tags around it give it.
func (p *page) flush() {
	role, level := doc.Prose, 0
	switch {
	case p.title:
		if p.doc.Title == "" {
			p.doc.Title = strings.TrimSpace(string(p.buf))
		}
		p.drop()
		return
	case p.aside.n > 0:
		role = doc.Boilerplate
	case p.heading > 0:
		role, level = doc.Heading, p.heading
	case p.pre > 0:
		role = doc.Code
	case p.tables > 0 && p.inCell:
		role = doc.Table
		if len(p.buf)-p.mark > 250 && p.mark == 0 {
			role = doc.Prose // a table for layout
		}
	case len(p.buf) > 0 && p.linkBytes*10 >= len(p.buf)*8:
		role = doc.Boilerplate
	case p.lists > 0:
		role = doc.ListItem
	}
	p.close(role, level)
	p.linkBytes, p.mark, p.links = 0, 0, 0 // links often lack their end
}

func (p *page) start(name string, attrs, closed bool) {
	if p.hidden.step(name, 1) || p.hidden.n > 0 {
		return
	}
	if !closed {
		p.aside.step(name, 1)
	}
	switch name {
	case "script", "style", "noscript", "template", "svg", "math", "iframe", "object", "select", "button", "textarea", "audio", "video", "canvas", "indexterm", "head":
		if name == "head" {
			return
		}
		if !closed {
			p.hidden = tagCount{name, 1}
		}
		return
	case "meta":
		p.meta(attrs)
		return
	case "br":
		p.gapOrLine()
		return
	case "a":
		if attrs && !closed && p.links == 0 && strings.Contains(p.src[p.at:min(p.next, p.at+300)], "href") {
			p.links = 1
		}
		return
	case "ulink", "link", "xref":
		return
	case "img", "input", "wbr", "span", "b", "i", "em", "strong", "code", "tt", "u", "small", "big", "sub", "sup", "font", "kbd", "var", "samp", "cite", "q", "abbr", "acronym", "dfn", "mark", "time", "s", "del", "ins", "strike", "bdi", "bdo", "data", "label", "ruby", "rt", "rp", "nobr", "literal", "command", "option", "filename", "emphasis", "function", "parameter", "replaceable", "varname", "type", "classname", "userinput", "systemitem", "quote", "citetitle", "citerefentry", "refentrytitle", "manvolnum", "phrase", "productname", "application", "envar", "constant", "structfield", "computeroutput", "email", "guilabel", "keycap", "primary":
		if name == "span" && attrs && !closed && p.aside.n == 0 && p.navigation() {
			p.flush()
			p.aside = tagCount{name, 1}
		}
		return
	}
	p.block(name, attrs, closed)
}

// gapOrLine is a line's end inside a block.
func (p *page) gapOrLine() {
	if p.pre > 0 && p.heading == 0 && len(p.buf) > 0 {
		p.newline(p.at)
		return
	}
	p.space(p.at)
}

// newline adds a line end that stands for a tag at the source offset at.
func (b *builder) newline(at int) {
	if len(b.buf) == 0 || at >= len(b.src) {
		return
	}
	b.gap = false
	b.mark(at)
	b.changed = true
	b.buf = append(b.buf, '\n')
}

// block begins an element that is a block of its own.
func (p *page) block(name string, attrs, closed bool) {
	switch name {
	case "td", "th", "entry":
		if p.tables > 0 && p.inCell {
			p.space(p.at)
			return
		}
		p.flush()
		p.inCell = true
		return
	case "tr", "row":
		if p.tables > 0 && p.inCell && p.heading == 0 && len(p.buf) > 0 && len(p.buf) < limits.CellText {
			p.newline(p.at)
			p.mark = len(p.buf)
			return
		}
	case "thead", "tbody", "tfoot", "colgroup", "col", "tgroup", "colspec":
		return
	}
	p.flush()
	if closed {
		return
	}
	if p.inCell && name != "caption" {
		p.inCell = false // the cell holds blocks of its own
	}
	switch name {
	case "h1", "h2", "h3", "h4", "h5", "h6":
		p.heading = int(name[1] - '0')
	case "title", "refname":
		if name == "title" && len(p.doc.Blocks) == 0 && p.doc.Title == "" {
			p.title = true
		} else {
			p.heading = 2
		}
	case "pre", "listing", "xmp", "programlisting", "screen", "literallayout", "synopsis", "cmdsynopsis":
		p.pre++
	case "ul", "ol", "dl", "menu", "dir", "itemizedlist", "orderedlist", "variablelist":
		p.lists++
	case "table", "informaltable":
		p.tables++
	case "main", "article":
		p.main = true
	case "header":
		if !p.main {
			p.enterAside(name)
		}
		return
	case "nav", "footer", "aside", "form", "dialog":
		p.enterAside(name)
		return
	}
	if attrs && p.aside.n == 0 {
		switch name {
		case "div", "ul", "ol", "section", "table", "p", "dl":
			if p.navigation() {
				p.enterAside(name)
			}
		}
	}
}

func (p *page) enterAside(name string) {
	if p.aside.n == 0 {
		p.aside = tagCount{name, 1}
	}
}

func (p *page) end(name string) {
	if p.hidden.step(name, -1) || p.hidden.n > 0 {
		return
	}
	switch name {
	case "a":
		p.links = 0
		return
	case "td", "th", "entry":
		if p.inCell {
			p.space(p.at)
		} else {
			p.flush()
		}
		return
	case "tr", "row", "thead", "tbody", "tgroup":
		return
	}
	if inlineEnd(name) && p.aside.name != name {
		return
	}
	p.flush()
	p.aside.step(name, -1)
	switch name {
	case "h1", "h2", "h3", "h4", "h5", "h6", "refname":
		p.heading = 0
	case "title":
		p.heading, p.title = 0, false
	case "pre", "listing", "xmp", "programlisting", "screen", "literallayout", "synopsis", "cmdsynopsis":
		p.pre = max(0, p.pre-1)
	case "ul", "ol", "dl", "menu", "dir", "itemizedlist", "orderedlist", "variablelist":
		p.lists = max(0, p.lists-1)
	case "table", "informaltable":
		p.tables = max(0, p.tables-1)
		p.inCell = false
	case "main", "article":
		p.main = false
	}
}

// inlineEnd reports whether an end tag does not end a block.
func inlineEnd(name string) bool {
	switch name {
	case "p", "div", "li", "h1", "h2", "h3", "h4", "h5", "h6", "title", "ul", "ol", "dl", "dt", "dd", "pre", "table", "caption", "section", "article", "main", "nav", "header", "footer", "aside", "blockquote", "form", "body", "html", "head", "figure", "figcaption", "center", "details", "summary", "address", "fieldset", "menu", "dir", "listing", "xmp", "dialog", "legend",
		"para", "simpara", "programlisting", "screen", "literallayout", "synopsis", "cmdsynopsis", "itemizedlist", "orderedlist", "variablelist", "listitem", "term", "varlistentry", "informaltable", "sect1", "sect2", "sect3", "chapter", "book", "refname", "refpurpose", "refnamediv", "note", "warning", "tip", "example":
		return false
	}
	return true
}

// navigation reports whether the current tag's class, id or role says that it
// is not the page's text.
func (p *page) navigation() bool {
	for {
		key, val, more := p.z.TagAttr()
		switch string(key) {
		case "class", "id", "role":
			for _, w := range strings.FieldsFunc(strings.ToLower(string(val)), func(r rune) bool { return !(r >= 'a' && r <= 'z') }) {
				switch w {
				case "nav", "navigation", "navbar", "navheader", "navfooter", "sidebar", "toc", "breadcrumb", "breadcrumbs", "footer", "menu", "menubar", "sphinxsidebar", "copyright", "banner", "contentinfo", "cookie", "headerlink", "pagination", "related", "skip":
					return true
				}
			}
		case "hidden":
			return true
		}
		if !more {
			return false
		}
	}
}

// meta takes a page's own description.
func (p *page) meta(attrs bool) {
	wanted := false
	var content string
	for attrs {
		var key, val []byte
		key, val, attrs = p.z.TagAttr()
		switch string(key) {
		case "name", "property":
			switch strings.ToLower(string(val)) {
			case "description", "og:description", "dc.description":
				wanted = true
			}
		case "content":
			content = string(val)
		}
	}
	if !wanted || strings.TrimSpace(content) == "" || len(p.buf) > 0 {
		return
	}
	tag := p.src[p.at:min(p.next, p.at+limits.TagBytes)]
	i := indexFold(tag[1:], "=\"")
	for from := 1; i >= 0; {
		from += i
		if strings.EqualFold(tag[max(0, from-len("content")):from], "content") {
			to := strings.IndexByte(tag[from+2:], '"')
			if to < 0 {
				return
			}
			at := p.at + from + 2
			p.text(at, at+to)
			p.close(doc.FrontMatter, 0)
			return
		}
		from += 2
		i = indexFold(tag[from:], "=\"")
	}
}
