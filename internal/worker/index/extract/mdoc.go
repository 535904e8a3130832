package extract

import (
	"strings"

	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// mdocMacro reports whether name is an mdoc macro that words are the text of.
func mdocMacro(name string) bool {
	if len(name) == 2 && name[0] == '%' {
		return true
	}
	switch name {
	case "Ac", "Ad", "An", "Ao", "Ap", "Aq", "Ar", "At", "Bc", "Bo", "Bq", "Brc", "Bro", "Brq", "Bsx", "Bx", "Cd", "Cm",
		"D1", "Dc", "Dl", "Do", "Dq", "Dv", "Dx", "Ec", "El", "Em", "Eo", "Er", "Ev", "Ex", "Fa", "Fc", "Fd", "Fl", "Fn", "Fo",
		"Ft", "Fx", "Ic", "In", "It", "Bl", "Lb", "Li", "Lk", "Ms", "Mt", "Nd", "Nm", "No", "Ns", "Nx", "Oc", "Oo", "Op", "Ot", "Ox",
		"Pa", "Pc", "Pf", "Po", "Pq", "Qc", "Ql", "Qo", "Qq", "Re", "Rs", "Rv", "Sc", "So", "Sq", "St", "Sx", "Sy", "Ta", "Tn", "Ux",
		"Va", "Vt", "Xc", "Xo", "Xr":
		return true
	}
	return false
}

// mdocLine reads a line that begins with an mdoc macro, and reports whether it
// does.
func (m *manual) mdocLine(req string, at, args, end int) bool {
	if !mdocMacro(req) {
		return false
	}
	switch req {
	case "Bl":
		m.flush()
		m.lists++
	case "El":
		m.flush()
		m.lists = max(0, m.lists-1)
	case "It":
		m.flush()
		m.mdoc(args, end)
		m.space(end)
	case "D1", "Dl":
		m.flush()
		m.mdoc(args, end)
		m.close(doc.Code, 0)
	case "Rs", "Re":
		m.flush()
	case "Nd":
		if m.open() {
			m.made++
			m.space(at)
			m.put("-", at, args)
			m.space(args - 1)
		}
		m.mdoc(args, end)
		m.lineEnd(end)
	case "Ex", "Rv", "Lb", "St", "At", "Bx":
		m.mdoc(args, end)
		m.lineEnd(end)
	default:
		if req == "Nm" && m.synopsis {
			m.flush()
		}
		m.mdoc(at+1, end)
		m.lineEnd(end)
	}
	return true
}

// mdoc adds the words source[from:to], in which macros may stand.
func (m *manual) mdoc(from, to int) {
	src := m.src
	list := m.args(from, to)
	tight := false // no space before the next word
	flag := false
	var closers []string
	word := func(a arg) {
		s := src[a.from:a.to]
		closing := !a.quoted && len(s) == 1 && strings.IndexByte(".,:;)]?!", s[0]) >= 0
		if a.from > 0 && !closing && !tight {
			m.space(a.from - 1)
		} else if closing || tight {
			m.gap = false
		}
		tight = !a.quoted && (s == "(" || s == "[")
		if flag && !closing && s != "|" {
			m.add("-", a.from, a.from)
			m.gap = false
		}
		m.roff(a.from, a.to)
	}
	for i := 0; i < len(list); i++ {
		a := list[i]
		s := src[a.from:a.to]
		if len(closers) > 0 && m.closingRest(list[i:]) {
			// Punctuation at a line's end stands outside what is enclosed.
			m.closeAll(closers, a.from)
			closers = nil
		}
		if a.quoted || !mdocMacro(s) {
			word(a)
			continue
		}
		flag = false
		last := i+1 == len(list) || !list[i+1].quoted && mdocMacro(src[list[i+1].from:list[i+1].to])
		open, shut := enclosure(s)
		switch {
		case open != "" && shut != "" && s[len(s)-1] == 'q', s == "Op", s == "Ql":
			m.openWith(open, a, tight)
			tight = true
			closers = append(closers, shut)
		case open != "":
			m.openWith(open, a, tight)
			tight = true
		case shut != "":
			m.gap = false
			m.add(shut, a.from, a.to)
			tight = false
		case s == "Fl":
			if last {
				m.openWith("-", a, tight)
				tight = i+1 < len(list) && src[list[i+1].from:list[i+1].to] == "Ns"
			}
			flag = true
		case s == "Nm" && last && m.name != "":
			m.openWith(m.name, a, tight)
			tight = false
		case s == "Ns", s == "Ap":
			tight = true
			m.gap = false
			if s == "Ap" {
				m.add("'", a.from, a.to)
			}
		case s == "Pf" && i+1 < len(list):
			i++
			word(list[i])
			tight = true
		case s == "Xr" && i+1 < len(list):
			i++
			word(list[i])
			if i+1 < len(list) && len(src[list[i+1].from:list[i+1].to]) < 5 && digit(src[list[i+1].from]) {
				i++
				m.gap = false
				m.add("(", list[i].from, list[i].from)
				m.roff(list[i].from, list[i].to)
				m.add(")", list[i].to, list[i].to)
			}
		case s == "Fn" && i+1 < len(list):
			i++
			word(list[i])
			m.add("(", list[i].to, list[i].to)
			tight = true
			for i+1 < len(list) && (list[i+1].quoted || !mdocMacro(src[list[i+1].from:list[i+1].to]) && !closingArg(src[list[i+1].from:list[i+1].to])) {
				i++
				word(list[i])
				if i+1 < len(list) && list[i+1].quoted {
					m.add(",", list[i].to, list[i].to)
				}
			}
			m.gap = false
			m.add(")", list[i].to, list[i].to)
			tight = false
		case s == "Ar" && last:
			m.openWith("file ...", a, tight)
			tight = false
		case s == "Ux" || s == "Fx" || s == "Nx" || s == "Ox" || s == "Bx" || s == "Dx":
			m.openWith(systemName(s), a, tight)
			tight = false
		}
		if m.name == "" && s == "Nm" && i+1 < len(list) {
			m.name = plainArg(src[list[i+1].from:list[i+1].to])
		}
	}
	m.closeAll(closers, to)
}

// closeAll adds what closes the enclosures, the innermost first.
func (m *manual) closeAll(closers []string, at int) {
	for i := len(closers) - 1; i >= 0; i-- {
		m.gap = false
		m.add(closers[i], at, at)
	}
}

// closingRest reports whether only closing punctuation is left.
func (m *manual) closingRest(list []arg) bool {
	for _, a := range list {
		if a.quoted || !closingArg(m.src[a.from:a.to]) {
			return false
		}
	}
	return true
}

func closingArg(s string) bool { return len(s) == 1 && strings.IndexByte(".,:;)]?!", s[0]) >= 0 }

func systemName(s string) string {
	switch s {
	case "Fx":
		return "FreeBSD"
	case "Nx":
		return "NetBSD"
	case "Ox":
		return "OpenBSD"
	case "Bx":
		return "BSD"
	case "Dx":
		return "DragonFly"
	}
	return "UNIX"
}

// openWith adds s for the macro a, with a space before it unless tight.
func (m *manual) openWith(s string, a arg, tight bool) {
	if !tight && a.from > 0 {
		m.space(a.from - 1)
	} else {
		m.gap = false
	}
	m.add(s, a.from, a.to)
}

// add adds what a macro means, as long as such text is less than the source's
// own: a page of macros without words must not grow without bound.
func (m *manual) add(s string, at, end int) {
	if m.made += len(s); m.made > len(m.src)/2+256 {
		return
	}
	if at == end {
		at = max(at-1, 0)
		if len(m.buf) > 0 {
			if e := m.expect(); at < e-1 {
				at = e - 1
			}
		}
	}
	if at >= len(m.src) {
		return
	}
	m.each(s, at, max(end, at+1))
}

// enclosure returns what a macro puts around words.
func enclosure(s string) (open, shut string) {
	switch s {
	case "Op":
		return "[", "]"
	case "Oo":
		return "[", ""
	case "Oc":
		return "", "]"
	case "Dq":
		return "“", "”"
	case "Do":
		return "“", ""
	case "Dc":
		return "", "”"
	case "Sq", "Ql":
		return "‘", "’"
	case "So":
		return "‘", ""
	case "Sc":
		return "", "’"
	case "Qq":
		return "\"", "\""
	case "Qo":
		return "\"", ""
	case "Qc":
		return "", "\""
	case "Pq":
		return "(", ")"
	case "Po":
		return "(", ""
	case "Pc":
		return "", ")"
	case "Bq":
		return "[", "]"
	case "Bo":
		return "[", ""
	case "Bc":
		return "", "]"
	case "Aq":
		return "<", ">"
	case "Ao":
		return "<", ""
	case "Ac":
		return "", ">"
	case "Brq":
		return "{", "}"
	case "Bro":
		return "{", ""
	case "Brc":
		return "", "}"
	}
	return "", ""
}
