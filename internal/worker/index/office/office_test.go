package office

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	testoffice "github.com/bailey-run/bailey/internal/testkit/office"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// told writes what was read: page, number, role and text of each paragraph.
func told(t *testing.T, d doc.Text) string {
	t.Helper()
	var b strings.Builder
	at := int32(0)
	for _, p := range d.Paragraphs {
		if p.Start < at || p.End <= p.Start || int(p.End) > len(d.Source) {
			t.Fatalf("paragraph %+v behind %d, in %d bytes", p, at, len(d.Source))
		}
		at = p.End
		role := map[doc.Role]string{doc.Heading: "h", doc.ListItem: "-", doc.Table: "t", doc.Code: "c"}[p.Role]
		if p.Role == doc.Heading {
			role = fmt.Sprint("h", p.Level)
		}
		fmt.Fprintf(&b, "%d.%d%s %s\n", p.Page, p.Number, role, d.Source[p.Start:p.End])
	}
	return b.String()
}

func idle() error { return nil }

func run(props, text string) string {
	return `<w:r><w:rPr>` + props + `</w:rPr><w:t>` + text + `</w:t></w:r>`
}

func TestRead(t *testing.T) {
	gone := 0
	defer func() {
		if gone < 13 {
			t.Errorf("control: only %d words that must not be read are in the files", gone)
		}
	}()
	for name, c := range map[string]struct {
		files  []testoffice.File
		format doc.Format
		title  string
		want   string
	}{
		"words": {testoffice.Word(testoffice.P("T", "Lease") + testoffice.P("H1", "Rent") + testoffice.P("", "The rent is  1,450 euros &amp; more.") + `<w:p/>` + testoffice.P("H1b", "Pets") +
			`<w:p><w:pPr><w:numPr><w:numId w:val="3"/></w:numPr></w:pPr><w:r><w:t>No</w:t><w:tab/><w:t>snakes</w:t></w:r></w:p>`),
			"docx", "Lease", "0.1h1 Lease\n0.2h1 Rent\n0.3 The rent is 1,450 euros & more.\n0.4h1 Pets\n0.5- No snakes\n"},
		"changes": {testoffice.Word(`<w:p><w:r><w:t xml:space="preserve">It is </w:t></w:r><w:ins><w:r><w:t>blue</w:t></w:r></w:ins><w:del><w:r><w:delText>red</w:delText></w:r></w:del>` +
			`<w:moveFrom><w:r><w:t>elsewhere</w:t></w:r></w:moveFrom><w:r><w:instrText>PAGE</w:instrText></w:r><w:hyperlink r:id="x"><w:r><w:t xml:space="preserve"> here</w:t></w:r></w:hyperlink>.</w:p>`),
			"docx", "", "0.1 It is blue here\n"},
		"former properties": {testoffice.Word(`<w:p><w:pPr><w:pStyle w:val="H1"/><w:pPrChange><w:pPr><w:pStyle w:val="T"/><w:outlineLvl w:val="4"/><w:numPr><w:numId w:val="3"/></w:numPr></w:pPr></w:pPrChange></w:pPr>` +
			run(`<w:rPrChange><w:rPr><w:vanish/></w:rPr></w:rPrChange>`, "Shown") + run(`<w:vanish/><w:rPrChange><w:rPr><w:vanish w:val="0"/></w:rPr></w:rPrChange>`, "GONE") + run("", " again") + `</w:p>` +
			`<w:p><w:pPr><w:rPr><w:vanish/><w:rPrChange><w:rPr/></w:rPrChange></w:rPr><w:sectPr><w:sectPrChange><w:sectPr/></w:sectPrChange></w:sectPr><w:pPrChange><w:pPr><w:pStyle w:val="Gone"/></w:pPr></w:pPrChange></w:pPr>` + run("", "A text.") + `</w:p>` +
			`<w:tbl><w:tblPr><w:tblPrChange><w:tblPr/></w:tblPrChange></w:tblPr><w:tr><w:tblPrEx><w:tblPrExChange><w:tblPrEx/></w:tblPrExChange></w:tblPrEx><w:trPr><w:trPrChange><w:trPr><w:del/></w:trPr></w:trPrChange></w:trPr><w:tc><w:tcPr><w:tcPrChange><w:tcPr/></w:tcPrChange></w:tcPr>` +
			testoffice.P("", "Oak") + `</w:tc><w:tc>` + testoffice.P("Was", "Kitchen") + `</w:tc></w:tr></w:tbl>` + testoffice.P("Was", "Below.")),
			"docx", "", "0.1h1 Shown again\n0.2 A text.\n0.3t Oak | Kitchen\n0.4 Below.\n"},
		"hidden words": {testoffice.Word(`<w:p><w:pPr><w:rPr><w:vanish/></w:rPr></w:pPr>` + run("", "Seen") + run("<w:vanish/>", "GONE") + run(`<w:vanish w:val="0"/>`, " too") + run(`<w:rStyle w:val="Gone"/>`, "GONE") + `</w:p>` + testoffice.P("Gone", "GONE")),
			"docx", "", "0.1 Seen too\n"},
		"notes": {testoffice.Word(`<w:p><w:r><w:t>Above.</w:t></w:r><w:r><w:footnoteReference w:id="2"/></w:r></w:p>` + testoffice.P("", "Then.")),
			"docx", "", "0.1 Above.\n0.1 A note below.\n0.2 Then.\n"},
		"tables": {testoffice.Word(`<w:tbl><w:tr><w:tc>` + testoffice.P("", "Oak") + testoffice.P("", "table") + `</w:tc><w:tc>` + testoffice.P("", "Kitchen") + `</w:tc></w:tr><w:tr><w:trPr><w:del/></w:trPr><w:tc>` +
			testoffice.P("", "GONE") + `</w:tc></w:tr><w:tr><w:tc>` + testoffice.P("", "A layout.") + testoffice.P("", "Of one cell.") + `</w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>`),
			"docx", "", "0.1t Oak table | Kitchen\n0.2 A layout.\n0.3 Of one cell.\n"},
		"boxes": {testoffice.Word(`<w:p xmlns:mc="mc"><w:r><mc:AlternateContent><mc:Choice><w:txbxContent>` + testoffice.P("", "In a box.") + `</w:txbxContent></mc:Choice><mc:Fallback><w:txbxContent>` +
			testoffice.P("", "TWICE") + `</w:txbxContent></mc:Fallback></mc:AlternateContent><w:t>Around it.</w:t></w:r></w:p>`),
			"docx", "", "0.1 In a box.\n0.2 Around it.\n"},
		"contents": {testoffice.Word(`<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val="Table of Contents"/></w:docPartObj></w:sdtPr><w:sdtContent>` + testoffice.P("", "CONTENTS") + `</w:sdtContent></w:sdt>` + testoffice.P("", "Text.")),
			"docx", "", "0.1 Text.\n"},
		"sheets": {testoffice.Sheets(`<si><t>Item</t></si><si><r><t>Co</t></r><r><t>st</t></r><rPh><t>GONE</t></rPh></si>`,
			[2]string{"Plan", `<cols><col min="5" max="5" hidden="1"/></cols><sheetData><row r="2"><c r="A2" t="s"><v>0</v></c><c r="B2" t="s"><v>1</v></c><c r="C2" t="inlineStr"><is><t>Due</t></is></c><c r="D2" t="inlineStr"><is><t>Part</t></is></c></row>` +
				`<row r="4"><c r="A4" t="inlineStr"><is><t>Lens</t></is></c><c r="B4"><f>SUM(B1)</f><v>0.30000000000000004</v></c><c r="C4" s="1"><v>46112</v></c><c r="D4" s="2"><v>0.375</v></c><c r="E4"><v>666</v></c></row>` +
				`<row r="5" hidden="1"><c r="A5"><v>666</v></c></row><row><c t="b"><v>1</v></c></row></sheetData>`},
			[2]string{"Sheet2", `<sheetData><row><c s="3"><v>1.5</v></c></row></sheetData>`}),
			"xlsx", "", "1.0h1 Plan\n1.2t Item | Cost | Due | Part\n1.4t Item: Lens | Cost: 0.3 | Due: 2026-03-31 | Part: 37.5%\n1.6t Item: TRUE\n2.1t 1899-12-31 12:00:00\n"},
		"slides": {append(testoffice.Slides(testoffice.Shape("body", "First point.")+testoffice.Shape("ctrTitle", "The talk")+testoffice.Shape("sldNum", "1")+testoffice.Shape("", "Free."),
			`<p:graphicFrame><a:tbl><a:tr><a:tc><a:txBody><a:p><a:r><a:t>May</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:t>31</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl></p:graphicFrame>`+
				strings.Replace(testoffice.Shape("", "GONE"), `id="2"`, `id="2" hidden="1"`, 1)), testoffice.Notes(2, "Speak slowly.")...),
			"pptx", "The talk", "1.1h1 The talk\n1.2- First point.\n1.3 Free.\n1.4 Speak slowly.\n2.1t May | 31\n"},
		"open words": {testoffice.Open("text", `<style:style style:name="G" style:family="text"><style:text-properties text:display="none"/></style:style><style:style style:name="S" style:family="text"/><text:list-style style:name="L"><text:list-level-style-number><style:text-properties text:display="none"/></text:list-level-style-number></text:list-style>`,
			`<text:tracked-changes><text:changed-region><text:deletion><text:p>GONE</text:p></text:deletion></text:changed-region></text:tracked-changes><text:h text:outline-level="2">Boat</text:h>`+
				`<text:p>It<text:s text:c="3"/>costs<text:span text:style-name="G">GONE</text:span> <text:span text:style-name="S">62</text:span><text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>Too much.</text:p></text:note-body></text:note>.</text:p>`+
				`<text:list><text:list-item><text:p>Paint it.</text:p></text:list-item></text:list><text:section text:display="none"><text:p>GONE</text:p></text:section>`+
				`<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell><text:p>b</text:p></table:table-cell></table:table-row></table:table>`),
			"odt", "", "0.1h2 Boat\n0.2 It costs 62.\n0.2 Too much.\n0.3- Paint it.\n0.4t a | b\n"},
		"open sheets": {testoffice.Open("spreadsheet", `<style:style style:name="G" style:family="table"><style:table-properties table:display="false"/></style:style>`,
			`<table:table table:name="Stock"><table:table-column table:number-columns-repeated="2"/><table:table-column table:visibility="collapse"/><table:table-row table:number-rows-repeated="3"/><table:table-row><table:table-cell office:value-type="string"><text:p>Part</text:p></table:table-cell>`+
				`<table:table-cell office:value-type="string"><text:p>Count</text:p></table:table-cell></table:table-row><table:table-row table:number-rows-repeated="1000000"><table:table-cell office:value-type="string"><text:p>Lens</text:p></table:table-cell>`+
				`<table:table-cell office:value-type="float"><text:p>3</text:p></table:table-cell><table:table-cell><text:p>GONE</text:p></table:table-cell></table:table-row></table:table><table:table table:name="Shut" table:style-name="G"><table:table-row><table:table-cell><text:p>GONE</text:p></table:table-cell></table:table-row></table:table>`),
			"ods", "", "1.0h1 Stock\n1.4t Part | Count\n1.5t Part: Lens | Count: 3\n"},
		"open slides": {testoffice.Open("presentation", `<style:style style:name="G" style:family="drawing-page"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>`,
			`<draw:page><draw:frame presentation:class="title"><draw:text-box><text:p>The talk</text:p></draw:text-box></draw:frame><draw:frame presentation:class="outline"><draw:text-box><text:list><text:list-item><text:p>A point.</text:p></text:list-item></text:list></draw:text-box></draw:frame>`+
				`<presentation:notes><draw:frame presentation:class="notes"><draw:text-box><text:p>Speak.</text:p></draw:text-box></draw:frame></presentation:notes></draw:page><draw:page draw:style-name="G"><draw:frame><draw:text-box><text:p>GONE</text:p></draw:text-box></draw:frame></draw:page>`),
			"odp", "The talk", "1.1h1 The talk\n1.2- A point.\n1.3 Speak.\n"},
		"book": {testoffice.Book("The Keeper", `<h1>The lamp</h1><p>It burned <i>oil</i>&nbsp;then.</p><script>GONE</script>`, `<ul><li>Nobody slept.</li></ul><pre>a
b</pre>`),
			"epub", "The Keeper", "1.1h1 The lamp\n1.2 It burned oil then.\n2.1- Nobody slept.\n2.2c a\nb\n"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := string(testoffice.Zip(c.files...))
			d, r := Read("x", raw, idle)
			if r != doc.Read || d.Format != c.format || d.Title != c.title {
				t.Fatalf("%q, format %q, title %q", r, d.Format, d.Title)
			}
			if got := told(t, d); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if strings.Contains(d.Source, "GONE") {
				t.Errorf("what nobody sees is in the source: %q", d.Source)
			}
			if again, r := Read("x", raw, idle); r != doc.Read || again.Source != d.Source {
				t.Error("read again, it is another text")
			}
			for _, f := range c.files {
				gone += strings.Count(f.Content, "GONE")
			}
		})
	}
}

