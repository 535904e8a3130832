package datadir

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
)

// Open makes the parent directory at path, below one of the home's, and opens
// it. Errors: errs.HomeUnusable, errs.NoSpace.
func Open(path string) (*Parent, error) {
	const op = "datadir.open"
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fail(op, err)
	}
	// The slash: what is no directory is refused, and a FIFO not waited at.
	root, err := os.OpenRoot(path + "/")
	if errors.Is(err, unix.ENOTDIR) {
		return nil, errs.Wrap(errs.HomeUnusable, op, err).With(path + ": it is not a directory").WithHint("move it away")
	}
	if err != nil {
		return nil, fail(op, err)
	}
	st, err := root.Stat(".")
	if err != nil || st.Mode().Perm()&0o077 != 0 {
		root.Close()
		return nil, errs.Wrap(errs.HomeUnusable, op, err).With("a data directory is open to others: " + path).WithHint("chmod 700 " + path)
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		root.Close()
		return nil, fail(op, err)
	}
	return &Parent{root: root, path: real}, nil
}

// lock locks a parent against all others, and reports whether nobody's lock was in
// the way. A file system without locks has nobody's.
func lock(d *os.File) bool {
	return unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB) != unix.EWOULDBLOCK
}

// share locks it with others. Who is in the middle of a sweep is waited for: without
// a lock the next one would take what is ours for an earlier core's.
func share(d *os.File) {
	for unix.Flock(int(d.Fd()), unix.LOCK_SH) == unix.EINTR {
	}
}

func fail(op string, err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return errs.Wrap(errs.NoSpace, op, err)
	}
	return errs.Wrap(errs.HomeUnusable, op, err)
}

// Make makes the directory of a name, 0700, or opens the one that is there.
func (p *Parent) Make(name string) (*Dir, error) {
	const op = "datadir.make"
	if err := p.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fail(op, err)
	}
	parent, err := p.root.Open(".")
	if err != nil {
		return nil, fail(op, err)
	}
	defer parent.Close()
	fd, err := unix.Openat2(int(parent.Fd()), name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return nil, fail(op, err)
	}
	path := filepath.Join(p.path, name)
	return &Dir{Dir: os.NewFile(uintptr(fd), path), Path: path, parent: p, name: name}, nil
}

// Show lets everybody read an empty directory, which no parent lets anybody reach
// but who is given it open. It is for looking at a worker whose id may be another.
func (d *Dir) Show() error {
	if err := d.parent.root.Chmod(d.name, 0o755); err != nil {
		return fail("datadir.show", err)
	}
	return nil
}
