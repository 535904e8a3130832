package models

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
)

// told waits for a channel: the kernel's signal takes microseconds, a busy
// machine may need seconds.
func told(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	timer := time.NewTimer(20 * time.Second)
	defer timer.Stop()
	select {
	case <-c:
	case <-timer.C:
		t.Fatal("not told: " + what)
	}
}

// Who opens a model in use for writing is told of, and held up until the use
// has ended; then it gets through, and the model is refused from then on.
func TestWriterIsHeldUpAndToldOf(t *testing.T) {
	h := newHome(t)
	s := h.open()
	m := add(t, h, s, "m", []byte("bytes"))
	other := add(t, h, s, "other", []byte("of another model"))
	changed := make(chan struct{})
	u, err := s.Use(context.Background(), m.Digest, func() { close(changed) })
	must(t, err)
	if !u.Watched {
		t.Skip("the file system of the tests has no leases: " + h.dir)
	}
	v, err := s.Use(context.Background(), other.Digest, func() { t.Error("told of another model") })
	must(t, err)
	defer v.Release()
	path := h.blob(m.Digest)
	must(t, os.Chmod(path, 0o600))
	// Readers are nobody's business.
	r, err := os.Open(path)
	must(t, err)
	must(t, r.Close())
	// One that does not wait gets nothing.
	_, err = syscall.Open(path, syscall.O_WRONLY|syscall.O_NONBLOCK, 0)
	if err != syscall.EWOULDBLOCK {
		t.Fatalf("a writer got through: %v", err)
	}
	told(t, "a writer that does not wait", changed)
	opened := make(chan error, 1)
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.Write([]byte("BYTES"))
			f.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatal("a writer got through before the use ended:", err)
	case <-time.After(50 * time.Millisecond):
	}
	u.Release()
	must(t, <-opened)
	must(t, os.Chmod(path, 0o400))
	_, err = s.Use(context.Background(), m.Digest, nil)
	wantCode(t, "use of changed bytes", err, errs.ModelChanged)
	// The control: without a lease the same write comes through while the file is
	// open for reading, and nobody is told.
	r, err = os.Open(path)
	must(t, err)
	defer r.Close()
	must(t, os.Chmod(path, 0o600))
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = w.Write([]byte("again"))
	must(t, err)
	must(t, w.Close())
}

// Whoever has the file open for writing already keeps it from being used.
func TestWriterBefore(t *testing.T) {
	h := newHome(t)
	s := h.open()
	m := add(t, h, s, "m", []byte("bytes"))
	path := h.blob(m.Digest)
	must(t, os.Chmod(path, 0o600))
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = s.Use(context.Background(), m.Digest, nil)
	wantCode(t, "a model that is being written", err, errs.ModelChanged)
	must(t, w.Close())
	if s.InUse(m.Digest) {
		t.Error("a use that failed still counts")
	}
	// Nothing was written: the bytes are hashed again and are the same.
	u, err := s.Use(context.Background(), m.Digest, nil)
	must(t, err)
	u.Release()
}

// The bytes decide, not the times: a file whose times were touched is hashed
// again, once.
func TestIdentity(t *testing.T) {
	h := newHome(t)
	s := h.open()
	m := add(t, h, s, "m", []byte("bytes"))
	use := func() error {
		u, err := s.Use(context.Background(), m.Digest, nil)
		if err == nil {
			u.Release()
		}
		return err
	}
	must(t, use())
	before := s.models[m.Digest].identity
	must(t, os.Chtimes(h.blob(m.Digest), time.Now(), time.Now()))
	must(t, use())
	if s.models[m.Digest].identity == before {
		t.Error("the new times were not noted")
	}
	// A write that sets the time of its change back does not set ctime back.
	st, err := os.Stat(h.blob(m.Digest))
	must(t, err)
	tamper(t, h.blob(m.Digest), []byte("bytez"))
	must(t, os.Chtimes(h.blob(m.Digest), st.ModTime(), st.ModTime()))
	wantCode(t, "other bytes of the same size and time", use(), errs.ModelChanged)
	// The right bytes again do not hide that the copy here is not.
	_, err = s.Import(context.Background(), source(t, h.file("again", []byte("bytes"))), nil)
	wantCode(t, "a pull of what was changed", err, errs.ModelChanged)
	// Back to what it was: nothing is held against it.
	tamper(t, h.blob(m.Digest), []byte("bytes"))
	must(t, use())
	// Another file in its place.
	must(t, os.Remove(h.blob(m.Digest)))
	must(t, os.WriteFile(h.blob(m.Digest), []byte("BYTES"), 0o400))
	wantCode(t, "another file", use(), errs.ModelChanged)
	must(t, os.Remove(h.blob(m.Digest)))
	must(t, os.Symlink(h.file("elsewhere", []byte("bytes")), h.blob(m.Digest)))
	wantCode(t, "a link", use(), errs.HomeUnusable)
}

