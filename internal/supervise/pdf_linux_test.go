package supervise

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/codecache"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	testpdf "github.com/bailey-run/bailey/internal/testkit/pdf"
	"github.com/bailey-run/bailey/internal/wire/pdfv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// pdfReader is a pdf worker with a socket to it, as an index worker has one.
type pdfReader struct {
	*Worker
	peer   *pdfv1.PdfServiceClient
	handle capability.Handle
	stale  bool
}

func serving(t *testing.T, w *Worker) *pdfReader {
	t.Helper()
	h, err := w.Put(t.Context(), capability.Row{Kind: policyv1.Kind_KIND_FILE_READ}, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	one, two, err := ipc.Socket()
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	conn, err := ipc.FromFile(two)
	if err != nil {
		t.Fatal(err)
	}
	c := ipc.New(conn, ipc.Options{Gone: errs.WorkerCrashed})
	t.Cleanup(func() { c.Close() })
	r, err := pdfv1.NewPdfServiceClient(w.Conn).Serve(ipc.WithFiles(t.Context(), one), &pdfv1.ServeRequest{Handle: h[:]})
	if err != nil {
		t.Fatal(err)
	}
	return &pdfReader{w, pdfv1.NewPdfServiceClient(c), h, r.GetStale()}
}

func (r *pdfReader) text(t *testing.T, f *os.File) (text string, last *pdfv1.TextResponse, err error) {
	t.Helper()
	in, err := r.peer.Text(ipc.WithFiles(t.Context(), f), &pdfv1.TextRequest{Grant: r.handle[:]})
	if err != nil {
		return "", nil, err
	}
	defer in.Close()
	for {
		m, err := in.Recv()
		if err == io.EOF {
			return text, last, nil
		}
		if err != nil {
			return text, nil, err
		}
		for _, p := range m.GetParagraphs() {
			text += p.GetText() + "\n"
		}
		if m.GetLast() {
			last = m
		}
	}
}

func pdfFile(t *testing.T, flag int) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "a.pdf")
	if err := os.WriteFile(name, testpdf.Text(testpdf.Options{Title: "Kettles"}, []string{"Fill the kettle."}), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, flag, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// noCode wants a worker to give none.
func noCode(t *testing.T, w *Worker, what string) {
	t.Helper()
	memory, err := codecache.Blank()
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	if _, err := pdfv1.NewPdfServiceClient(w.Conn).Code(ipc.WithFiles(t.Context(), memory), &pdfv1.CodeRequest{}); errs.CodeOf(err) != errs.Malformed {
		t.Errorf("%s gives code: %v", what, err)
	}
	if st, err := memory.Stat(); err != nil || st.Size() != 0 {
		t.Errorf("%s wrote code: %v", what, err)
	}
}

// TestPDF: the machine code of the reader is made by a worker that is handed
// nothing but memory to write it to, and read by the next, which is started in a
// fraction of the time. A worker gives code only before it serves, and never the code
// that it was given; it takes files that are open for reading, and nothing else.
func TestPDF(t *testing.T) {
	s := New(programs(t))
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	store, err := codecache.Open(filepath.Join(base, "code"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	maker, err := s.Start(t.Context(), "pdf", Options{Ready: limits.PDFReady})
	if err != nil {
		t.Fatal(err)
	}
	defer maker.Kill()
	memory, err := codecache.Blank()
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	made, err := pdfv1.NewPdfServiceClient(maker.Conn).Code(ipc.WithFiles(t.Context(), memory), &pdfv1.CodeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	noCode(t, maker, "a worker that gave its code")
	maker.Kill()
	if err := store.Put("key", memory, made.GetSize()+1); errs.CodeOf(err) != errs.Malformed {
		t.Errorf("another size: %v", err)
	}
	// It is sealed: not even the core changes it any more.
	if _, err := memory.WriteAt([]byte("x"), 0); err == nil {
		t.Error("the memory can be written to")
	}

	blank, err := codecache.Blank()
	if err != nil {
		t.Fatal(err)
	}
	defer blank.Close()
	if _, err := io.Copy(blank, io.NewSectionReader(memory, 0, int64(made.GetSize()))); err != nil {
		t.Fatal(err)
	}
	if err := store.Put("key", blank, made.GetSize()); err != nil {
		t.Fatal(err)
	}
	d, err := store.Get("key")
	if err != nil || d == nil {
		t.Fatal(d, err)
	}
	defer d.Close()
	before, err := os.ReadFile(filepath.Join(d.Path, codecache.Name))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	third, err := s.Start(t.Context(), "pdf", Options{Mounts: []sandbox.Mount{{Target: "/cache", Dir: d.Dir, Path: d.Path}}})
	if err != nil {
		t.Fatal(err)
	}
	defer third.Kill()
	t.Logf("with its code it is sealed after %v; without, after %v", time.Since(begin), maker.Ready)
	// What a worker without the mount is refused because there is nothing, this one
	// is refused because it may not.
	refused := false
	for _, a := range third.Attempts {
		refused = refused || strings.HasPrefix(a.Name, "create in /cache") && a.Held && a.Errno != 0
	}
	if !refused {
		t.Error("no attempt to write to the cache")
	}
	// The control: outside of the sandbox the same id may.
	control := filepath.Join(d.Path, "control")
	if err := os.WriteFile(control, nil, 0o600); err != nil {
		t.Errorf("the directory is not this user's: the refusal shows nothing: %v", err)
	}
	os.Remove(control)
	r := serving(t, third)
	if r.stale {
		t.Error("the code that was made is not taken")
	}
	noCode(t, third, "a worker that was given code")
	for range 2 {
		if text, _, err := r.text(t, pdfFile(t, os.O_RDONLY)); err != nil || text != "Fill the kettle.\n" {
			t.Errorf("%q, %v", text, err)
		}
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	pipe, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	defer w.Close()
	for what, f := range map[string]*os.File{"a file open for writing": pdfFile(t, os.O_RDWR), "a folder": dir, "a pipe": pipe} {
		if _, _, err := r.text(t, f); errs.CodeOf(err) != errs.Malformed {
			t.Errorf("%s: %v", what, err)
		}
	}
	third.Kill()
	after, err := os.ReadFile(filepath.Join(d.Path, codecache.Name))
	if err != nil || !bytes.Equal(before, after) {
		t.Error("the code was changed", err)
	}
}

// TestPDFWithoutCode: a worker that is not given code, or that is given code which
// was made for another processor or damaged by a disk, compiles it; the first makes
// none for others once it serves, the other says that what it was given is stale.
func TestPDFWithoutCode(t *testing.T) {
	if testing.Short() {
		t.Skip("it compiles the reader twice, for seconds each")
	}
	s := New(programs(t))
	first, err := s.Start(t.Context(), "pdf", Options{Ready: limits.PDFReady})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Kill()
	r := serving(t, first)
	noCode(t, first, "a worker that serves")
	if text, last, err := r.text(t, pdfFile(t, os.O_RDONLY)); err != nil || text != "Fill the kettle.\n" || last.GetTitle() != "Kettles" || last.GetPages() != 1 {
		t.Fatalf("%q, %v, %v", text, last, err)
	}
	if r.stale {
		t.Error("code is stale that was not given")
	}
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(base, codecache.Name), bytes.Repeat([]byte("code"), 1<<20), 0o644), os.Chmod(base, 0o755)); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(base)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	second, err := s.Start(t.Context(), "pdf", Options{Ready: limits.PDFReady, Mounts: []sandbox.Mount{{Target: "/cache", Dir: dir, Path: base}}})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Kill()
	if r := serving(t, second); !r.stale {
		t.Error("what is no code was taken")
	}
}
