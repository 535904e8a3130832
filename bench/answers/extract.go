package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"html"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxFile bounds what one file may unpack to, in bytes; the largest of the
// collections is 0.2 MB.
const maxFile = 8 << 20

// A paragraph is clean text that knows the line of the source that each of its
// bytes came from. The peers index paragraphs; answer keys are regular
// expressions over them.
type paragraph struct {
	file  string
	text  string
	lines []int32 // of every byte of text
}

func (p *paragraph) span(from, to int) (first, last int) {
	return int(p.lines[from]), int(p.lines[to-1])
}

// readSource returns a file's decoded, unpacked text.
func readSource(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		b, err = io.ReadAll(io.LimitReader(z, maxFile+1))
		if err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
		if len(b) > maxFile {
			return "", fmt.Errorf("%s: unpacks to more than %d bytes", path, maxFile)
		}
	}
	if !utf8.Valid(b) {
		// Latin-1: each byte is its own code point.
		r := make([]rune, len(b))
		for i, c := range b {
			r[i] = rune(c)
		}
		return string(r), nil
	}
	return string(b), nil
}

// extraction gathers paragraphs. It is what a careful person would write
// around a peer in an afternoon: tags and macros go, line numbers stay.
type extraction struct {
	file string
	out  []paragraph
	text []byte
	line []int32
}

func (e *extraction) put(s string, line int) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			if len(e.text) == 0 || e.text[len(e.text)-1] == ' ' {
				continue
			}
			c = ' '
		}
		e.text = append(e.text, c)
		e.line = append(e.line, int32(line))
	}
}

func (e *extraction) end() {
	for len(e.text) > 0 && e.text[len(e.text)-1] == ' ' {
		e.text, e.line = e.text[:len(e.text)-1], e.line[:len(e.line)-1]
	}
	if len(e.text) > 0 {
		e.out = append(e.out, paragraph{file: e.file, text: string(e.text), lines: append([]int32(nil), e.line...)})
	}
	e.text, e.line = e.text[:0], e.line[:0]
}

var (
	manName   = regexp.MustCompile(`\.[1-8](\.gz)?$`)
	manBreak  = regexp.MustCompile(`^[.']\s*(Pp|It|Sh|Ss|SH|SS|PP|LP|P|TP|IP|Bd|Ed|Bl|El|sp|D1|Dl|nf|fi|RS|RE)\b`)
	manHead   = regexp.MustCompile(`^[.']\s*(Sh|Ss|SH|SS)\b`)
	manMacro  = regexp.MustCompile(`^[.']\s*[A-Za-z]{1,3}\b`)
	manInline = regexp.MustCompile(`\b(Cm|Fl|Ar|Pa|Dq|Sq|Ql|Xr|Sx|Em|Sy|Li|Ic|Nm|Ev|Dv|Va|Oo|Oc|Ns|Op|Ta)( |$)`)
	manEscape = regexp.MustCompile(`\\f[BIRP]|\\&|\\/`)
	markStart = regexp.MustCompile(`^\s*(#+ |[*+-] |\d+[.)] |> |\||` + "```" + `|---)`)
	markLink  = regexp.MustCompile(`!?\[([^\]]*)\]\([^)]*\)`)
	htmlToken = regexp.MustCompile(`(?is)<!--.*?-->|<script\b.*?</script>|<style\b.*?</style>|<svg\b.*?</svg>|<[a-z/!][^>]*>|[^<]+|<`)
	htmlBlock = regexp.MustCompile(`(?i)^</?(p|li|td|th|tr|h\d|br|hr|div|dt|dd|dl|ul|ol|table|blockquote|pre|body|title|head)\b`)
)

// extract splits a file's source into paragraphs.
func extract(file, source string) []paragraph {
	e := &extraction{file: file}
	switch {
	case manName.MatchString(file):
		e.man(source)
	case strings.HasSuffix(file, ".html"):
		e.html(source)
	case strings.HasSuffix(file, ".md") || strings.HasSuffix(file, ".md.gz"):
		e.markdown(source)
	default:
		for i, t := range strings.Split(source, "\n") {
			if strings.TrimSpace(t) == "" {
				e.end()
				continue
			}
			e.put(t+"\n", i+1)
		}
	}
	e.end()
	return e.out
}

