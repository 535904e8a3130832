package pdfium

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
	testpdf "github.com/bailey-run/bailey/internal/testkit/pdf"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// lib is compiled once: it takes seconds.
var lib *Library

func TestMain(m *testing.M) {
	ctx := context.Background()
	l, err := Open(ctx, nil)
	if err != nil {
		panic(err)
	}
	lib = l
	code := m.Run()
	_ = l.Close(ctx)
	os.Exit(code)
}

func read(t *testing.T, file []byte) (pages [][]Line, err error) {
	t.Helper()
	i, err := lib.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	d, err := i.Document(t.Context(), bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	for n := range d.Pages() {
		lines, ok, err := d.Page(n)
		if err != nil {
			return pages, err
		}
		if !ok {
			lines = nil
		}
		pages = append(pages, lines)
	}
	return pages, d.Close()
}

// TestText: what a document says comes out, however it is written, with places.
func TestText(t *testing.T) {
	for _, o := range []testpdf.Options{{}, {Packed: true}, {XrefStream: true}, {Packed: true, XrefStream: true}} {
		pages, err := read(t, testpdf.Text(o, []string{"# The kettle", "Fill it with (cold) water, caf\u00e9."}, []string{"Second page."}))
		if err != nil {
			t.Fatal(err)
		}
		if len(pages) != 2 || len(pages[0]) != 2 || len(pages[1]) != 1 {
			t.Fatalf("%+v: %+v", o, pages)
		}
		l := pages[0][1]
		if pages[0][0].Text != "The kettle" || l.Text != "Fill it with (cold) water, caf\u00e9." || pages[1][0].Text != "Second page." {
			t.Errorf("%+v: %+v", o, pages)
		}
		if l.Base != 732 || l.Left < 72 || l.Left > 74 || l.Right < 200 || l.Size != 11 || pages[0][0].Size != 16 {
			t.Errorf("it stands at %+v", l)
		}
	}
}

func TestTitle(t *testing.T) {
	i, err := lib.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	for _, want := range []string{"", "Caf\u00e9 notes"} {
		f := testpdf.Text(testpdf.Options{Title: want}, []string{"x"})
		d, err := i.Document(t.Context(), bytes.NewReader(f), int64(len(f)))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := d.Title(); got != want || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestRefused(t *testing.T) {
	good := testpdf.Text(testpdf.Options{}, []string{"x"})
	for name, f := range map[string][]byte{"text": []byte("no PDF at all"), "cut": good[:len(good)/3], "zeros": make([]byte, 5000)} {
		if _, err := read(t, f); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCode: code that was made once is taken by the next, and only by one that it is
// for: what was changed is compiled anew.
func TestCode(t *testing.T) {
	code := lib.Code()
	if !lib.Fresh() || len(code) < 1<<20 || len(code) > limits.PDFFileSize || lib.Code() != nil {
		t.Fatalf("%d bytes", len(code))
	}
	l, err := Open(t.Context(), code)
	if err != nil || l.Fresh() || l.Code() != nil {
		t.Fatal(err, l)
	}
	defer l.Close(t.Context())
	i, err := l.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i.Close()
	c := &cache{given: code}
	key := [keySize]byte(code)
	if _, ok, _ := c.Get(key); !ok {
		t.Error("the code is not found by its key")
	}
	for name, change := range map[string]func([]byte) []byte{
		"another key":   func(b []byte) []byte { b[0]++; return b },
		"another digit": func(b []byte) []byte { b[len(b)/2]++; return b },
		"cut":           func(b []byte) []byte { return b[:len(b)-1] },
		"nothing":       func(b []byte) []byte { return b[:headerSize] },
	} {
		c := &cache{given: change(bytes.Clone(code))}
		if _, ok, _ := c.Get(key); ok {
			t.Error(name, "was taken")
		}
	}
}

// TestWhatTheCodeIsMadeOf: the core keeps code under what stands in workerspec.
func TestWhatTheCodeIsMadeOf(t *testing.T) {
	sum := sha256.Sum256(module())
	if hex.EncodeToString(sum[:]) != workerspec.PDFModule {
		t.Errorf("the module is %x", sum)
	}
	mod, err := os.ReadFile("../../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(mod), "github.com/tetratelabs/"+workerspec.PDFCompiler+"\n") {
		t.Error("wazero is of another version")
	}
}

// TestNothingOfTheSystem: every import of the module is answered by the tables here,
// and no table answers more. So nothing of wazero's own WASI can be reached.
func TestNothingOfTheSystem(t *testing.T) {
	ours := map[string]bool{}
	for _, f := range wasi() {
		ours["wasi_snapshot_preview1 "+f.name] = false
	}
	for _, f := range env() {
		ours["env "+f.name] = false
	}
	for _, f := range lib.module.ImportedFunctions() {
		m, n, _ := f.Import()
		if _, ok := ours[m+" "+n]; !ok {
			t.Errorf("%s %s is answered by nobody", m, n)
		}
		ours[m+" "+n] = true
	}
	for n, used := range ours {
		if !used {
			t.Errorf("%s is asked by nobody", n)
		}
	}
}

// TestMemoryIsBounded: the module cannot grow past its limit. The control is a
// request below it, which is granted.
func TestMemoryIsBounded(t *testing.T) {
	i, err := lib.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if p, err := i.do("malloc", 64<<20); p == 0 || err != nil {
		t.Fatalf("64 MB: %d, %v", p, err)
	}
	for range 16 {
		if p, err := i.do("malloc", 64<<20); p == 0 || err != nil {
			if m := i.Memory(); m > limits.PDFModulePages<<16 || m < 64<<20 {
				t.Errorf("it has %d bytes", m)
			}
			return
		}
	}
	t.Errorf("it took %d bytes", i.Memory())
}
