package apps

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// member is an entry of an archive in a test.
type member struct {
	tar.Header
	text string
}

func plain(name, text string) member {
	return member{tar.Header{Name: name, Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}, text}
}

func archive(t testing.TB, members ...member) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, m := range members {
		m.Size = int64(len(m.text))
		if err := w.WriteHeader(&m.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func studio(t testing.TB) App {
	t.Helper()
	a, ok := Find(Studio)
	if !ok {
		t.Fatal("no studio")
	}
	return a
}

func read(t testing.TB, b []byte) (*Bundle, error) {
	t.Helper()
	return Read(studio(t), bytes.NewReader(b), digestOf(b))
}

// TestTable: what the table promises to those who rely on it.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, a := range All() {
		if seen[a.ID] || a.ID == "" || a.Name == "" || a.Surface == 0 || a.Width == 0 || a.Height == 0 {
			t.Errorf("%+v", a)
		}
		seen[a.ID] = true
		if a.Surface == policyv1.Surface_SURFACE_PANEL && len(a.Ceiling) > 0 {
			t.Errorf("%s may ask for grants, and is what withdraws them", a.ID)
		}
		if Untrusted(a.SurfaceName()) != (a.Surface == policyv1.Surface_SURFACE_APP) {
			t.Errorf("%s: %s", a.ID, a.SurfaceName())
		}
	}
	s := studio(t)
	for k, want := range map[policyv1.Kind]bool{
		policyv1.Kind_KIND_NONE: true, policyv1.Kind_KIND_FILE_READ: true, policyv1.Kind_KIND_MODEL_RUN: true,
		policyv1.Kind_KIND_UNSPECIFIED: false, policyv1.Kind_KIND_FILE_WRITE: false, policyv1.Kind_KIND_EXEC_RUN: false, policyv1.Kind_KIND_SCREEN_CAPTURE: false,
	} {
		if s.Allows(k) != want {
			t.Errorf("%v: %v", k, !want)
		}
	}
	if _, ok := Find("Studio"); ok {
		t.Error("an id is found by another spelling")
	}
}

func TestServesExactly(t *testing.T) {
	b, err := read(t, archive(t, plain("index.html", "<p>"), plain("assets/app-3f.js", "js"), plain("a.css", "")))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/": "<p>", "/index.html": "<p>", "/assets/app-3f.js": "js", "/a.css": "", "/a.css?v=1": "", "/?x=/../": "<p>"} {
		f, ok := b.Find(path)
		if !ok {
			t.Errorf("%s is not there", path)
			continue
		}
		if string(f.Body) != want {
			t.Errorf("%s: %q", path, f.Body)
		}
	}
	// R3: one spelling is a file, and no other; there is no fallback to the start
	// page.
	for _, path := range []string{
		"", "index.html", "//index.html", "/./index.html", "/../index.html", "/x/../index.html", "/index.html/", "/index.html.", "/INDEX.HTML", "/Index.html",
		"/%69ndex.html", "/index%2ehtml", "/index.html%00", "/index.html\x00", "/index.html#x", "/assets", "/assets/", "/assets//app-3f.js", "/assets/./app-3f.js",
		"/assets/%2e%2e/index.html", "/assets\\app-3f.js", "/chat/1", "/settings", "/assets/app-3f.js/", "/assets/app-3f.js;x", "bailey://studio/index.html",
		"//studio/index.html", "/@studio/index.html", "/index.html ", " /index.html", "/\tindex.html", "/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/.stream/", "/.",
		"/ındex.html", "/index.htm\u006c\u0301", "/index.html%3f", "/#/index.html",
	} {
		if f, ok := b.Find(path); ok {
			t.Errorf("%q is %s", path, f.Name)
		}
	}
}

