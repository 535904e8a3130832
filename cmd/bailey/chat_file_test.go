package main

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
)

// A file is read from whatever somebody writes to, and nothing is waited for that
// does not come.
func TestReadText(t *testing.T) {
	const what = "the JSON schema"
	dir := t.TempDir()
	pipe := dir + "/pipe"
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	refused := func(ctx context.Context, name, why string) {
		t.Helper()
		text, err := readText(ctx, name, 100, what)
		if errs.CodeOf(err) != errs.Usage || !strings.Contains(errs.From(err).Message(), why) {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
	refused(t.Context(), pipe, "is empty")
	refused(t.Context(), dir, "is a folder")
	refused(t.Context(), dir+"/none", "cannot be read")
	// With a writer that comes to it late, as a shell's process substitution does.
	// What it wrote before the file is opened stays, since a reader is there.
	r, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w, err := os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := w.WriteString(`{"type":"string"}`)
		if err == nil {
			err = w.Close()
		}
		done <- err
	}()
	if text, err := readText(t.Context(), pipe, 100, what); err != nil || text != `{"type":"string"}` {
		t.Errorf("%q %v", text, err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	// One that says nothing is given up with the command.
	w, err = os.OpenFile(pipe, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	refused(ctx, pipe, "cannot be read")
}