// TestBeat: who waits is told that it goes on, and may end it.
func TestBeat(t *testing.T) {
	raw := string(testoffice.Zip(testoffice.Word(strings.Repeat(testoffice.P("", "Text."), 100_000))...))
	beats := 0
	if _, r := Read("x.docx", raw, func() error { beats++; return nil }); r != doc.Read || beats < 5 {
		t.Errorf("%q after %d beats", r, beats)
	}
	beats = 0
	d, r := Read("x.docx", raw, func() error { beats++; return errors.New("enough") })
	if r == doc.Read || d.Source != "" || beats != 1 {
		t.Errorf("%q, %d bytes after %d beats", r, len(d.Source), beats)
	}
}

// A row of a sheet costs what stands in it, wherever that stands: a file of some
// kilobytes unpacks to a million of them.
func TestFarColumnsTakeNoMemory(t *testing.T) {
	const rows = 2000
	row := `<table:table-row><table:table-cell table:number-columns-repeated="16383"/><table:table-cell><text:p>far</text:p></table:table-cell></table:table-row>`
	raw := string(testoffice.Zip(testoffice.Open("spreadsheet", "", `<table:table table:name="Far">`+strings.Repeat(row, rows)+`</table:table>`)...))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d, r := Read("x.ods", raw, idle)
	runtime.ReadMemStats(&after)
	if r != doc.Read || strings.Count(d.Source, "far") != rows {
		t.Fatalf("%q, %d rows", r, strings.Count(d.Source, "far"))
	}
	if n := (after.TotalAlloc - before.TotalAlloc) / rows; n > 64<<10 {
		t.Errorf("%d bytes a row", n)
	}
}
