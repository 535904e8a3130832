package scripts

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/bailey-run/bailey/internal/testkit/office"
)

// document FILE: writes an office file or a book of the kind that its name says.
func writeDocument(ts *testscript.TestScript, neg bool, args []string) {
	need(ts, neg, args, 1, "document FILE")
	hidden := `<w:p><w:r><w:t>Pets are allowed</w:t></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t> and swordfish</w:t></w:r><w:r><w:t>.</w:t></w:r></w:p>`
	files := map[string]func() []office.File{
		".docx": func() []office.File {
			return office.Word(office.P("T", "Lease") + office.P("H1", "Rent") + office.P("", "The rent is 1,450 euros a month.") + hidden)
		},
		".xlsx": func() []office.File {
			return office.Sheets("", [2]string{"Plan", `<sheetData><row r="3"><c t="inlineStr"><is><t>Department</t></is></c><c t="inlineStr"><is><t>Planned</t></is></c></row><row r="5"><c t="inlineStr"><is><t>Travel</t></is></c><c><v>18000</v></c></row></sheetData>`})
		},
		".pptx": func() []office.File {
			return office.Slides(office.Shape("title", "Welcome"), office.Shape("title", "Delay")+office.Shape("body", "The launch slipped because the supplier went bankrupt."))
		},
		".epub": func() []office.File {
			return office.Book("The Keeper", "<p>Once.</p>", "<h1>The lamp</h1><p>The lamp burned whale oil until 1862.</p>")
		},
	}[filepath.Ext(args[0])]
	if files == nil {
		ts.Fatalf("no document is called %s", args[0])
	}
	made := files()
	if filepath.Ext(args[0]) == ".docx" && !strings.Contains(made[2].Content, "swordfish") {
		ts.Fatalf("control: nothing is hidden in %s", args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), office.Zip(made...), 0o644))
}