func (e *extraction) man(source string) {
	for i, t := range strings.Split(source, "\n") {
		switch {
		case strings.HasPrefix(t, `.\"`) || strings.HasPrefix(t, `'\"`):
			continue
		case strings.TrimSpace(t) == "" || t == ".":
			e.end()
			continue
		case t[0] == '.' || t[0] == '\'':
			heading := manHead.MatchString(t)
			if manBreak.MatchString(t) {
				e.end()
			}
			t = manMacro.ReplaceAllString(t, "")
			t = manInline.ReplaceAllStringFunc(t, func(m string) string {
				if strings.HasPrefix(m, "Fl") {
					return "-"
				}
				return ""
			})
			e.put(manText(t)+"\n", i+1)
			if heading {
				e.end()
			}
			continue
		}
		e.put(manText(t)+"\n", i+1)
	}
}

func manText(t string) string {
	t = manEscape.ReplaceAllString(t, "")
	return strings.NewReplacer(`\-`, "-", `\(em`, "-", `\(bu`, "", `\e`, `\`, `\(aq`, "'", `\ `, " ").Replace(t)
}

func (e *extraction) markdown(source string) {
	for i, t := range strings.Split(source, "\n") {
		if strings.TrimSpace(t) == "" {
			e.end()
			continue
		}
		start := markStart.FindString(t)
		if start != "" && !strings.HasPrefix(strings.TrimSpace(start), ">") {
			e.end()
		}
		heading := strings.HasPrefix(strings.TrimSpace(start), "#")
		t = markLink.ReplaceAllString(t, "$1")
		t = strings.NewReplacer("`", "", "**", "").Replace(t)
		t = emphasis(t)
		e.put(strings.TrimPrefix(strings.TrimLeft(t, "#"), "> ")+"\n", i+1)
		if heading {
			e.end()
		}
	}
}

// emphasis drops underscores that are not inside a word.
func emphasis(t string) string {
	word := func(i int) bool {
		if i < 0 || i >= len(t) {
			return false
		}
		c := t[i]
		return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= 0x80
	}
	var b strings.Builder
	for i := 0; i < len(t); i++ {
		if t[i] == '_' && word(i-1) != word(i+1) {
			continue
		}
		b.WriteByte(t[i])
	}
	return b.String()
}

func (e *extraction) html(source string) {
	line := 1
	for _, m := range htmlToken.FindAllStringIndex(source, -1) {
		tok := source[m[0]:m[1]]
		switch {
		case tok[0] == '<' && len(tok) > 1:
			if htmlBlock.MatchString(tok) {
				e.end()
			}
		default:
			for _, t := range strings.SplitAfter(tok, "\n") {
				e.put(strings.ReplaceAll(html.UnescapeString(t), "\u00a0", " "), line)
				line += strings.Count(t, "\n")
			}
			continue
		}
		line += strings.Count(tok, "\n")
	}
}

// A source is one file of a collection.
type source struct {
	file  string // relative, with forward slashes
	text  string
	lines []string
	paras []paragraph
	whole paragraph // all paragraphs with a space between them
}

// loadCollection reads every file under dir, in the order of their names.
func loadCollection(dir string) ([]*source, error) {
	var all []*source
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := readSource(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		s := &source{file: filepath.ToSlash(rel), text: text, lines: strings.Split(text, "\n")}
		s.paras = extract(s.file, text)
		s.whole.file = s.file
		var b strings.Builder
		for _, p := range s.paras {
			b.WriteString(p.text)
			b.WriteByte(' ')
			s.whole.lines = append(s.whole.lines, p.lines...)
			s.whole.lines = append(s.whole.lines, p.lines[len(p.lines)-1])
		}
		s.whole.text = b.String()
		all = append(all, s)
		return nil
	})
	return all, err
}
