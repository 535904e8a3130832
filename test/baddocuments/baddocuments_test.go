// Package baddocuments puts every file of the table of bad documents into one
// folder, beside a good one, and has the real binaries answer from it: a
// sandboxed worker reads them all. The answer has to come from the good file,
// each bad one has to be named with its reason, and the same worker has to have
// read them: one that ended would have ended the command.
//
// docs/bad-documents.md is written by this test (go test ./test/baddocuments
// -update) and held against what was seen.
package baddocuments

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/testkit/baddocuments"
)

// update is a flag of the test binary.
var update = flag.Bool("update", false, "write docs/bad-documents.md; read the difference before you commit it")

const page = "../../docs/bad-documents.md"

// said is what `bailey ask --json` says, as far as it is looked at.
type said struct {
	Sentences []struct {
		Text      string
		Citations []struct {
			Path, Quote     string
			Page, Paragraph int
		}
	}
	Skipped []struct{ Path, Reason, Hint string }
	Usage   struct{ Files, Unchanged int }
}

type place struct {
	t    *testing.T
	dir  string
	docs string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "bailey-baddocuments-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &place{t, dir, filepath.Join(dir, "documents")}
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir+"/bin/")
	for _, name := range []string{"bailey", "bailey-core", "bailey-worker"} {
		cmd.Args = append(cmd.Args, "github.com/bailey-run/bailey/cmd/"+name)
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	if err := errors.Join(os.Mkdir(p.docs, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if out, err := p.run("stop"); err != nil {
			t.Errorf("stop: %v\n%s", err, out)
		}
	})
	return p
}

func (p *place) run(args ...string) ([]byte, error) {
	cmd := exec.Command(filepath.Join(p.dir, "bin", "bailey"), append(args, "--home", filepath.Join(p.dir, "home"))...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, stderr.Bytes())
	}
	return out, err
}

func (p *place) ask(question string) said {
	p.t.Helper()
	out, err := p.run("ask", p.docs, question, "--allow-read", p.docs, "--remember", "--json")
	if err != nil {
		p.t.Fatalf("ask: %v\n%s", err, out)
	}
	var s said
	if err := json.Unmarshal(out, &s); err != nil {
		p.t.Fatalf("%v: %s", err, out)
	}
	return s
}

func (p *place) write(name string, b []byte) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.docs, name), b, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func TestBadDocuments(t *testing.T) {
	p := newPlace(t)
	p.write("good.md", []byte("# Harbour\n\nThe harbour opens at nine in the morning.\n"))
	var cases []baddocuments.Case
	left := 0
	names := map[string]bool{}
	for _, c := range baddocuments.All() {
		if names[c.Name] {
			t.Errorf("two files are called %s", c.Name)
		}
		names[c.Name] = true
		if c.Long && testing.Short() {
			left++
			continue
		}
		p.write(c.Name, c.Bytes())
		cases = append(cases, c)
	}
	if len(cases) < 80 {
		t.Fatalf("only %d files", len(cases))
	}
	s := p.ask("When does the harbour open?")
	if len(s.Sentences) == 0 || s.Sentences[0].Text != "The harbour opens at nine in the morning." || s.Sentences[0].Citations[0].Path != "good.md" {
		t.Errorf("the good file does not answer: %+v", s.Sentences)
	}
	got := map[string]string{}
	for _, k := range s.Skipped {
		got[k.Path] = k.Reason
	}
	read := 1
	for _, c := range cases {
		if got[c.Name] != c.Want {
			t.Errorf("%s (%s): %q, want %q", c.Name, c.What, got[c.Name], c.Want)
		}
		if c.Want == baddocuments.Read {
			read++
		}
	}
	if s.Usage.Files != read || len(got) != len(cases)+1-read {
		t.Errorf("%d files were read and %d skipped, want %d and %d", s.Usage.Files, len(got), read, len(cases)+1-read)
	}
	// Of files whose good part is read, nothing that nobody sees is said.
	if s = p.ask("What is " + baddocuments.Gone + "?"); len(s.Sentences) > 0 {
		t.Errorf("what nobody sees is said: %+v", s.Sentences)
	}
	s = p.ask("Which paragraph is " + baddocuments.Word + "?")
	if len(s.Sentences) == 0 {
		t.Error("control: no good part is found")
	}
	for _, x := range s.Sentences {
		for _, c := range x.Citations {
			if strings.Contains(x.Text+c.Quote, baddocuments.Gone) || c.Path != "text.docx" && c.Paragraph == 0 {
				t.Errorf("%+v", x)
			}
		}
	}
	if s.Usage.Unchanged == 0 {
		t.Error("all files were read again: the second answer did not come from what the first left")
	}
	t.Run("page", func(t *testing.T) { checkPage(t, left) })
	t.Run("long", func(t *testing.T) {
		if left > 0 {
			t.Skipf("%d files take seconds; make test-full", left)
		}
	})
}