// One byte that differs, at any place, and nothing is served.
func TestOneByte(t *testing.T) {
	good := archive(t, plain("index.html", "<p>"))
	digest := digestOf(good)
	if _, err := Read(studio(t), bytes.NewReader(good), digest); err != nil {
		t.Fatal("control:", err)
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if _, err := Read(studio(t), bytes.NewReader(bad), digest); errs.CodeOf(err) != errs.BundleDamaged {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	for name, b := range map[string][]byte{"shorter": good[:len(good)-1], "longer": append(bytes.Clone(good), 0), "empty": nil} {
		if _, err := Read(studio(t), bytes.NewReader(b), digest); errs.CodeOf(err) != errs.BundleDamaged {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, digest := range []string{"", "x", digest[:62], strings.Repeat("0", 66)} {
		if _, err := Read(studio(t), bytes.NewReader(good), digest); errs.CodeOf(err) != errs.AppMissing {
			t.Errorf("%q: %v", digest, err)
		}
	}
}

// What our packer does not make is refused although its digest is right.
func TestRefusesOtherArchives(t *testing.T) {
	index := plain("index.html", "<p>")
	kind := func(flag byte) member {
		m := plain("a.js", "")
		m.Typeflag, m.Linkname = flag, "index.html"
		return m
	}
	gnu := plain("a.js", "x")
	gnu.Format = tar.FormatGNU
	pax := plain("a.js", "x")
	pax.Format, pax.PAXRecords = tar.FormatPAX, map[string]string{"BAILEY.x": "y"}
	many := []member{index}
	for i := range limits.AppFiles {
		many = append(many, plain(fmt.Sprintf("f%d.js", i), ""))
	}
	var refused [][]byte
	for _, ms := range [][]member{
		{plain("a.js", "x")}, {index, index}, {index, kind(tar.TypeSymlink)}, {index, kind(tar.TypeLink)}, {index, kind(tar.TypeDir)}, {index, kind(tar.TypeFifo)},
		{index, gnu}, {index, pax}, many, {index, plain("a.exe", "x")}, {index, plain("a", "x")}, {index, plain("../a.js", "x")}, {index, plain("/a.js", "x")},
		{index, plain("a//b.js", "x")}, {index, plain("./a.js", "x")}, {index, plain("a/../b.js", "x")}, {index, plain(".a.js", "x")}, {index, plain("a./b.js", "x")},
		{index, plain("a b.js", "x")}, {index, plain("a%2e.js", "x")}, {index, plain("a\\b.js", "x")},
		{index, plain(strings.Repeat("d/", 60)+"a.js", "x")},
	} {
		refused = append(refused, archive(t, ms...))
	}
	good := archive(t, index)
	refused = append(refused, nil, good[:blockSize], good[:blockSize+3], []byte("not an archive"), bytes.Repeat([]byte{'a'}, 4096))
	size := bytes.Clone(good)
	copy(size[sizeAt:], "77777777777\x00")
	negative := bytes.Clone(good)
	copy(negative[sizeAt:], "-0000000001\x00")
	other := bytes.Replace(archive(t, index, plain("aa.js", "x")), []byte("aa.js"), []byte("ä.js"), 1)
	refused = append(refused, size, negative, other)
	for i, b := range refused {
		if _, err := read(t, b); errs.CodeOf(err) != errs.BundleDamaged {
			t.Errorf("archive %d: %v", i, err)
		}
	}
	if _, err := read(t, good); err != nil {
		t.Fatal("control:", err)
	}
}

// zeros reads as zeros without end.
type zeros struct{ n int }

func (z *zeros) Read(b []byte) (int, error) { clear(b); z.n += len(b); return len(b), nil }

func TestTooLong(t *testing.T) {
	z := &zeros{}
	if _, err := Read(studio(t), z, digestOf(nil)); errs.CodeOf(err) != errs.BundleDamaged {
		t.Fatal(err)
	}
	if z.n > 2*limits.AppBytes {
		t.Fatalf("%d bytes were read", z.n)
	}
}

// TestHeaders: the policy is the one that was decided, in full, and in no header
// is a line break.
func TestHeaders(t *testing.T) {
	got := Headers("text/html")
	want := "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; " +
		"connect-src 'self'; frame-src 'none'; worker-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
		"require-trusted-types-for 'script'; trusted-types svelte-trusted-html"
	if !slices.Contains(got, want) {
		t.Errorf("%q", got)
	}
	for _, h := range []string{"X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer", "Cache-Control: no-store", "Cross-Origin-Opener-Policy: same-origin", "Cross-Origin-Embedder-Policy: require-corp", "Cross-Origin-Resource-Policy: same-origin"} {
		if !slices.Contains(got, h) {
			t.Errorf("no %s", h)
		}
	}
	for _, h := range got {
		if strings.ContainsAny(h, "\r\n\x00") {
			t.Errorf("%q", h)
		}
		if v, ok := strings.CutPrefix(h, "Permissions-Policy: "); ok {
			for _, f := range strings.Split(v, ", ") {
				if !strings.HasSuffix(f, "=()") {
					t.Errorf("%s is not off", f)
				}
			}
		}
	}
}

// FuzzUnpack: whatever the bytes, reading ends, and what it gives is served by
// clean names only.
func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, plain("index.html", "<p>"), plain("assets/a.js", "x")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, err := unpack(b)
		if err != nil {
			return
		}
		total := 0
		for _, e := range entries {
			total += len(e.data)
			if !Clean(e.name) || e.kind == "" {
				t.Fatalf("%q", e.name)
			}
		}
		if total > len(b) {
			t.Fatal("more came out than went in")
		}
	})
}
