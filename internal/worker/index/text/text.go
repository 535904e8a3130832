// Package text turns a file's bytes into UTF-8: it tells text from binary,
// unpacks gzip, decodes UTF-16 and the Western single-byte encodings, and has
// package office read office files and books.
//
// It refuses what is not text, what is larger than [limits.TextFile] before or
// after unpacking, and archives that unpack like bombs; each refusal is a
// [doc.Reason]. Memory is bounded by the limit, not by what a file claims. The
// index worker calls it; it opens nothing itself.
package text

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/office"
)

// Loader loads files one after the other; its buffers are used again, since a
// folder has thousands of small packed files. The zero Loader is ready. It is
// not safe for concurrent use.
type Loader struct {
	// Beat is called now and then while a file takes long; its error ends that.
	// May be nil.
	Beat func() error

	head  []byte
	chunk []byte
	gz    unpacker
}

// Load reads a file from r and returns it as UTF-8 text. Name is the file's own
// name. Size is what the
// file system says, a hint only: reading stops at the limit whatever it is.
// Of a binary file only the first 8 KB are read. A failed read gives
// [doc.IOError].
func (l *Loader) Load(r io.Reader, name string, size int64) (doc.Text, doc.Reason) {
	if size <= limits.TextFile && office.Ours(name) {
		return l.document(r, name, size)
	}
	inner, source, reason := l.load(r, name, size)
	if reason != doc.Read {
		return doc.Text{}, reason
	}
	return doc.Text{Name: inner, Source: source}, doc.Read
}

func (l *Loader) load(r io.Reader, name string, size int64) (inner, source string, reason doc.Reason) {
	if size > limits.TextFile {
		return name, "", doc.TooLarge
	}
	if l.head == nil {
		l.head = make([]byte, limits.TextSniff)
	}
	if l.chunk == nil {
		l.chunk = make([]byte, limits.TextRead)
	}
	n, err := io.ReadFull(r, l.head)
	head := l.head[:n]
	switch err {
	case nil, io.ErrUnexpectedEOF, io.EOF:
	default:
		return name, "", doc.IOError
	}
	if n == 0 {
		return name, "", doc.Empty
	}
	if isGzip(head) {
		rest := r
		if n < limits.TextSniff {
			rest = bytes.NewReader(nil)
		}
		raw, reason := l.gz.unpack(l.chunk, io.MultiReader(bytes.NewReader(head), io.LimitReader(rest, limits.TextFile-int64(n))))
		if reason != doc.Read {
			return name, "", reason
		}
		source, reason = Decode(raw)
		return innerName(name), source, reason
	}
	if reason := sniff(head); reason != doc.Read {
		return name, "", reason
	}
	var b strings.Builder
	b.Grow(int(max(size, int64(n))))
	b.Write(head)
	if n == limits.TextSniff {
		switch reason := copyBounded(&b, r, l.chunk); reason {
		case doc.Read:
		default:
			return name, "", reason
		}
	}
	source, reason = Decode(b.String())
	return name, source, reason
}

// document reads an office file or a book, which is kept packed as a whole. What
// has such a name and is none is read as any other file.
func (l *Loader) document(r io.Reader, name string, size int64) (doc.Text, doc.Reason) {
	raw, reason := l.whole(r, size)
	switch {
	case reason != doc.Read:
		return doc.Text{}, reason
	case office.Compound(raw):
		return doc.Text{}, doc.Locked // so do newer programs pack a file with a password
	case office.Archive(raw):
		beat := l.Beat
		if beat == nil {
			beat = func() error { return nil }
		}
		return office.Read(name, raw, beat)
	}
	source, reason := Decode(raw)
	if reason != doc.Read {
		return doc.Text{}, reason
	}
	return doc.Text{Name: name, Source: source}, doc.Read
}

// whole reads all of r.
func (l *Loader) whole(r io.Reader, size int64) (string, doc.Reason) {
	if l.chunk == nil {
		l.chunk = make([]byte, limits.TextRead)
	}
	var b strings.Builder
	b.Grow(int(size))
	reason := copyBounded(&b, r, l.chunk)
	return b.String(), reason
}

// copyBounded reads r to its end into b, up to the limit in all.
func copyBounded(b *strings.Builder, r io.Reader, buf []byte) doc.Reason {
	for {
		n, err := r.Read(buf)
		if b.Len()+n > limits.TextFile {
			return doc.TooLarge
		}
		b.Write(buf[:n])
		if err == io.EOF {
			return doc.Read
		}
		if err != nil {
			return doc.IOError
		}
	}
}