func TestCloseEndsLeases(t *testing.T) {
	h := newHome(t)
	s := h.open()
	m := add(t, h, s, "m", []byte("bytes"))
	u, err := s.Use(context.Background(), m.Digest, func() { t.Error("told after the end") })
	must(t, err)
	defer u.Release()
	must(t, s.Close())
	must(t, os.Chmod(h.blob(m.Digest), 0o600))
	w, err := os.OpenFile(h.blob(m.Digest), os.O_WRONLY, 0)
	must(t, err)
	must(t, w.Close())
}

// What the index says of a blob is a claim: who changes the blob while no core
// runs can make the index fit. Only what this store hashed itself is believed.
func TestIndexIsNotBelieved(t *testing.T) {
	h := newHome(t)
	s := h.open()
	m := add(t, h, s, "m", []byte("bytes"))
	use := func(s *Store) error {
		u, err := s.Use(context.Background(), m.Digest, nil)
		if err == nil {
			u.Release()
		}
		return err
	}
	must(t, use(s))
	must(t, s.Close())

	tamper(t, h.blob(m.Digest), []byte("bytez"))
	f, err := os.Open(h.blob(m.Digest))
	must(t, err)
	forged, err := modelfile.Adopt(f)
	must(t, err)
	must(t, forged.Close())
	index := filepath.Join(h.dir, indexName)
	b, err := os.ReadFile(index)
	must(t, err)
	var x indexFile
	must(t, json.Unmarshal(b, &x))
	if len(x.Models) != 1 || x.Models[0].File == forged.Identity {
		t.Fatal("the blob was not changed")
	}
	x.Models[0].File = forged.Identity
	b, err = json.Marshal(x)
	must(t, err)
	must(t, os.WriteFile(index, b, 0o600))

	s = h.open()
	wantCode(t, "other bytes that the index fits", use(s), errs.ModelChanged)
	// The control: the right bytes are taken, and not hashed a second time.
	tamper(t, h.blob(m.Digest), []byte("bytes"))
	must(t, use(s))
	if row := s.models[m.Digest]; !row.hashed {
		t.Error("the first use did not hash")
	}
}

// Whoever is given the file of a use shares no flags with what the store looks
// at.
func TestFileIsItsOwn(t *testing.T) {
	h := newHome(t)
	s := h.open()
	m := add(t, h, s, "m", []byte("bytes"))
	u, err := s.Use(context.Background(), m.Digest, nil)
	must(t, err)
	defer u.Release()
	fcntl := func(f *modelfile.File, what, arg int) int {
		t.Helper()
		n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), uintptr(what), uintptr(arg))
		if errno != 0 {
			t.Fatal(errno)
		}
		return int(n)
	}
	for _, f := range []*modelfile.File{u.File, u.held} {
		fcntl(f, syscall.F_SETFL, fcntl(f, syscall.F_GETFL, 0)&^syscall.O_APPEND)
	}
	fcntl(u.File, syscall.F_SETFL, fcntl(u.File, syscall.F_GETFL, 0)|syscall.O_APPEND)
	if fcntl(u.File, syscall.F_GETFL, 0)&syscall.O_APPEND == 0 {
		t.Fatal("control: the flag was not set")
	}
	if fcntl(u.held, syscall.F_GETFL, 0)&syscall.O_APPEND != 0 {
		t.Error("a flag that was set on the file given out is set on the store's")
	}
}

// handClock stands still but where a test moves it.
type handClock struct {
	clock.System
	wall time.Time
}

func (c *handClock) Wall() time.Time { return c.wall }

// The time of the last use is the end of the last call, and not the loading. The
// index is not written for each call.
func TestLastUsed(t *testing.T) {
	h := newHome(t)
	now := &handClock{wall: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	h.clock = now
	s := h.open()
	m := add(t, h, s, "m", []byte("bytes"))
	used := func(s *Store) time.Time {
		t.Helper()
		got, err := s.Get(m.Digest)
		must(t, err)
		return got.LastUsed
	}
	u, err := s.Use(context.Background(), m.Digest, nil)
	must(t, err)
	defer u.Release()
	loaded := now.wall
	now.wall = now.wall.Add(limits.ModelUsedEvery - 1)
	s.Used(m.Digest)
	if got, kept := used(s), used(h.open()); !got.Equal(now.wall) || !kept.Equal(loaded) {
		t.Errorf("used %v, in the index %v", got, kept)
	}
	for _, step := range []time.Duration{1, -time.Hour} {
		now.wall = now.wall.Add(step)
		s.Used(m.Digest)
		if got, kept := used(s), used(h.open()); !got.Equal(now.wall) || !kept.Equal(now.wall) {
			t.Errorf("after %v used %v, in the index %v", step, got, kept)
		}
	}
}
