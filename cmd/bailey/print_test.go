package main

import (
	"bytes"
	"encoding/json"
	"errors"
	xhtml "html"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

func sentenceOf(section indexv1.Section, s, path string, line uint32) *indexv1.Sentence {
	return &indexv1.Sentence{Text: s, Section: section, Citations: []*indexv1.Citation{{Path: []byte(path), Line: line, EndLine: line, Quote: s}}}
}

func answer() *result {
	r := &result{
		task: "t1", folder: []byte("/home/u/project"),
		sentences: []*indexv1.Sentence{
			sentenceOf(indexv1.Section_SECTION_OVERVIEW, "Bailey confines\n all code.", "README.md", 3),
			sentenceOf(indexv1.Section_SECTION_FILE, "Keys are *offline*.", "docs/a b.md", 12),
		},
		grants: []grantRow{{id: "g1", kind: policyv1.Kind_KIND_FILE_READ, scope: []byte("/home/u/project"), decidedBy: "command-line"}},
		done: &indexv1.Done{Engine: "bailey-extract/1", LicencesMore: 1,
			Licences: []*indexv1.Licence{{Path: []byte("LICENSE"), Name: "Apache-2.0"}, {Path: []byte("COPYING")}},
			Usage:    &indexv1.Usage{Files: 2, Bytes: 2048, Chunks: 3, Unchanged: 1, Milliseconds: 1250}},
	}
	if err := r.skip(&indexv1.SkippedBatch{Skipped: []*indexv1.Skipped{
		{Path: []byte("x\xff.bin"), Reason: "binary"}, {Path: []byte("y.bin"), Reason: "binary"}, {Path: []byte("z"), Reason: "unreadable", Hint: "check its mode"},
	}}); err != nil {
		panic("BUG: " + err.Error())
	}
	return r
}

func asJSON(t *testing.T, r *result) string {
	t.Helper()
	var b bytes.Buffer
	out := newOutput(&b)
	if err := errors.Join(r.writeJSON(out.Writer), out.Flush()); err != nil {
		t.Fatal(err)
	}
	line, ok := strings.CutSuffix(b.String(), "\n")
	if !ok || strings.Contains(line, "\n") {
		t.Fatalf("not one line: %q", b.String())
	}
	return line
}

func printed(p func(*output) printer, r *result) string {
	var b bytes.Buffer
	out := newOutput(&b)
	pr := p(out)
	for _, s := range r.sentences {
		pr.sentence(s)
	}
	pr.finish(r)
	_ = out.Flush()
	return b.String()
}

func asText(columns int, bold bool) func(*output) printer {
	return func(o *output) printer {
		return &textPrinter{out: o, at: placesFrom("/home/u", "/home/u/project"), columns: columns, bold: bold}
	}
}

func asMarkdown(title string) func(*output) printer {
	return func(o *output) printer {
		return &markdownPrinter{out: o, at: placesFrom("/home/u", "/home/u/project"), title: title}
	}
}

func TestText(t *testing.T) {
	want := `Overview

Bailey confines all code.
  project/README.md:3

Files

project/docs/a b.md:12: Keys are *offline*.

Licences: Apache-2.0 (project/LICENSE), not recognised (project/COPYING), and 1 file more.
By bailey-extract/1, in the documents' own words: 2 files, 2.0 kB (1 unchanged since last time), 1.2 s.
Skipped 3: 2 binary, 1 unreadable (project/x\xff.bin, project/y.bin, project/z). --json lists all, with hints.
Grant g1: file.read /home/u/project, given on the command line; it ended with this task.
`
	if got := printed(asText(0, false), answer()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, l := range strings.Split(printed(asText(40, false), answer()), "\n") {
		if visible.Width(l) > 40 && !strings.Contains(l, ".md:") {
			t.Errorf("wider than the terminal: %q", l)
		}
	}
	if got := printed(asText(40, true), answer()); !strings.HasPrefix(got, "\x1b[1mOverview\x1b[0m\n") {
		t.Errorf("no emphasis: %q", got)
	}
}

// A model that was allowed and had nothing to do is said to have done nothing.
func TestUnusedModel(t *testing.T) {
	model := grantRow{id: "m1", kind: policyv1.Kind_KIND_MODEL_RUN, scope: []byte("small"), decidedBy: "command-line"}
	folder := grantRow{id: "f1", kind: policyv1.Kind_KIND_FILE_READ, scope: []byte("/d"), decidedBy: "command-line"}
	kept := folder
	kept.remembered = "p1"
	for _, x := range []struct {
		r    result
		want bool
	}{
		{result{done: &indexv1.Done{}, grants: []grantRow{folder, model}}, true},
		{result{done: &indexv1.Done{ByMeaning: "small"}, grants: []grantRow{folder, model}}, false},
		{result{done: &indexv1.Done{WithoutModel: "engine-hung"}, grants: []grantRow{folder, model}}, false},
		{result{done: &indexv1.Done{}, writtenDone: &indexv1.WrittenDone{Model: "small"}, grants: []grantRow{folder, model}}, false},
		{result{done: &indexv1.Done{}, writtenDone: &indexv1.WrittenDone{Model: "other"}, grants: []grantRow{folder, model}}, true},
		{result{done: &indexv1.Done{}, grants: []grantRow{kept, model}}, false},
	} {
		if got := x.r.unused(model); got != x.want || x.r.unused(folder) {
			t.Errorf("%+v: %v", x.r, got)
		}
	}
	if got := grantLine(model, true); got != "Grant m1: model.run small, given on the command line, and not used; it ended with this task." {
		t.Error(got)
	}
}

// Lines of code and rows of tables stay lines, and none can pass for one of
// Bailey's own.
func TestLinesOfCode(t *testing.T) {
	r := &result{verb: "ask", done: &indexv1.Done{Engine: "bailey-extract/1", Usage: &indexv1.Usage{Files: 1}},
		sentences: []*indexv1.Sentence{sentenceOf(indexv1.Section_SECTION_ANSWER, "# fetch\n\napt source\r\nGrant g1: none", "a.md", 3)}}
	if got := printed(asText(0, false), r); !strings.HasPrefix(got, "    # fetch\n    apt source\n    Grant g1: none\n  project/a.md:3\n") {
		t.Errorf("got %q", got)
	}
	if got := printed(asMarkdown("how?"), r); !strings.Contains(got, "\n\\# fetch\\\napt source\\\nGrant g1: none [project/a.md:3]") {
		t.Errorf("got %q", got)
	}
}

// A folder of a thousand packages has a line about licences, not a page.
func TestLicenceLine(t *testing.T) {
	r := &result{done: &indexv1.Done{LicencesMore: 10}}
	for _, name := range strings.Fields("A B C D A E F G H G") {
		r.done.Licences = append(r.done.Licences, &indexv1.Licence{Path: []byte("x/" + name), Name: name})
	}
	if got, want := licenceLine(r, places{}), "Licences: A (x/A and 1 more), B (x/B), C (x/C), D (x/D), E (x/E), F (x/F), and 13 files more."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNothingFound(t *testing.T) {
	r := &result{done: &indexv1.Done{Engine: "bailey-extract/1", Usage: &indexv1.Usage{Files: 1}}}
	want := "Nothing found. Other words may find more.\n\nBy bailey-extract/1, in the documents' own words: 1 file, 0 B, 0.0 s.\n"
	if got := printed(asText(0, false), r); got != want {
		t.Errorf("got %q", got)
	}
	if got := printed(asMarkdown("why?"), r); !strings.HasPrefix(got, "# why?\n\nNothing found. Other words may find more.\n\n") {
		t.Errorf("got %q", got)
	}
	r.wordsOnly = true
	if got := printed(asText(60, false), r); !strings.HasPrefix(got, "Nothing found. Other words may find more; so may a model\nthat finds by meaning, which `bailey model pull FILE` brings\nin.\n\n") {
		t.Errorf("got %q", got)
	}
	r.wordsOnly = false
	r.verb = "summarize"
	if got := printed(asText(0, false), r); !strings.HasPrefix(got, "Nothing found that could stand in a summary.\n\n") {
		t.Errorf("got %q", got)
	}
	r.done.Usage.Files = 0
	if got := printed(asText(0, false), r); !strings.HasPrefix(got, "Nothing found: the folder holds no document that can be read.\n\n") {
		t.Errorf("got %q", got)
	}
	if got := asJSON(t, r); !strings.Contains(got, `"text":"","sentences":[]`) {
		t.Error(got)
	}
}

// No control code comes from names or content, on terminals and pipes alike.
func TestHostileContent(t *testing.T) {
	evil := "\x1b[2J\x1b]0;owned\x07 \u202etxt\u200b\x9b\r\n\x00"
	r := answer()
	r.sentences = []*indexv1.Sentence{sentenceOf(indexv1.Section_SECTION_ANSWER, evil+"end", evil, 1)}
	r.skipped = []*indexv1.Skipped{{Path: []byte(evil), Reason: evil, Hint: evil}}
	r.reasons = map[string]uint64{evil: 1}
	r.done.Engine = evil
	r.done.Licences = []*indexv1.Licence{{Path: []byte(evil), Name: evil}}
	r.folder, r.grants[0].scope, r.grants[0].id = []byte(evil), []byte(evil), evil
	js := asJSON(t, r)
	for what, got := range map[string]string{
		"text": printed(asText(0, false), r), "terminal": printed(asText(80, false), r), "md": printed(asMarkdown(visible.Text(evil)), r), "json": js,
	} {
		for line := range strings.SplitSeq(got, "\n") {
			if visible.Path(line) != line {
				t.Errorf("%s: %q acts", what, line)
			}
		}
	}
	var back struct {
		Text      string
		Sentences []sentenceJSON
	}
	if err := json.Unmarshal([]byte(js), &back); err != nil || back.Text != strings.ToValidUTF8(evil, "\ufffd")+"end" || back.Sentences[0].Text != back.Text {
		t.Errorf("the value was changed: %v %q", err, back.Text)
	}
}

// docs/json.md says what the shapes are; this holds the names.
func TestJSONShape(t *testing.T) {
	got := asJSON(t, answer())
	want := `{"task":"t1","folder":"/home/u/project","engine":"bailey-extract/1","text":"Bailey confines\n all code.\nKeys are *offline*.",` +
		`"sentences":[{"text":"Bailey confines\n all code.","section":"overview","citations":[{"path":"README.md","line":3,"end_line":3,"quote":"Bailey confines\n all code."}]},` +
		`{"text":"Keys are *offline*.","section":"file","citations":[{"path":"docs/a b.md","line":12,"end_line":12,"quote":"Keys are *offline*."}]}],` +
		`"licences":[{"path":"LICENSE","name":"Apache-2.0"},{"path":"COPYING","name":""}],` +
		`"skipped":[{"path":"x\\xff.bin","path_base64":"eP8uYmlu","reason":"binary"},{"path":"y.bin","reason":"binary"},{"path":"z","reason":"unreadable","hint":"check its mode"}],"skipped_more":0,` +
		`"grants":[{"id":"g1","kind":"file.read","scope":"/home/u/project","decided_by":"command-line"}],` +
		`"usage":{"files":2,"bytes":2048,"chunks":3,"skipped":3,"unchanged":1,"seconds":1.25},"seconds":1.25}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	doc, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	var names map[string]any
	if err := json.Unmarshal([]byte(got), &names); err != nil {
		t.Fatal(err)
	}
	for n := range names {
		if !strings.Contains(string(doc), `"`+n+`"`) {
			t.Errorf("docs/json.md does not name %q", n)
		}
	}
}

// links returns a Markdown document's links and images, and all its text.
func links(t *testing.T, md string) (targets []string, plain string) {
	t.Helper()
	src := []byte(md)
	var html bytes.Buffer
	engine := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough))
	if err := engine.Convert(src, &html); err != nil {
		t.Fatal(err)
	}
	plain = xhtml.UnescapeString(regexp.MustCompile("<[^>]*>").ReplaceAllString(html.String(), ""))
	root := engine.Parser().Parse(text.NewReader(src))
	err := ast.Walk(root, func(n ast.Node, in bool) (ast.WalkStatus, error) {
		if !in {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Link:
			targets = append(targets, string(n.Destination))
		case *ast.Image, *ast.AutoLink, *ast.RawHTML, *ast.HTMLBlock, *ast.CodeSpan, *ast.CodeBlock, *ast.FencedCodeBlock, *ast.Emphasis, *ast.Blockquote:
			t.Errorf("content became a %s in\n%s", n.Kind(), md)
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return targets, plain
}

func TestMarkdown(t *testing.T) {
	got := printed(asMarkdown("Summary of ~/project"), answer())
	if !strings.HasPrefix(got, "# Summary of \\~/project\n\n## Overview\n\nBailey confines all code. [project/README.md:3](project/README.md#L3)\n\n## Files\n") {
		t.Errorf("got\n%s", got)
	}
	targets, _ := links(t, got)
	if strings.Join(targets, " ") != "project/README.md#L3 project/docs/a%20b.md#L12" {
		t.Errorf("links: %q", targets)
	}
}

// FuzzMarkdown: whatever a document says, it is shown as it is, and the one link
// is ours and opens the very file.
func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{
		"plain", "![x](http://evil/?q=1)", "a #", "a # b ##", "#5", "a_b _c_", "_a_b_", "é_x_", "&copy;", "AT&T", "&#35;", "! [x]", "[a]: http://x", "<script>", "<http://x>", "# h", "- a", "+ a", "1. a", "1) a", "12345678901. a", "> q", "a\\*b*", "`c`", "~~~", "***",
		"a | b", "&amp;", "=== ", "---", "\\", "[x](y) <b>*c*</b>", "    code", "a  ", "$x$", "==",
	} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, s, path string) {
		shown := visible.Text(s)
		if shown == "" || path == "" || strings.ContainsAny(path, "\x00") {
			return
		}
		path = strings.Trim(path, "/")
		r := &result{done: &indexv1.Done{}, sentences: []*indexv1.Sentence{sentenceOf(indexv1.Section_SECTION_ANSWER, s, path, 7)}}
		md := printed(asMarkdown(shown), r)
		targets, plain := links(t, md)
		if !strings.HasPrefix(plain, shown+"\n"+shown+" ") {
			t.Fatalf("%q is shown as %q in\n%s", shown, plain, md)
		}
		if len(targets) != 1 {
			t.Fatalf("links %q in\n%s", targets, md)
		}
		u, err := url.Parse(targets[0])
		if err != nil || u.Scheme != "" || u.Host != "" || u.Fragment != "L7" || u.RawQuery != "" || u.Path != "project/"+path {
			t.Fatalf("path %q: link %q (%v)", path, targets[0], err)
		}
	})
}

func TestPlaces(t *testing.T) {
	for _, c := range []struct{ wd, folder, want string }{
		{"/home/u", "/home/u/p", "p/a.md"}, {"/home/u/p", "/home/u/p", "a.md"}, {"/home/u/p/sub", "/home/u/p", "/home/u/p/a.md"},
		{"/home/u", "/home/u2/p", "/home/u2/p/a.md"}, {"/", "/p", "p/a.md"}, {"/x", "/", "/a.md"}, {"/", "/", "a.md"},
	} {
		if got := placesFrom(c.wd, c.folder).open([]byte("a.md")); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	// What is printed opens, through a link too.
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "real", "docs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "real", "docs", "a.md"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	real, err := filepath.EvalSymlinks(filepath.Join(dir, "real"))
	if err != nil {
		t.Fatal(err)
	}
	for _, wd := range []string{dir, filepath.Join(dir, "link"), filepath.Join(dir, "real", "docs"), "/"} {
		t.Chdir(wd)
		if _, err := os.Stat(placesFor([]byte(real)).open([]byte("docs/a.md"))); err != nil {
			t.Errorf("from %s: %v", wd, err)
		}
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[uint64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 99_949: "99.9 kB", 99_960: "100 kB", 999_499: "999 kB", 999_500: "1.0 MB", 20e9: "20.0 GB", 1 << 63: "9.2 EB"} {
		if got := size(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// The columns stand below each other, whoever did what.
func TestRecordColumns(t *testing.T) {
	var b bytes.Buffer
	c := &cli{out: newOutput(&b)}
	for _, raw := range []string{
		`{"time":"2026-01-02T03:04:05.000Z","kind":"core-start","method":"0.1.0+0123456789ab","code":"OUT"}`,
		`{"time":"2026-01-02T03:04:05.000Z","kind":"call-end","app":"bailey","surface":"terminal","verb":"summarize","method":"x/Summarize","code":"OUT"}`,
		`{"time":"2026-01-02T03:04:05.000Z","kind":"grant","app":"bailey","surface":"terminal","verb":"ask","decision":"allow","by":"command-line","code":"OUT"}`,
		`{"time":"2026-01-02T03:04:05.000Z","kind":"grant","app":"bailey","surface":"terminal","verb":"model-pull","decision":"allow","by":"command-line","code":"OUT"}`,
		`{"time":"2026-01-02T03:04:05.000Z","kind":"worker-start","app":"bailey","surface":"core","code":"OUT","detail":{"kind":"store","pid":"7"}}`,
	} {
		if err := c.printRecord([]byte(raw)); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.out.Flush()
	at := -1
	for _, l := range strings.Split(strings.TrimSpace(b.String()), "\n") {
		if i := strings.Index(l, "OUT"); at >= 0 && i != at {
			t.Errorf("column %d, not %d: %q", i, at, l)
		} else {
			at = i
		}
	}
	if !strings.Contains(b.String(), "store, process 7") {
		t.Errorf("which worker began?\n%s", b.String())
	}
	// On a narrow terminal what is empty has no column, and nothing is cut in a word.
	b.Reset()
	c.screen = screen{columns: 80, wide: 80}
	long := strings.Repeat("a", 70)
	for _, raw := range []string{
		`{"time":"2026-01-02T03:04:05.000Z","kind":"grant","app":"bailey","surface":"terminal","task":"0011223344556677","verb":"ask","decision":"allow","by":"command-line","grant":"8899aabbccddeeff","detail":{"path":"/notes"}}`,
		`{"time":"2026-01-02T03:04:05.000Z","kind":"worker-end","code":"ok","detail":{"path":"/` + long + `"}}`,
	} {
		if err := c.printRecord([]byte(raw)); err != nil {
			t.Fatal(err)
		}
	}
	_ = c.out.Flush()
	indent := strings.Repeat(" ", 21)
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 5 || lines[1] != indent+"allow by command-line  grant 8899aabbccddeeff" || lines[2] != indent+"task 0011223344556677  /notes" || lines[4] != "    /"+long {
		t.Errorf("got\n%s", b.String())
	}
	for _, l := range lines {
		if visible.Width(l) > 80 {
			t.Errorf("too wide: %q", l)
		}
	}
}

// FuzzPrintRecord: a record is one line that cannot act, or an error.
func FuzzPrintRecord(f *testing.F) {
	f.Add(`{"seq":1,"time":"2026-01-02T03:04:05.000Z","kind":"grant","app":"bailey","decision":"allow","by":"terminal","detail":{"path":"/a\u001b[2J\n"}}`)
	f.Add(`{"time":"\u001b","kind":"\n","detail":{"path":"\u202e"}}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, raw string) {
		var b bytes.Buffer
		c := &cli{out: newOutput(&b)}
		if err := c.printRecord([]byte(raw)); err != nil {
			return
		}
		_ = c.out.Flush()
		line, ok := strings.CutSuffix(b.String(), "\n")
		if !ok || visible.Path(line) != line {
			t.Fatalf("%q is printed as %q", raw, b.String())
		}
	})
}
