package models

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

func TestMain(m *testing.M) {
	if step := os.Getenv(crashEnv); step != "" {
		os.Exit(crashChild(step))
	}
	os.Exit(m.Run())
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, what string, err error, code errs.Code) {
	t.Helper()
	if err == nil || errs.CodeOf(err) != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// home is a directory for a store and a file to pull.
type home struct {
	t     testing.TB
	dir   string
	hook  safefile.Hook
	key   []byte
	clock clock.Clock
}

func newHome(t testing.TB) *home {
	return &home{t: t, dir: filepath.Join(t.TempDir(), "models"), clock: clock.System{}}
}

func (h *home) open() *Store {
	h.t.Helper()
	d, err := safefile.MakeDir(h.dir)
	must(h.t, err)
	s, err := Open(Config{Dir: d.WithHook(h.hook), Clock: h.clock, Log: quiet(), Key: h.key})
	must(h.t, err)
	h.t.Cleanup(func() { s.Close(); d.Close() })
	return s
}

func (h *home) file(name string, b []byte) string {
	h.t.Helper()
	path := filepath.Join(filepath.Dir(h.dir), name)
	must(h.t, os.WriteFile(path, b, 0o644))
	return path
}

func (h *home) blob(d Digest) string { return filepath.Join(h.dir, "blobs", "sha256-"+d.Hex()) }

func someFacts() *modelv1.Facts {
	return &modelv1.Facts{
		Role: modelv1.Role_ROLE_CHAT, Architecture: "llama", Parameters: 100, Quantisation: "Q4_0", Context: 2048, Licence: "mit",
		Title: "A model", Dimension: 64, Layers: 2, Heads: 4, HeadsKv: 2, Vocabulary: 100, Weights: 1000,
	}
}

func source(t testing.TB, path string) *modelfile.File {
	t.Helper()
	f, err := modelfile.OpenSource(path)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// add brings b in under a name.
func add(t testing.TB, h *home, s *Store, name string, b []byte) Model {
	t.Helper()
	st, err := s.Import(context.Background(), source(t, h.file("in-"+name, b)), nil)
	must(t, err)
	defer st.Discard()
	m, err := st.Publish(name, someFacts(), []byte("/from"))
	must(t, err)
	return m
}

func TestComesInAndStays(t *testing.T) {
	h := newHome(t)
	s := h.open()
	b := bytes.Repeat([]byte("0123456789abcdef"), limits.ModelBuffer/8)
	b = append(b, "and an odd end"...)
	var seen []uint64
	st, err := s.Import(context.Background(), source(t, h.file("m.gguf", b)), func(n uint64) { seen = append(seen, n) })
	must(t, err)
	want := Digest(sha256.Sum256(b))
	if st.Digest != want || st.Size != uint64(len(b)) || st.Known != nil {
		t.Fatalf("%v", st)
	}
	if len(seen) != 3 || seen[2] != uint64(len(b)) {
		t.Errorf("progress %v", seen)
	}
	// Not a model yet; what is inspected is the copy.
	if len(s.List()) != 0 {
		t.Error("listed before it was published")
	}
	copied, err := io.ReadAll(io.NewSectionReader(st.File(), 0, 1<<40))
	if err != nil || !bytes.Equal(copied, b) {
		t.Fatal("the copy differs", err)
	}
	m, err := st.Publish("m", someFacts(), []byte("/x\xff"))
	must(t, err)
	st.Discard()
	for _, s := range []*Store{s, h.open()} {
		l := s.List()
		if len(l) != 1 || l[0].Name != "m" || l[0].Digest != want || string(l[0].Source) != "/x\xff" || !l[0].Added.Equal(m.Added) ||
			l[0].Facts.GetLicence() != "mit" || l[0].Facts.GetSize() != uint64(len(b)) || string(l[0].Facts.GetSha256()) != string(want[:]) ||
			l[0].Facts.GetRole() != modelv1.Role_ROLE_CHAT {
			t.Fatalf("%+v", l)
		}
	}
	if st, err := os.Stat(h.blob(want)); err != nil || st.Mode().Perm() != 0o400 {
		t.Fatal(st, err)
	}
	// The same bytes again, by another name.
	again, err := s.Import(context.Background(), source(t, h.file("other.gguf", b)), nil)
	must(t, err)
	if again.Known == nil || again.Known.Name != "m" || again.File() != nil {
		t.Errorf("%+v", again)
	}
	if m, err := again.Publish("other", someFacts(), nil); err != nil || m.Name != "m" {
		t.Error(m, err)
	}
	again.Discard()
	if left, _ := os.ReadDir(filepath.Join(h.dir, "partial")); len(left) != 0 {
		t.Errorf("partials are left: %v", left)
	}
	freed, err := s.Remove(want)
	if err != nil || freed != uint64(len(b)) || len(s.List()) != 0 || len(h.open().List()) != 0 {
		t.Error(freed, err)
	}
	if _, err := os.Stat(h.blob(want)); !os.IsNotExist(err) {
		t.Error(err)
	}
	_, err = s.Remove(want)
	wantCode(t, "removed twice", err, errs.ModelMissing)
	if _, err := again.Publish("late", someFacts(), nil); errs.CodeOf(err) != errs.ModelMissing {
		t.Error("published what was removed meanwhile:", err)
	}
}

func TestDigests(t *testing.T) {
	d := Digest(sha256.Sum256(nil))
	if got, ok := ParseDigest(d.String()); !ok || got != d {
		t.Error(got, ok)
	}
	for _, s := range []string{"", "sha256:", "sha256:../../x", d.Hex(), strings.ToUpper(d.String()), "sha256:" + strings.ToUpper(d.Hex()), d.String()[:70], d.String() + "0", d.String() + "\n", "sha512:" + d.Hex(), "sha256:" + strings.Repeat("g", 64)} {
		if _, ok := ParseDigest(s); ok {
			t.Errorf("%q is taken for a digest", s)
		}
	}
}

func TestNames(t *testing.T) {
	for _, s := range []string{"", ".hidden", "-flag", "a/b", "..", "a b", "a\nb", "a\u202eb", "\xff", "deadbeef", "123456", strings.Repeat("a", 129), "a:b", "+x"} {
		wantCode(t, fmt.Sprintf("%q", s), CheckName(s), errs.Usage)
	}
	for _, s := range []string{"a", "smollm2-135m-instruct-q4_1", "модель", "v1.5", "12345", "7b", "deadbeefs"} {
		must(t, CheckName(s))
	}
	for path, want := range map[string]string{
		"/x/Smol LM.GGUF": "Smol-LM", "a.gguf.part": "a.gguf.part", "/x/.hidden": "hidden", "---": "model", "/x/\xffa": "a", "x.gguf": "x",
		"/blobs/" + strings.Repeat("ab", 32): "model-ababab", "a\x1b[31m": "a--31m",
	} {
		got := NameOf(path)
		if got != want || CheckName(got) != nil {
			t.Errorf("NameOf(%q) = %q, want %q", path, got, want)
		}
	}
	if n := NameOf(strings.Repeat("ü", 200)); len(n) > limits.ModelName || CheckName(n) != nil {
		t.Error(n)
	}
	h := newHome(t)
	s := h.open()
	m := add(t, h, s, "m", []byte("one"))
	add(t, h, s, "n", []byte("two"))
	st, err := s.Import(context.Background(), source(t, h.file("three", []byte("three"))), nil)
	must(t, err)
	defer st.Discard()
	_, err = st.Publish("m", someFacts(), nil)
	wantCode(t, "a taken name", err, errs.ModelNameTaken)
	if _, err = st.Publish("o", someFacts(), nil); err != nil {
		t.Error("another name after a taken one:", err)
	}
	for ref, want := range map[string]errs.Code{"m": "", m.Digest.String(): "", m.Digest.Hex(): "", m.Digest.Hex()[:6]: "", m.Digest.String()[:13]: "",
		m.Digest.Hex()[:5]: errs.ModelMissing, "sha256:m": errs.ModelMissing, "nobody": errs.ModelMissing, "sha256:../m": errs.ModelMissing, "": errs.ModelMissing} {
		got, err := s.Find(ref)
		if want == "" && (err != nil || got.Digest != m.Digest) || want != "" && errs.CodeOf(err) != want {
			t.Errorf("%q: %v, %v", ref, got.Name, err)
		}
	}
	// Two whose first digits are the same.
	var twins [2][]byte
	seen := map[string]int{}
	for i := 0; twins[0] == nil; i++ {
		d := Digest(sha256.Sum256([]byte(strconv.Itoa(i))))
		if j, ok := seen[d.Hex()[:6]]; ok {
			twins = [2][]byte{[]byte(strconv.Itoa(j)), []byte(strconv.Itoa(i))}
		}
		seen[d.Hex()[:6]] = i
	}
	a := add(t, h, s, "twin-a", twins[0])
	add(t, h, s, "twin-b", twins[1])
	_, err = s.Find(a.Digest.Hex()[:6])
	wantCode(t, "ambiguous digits", err, errs.ModelAmbiguous)
}

// What changes while it is read is refused, and nothing is kept.
func TestSourceChanges(t *testing.T) {
	h := newHome(t)
	s := h.open()
	path := h.file("m", bytes.Repeat([]byte("x"), 2*limits.ModelBuffer))
	grow := func(uint64) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		must(t, err)
		_, err = f.Write([]byte("more"))
		must(t, err)
		must(t, f.Close())
	}
	_, err := s.Import(context.Background(), source(t, path), grow)
	wantCode(t, "a file that grows", err, errs.ModelRefused)
	cut := func(uint64) { must(t, os.Truncate(path, 10)) }
	_, err = s.Import(context.Background(), source(t, path), cut)
	wantCode(t, "a file that is cut", err, errs.ModelRefused)
	path = h.file("m", bytes.Repeat([]byte("x"), 8*limits.ModelBuffer))
	ctx, cancel := context.WithCancel(context.Background())
	_, err = s.Import(ctx, source(t, path), func(uint64) { cancel() })
	wantCode(t, "a pull that was stopped", err, errs.Cancelled)
	if left, _ := os.ReadDir(filepath.Join(h.dir, "partial")); len(left) != 0 {
		t.Errorf("partials are left: %v", left)
	}
}

// Two pulls of one file at once end with one model.
func TestTwoPullsAtOnce(t *testing.T) {
	h := newHome(t)
	s := h.open()
	path := h.file("m", bytes.Repeat([]byte("x"), 4*limits.ModelBuffer))
	var both sync.WaitGroup
	staged := make([]*Staged, 2)
	for i := range staged {
		both.Go(func() {
			src, err := modelfile.OpenSource(path)
			if err == nil {
				defer src.Close()
				staged[i], err = s.Import(context.Background(), src, nil)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	for _, st := range staged {
		m, err := st.Publish("m", someFacts(), nil)
		if err != nil || m.Name != "m" {
			t.Error(m, err)
		}
		st.Discard()
	}
	if len(s.List()) != 1 {
		t.Error(s.List())
	}
	names, _ := os.ReadDir(filepath.Join(h.dir, "partial"))
	if len(names) != 0 {
		t.Errorf("%v", names)
	}
}

// Many that ask for one name at once: one gets it, by whichever way, and the index
// can be read again.
func TestOneNameForMany(t *testing.T) {
	h := newHome(t)
	s := h.open()
	var own []Model
	for i := range 8 {
		own = append(own, add(t, h, s, fmt.Sprintf("m%d", i), fmt.Appendf(nil, "bytes %d", i)))
	}
	for round := range 60 {
		name := fmt.Sprintf("wanted-%d", round)
		st, err := s.Import(context.Background(), source(t, h.file("new", []byte(name))), nil)
		must(t, err)
		var got atomic.Int32
		var all sync.WaitGroup
		try := func(do func() error) {
			all.Go(func() {
				if err := do(); err == nil {
					got.Add(1)
				} else if errs.CodeOf(err) != errs.ModelNameTaken {
					t.Error(err)
				}
			})
		}
		s.mu.Lock() // so that none is done before the last begins
		for _, m := range own {
			try(func() error { _, err := s.Rename(m.Digest, name); return err })
		}
		try(func() error { _, err := st.Publish(name, someFacts(), nil); return err })
		s.mu.Unlock()
		all.Wait()
		st.Discard()
		if n := got.Load(); n != 1 {
			t.Fatalf("%d have the name %s", n, name)
		}
		must(t, h.open().Ready())
	}
}

func TestQuarantine(t *testing.T) {
	h := newHome(t)
	s := h.open()
	m := add(t, h, s, "m", []byte("bytes"))
	crash := func() Model {
		c, err := s.Crashed(m.Digest)
		must(t, err)
		return c
	}
	crash()
	crash()
	must(t, s.Worked(m.Digest)) // in a row
	for range limits.ModelCrashes - 1 {
		if crash().Quarantined {
			t.Fatal("set aside too early")
		}
	}
	if c := crash(); !c.Quarantined {
		t.Fatal("not set aside")
	}
	s = h.open()
	_, err := s.Use(context.Background(), m.Digest, nil)
	wantCode(t, "use of what was set aside", err, errs.ModelQuarantine)
	// Work that ends late does not bring it back; a person does.
	must(t, s.Worked(m.Digest))
	if c, err := s.Get(m.Digest); err != nil || !c.Quarantined {
		t.Error(c, err)
	}
	if c, err := s.Restore(m.Digest); err != nil || c.Quarantined || c.Crashes != 0 {
		t.Error(c, err)
	}
	u, err := s.Use(context.Background(), m.Digest, nil)
	must(t, err)
	u.Release()
}

func TestRemoveAndGcRespectUse(t *testing.T) {
	h := newHome(t)
	s := h.open()
	m, n := add(t, h, s, "m", []byte("bytes")), add(t, h, s, "n", []byte("others"))
	u, err := s.Use(context.Background(), m.Digest, nil)
	must(t, err)
	if !s.InUse(m.Digest) {
		t.Error("not in use")
	}
	_, err = s.Remove(m.Digest)
	wantCode(t, "rm while in use", err, errs.ModelInUse)
	orphan := h.blob(Digest{1})
	must(t, os.WriteFile(orphan, []byte("left by a crash"), 0o400))
	pull, err := s.Import(context.Background(), source(t, h.file("p", []byte("being pulled"))), nil)
	must(t, err)
	defer pull.Discard()
	none := func(Model) bool { return false }
	g, err := s.Gc(none, true)
	if err != nil || g.Removed != 2 || g.Freed != uint64(len("others")+len("left by a crash")) || len(s.List()) != 2 {
		t.Error(g, err)
	}
	// A directory among the blobs is named, and the rest goes all the same.
	foreign := h.blob(Digest{})
	must(t, os.Mkdir(foreign, 0o700))
	if g2, err := s.Gc(none, false); !strings.Contains(errs.From(err).Message(), filepath.Base(foreign)) || g2 != g {
		t.Error(g2, err)
	}
	must(t, os.Remove(foreign))
	if l := s.List(); len(l) != 1 || l[0].Name != "m" {
		t.Error(l)
	}
	for _, p := range []string{orphan, h.blob(n.Digest)} {
		if _, err := os.Stat(p); !os.IsNotExist(err) {
			t.Error(p, err)
		}
	}
	if _, err := pull.Publish("p", someFacts(), nil); err != nil {
		t.Error("what was being pulled is gone:", err)
	}
	b, err := io.ReadAll(io.NewSectionReader(u.File, 0, 100))
	if err != nil || string(b) != "bytes" {
		t.Errorf("%q, %v", b, err)
	}
	u.Release()
	if s.InUse(m.Digest) {
		t.Error("still in use")
	}
	if _, err := s.Remove(m.Digest); err != nil {
		t.Error(err)
	}
}

func TestDamagedIndex(t *testing.T) {
	h := newHome(t)
	s := h.open()
	m := add(t, h, s, "m", []byte("bytes"))
	good, err := os.ReadFile(filepath.Join(h.dir, "index.json"))
	must(t, err)
	for what, b := range map[string]string{
		"cut": string(good[:len(good)/2]), "empty": "", "another version": strings.Replace(string(good), `"version": 1`, `"version": 2`, 1),
		"unknown field": strings.Replace(string(good), `"name"`, `"nam"`, 1), "a path for a digest": strings.Replace(string(good), m.Digest.Hex(), "../../x", 1),
		"a name that is a path": strings.Replace(string(good), `"m"`, `"../m"`, 1), "a role of no kind": strings.Replace(string(good), `"chat"`, `"god"`, 1),
		"twice": strings.Replace(string(good), `"models": [`, `"models": [`+entryOf(t, good)+",", 1),
	} {
		must(t, os.WriteFile(filepath.Join(h.dir, "index.json"), []byte(b), 0o600))
		s := h.open()
		wantCode(t, what, s.Ready(), errs.HomeUnusable)
		_, err := s.Find("m")
		wantCode(t, what+": find", err, errs.HomeUnusable)
		_, err = s.Import(context.Background(), source(t, h.file("x", []byte("x"))), nil)
		wantCode(t, what+": import", err, errs.HomeUnusable)
		_, err = s.Gc(func(Model) bool { return false }, false)
		wantCode(t, what+": gc", err, errs.HomeUnusable)
		if _, err := os.Stat(h.blob(m.Digest)); err != nil {
			t.Fatalf("%s: the model was removed: %v", what, err)
		}
		if now, _ := os.ReadFile(filepath.Join(h.dir, "index.json")); string(now) != b {
			t.Errorf("%s: the evidence was overwritten", what)
		}
	}
}

func entryOf(t *testing.T, index []byte) string {
	t.Helper()
	s := string(index)
	return s[strings.Index(s, "[")+1 : strings.LastIndex(s, "]")]
}

func TestVerify(t *testing.T) {
	h := newHome(t)
	s := h.open()
	m := add(t, h, s, "m", []byte("bytes"))
	if d, err := s.Verify(context.Background(), m.Digest, nil); err != nil || d != m.Digest {
		t.Error(d, err)
	}
	tamper(t, h.blob(m.Digest), []byte("bytez"))
	if d, err := s.Verify(context.Background(), m.Digest, nil); err != nil || d != Digest(sha256.Sum256([]byte("bytez"))) {
		t.Error(d, err)
	}
	// A disk that fails in the middle, or a file that is cut meanwhile.
	long := add(t, h, s, "long", bytes.Repeat([]byte("x"), 8*limits.ModelBuffer))
	must(t, os.Chmod(h.blob(long.Digest), 0o600))
	_, err := s.Verify(context.Background(), long.Digest, func(uint64) { must(t, os.Truncate(h.blob(long.Digest), 10)) })
	wantCode(t, "verify of what cannot be read to its end", err, errs.ModelChanged)
	if now, err := s.Get(long.Digest); err != nil || !now.Changed {
		t.Errorf("what could not be read does not count as changed: %v", err)
	}
	must(t, os.Remove(h.blob(m.Digest)))
	_, err = s.Verify(context.Background(), m.Digest, nil)
	wantCode(t, "verify without the file", err, errs.ModelChanged)
	_, err = s.Use(context.Background(), m.Digest, nil)
	wantCode(t, "use without the file", err, errs.ModelChanged)
}

// tamper writes into a file of the store as a program of the user's own can.
func tamper(t *testing.T, path string, b []byte) {
	t.Helper()
	must(t, os.Chmod(path, 0o600))
	must(t, os.WriteFile(path, b, 0o600))
	must(t, os.Chmod(path, 0o400))
}

func TestFull(t *testing.T) {
	h := newHome(t)
	s := h.open()
	free, err := s.partial.Free()
	must(t, err)
	err = s.Room(free)
	wantCode(t, "no margin", err, errs.NoSpace)
	must(t, s.Room(1))
	wantCode(t, "all there is", s.Room(1<<62), errs.NoSpace)
}

// A disk that fills up while a model comes in leaves nothing of it.
func TestDiskFillsUp(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small tmpfs needs root; TestFailsAtEveryStep has a disk that only says it is full")
	}
	mnt := t.TempDir()
	size := limits.ModelSpaceMargin + 16<<20
	if err := syscall.Mount("tmpfs", mnt, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", size)); err != nil {
		t.Skip("no tmpfs can be mounted here: " + err.Error())
	}
	t.Cleanup(func() { must(t, syscall.Unmount(mnt, syscall.MNT_DETACH)) })
	h := newHome(t)
	model := bytes.Repeat([]byte("x"), 8<<20)
	path := h.file("m", model)
	h.dir = filepath.Join(mnt, "models")
	s := h.open()
	wantCode(t, "what cannot fit", s.Room(32<<20), errs.NoSpace)
	// Another program takes the rest meanwhile.
	filled := false
	_, err := s.Import(context.Background(), source(t, path), func(uint64) {
		if !filled {
			filled = true
			f, err := os.Create(filepath.Join(mnt, "other"))
			must(t, err)
			_, err = io.Copy(f, io.LimitReader(zeros{}, int64(size)))
			if !errors.Is(err, syscall.ENOSPC) {
				t.Error("control: the disk does not fill up:", err)
			}
			must(t, f.Close())
		}
	})
	wantCode(t, "a disk that filled up", err, errs.NoSpace)
	if left, _ := os.ReadDir(filepath.Join(h.dir, "partial")); len(left) != 0 {
		t.Errorf("partials are left: %v", left)
	}
	must(t, os.Remove(filepath.Join(mnt, "other")))
	st, err := s.Import(context.Background(), source(t, path), nil)
	must(t, err)
	defer st.Discard()
	if _, err := st.Publish("m", someFacts(), nil); err != nil {
		t.Error("not again when there is room:", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// BenchmarkImportHash is the hash of an import without the disk's part, to be
// held against sha256sum.
func BenchmarkImportHash(b *testing.B) {
	h := newHome(b)
	s := h.open()
	path := h.file("m", make([]byte, 256<<20))
	src := source(b, path)
	b.SetBytes(256 << 20)
	for b.Loop() {
		if _, err := s.pump(context.Background(), src, src.Identity.Size, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkImport is a whole import, written and durable.
func BenchmarkImport(b *testing.B) {
	h := newHome(b)
	s := h.open()
	path := h.file("m", make([]byte, 256<<20))
	b.SetBytes(256 << 20)
	for b.Loop() {
		st, err := s.Import(context.Background(), source(b, path), nil)
		if err != nil {
			b.Fatal(err)
		}
		st.Discard()
	}
}
