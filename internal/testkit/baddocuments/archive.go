package baddocuments

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/bailey-run/bailey/internal/testkit/office"
)

// endless is a deflate stream of n MB of spaces in n KB, made without making
// them.
func endless(n int) []byte {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	write := func() {
		if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
			panic("BUG: " + err.Error())
		}
		if err := w.Flush(); err != nil {
			panic("BUG: " + err.Error())
		}
	}
	write()
	first := b.Len()
	write()
	block := bytes.Clone(b.Bytes()[first:])
	for range n - 2 {
		b.Write(block)
	}
	b.Write([]byte{1, 0, 0, 0xff, 0xff}) // the last block, empty
	return b.Bytes()
}

// archives are zip files that cost more than they look.
func archives() []Case {
	const gib = 1 << 10
	return []Case{
		zip("bomb.docx", "3 GiB of spaces in 3 MB, as its headers say", tooLarge, func() []office.File {
			return good(office.File{Name: "word/document.xml", Packed: endless(3 * gib), Size: 3 << 30})
		}),
		zip("bomb-that-lies.docx", "3 GiB of spaces in 3 MB, whose headers say 1 KB", damaged, func() []office.File {
			return good(office.File{Name: "word/document.xml", Packed: endless(3 * gib), Size: 1024})
		}),
		zip("small-bomb.docx", "20 MB of spaces in 20 KB", tooLarge, func() []office.File {
			return good(office.File{Name: "word/document.xml", Packed: endless(20), Size: 20 << 20})
		}),
		zip("bomb-beside.docx", "3 GiB of spaces as a picture, which nobody opens", Read, func() []office.File {
			return good(office.File{Name: "word/media/image1.png", Packed: endless(3 * gib), Size: 3 << 30})
		}),
		zip("bomb-in-styles.docx", "3 GiB of spaces as the styles", tooLarge, func() []office.File {
			return good(office.File{Name: "word/styles.xml", Packed: endless(3 * gib), Size: 3 << 30})
		}),
		zip("many-small-bombs.pptx", "1,000 slides of 4 MB of spaces each", tooLarge, func() []office.File {
			files := office.Slides(make([]string, 1000)...)
			packed := endless(4)
			for i := range files {
				if strings.HasPrefix(files[i].Name, "ppt/slides/slide") {
					files[i].Packed, files[i].Size = packed, 4<<20
				}
			}
			return files
		}),
		zip("shared-data.docx", "300 entries whose data is the same, as in bombs without nesting", damaged, func() []office.File {
			files := good(office.File{Name: "kernel", Packed: endless(64), Size: 64 << 20})
			for i := range 300 {
				files = append(files, office.File{Name: fmt.Sprint("copy", i), Packed: []byte{}, Size: 64 << 20, Offset: ptr(uint32(0))})
			}
			return files
		}),
		zip("entry-in-entry.docx", "an entry that begins within the data of another", damaged, func() []office.File {
			return good(office.File{Name: "quoted", Content: "x", Stored: true, Offset: ptr(uint32(40))})
		}),
		zip("archive-in-archive.docx", "the text is another archive, and so on", damaged, func() []office.File {
			inner := office.Zip(good()...)
			for range 20 {
				inner = office.Zip(good(office.File{Name: "word/document.xml", Content: string(inner), Stored: true})...)
			}
			return good(office.File{Name: "word/document.xml", Content: string(inner), Stored: true})
		}),
		zip("archive-beside.docx", "another archive as an attachment, which nobody opens", Read, func() []office.File {
			return good(office.File{Name: "word/embeddings/x.docx", Content: string(office.Zip(office.File{Name: "word/document.xml", Packed: endless(gib), Size: 1 << 30}))})
		}),
		zip("ten-thousand-files.docx", "10,001 files", tooLarge, func() []office.File {
			files := good()
			for i := range 10_001 - len(files) {
				files = append(files, office.File{Name: fmt.Sprint("f", i), Stored: true})
			}
			return files
		}),
		zip("long-name.docx", "a file whose name has 60,000 bytes", tooLarge, func() []office.File {
			return good(office.File{Name: strings.Repeat("n", 60_000)})
		}),
	}
}

