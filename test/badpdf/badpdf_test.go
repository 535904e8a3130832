// Package badpdf brings every file of the table of crafted PDFs to the real
// binaries: all lie in one folder, beside documents that are in order, and the folder
// is asked a question. What is crafted may cost its own reader and nothing else: the
// index worker and the core go on, and the others answer.
//
// docs/bad-pdfs.md is written by this test (go test ./test/badpdf -update) and held
// against what was seen.
package badpdf

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	testpdf "github.com/bailey-run/bailey/internal/testkit/pdf"
)

// update is a flag of the test binary.
var update = flag.Bool("update", false, "write docs/bad-pdfs.md; read the difference before you commit it")

const page = "../../docs/bad-pdfs.md"

// place is a home with binaries.
type place struct {
	t                 *testing.T
	bin, home, folder string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	dir, err := os.MkdirTemp("/var/tmp", "bailey-badpdf-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &place{t, dir + "/bin", dir + "/home", dir + "/folder"}
	cmd := exec.Command("go", "build", "-trimpath", "-o", p.bin+"/")
	for _, name := range []string{"bailey", "bailey-core", "bailey-worker"} {
		cmd.Args = append(cmd.Args, "github.com/bailey-run/bailey/cmd/"+name)
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	// The worker of a root core is nobody, and has to get as far as the folder.
	for _, d := range []string{dir, p.folder} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { p.bailey("stop") })
	return p
}

func (p *place) write(name string, b []byte) {
	p.t.Helper()
	name = filepath.Join(p.folder, name)
	if err := errors.Join(os.WriteFile(name, b, 0o644), os.Chmod(name, 0o644)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) bailey(args ...string) []byte {
	p.t.Helper()
	cmd := exec.Command(p.bin+"/bailey", append(args, "--home", p.home)...)
	var out, errb bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errb
	if err := cmd.Run(); err != nil {
		p.t.Fatalf("%v: %v\n%s", args, err, errb.String())
	}
	return out.Bytes()
}

type answer struct {
	Sentences []struct {
		Text      string
		Citations []struct {
			Path            string
			Page, Paragraph int
		}
	}
	Skipped []struct{ Path, Reason, Hint string }
	More    int `json:"skipped_more"`
}

func (p *place) ask(question string) (a answer) {
	p.t.Helper()
	if err := json.Unmarshal(p.bailey("ask", p.folder, question, "--allow-read", p.folder, "--json"), &a); err != nil {
		p.t.Fatal(err)
	}
	return a
}

// record is a line of `audit show --json`.
type record struct {
	Kind   string
	Detail map[string]string
}

func (p *place) records() (out []record) {
	p.t.Helper()
	for _, line := range bytes.Split(p.bailey("audit", "show", "--json"), []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			p.t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// cites reports whether an answer cites a page of a file.
func (a answer) cites(path string, page int) bool {
	for _, s := range a.Sentences {
		for _, c := range s.Citations {
			if c.Path == path && c.Page == page && c.Paragraph > 0 {
				return true
			}
		}
	}
	return false
}

// slow are the cases that take seconds, or need hundreds of megabytes, each.
func slow() []string {
	return []string{"million-kids", "packed-bomb", "packed-twice", "run-lengths", "long-page", "one-place", "forms-by-power", "saves", "marks", "operands", "map-bomb", "array-operand", "filters"}
}

// TestCraftedPDFs is the table.
func TestCraftedPDFs(t *testing.T) {
	p := newPlace(t)
	// By name they come before, between and behind the others.
	good := testpdf.Text(testpdf.Options{Packed: true, Head: "Handbook", Foot: "Page %d"},
		[]string{"# Kettles", "A kettle boils water for tea."}, []string{"The spare key hangs behind the blue door of the boiler room."})
	for _, name := range []string{"0-good.pdf", "m-good.pdf", "z-good.pdf"} {
		p.write(name, good)
	}
	p.write("z-notes.txt", []byte("The garden gate is opened with the green key.\n"))
	var cases []testpdf.Case
	for _, c := range testpdf.Crafted() {
		if testing.Short() && slices.Contains(slow(), c.Name) {
			continue
		}
		cases = append(cases, c)
		p.write(c.Name+".pdf", c.Make())
	}
	if len(cases) < 25 {
		t.Fatalf("%d cases", len(cases))
	}
	a := p.ask("where does the spare key hang?")
	for _, name := range []string{"0-good.pdf", "m-good.pdf", "z-good.pdf"} {
		for _, s := range a.Skipped {
			if s.Path == name {
				t.Errorf("%s is skipped: %s", name, s.Reason)
			}
		}
	}
	// The three are one text, so that one of them is cited.
	if !a.cites("0-good.pdf", 2) && !a.cites("m-good.pdf", 2) && !a.cites("z-good.pdf", 2) {
		t.Errorf("the page is not cited: %+v", a.Sentences)
	}
	if b := p.ask("what opens the garden gate?"); len(b.Sentences) == 0 || !strings.Contains(b.Sentences[0].Text, "green key") {
		t.Errorf("the text beside them does not answer: %+v", b.Sentences)
	}
	if a.More > 0 {
		t.Fatalf("%d more were skipped", a.More)
	}
	ends := map[string]int{}
	for _, r := range p.records() {
		if r.Kind == "worker-crash" || r.Kind == "malformed-peer" {
			ends[r.Detail["kind"]]++
		}
	}
	if ends["pdf"] > 0 || len(ends) > 0 {
		t.Logf("workers that ended: %v", ends)
	}
	delete(ends, "pdf")
	if len(ends) > 0 {
		t.Errorf("more than readers of PDFs ended: %v", ends)
	}
	var b strings.Builder
	for _, c := range cases {
		outcome := "its text is read"
		for _, s := range a.Skipped {
			if s.Path == c.Name+".pdf" {
				outcome = fmt.Sprintf("skipped: [%s](skipped.md#%s)", s.Reason, s.Reason)
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Name, c.What, outcome)
	}
	check(t, b.String(), testing.Short())
}

// head is what the page says above its table.
const head = `# Crafted PDFs, and what became of them

Written by ` + "`go test ./test/badpdf -update`" + `; do not edit. All files lay in one folder, beside PDFs and a text that are in order, and ` + "`bailey ask`" + ` answered
from it with the real binaries. A PDF is read by a worker of its own (kind ` + "`pdf`" + `), in which PDFium runs as WebAssembly with 256 MB of memory and nothing of the
system. What a file cost was its own reader at most: the index worker and the core went on, and the others answered. "Read" means that what text it has was
indexed; no script, action, attachment or address of any file was run, opened or asked.

| file | what is wrong with it | what became of it |
|---|---|---|
`

func check(t *testing.T, rows string, part bool) {
	t.Helper()
	if *update && !part {
		if err := os.WriteFile(page, []byte(head+rows), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(b), head) || !part && string(b) != head+rows {
		t.Error("the page is of another table")
	}
	for _, row := range strings.Split(rows, "\n") {
		if !strings.Contains(string(b), row+"\n") {
			t.Errorf("the page does not say: %s", row)
		}
	}
}
