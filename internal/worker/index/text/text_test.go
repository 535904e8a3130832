package text

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

func load(name, raw string) (inner, source string, r doc.Reason) {
	var l Loader
	t, r := l.Load(strings.NewReader(raw), name, int64(len(raw)))
	return t.Name, t.Source, r
}

func packed(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, s); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// wide encodes s in UTF-16.
func wide(s string, big, mark bool) string {
	var b []byte
	units := utf16.Encode([]rune(s))
	if mark {
		units = append([]uint16{0xfeff}, units...)
	}
	for _, u := range units {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

func TestLoad(t *testing.T) {
	const s = "Käse und Brot, für 3 €, sagte Zoë.\n"
	western := "K\xe4se und Brot, f\xfcr 3 \x80, sagte Zo\xeb.\n"
	for name, c := range map[string]struct {
		raw    string
		want   string
		reason doc.Reason
	}{
		"utf-8":            {s, s, doc.Read},
		"utf-8 with mark":  {"\xef\xbb\xbf" + s, s, doc.Read},
		"utf-16le":         {wide(s, false, true), s, doc.Read},
		"utf-16be":         {wide(s, true, true), s, doc.Read},
		"utf-16le no mark": {wide(strings.Repeat(s, 3), false, false), strings.Repeat(s, 3), doc.Read},
		"utf-16be no mark": {wide(strings.Repeat(s, 3), true, false), strings.Repeat(s, 3), doc.Read},
		"utf-16 pairs":     {wide("a 😀 b", false, true), "a 😀 b", doc.Read},
		"utf-16 half pair": {wide(strings.Repeat("text ", 30), false, true) + "\x00\xd8a\x00", strings.Repeat("text ", 30) + "\uFFFDa", doc.Read},
		"utf-16 Chinese":   {wide("汉字不难写。", false, true), "汉字不难写。", doc.Read},
		"windows-1252":     {western, s, doc.Read},
		"one bad byte":     {strings.Repeat(s, 20) + "\xff" + s, strings.Repeat(s, 20) + "\uFFFD" + s, doc.Read},
		"koi8-r":           {strings.Repeat("\xf0\xd2\xc9\xd7\xc5\xd4 ", 20), "", doc.Encoding},
		"nul":              {"a\x00b", "", doc.Binary},
		"png":              {"\x89PNG\r\n\x1a\n" + strings.Repeat("x", 100), "", doc.Binary},
		"pdf":              {"%PDF-1.7\n1 0 obj", "", doc.Binary},
		"control bytes":    {strings.Repeat("\x01\x02\x03abc", 30), "", doc.Binary},
		"utf-32":           {"\xff\xfe\x00\x00a\x00\x00\x00", "", doc.Binary},
		"empty":            {"", "", doc.Empty},
		"white space":      {" \n\t\r\n", "", doc.Empty},
		"mark only":        {"\xef\xbb\xbf", "", doc.Empty},
		"private key":      {"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n", "", doc.Secret},
		"wide private key": {wide("-----BEGIN RSA PRIVATE KEY-----\n", false, true), "", doc.Secret},
		"about a key":      {"A file with -----BEGIN PRIVATE KEY----- in it.", "A file with -----BEGIN PRIVATE KEY----- in it.", doc.Read},
		"ansi":             {"\x1b[31mred\x1b[0m text", "\x1b[31mred\x1b[0m text", doc.Read},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got, r := load("f", c.raw); got != c.want || r != c.reason {
				t.Errorf("got %q, %q; want %q, %q", got, r, c.want, c.reason)
			}
			if c.raw == "" {
				return
			}
			if inner, got, r := load("f.gz", packed(t, c.raw)); got != c.want || r != c.reason || c.reason == doc.Read && inner != "f" {
				t.Errorf("packed: %q, %q, %q", inner, got, r)
			}
		})
	}
}