func innerName(name string) string {
	if n := len(name) - 3; n > 0 && strings.EqualFold(name[n:], ".gz") {
		return name[:n]
	}
	return name
}

// Decode returns raw as UTF-8 without byte order mark, whatever its encoding.
// Valid UTF-8 is returned as it is, without a copy.
func Decode(raw string) (string, doc.Reason) {
	if raw == "" {
		return "", doc.Empty
	}
	if s, ok := strings.CutPrefix(raw, "\xef\xbb\xbf"); ok {
		raw = s
	}
	head := raw[:min(len(raw), limits.TextSniff)]
	if order := utf16Order(head); order != 0 {
		return decode16(raw, order)
	}
	if isBinary(head) {
		return "", doc.Binary
	}
	source := raw
	if !utf8.ValidString(raw) {
		if strings.IndexByte(raw, 0) >= 0 {
			return "", doc.Binary
		}
		if bad := invalid(raw); bad*200 < len(raw) && bad < 1000 && mostlyUTF8(raw) {
			source = strings.ToValidUTF8(raw, "\uFFFD")
		} else if !western(raw) {
			return "", doc.Encoding
		} else {
			s, err := charmap.Windows1252.NewDecoder().String(raw)
			if err != nil {
				return "", doc.Encoding
			}
			source = s
		}
	}
	if len(source) > limits.TextFile {
		return "", doc.TooLarge
	}
	if strings.TrimSpace(source) == "" {
		return "", doc.Empty
	}
	if privateKey(head) {
		return "", doc.Secret
	}
	return source, doc.Read
}

// privateKey reports whether a file is a private key, whatever its name: PEM
// (RFC 7468), OpenSSH and PGP begin alike.
func privateKey(head string) bool {
	line, _, _ := strings.Cut(strings.TrimLeft(head, " \t\r\n"), "\n")
	return strings.HasPrefix(line, "-----BEGIN ") && strings.Contains(line, "PRIVATE KEY")
}

func sniff(head []byte) doc.Reason {
	s := string(head)
	if office.Compound(s) {
		return doc.OldFormat
	}
	if utf16Order(strings.TrimPrefix(s, "\xef\xbb\xbf")) != 0 {
		return doc.Read
	}
	if isBinary(s) {
		return doc.Binary
	}
	return doc.Read
}

// isBinary judges the first bytes of a file as git and grep do, and knows a
// few formats whose head has no NUL.
func isBinary(head string) bool {
	if strings.IndexByte(head, 0) >= 0 {
		return true
	}
	for _, magic := range []string{"%PDF-", "PK\x03\x04", "\x89PNG", "GIF8", "\x1f\x8b", "BZh9", "\xfd7zXZ", "\x28\xb5\x2f\xfd", "Rar!", "7z\xbc\xaf", "{\\rtf"} {
		if strings.HasPrefix(head, magic) {
			return true
		}
	}
	control := 0
	for i := 0; i < len(head); i++ {
		if c := head[i]; c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != '\b' && c != 0x1b {
			control++
		}
	}
	return control > 8 && control*20 > len(head)
}

// invalid counts the bytes of s that are not UTF-8.
func invalid(s string) int {
	bad := 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		}
		i += n
	}
	return bad
}

// mostlyUTF8 reports whether s has more well-formed than malformed sequences
// above ASCII: a UTF-8 file with a few damaged bytes.
func mostlyUTF8(s string) bool {
	good := 0
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError || n > 1 {
			good++
		}
		i += n
	}
	return good > invalid(s)
}

// western reports whether the bytes above ASCII look like letters of a Western
// text: most of those of Windows-1252 are letters that stand beside letters.
func western(s string) bool {
	high, letters, odd := 0, 0, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c < 0x80:
			if c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b {
				odd++
			}
			continue
		case c == 0x81 || c == 0x8d || c == 0x8f || c == 0x90 || c == 0x9d:
			odd++
		case c >= 0xc0 && c != 0xd7 && c != 0xf7:
			letters++
		}
		high++
	}
	// Above 30 % of high bytes a text is in another script (Cyrillic, Greek,
	// Chinese), which this would turn into nonsense that can be quoted.
	return odd*500 <= len(s) && high*10 <= len(s)*3 && letters*2 >= high-2
}