// TestControls reads some of the files as programs do that hold to no bounds: the
// harm is there.
func TestControls(t *testing.T) {
	file := func(name string) []byte {
		for _, c := range baddocuments.All() {
			if c.Name == name {
				return c.Bytes()
			}
		}
		t.Fatalf("no file %s", name)
		return nil
	}
	open := func(name string) *zip.Reader {
		b := file(name)
		z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
			t.Fatal(err)
		}
		return z
	}
	part := func(name string) []byte {
		r, err := open(name).Open("word/document.xml")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, name := range []string{"bomb.docx", "bomb-that-lies.docx"} {
		unpacked := int64(0)
		for _, f := range open(name).File {
			if r, err := f.OpenRaw(); err == nil && f.Name == "word/document.xml" {
				unpacked, _ = io.Copy(io.Discard, io.LimitReader(flate.NewReader(r), 4*limits.OfficeUnpacked))
			}
		}
		if unpacked <= 2*limits.OfficeUnpacked {
			t.Errorf("%s unpacks to %d bytes", name, unpacked)
		}
	}
	if z := open("shared-data.docx"); len(z.File) < 300 {
		t.Errorf("archive/zip finds %d entries that share their data", len(z.File))
	}
	texts := map[string]bool{}
	for _, f := range open("one-name-twice.docx").File {
		if f.Name == "word/document.xml" {
			r, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(r)
			texts[string(b)] = true
		}
	}
	if len(texts) != 2 {
		t.Errorf("%d texts of one name", len(texts))
	}
	leads := false
	for _, f := range open("dot-dot.docx").File {
		leads = leads || !filepath.IsLocal(f.Name)
	}
	if !leads {
		t.Error("no name leads out")
	}
	// Entities, by a reader that expands what a document type declares.
	x := string(part("billion-laughs.docx"))
	d := xml.NewDecoder(strings.NewReader(x))
	d.Entity = map[string]string{"l0": baddocuments.Gone}
	for i := 1; i < 7; i++ {
		d.Entity[fmt.Sprint("l", i)] = strings.Repeat(d.Entity[fmt.Sprint("l", i-1)], 10)
	}
	for i := 7; i < 10; i++ {
		d.Entity[fmt.Sprint("l", i)] = d.Entity["l6"]
	}
	if n := longest(d); n < len(baddocuments.Gone)*1_000_000 || !strings.Contains(x, strings.Repeat("&l8;", 10)) {
		t.Errorf("the laughs are %d bytes long three rounds before their end", n)
	}
	if n := strings.Count(string(part("deep.docx")), "<w:x>"); n <= 100*limits.OfficeDepth {
		t.Errorf("%d elements in each other", n)
	}
	if !bytes.Contains(part("hidden-words.docx"), []byte(baddocuments.Gone)) {
		t.Error("no word is hidden")
	}
}

// longest is the longest text between two tags.
func longest(d *xml.Decoder) int {
	most := 0
	for {
		k, err := d.Token()
		if err != nil {
			return most
		}
		if s, ok := k.(xml.CharData); ok {
			most = max(most, len(s))
		}
	}
}

// checkPage holds docs/bad-documents.md against the table, which was seen to be
// right but for the files that were left out.
func checkPage(t *testing.T, left int) {
	want := render()
	if *update && !t.Failed() {
		if left > 0 {
			t.Fatal("-update needs all files: not with -short")
		}
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != want {
		t.Errorf("%s is not what the table says (go test ./test/baddocuments -update)", page)
	}
}

func render() string {
	var b strings.Builder
	all := baddocuments.All()
	read := 0
	for _, c := range all {
		if c.Want == baddocuments.Read {
			read++
		}
	}
	fmt.Fprintf(&b, `# Bad documents, and what became of them

Written by `+"`go test ./test/baddocuments -update`"+`; do not edit. All files lay in one folder, beside a good one, and `+"`bailey ask`"+` answered from it with the real binaries: one
sandboxed worker read them all, answered from the good file, and named each that it skipped with one of these [reasons](skipped.md). A file that is read is read in its
good part alone: what is hidden, lies outside or is too much is not said.

Of %d files none ended the worker that read them; %d are skipped, and of %d the good part is read.

| file | what it is | what became of it |
|---|---|---|
`, len(all), len(all)-read, read)
	for _, c := range all {
		what := "its good part is read"
		if c.Want != baddocuments.Read {
			what = "skipped: [" + c.Want + "](skipped.md#" + c.Want + ")"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Name, c.What, what)
	}
	return b.String()
}
