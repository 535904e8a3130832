package codecache

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// half begins the name of a directory that is being made.
const half = "new-"

// Everybody may read what is in there, where it is mounted: a worker of a root core
// has another id. Nobody else gets as far, since the parent is closed.
const (
	dirMode  = 0o755
	fileMode = 0o444
)

// Open makes the parent at path, below one of the home's, and opens it. What an
// earlier core left half made goes.
func Open(path string) (*Store, error) {
	const op = "codecache.open"
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, errs.Wrap(errs.HomeUnusable, op, err)
	}
	// The slash: what is no directory is refused, and a FIFO not waited at.
	root, err := os.OpenRoot(path + "/")
	if err != nil {
		return nil, errs.Wrap(errs.HomeUnusable, op, err)
	}
	st, err := root.Stat(".")
	if err != nil || st.Mode().Perm()&0o077 != 0 {
		root.Close()
		return nil, errs.Wrap(errs.HomeUnusable, op, err).With("a directory for code is open to others: " + path).WithHint("chmod 700 " + path)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		root.Close()
		return nil, errs.Wrap(errs.HomeUnusable, op, err)
	}
	s := &Store{root: root, path: real}
	s.sweep(func(name string) bool { return strings.HasPrefix(name, half) })
	return s, nil
}

func (s *Store) sweep(old func(name string) bool) {
	d, err := s.root.Open(".")
	if err != nil {
		return
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, n := range names {
		if old(n) {
			_ = s.root.RemoveAll(n)
		}
	}
}

// Get returns the directory of a key; nil when there is none.
func (s *Store) Get(key string) (*Dir, error) {
	const op = "codecache.get"
	parent, err := s.root.Open(".")
	if err != nil {
		return nil, errs.Wrap(errs.HomeUnusable, op, err)
	}
	defer parent.Close()
	fd, err := unix.Openat2(int(parent.Fd()), key, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if err == unix.ENOENT {
		return nil, nil
	}
	if err != nil {
		return nil, errs.Wrap(errs.HomeUnusable, op, err)
	}
	path := filepath.Join(s.path, key)
	return &Dir{Dir: os.NewFile(uintptr(fd), path), Path: path}, nil
}

// Remove removes the directory of a key.
func (s *Store) Remove(key string) { _ = s.root.RemoveAll(key) }

// Blank returns new memory that a worker can write code to.
func Blank() (*os.File, error) {
	fd, err := unix.MemfdCreate(Name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, "codecache.blank", err)
	}
	return os.NewFile(uintptr(fd), Name), nil
}

// Put seals memory of [Blank] and keeps what is in it as the code of a key, in place
// of all that is kept. size is what the worker said that it wrote: another one is
// refused, and so is more than limits.PDFFileSize.
func (s *Store) Put(key string, memory *os.File, size uint64) (err error) {
	const op = "codecache.put"
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	// It fails while anybody has the memory mapped for writing.
	if _, err := unix.FcntlInt(memory.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return errs.Wrap(errs.Internal, op, err)
	}
	st, err := memory.Stat()
	if err != nil {
		return errs.Wrap(errs.Internal, op, err)
	}
	if st.Size() == 0 || uint64(st.Size()) != size || size > limits.PDFFileSize {
		return errs.New(errs.Malformed, op).With("the code has another size")
	}
	name := half + strings.ToLower(rand.Text())
	defer func() {
		if err != nil {
			_ = s.root.RemoveAll(name)
			err = errs.Wrap(errs.HomeUnusable, op, err)
		}
	}()
	if err := s.root.Mkdir(name, 0o700); err != nil {
		return err
	}
	f, err := s.root.OpenFile(filepath.Join(name, Name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.NewSectionReader(memory, 0, st.Size()))
	if err := errors.Join(err, f.Chmod(fileMode), f.Sync(), f.Close(), s.root.Chmod(name, dirMode)); err != nil {
		return err
	}
	s.sweep(func(n string) bool { return n != name })
	return s.root.Rename(name, key)
}