func TestGzip(t *testing.T) {
	text := strings.Repeat("Some text that packs well. ", 1000)
	whole := packed(t, text)
	bomb := packed(t, strings.Repeat("\n\n\n\na", 2<<20))
	huge := func() string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		line := []byte(strings.Repeat("abcdefghij", 1000) + "\n")
		for n := 0; n <= limits.TextFile; n += len(line) {
			line[n%1000] ^= 1
			z.Write(line)
		}
		z.Close()
		return b.String()
	}()
	flipped := []byte(whole)
	flipped[len(flipped)-6] ^= 1
	for name, c := range map[string]struct {
		raw    string
		reason doc.Reason
	}{
		"whole": {whole, doc.Read}, "two members": {whole + whole, doc.Read},
		"cut off": {whole[:len(whole)/2], doc.Damaged}, "cut in the head": {whole[:5], doc.Damaged},
		"wrong sum": {string(flipped), doc.Damaged}, "junk behind": {whole + "junk", doc.Damaged},
		"bomb": {bomb, doc.Archive}, "too large": {huge, doc.Archive},
		"packed twice": {packed(t, whole), doc.Binary}, "of nothing": {packed(t, ""), doc.Empty},
	} {
		t.Run(name, func(t *testing.T) {
			if _, _, r := load("f.gz", c.raw); r != c.reason {
				t.Errorf("%q, want %q", r, c.reason)
			}
		})
	}
}

// TestABombStaysSmall measures what refusing one costs.
func TestABombStaysSmall(t *testing.T) {
	bomb := packed(t, strings.Repeat("a", 60<<20))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, r := load("f.gz", bomb); r != doc.Archive {
		t.Fatalf("%q", r)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

func TestSizes(t *testing.T) {
	var l Loader
	// By what the file system says, nothing is read.
	if _, r := l.Load(iotest.ErrReader(errors.New("read")), "f", limits.TextFile+1); r != doc.TooLarge {
		t.Errorf("by size: %q", r)
	}
	// A file that grows while it is read ends at the limit.
	if _, r := l.Load(endless{}, "f", 10); r != doc.TooLarge {
		t.Errorf("endless: %q", r)
	}
	if _, r := l.Load(iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("abc"))), "f", 3); r != doc.IOError {
		t.Errorf("failing: %q", r)
	}
	if got, r := l.Load(iotest.HalfReader(strings.NewReader(strings.Repeat("ab ", 9000))), "f", 1); r != doc.Read || len(got.Source) != 27000 {
		t.Errorf("short reads: %d bytes, %q", len(got.Source), r)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{"", "abc", "\xff\xfea\x00", "\xfe\xff\x00a", "K\xe4se", "\x1f\x8b\x08", packed(f, "text"), packed(f, wide("text", false, true)), "a\x00b\x00c\x00d\x00", "\xef\xbb\xbf\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		_, s, r := load("f", raw)
		if (r == doc.Read) != (s != "") {
			t.Errorf("%q with %d bytes", r, len(s))
		}
		if !utf8.ValidString(s) {
			t.Error("not UTF-8")
		}
		if len(s) > 200*len(raw)+limits.TextUnpackFree+4096 {
			t.Errorf("%d bytes out of %d", len(s), len(raw))
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	s := strings.Repeat("A line of plain text, as there are many.\n", 5000)
	b.SetBytes(int64(len(s)))
	var l Loader
	for b.Loop() {
		if _, r := l.Load(strings.NewReader(s), "f", int64(len(s))); r != doc.Read {
			b.Fatal(r)
		}
	}
}

func BenchmarkUnpack(b *testing.B) {
	s := strings.Repeat("A line of plain text, as there are many.\n", 5000)
	z := packed(b, s)
	b.SetBytes(int64(len(s)))
	var l Loader
	for b.Loop() {
		if _, r := l.Load(strings.NewReader(z), "f", int64(len(z))); r != doc.Read && r != doc.Archive {
			b.Fatal(r)
		}
	}
}