// headers are zip files whose headers lie.
func headers() []Case {
	zip64 := func(v uint64) string {
		return string(binary.LittleEndian.AppendUint64([]byte{1, 0, 8, 0}, v))
	}
	evil := office.File{Name: "word/document.xml", Content: wordHead + office.P("", Gone) + wordTail}
	return []Case{
		zip("one-name-twice.docx", "two texts of one name, of which programs read this or that", damaged, func() []office.File {
			return append(good(), evil)
		}),
		zip("two-names.docx", "a local header with another name", damaged, func() []office.File {
			return good(office.File{Name: "word/document.xml", Local: "word/documents.xm", Content: evil.Content})
		}),
		zip("dot-dot.docx", "files called ../../etc/passwd, /etc/passwd and C:\\x beside the text", Read, func() []office.File {
			return good(office.File{Name: "../../../../etc/passwd", Content: Gone}, office.File{Name: "/etc/passwd", Content: Gone}, office.File{Name: `C:\x`, Content: Gone})
		}),
		zip("dot-dot-text.docx", "relations that point out of the archive", damaged, func() []office.File {
			return append(good(office.Relations("_rels/.rels", [3]string{"r", "officeDocument", "../../../../../../etc/passwd"})), office.File{Name: "../etc/passwd", Content: Gone})
		}),
		zip("link.docx", "the text is a symbolic link to /etc/passwd", damaged, func() []office.File {
			return good(office.File{Name: "word/document.xml", Content: "/etc/passwd", Stored: true, Mode: 0o120777})
		}),
		zip("directory.docx", "the text is a directory", damaged, func() []office.File {
			files := good()
			for i := range files {
				if files[i].Name == "word/document.xml" {
					files[i] = office.File{Name: "word/document.xml/", Stored: true}
				}
			}
			return files
		}),
		zip("wrong-sum.docx", "a wrong checksum", damaged, func() []office.File {
			return good(office.File{Name: "word/document.xml", Content: evil.Content, Sum: 0xdeadbeef})
		}),
		zip("wrong-size.docx", "a size that is one too small", damaged, func() []office.File {
			return good(office.File{Name: "word/document.xml", Content: evil.Content, Size: uint32(len(evil.Content) - 1)})
		}),
		zip("size-beyond.docx", "a size that is far too large", damaged, func() []office.File {
			return good(office.File{Name: "word/document.xml", Content: evil.Content, Size: 1 << 20})
		}),
		zip("no-deflate.docx", "data that is not deflate", damaged, func() []office.File {
			return good(office.File{Name: "word/document.xml", Packed: bytes.Repeat([]byte{0xff}, 300), Size: 300})
		}),
		zip("other-method.docx", "packed by a method that is not used", damaged, func() []office.File {
			return good(office.File{Name: "word/document.xml", Content: evil.Content, Method: 99})
		}),
		zip("password.docx", "packed with a password, as zip has it", password, func() []office.File {
			return good(office.File{Name: "word/document.xml", Content: evil.Content, Flags: 1})
		}),
		zip("strong-password.docx", "packed with strong encryption and a hidden directory", password, func() []office.File {
			return good(office.File{Name: "word/document.xml", Content: evil.Content, Flags: 1<<6 | 1<<13})
		}),
		zip("zip64-size.docx", "a size of 2^63 in a zip64 field", damaged, func() []office.File {
			return good(office.File{Name: "word/document.xml", Content: evil.Content, Size: 1<<32 - 1, Extra: zip64(1 << 63)})
		}),
		zip("zip64-absent.docx", "a size in a zip64 field that is not there", damaged, func() []office.File {
			return good(office.File{Name: "word/document.xml", Content: evil.Content, Size: 1<<32 - 1})
		}),
		zip("zip64-cut.docx", "a zip64 field that is longer than it is", damaged, func() []office.File {
			return good(office.File{Name: "word/document.xml", Content: evil.Content, Size: 1<<32 - 1, Extra: "\x01\x00\xff\x7f1234"})
		}),
		raw("count-lies.docx", "an end that says one file of eight", damaged, func() []byte { return office.ZipEnd(office.End{Count: ptr(uint16(1))}, good()...) }),
		raw("count-beyond.docx", "an end that says 9,999 files", damaged, func() []byte { return office.ZipEnd(office.End{Count: ptr(uint16(9999))}, good()...) }),
		raw("start-beyond.docx", "an end whose directory begins behind the file", damaged, func() []byte {
			return office.ZipEnd(office.End{Start: ptr(uint32(1<<32 - 2))}, good()...)
		}),
		raw("size-wraps.docx", "an end whose directory has 4 GiB", damaged, func() []byte {
			return office.ZipEnd(office.End{Size: ptr(uint32(1<<32 - 2))}, good()...)
		}),
		raw("cut-off.docx", "cut off in the middle", damaged, func() []byte { b := office.Zip(good()...); return b[:len(b)/2] }),
		raw("cut-at-end.docx", "without its last byte", damaged, func() []byte { b := office.Zip(good()...); return b[:len(b)-1] }),
		raw("signature-alone.docx", "the first four bytes of a zip file", damaged, func() []byte { return []byte("PK\x03\x04") }),
		raw("no-files.docx", "an archive of nothing behind a header", damaged, func() []byte {
			return append([]byte("PK\x03\x04"), office.Zip()...)
		}),
	}
}
