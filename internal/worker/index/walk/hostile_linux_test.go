package walk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

func TestLinksAreNeverFollowed(t *testing.T) {
	outside := tree(t, map[string]string{"secret.txt": "the secret"})
	root := tree(t, map[string]string{"in/a.txt": "x"})
	for name, to := range map[string]string{
		"out.txt": filepath.Join(outside, "secret.txt"), "outdir": outside, "up": "..", "loop": "loop",
		"inside": "in", "self": ".", "dangling": "nowhere",
	} {
		if err := os.Symlink(to, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	// Control: whoever follows the link reads the secret.
	if b, err := os.ReadFile(filepath.Join(root, "out.txt")); err != nil || string(b) != "the secret" {
		t.Fatalf("the attack does not work without the walk: %q, %v", b, err)
	}
	files, skipped, _ := walked(t, root, Options{})
	if !slices.Equal(files, []string{"in/a.txt"}) {
		t.Errorf("files %q", files)
	}
	for _, name := range []string{"out.txt", "outdir", "up", "loop", "inside", "self", "dangling"} {
		if skipped[name] != doc.Link {
			t.Errorf("%s: %q", name, skipped[name])
		}
	}
}

// TestALinkSwappedInIsNotFollowed replaces what was listed before it is opened:
// the first visit swaps the file that comes next and the directory.
func TestALinkSwappedInIsNotFollowed(t *testing.T) {
	outside := tree(t, map[string]string{"secret.txt": "the secret"})
	root := tree(t, map[string]string{"a.txt": "x", "b.txt": "x", "c.txt": "x", "d/secret.txt": "x", "e.txt": "x"})
	d, err := dirfd.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	skipped := map[string]doc.Reason{}
	swap := func(name string, make func(path string) error) {
		p := filepath.Join(root, name)
		if err := errors.Join(os.RemoveAll(p), make(p)); err != nil {
			t.Fatal(err)
		}
	}
	_, err = Walk(context.Background(), d, Options{}, func(e *Entry) error {
		b, err := io.ReadAll(e)
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != "x" {
			t.Errorf("%s holds %q", e.Path, b)
		}
		if e.Path == "a.txt" {
			swap("b.txt", func(p string) error { return os.Symlink(filepath.Join(outside, "secret.txt"), p) })
			swap("c.txt", func(p string) error { return syscall.Mkfifo(p, 0o644) })
			swap("d", func(p string) error { return os.Symlink(outside, p) })
			swap("e.txt", func(p string) error { return os.Mkdir(p, 0o755) })
		}
		return nil
	}, func(s doc.Skipped) { skipped[string(s.Path)] = s.Reason })
	if err != nil {
		t.Fatal(err)
	}
	if skipped["b.txt"] != doc.Link || skipped["c.txt"] != doc.Special || skipped["e.txt"] != doc.Changed {
		t.Errorf("skipped %v", skipped)
	}
	if r := skipped["d"]; r != doc.Link && r != doc.Special {
		t.Errorf("directory: %q", r)
	}
}

func TestSpecialFilesAreNotOpened(t *testing.T) {
	root := tree(t, map[string]string{"a.txt": "x"})
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(root, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	want := []string{"pipe", "socket"}
	if os.Getuid() == 0 {
		// /dev/zero by another name: reading it would never end.
		if err := syscall.Mknod(filepath.Join(root, "zero"), syscall.S_IFCHR|0o666, 1<<8|5); err == nil {
			want = append(want, "zero")
		}
	}
	files, skipped, _ := walked(t, root, Options{})
	if !slices.Equal(files, []string{"a.txt"}) {
		t.Errorf("files %q", files)
	}
	for _, name := range want {
		if skipped[name] != doc.Special {
			t.Errorf("%s: %q", name, skipped[name])
		}
	}
}

func TestVanished(t *testing.T) {
	root := tree(t, map[string]string{"a.txt": "x", "b.txt": "x", "d/c.txt": "x"})
	d, err := dirfd.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	skipped := map[string]doc.Reason{}
	_, err = Walk(context.Background(), d, Options{}, func(e *Entry) error {
		return os.RemoveAll(root)
	}, func(s doc.Skipped) { skipped[string(s.Path)] = s.Reason })
	if err != nil {
		t.Fatal(err)
	}
	if skipped["b.txt"] != doc.Vanished || skipped["d"] != doc.Vanished {
		t.Errorf("skipped %v", skipped)
	}
}

// TestUnreadable runs as another user, since root may read all.
func TestUnreadable(t *testing.T) {
	root := tree(t, map[string]string{"a.txt": "x", "b.txt": "x", "d/c.txt": "x", "e/f.txt": "x"})
	for _, p := range []string{filepath.Dir(root), root} {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, mode := range map[string]os.FileMode{"b.txt": 0, "d": 0, "e": 0o444} {
		if err := os.Chmod(filepath.Join(root, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, name := range []string{"d", "e"} {
			os.Chmod(filepath.Join(root, name), 0o755)
		}
	})
	if os.Getuid() == 0 {
		// The thread alone takes an ordinary user's rights to files, and is
		// not used again after the test: it stays locked.
		runtime.LockOSThread()
		if err := syscall.Setfsuid(65534); err != nil {
			t.Fatal(err)
		}
		defer syscall.Setfsuid(0)
	}
	files, skipped, _ := walked(t, root, Options{})
	if !slices.Equal(files, []string{"a.txt"}) {
		t.Errorf("files %q", files)
	}
	for _, name := range []string{"b.txt", "d", "e/f.txt"} {
		if skipped[name] != doc.Unreadable {
			t.Errorf("%s: %q", name, skipped[name])
		}
	}
}

// TestARemovedRootIsAnError: nothing at all could be read.
func TestARemovedRootIsAnError(t *testing.T) {
	root := filepath.Join(t.TempDir(), "r")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := dirfd.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.Remove(root); err != nil {
		t.Fatal(err)
	}
	_, err = Walk(context.Background(), d, Options{}, nil, nil)
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != errs.FolderMissing {
		t.Errorf("error %v", err)
	}
}

func TestSizesAreJudgedWithoutReading(t *testing.T) {
	root := tree(t, map[string]string{"empty.txt": "", "a.txt": "x"})
	f, err := os.Create(filepath.Join(root, "sparse.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(10 << 30); err != nil {
		t.Fatal(err)
	}
	files, skipped, _ := walked(t, root, Options{})
	if !slices.Equal(files, []string{"a.txt"}) || skipped["sparse.txt"] != doc.TooLarge || skipped["empty.txt"] != doc.Empty {
		t.Errorf("files %q, skipped %v", files, skipped)
	}
}

// TestDeepNesting makes more levels than a path can name, by descriptor.
func TestDeepNesting(t *testing.T) {
	root := t.TempDir()
	const levels = 2_100
	fd, err := syscall.Open(root, syscall.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fds := fd
	for range levels {
		if err := syscall.Mkdirat(fds, "d", 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := syscall.Openat(fds, "d", syscall.O_DIRECTORY, 0)
		if err != nil {
			t.Fatal(err)
		}
		syscall.Close(fds)
		fds = next
	}
	syscall.Close(fds)
	put(t, root, strings.Repeat("d/", 50)+"a.txt", "x")
	files, skipped, c := walked(t, root, Options{})
	if len(files) != 1 || c.Dirs != limits.WalkDepth {
		t.Errorf("%d files, %d directories", len(files), c.Dirs)
	}
	if r := skipped[strings.TrimSuffix(strings.Repeat("d/", limits.WalkDepth), "/")]; r != doc.TooDeep {
		t.Errorf("skipped %v", skipped)
	}
}

func TestNamesAreRawBytes(t *testing.T) {
	names := []string{"new\nline.txt", "\x1b[31mred.txt", "\u202egnp.txt", "bad\xff\xfe.txt", "a b.txt", "-rf.txt", "ü.txt", "u\u0308.txt", `back\slash.txt`, "%s%n.txt", "~.txt", "*.txt"}
	files := map[string]string{}
	for _, n := range names {
		files[n] = "x"
		files["dir"+n+"/f.txt"] = "x"
	}
	got, _, _ := walked(t, tree(t, files), Options{})
	for n := range files {
		if !slices.Contains(got, n) {
			t.Errorf("%q was not visited", n)
		}
	}
}

func TestDefaults(t *testing.T) {
	root := tree(t, map[string]string{
		"a.md": "x", ".hidden": "x", ".config/a.txt": "x", "node_modules/m/a.js": "x",
		"build/notes.txt": "x", "dist/notes.txt": "x", "target/notes.txt": "x", "vendor/notes.txt": "x",
		"js/package.json": "x", "js/build/a.js": "x", "js/dist/a.js": "x", "js/coverage/a.txt": "x",
		"rust/Cargo.toml": "x", "rust/target/a.txt": "x", "go/go.mod": "x", "go/vendor/m/a.go": "x",
		"py/venv/pyvenv.cfg": "x", "py/venv/lib/a.py": "x", "cache/CACHEDIR.TAG": "x", "cache/a.txt": "x",
		"id_rsa": "x", "id_card.md": "x", "k/server.pem": "x", "k/server.key": "x", ".ssh/config": "x", ".aws/credentials": "x",
		"prod.env": "x", "chromium/Default/History": "x", "img.PNG": "x", "lib.so": "x",
	})
	files, skipped, _ := walked(t, root, Options{})
	want := []string{"a.md", "id_card.md", "build/notes.txt", "dist/notes.txt", "go/go.mod", "js/package.json", "rust/Cargo.toml", "target/notes.txt", "vendor/notes.txt"}
	if !slices.Equal(files, want) {
		t.Errorf("files %q\nwant %q", files, want)
	}
	for path, r := range map[string]doc.Reason{
		".hidden": doc.Hidden, ".config": doc.Hidden, "node_modules": doc.Generated, "js/build": doc.Generated, "js/dist": doc.Generated, "js/coverage": doc.Generated,
		"rust/target": doc.Generated, "go/vendor": doc.Generated, "py/venv": doc.Generated, "cache": doc.Generated,
		"id_rsa": doc.Secret, "k/server.pem": doc.Secret, "k/server.key": doc.Secret, ".ssh": doc.Secret, ".aws": doc.Secret, "prod.env": doc.Secret, "chromium": doc.Secret,
		"img.PNG": doc.Binary, "lib.so": doc.Binary,
	} {
		if skipped[path] != r {
			t.Errorf("%s: %q, want %q", path, skipped[path], r)
		}
	}
	hidden, _, _ := walked(t, root, Options{Hidden: true})
	if !slices.Contains(hidden, ".hidden") || !slices.Contains(hidden, ".config/a.txt") || slices.Contains(hidden, ".ssh/config") {
		t.Errorf("with Hidden: %q", hidden)
	}
}

func TestCancelAndVisitErrorsEndTheWalk(t *testing.T) {
	root := tree(t, map[string]string{"a.txt": "x", "b.txt": "x", "c/d.txt": "x"})
	for name, stop := range map[string]error{"visit": io.ErrUnexpectedEOF, "cancel": context.Canceled} {
		t.Run(name, func(t *testing.T) {
			d, err := dirfd.Open(root)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			n := 0
			_, err = Walk(ctx, d, Options{}, func(*Entry) error {
				n++
				if name == "cancel" {
					cancel()
					return nil
				}
				return stop
			}, nil)
			if !errors.Is(err, stop) || n != 1 {
				t.Errorf("%v after %d files", err, n)
			}
		})
	}
}

func BenchmarkWalk(b *testing.B) {
	root := b.TempDir()
	const dirs, files = 200, 100
	for i := range dirs {
		for j := range files {
			put(b, root, fmt.Sprintf("d%d/f%d.txt", i, j), "some text\n")
		}
	}
	b.ResetTimer()
	n := 0
	for b.Loop() {
		d, err := dirfd.Open(root)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Walk(context.Background(), d, Options{}, func(*Entry) error { n++; return nil }, nil); err != nil {
			b.Fatal(err)
		}
		d.Close()
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "files/s")
}
