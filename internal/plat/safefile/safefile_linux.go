package safefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

const (
	dirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	resolve  = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS
)

// Dir is an open directory of Bailey's state. It is safe for concurrent use.
type Dir struct {
	f    *os.File
	path string
	hook Hook
	lax  bool
}

// fail gives a system error its code. Details hold the base name only: state
// paths are the user's business, but not a log's.
func fail(op, name string, err error) error {
	code := errs.HomeUnusable
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		code = errs.NoSpace
	case errors.Is(err, fs.ErrNotExist):
		code = errs.NotFound
	case errors.Is(err, unix.ENOSYS):
		code = errs.NotSupported
	}
	if why := wrong(err); why != "" {
		name += ": " + why
	}
	return errs.Wrap(code, "safefile."+op, err).With(name)
}

// wrong says what stands in the place of what was to be opened.
func wrong(err error) string {
	switch {
	case errors.Is(err, unix.ELOOP):
		return "it is a link"
	case errors.Is(err, unix.EISDIR):
		return "it is a directory"
	case errors.Is(err, unix.ENOTDIR):
		return "it is not a directory"
	case errors.Is(err, unix.ENXIO):
		return "it is not a regular file"
	}
	return ""
}

// OpenDir opens the existing directory at path. It returns errs.NotFound where
// there is none and errs.HomeUnusable where it is not a directory, not the
// user's own, or open to others. Links on the way are followed: the path is
// the user's word.
func OpenDir(path string) (*Dir, error) {
	f, err := openDirPath(path)
	if err != nil {
		return nil, err
	}
	d := &Dir{f: f, path: path}
	if err := d.check(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return d, nil
}

// OpenCopy opens a directory for reading only and without asking whose it is:
// for a copy of a log that someone else made. Nothing in it is trusted.
func OpenCopy(path string) (*Dir, error) {
	f, err := openDirPath(path)
	if err != nil {
		return nil, err
	}
	return &Dir{f: f, path: path, lax: true}, nil
}

func openDirPath(path string) (*os.File, error) {
	fd, err := unix.Open(path, dirFlags, 0)
	if err != nil {
		return nil, fail("opendir", filepath.Base(path), err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// MakeDir opens the directory at path and creates it, and what is missing above
// it, with mode 0700.
func MakeDir(path string) (*Dir, error) {
	d, err := OpenDir(path)
	if errs.CodeOf(err) != errs.NotFound {
		return d, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fail("mkdir", filepath.Base(path), err)
	}
	if err := syncParent(path); err != nil {
		return nil, err
	}
	return OpenDir(path)
}

func syncParent(path string) error {
	p, err := openDirPath(filepath.Dir(filepath.Clean(path)))
	if err != nil {
		return err
	}
	defer p.Close()
	if err := p.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return fail("syncdir", filepath.Base(path), err)
	}
	return nil
}

func (d *Dir) check() error {
	var st unix.Stat_t
	if err := unix.Fstat(int(d.f.Fd()), &st); err != nil {
		return fail("stat", d.base(), err)
	}
	switch {
	case int(st.Uid) != unix.Geteuid():
		return errs.Wrap(errs.HomeUnusable, "safefile.check", errors.New("owned by another user")).With(d.base())
	case st.Mode&0o077 != 0:
		return errs.Wrap(errs.HomeUnusable, "safefile.check", fmt.Errorf("mode %#o is open to others", st.Mode&0o777)).
			With(d.base()).WithHint("run `chmod 700` on it, or name another home with --home")
	}
	return nil
}

func (d *Dir) base() string { return filepath.Base(d.path) }

// Path is the name by which the directory was opened, for messages only.
func (d *Dir) Path() string { return d.path }

// WithHook returns a directory on the same descriptor whose operations, and
// those of everything opened through it, pass through h first. For tests.
func (d *Dir) WithHook(h Hook) *Dir {
	c := *d
	c.hook = h
	return &c
}

// Close releases the descriptor. It may be called more than once.
func (d *Dir) Close() error {
	if err := d.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fail("close", d.base(), err)
	}
	return nil
}

func (d *Dir) openat(name string, flags int, mode uint32) (*os.File, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC | unix.O_NOFOLLOW), Resolve: resolve}
	if flags&unix.O_CREAT != 0 {
		how.Mode = uint64(mode)
	}
	for {
		fd, err := unix.Openat2(int(d.f.Fd()), name, &how)
		if err == unix.EINTR || err == unix.EAGAIN {
			continue
		}
		if err != nil {
			return nil, fail("open", name, err)
		}
		return os.NewFile(uintptr(fd), name), nil
	}
}

// Sub opens the directory name below d and creates it (0700) if it is missing.
func (d *Dir) Sub(name string) (*Dir, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if !d.lax {
		if err := d.hook.step(OpMkdir, name, 0); err != nil {
			return nil, fail("mkdir", name, err)
		}
		err := unix.Mkdirat(int(d.f.Fd()), name, 0o700)
		if err == nil {
			err = d.syncDir()
		} else if err == unix.EEXIST {
			err = nil
		} else {
			err = fail("mkdir", name, err)
		}
		if err != nil {
			return nil, err
		}
	}
	return d.OpenSub(name)
}

// OpenSub opens the existing directory name below d.
func (d *Dir) OpenSub(name string) (*Dir, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := d.hook.step(OpOpen, name, 0); err != nil {
		return nil, fail("open", name, err)
	}
	f, err := d.openat(name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	s := &Dir{f: f, path: filepath.Join(d.path, name), hook: d.hook, lax: d.lax}
	if !d.lax {
		if err := s.check(); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return s, nil
}

// File is an open file of a [Dir].
type File struct {
	f    *os.File
	name string
	hook Hook
}

func (d *Dir) open(name string, flags int) (*File, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	return d.openFile(name, flags)
}

// openFile is open for names that may be those of unfinished publications.
func (d *Dir) openFile(name string, flags int) (*File, error) {
	op := OpOpen
	if flags&unix.O_CREAT != 0 {
		op = OpCreate
	}
	if err := d.hook.step(op, name, 0); err != nil {
		return nil, fail("open", name, err)
	}
	// O_NONBLOCK: a FIFO planted under the name must not hold us up before
	// fstat has told that it is one.
	f, err := d.openat(name, flags|unix.O_NONBLOCK|unix.O_NOCTTY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := d.checkFile(f, name); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &File{f: f, name: name, hook: d.hook}, nil
}

func (d *Dir) checkFile(f *os.File, name string) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return fail("stat", name, err)
	}
	why := ""
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		why = "it is not a regular file"
	case d.lax:
	case int(st.Uid) != unix.Geteuid():
		why = "it is owned by another user"
	case st.Mode&0o077 != 0:
		why = fmt.Sprintf("its mode %#o is open to others", st.Mode&0o777)
	case st.Nlink > 1:
		why = "it has a second name"
	}
	if why != "" {
		return errs.Wrap(errs.HomeUnusable, "safefile.check", errors.New(why)).With(name + ": " + why)
	}
	return nil
}

// Open opens an existing file for reading.
func (d *Dir) Open(name string) (*File, error) { return d.open(name, unix.O_RDONLY) }

// OpenWrite opens an existing file for reading and writing in place.
func (d *Dir) OpenWrite(name string) (*File, error) { return d.open(name, unix.O_RDWR) }

// OpenAppend opens a file for appending and creates it if it is missing;
// created says so. The new name is durable when OpenAppend returns.
func (d *Dir) OpenAppend(name string) (f *File, created bool, err error) {
	f, err = d.open(name, unix.O_RDWR|unix.O_APPEND)
	if errs.CodeOf(err) != errs.NotFound {
		return f, false, err
	}
	f, err = d.open(name, unix.O_RDWR|unix.O_APPEND|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return nil, false, err
	}
	if err := d.syncDir(); err != nil {
		return nil, false, errors.Join(err, f.Close())
	}
	return f, true, nil
}

// Read returns a whole file of at most max bytes; errs.TooLarge beyond.
func (d *Dir) Read(name string, max int64) ([]byte, error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := d.hook.step(OpRead, name, 0); err != nil {
		return nil, fail("read", name, err)
	}
	b, err := io.ReadAll(io.LimitReader(f.f, max+1))
	if err != nil {
		return nil, fail("read", name, err)
	}
	if int64(len(b)) > max {
		return nil, errs.New(errs.TooLarge, "safefile.read").With(name)
	}
	return b, nil
}

// Publish replaces the file name by data. When it returns nil the new content
// is durable; when it fails, or the machine stops in between, the file holds
// the old content whole.
func (d *Dir) Publish(name string, data []byte) (err error) {
	if err := checkName(name); err != nil {
		return err
	}
	tmp := tmpPrefix + name
	// A temporary file that a crash left may have any mode or be a planted
	// link: it is removed, never reused.
	if err := unix.Unlinkat(int(d.f.Fd()), tmp, 0); err != nil && err != unix.ENOENT {
		return fail("publish", name, err)
	}
	f, err := d.openFile(tmp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return err
	}
	f.name = name
	defer func() {
		if err != nil {
			// The error at hand is the one to report; a leftover is harmless.
			_ = unix.Unlinkat(int(d.f.Fd()), tmp, 0)
		}
	}()
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := d.hook.step(OpRename, name, 0); err != nil {
		return fail("rename", name, err)
	}
	if err := unix.Renameat(int(d.f.Fd()), tmp, int(d.f.Fd()), name); err != nil {
		return fail("rename", name, err)
	}
	return d.syncDir()
}

func (d *Dir) syncDir() error {
	if err := d.hook.step(OpSyncDir, d.base(), 0); err != nil {
		return fail("syncdir", d.base(), err)
	}
	// Some file systems (9p, a few FUSE ones) cannot sync a directory and say
	// EINVAL; there is nothing better to do there.
	if err := d.f.Sync(); err != nil && !errors.Is(err, unix.EINVAL) {
		return fail("syncdir", d.base(), err)
	}
	return nil
}

// Move renames name in d to newName in to, durably in both. It does not
// replace: errs.HomeUnusable when newName exists.
func (d *Dir) Move(name string, to *Dir, newName string) error {
	if err := errors.Join(checkName(name), checkName(newName)); err != nil {
		return err
	}
	if err := d.hook.step(OpRename, name, 0); err != nil {
		return fail("rename", name, err)
	}
	if err := unix.Renameat2(int(d.f.Fd()), name, int(to.f.Fd()), newName, unix.RENAME_NOREPLACE); err != nil {
		return fail("rename", name, err)
	}
	if err := to.syncDir(); err != nil {
		return err
	}
	return d.syncDir()
}

// Remove deletes a file, durably. A missing one is no error.
func (d *Dir) Remove(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	if err := d.hook.step(OpUnlink, name, 0); err != nil {
		return fail("unlink", name, err)
	}
	if err := unix.Unlinkat(int(d.f.Fd()), name, 0); err != nil && err != unix.ENOENT {
		return fail("unlink", name, err)
	}
	return d.syncDir()
}

// List returns the names in d, sorted, without unfinished publications.
func (d *Dir) List() ([]string, error) {
	// A descriptor of its own: the position in a listing is shared otherwise.
	fd, err := unix.Openat(int(d.f.Fd()), ".", dirFlags, 0)
	if err != nil {
		return nil, fail("list", d.base(), err)
	}
	f := os.NewFile(uintptr(fd), d.base())
	defer f.Close()
	names, err := f.Readdirnames(limits.StateEntries + 1)
	if err != nil && err != io.EOF {
		return nil, fail("list", d.base(), err)
	}
	if len(names) > limits.StateEntries {
		return nil, errs.New(errs.TooLarge, "safefile.list").With(d.base())
	}
	names = slices.DeleteFunc(names, func(n string) bool { return strings.HasPrefix(n, tmpPrefix) })
	slices.Sort(names)
	return names, nil
}

// Free is the number of bytes that this user can still write to d's file
// system.
func (d *Dir) Free() (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.f.Fd()), &st); err != nil {
		return 0, fail("statfs", d.base(), err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}

// Write appends or writes all of b; on error some first bytes may be written.
func (f *File) Write(b []byte) (int, error) {
	return f.write(b, func(b []byte) (int, error) { return f.f.Write(b) })
}

// WriteAt writes all of b at off.
func (f *File) WriteAt(b []byte, off int64) (int, error) {
	return f.write(b, func(b []byte) (int, error) { return f.f.WriteAt(b, off) })
}

func (f *File) write(b []byte, do func([]byte) (int, error)) (int, error) {
	if err := f.hook.step(OpWrite, f.name, len(b)); err != nil {
		var s *Short
		n := 0
		if errors.As(err, &s) && s.N > 0 {
			n, _ = do(b[:min(s.N, len(b))])
		}
		return n, fail("write", f.name, err)
	}
	n, err := do(b)
	if err != nil {
		return n, fail("write", f.name, err)
	}
	return n, nil
}

// Read implements io.Reader.
func (f *File) Read(b []byte) (int, error) {
	n, err := f.f.Read(b)
	if err != nil && err != io.EOF {
		err = fail("read", f.name, err)
	}
	return n, err
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(b, off)
	if err != nil && err != io.EOF {
		err = fail("read", f.name, err)
	}
	return n, err
}

// Truncate cuts the file to size bytes.
func (f *File) Truncate(size int64) error {
	if err := f.hook.step(OpTruncate, f.name, 0); err != nil {
		return fail("truncate", f.name, err)
	}
	if err := f.f.Truncate(size); err != nil {
		return fail("truncate", f.name, err)
	}
	return nil
}

// Sync makes the content durable (fdatasync: size and data; times may lag).
func (f *File) Sync() error {
	if err := f.hook.step(OpSync, f.name, 0); err != nil {
		return fail("sync", f.name, err)
	}
	for {
		err := unix.Fdatasync(int(f.f.Fd()))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fail("sync", f.name, err)
		}
		return nil
	}
}

// Size is the file's length in bytes.
func (f *File) Size() (int64, error) {
	st, err := f.f.Stat()
	if err != nil {
		return 0, fail("stat", f.name, err)
	}
	return st.Size(), nil
}

// Stamp says which file it is, and in which state: one that is equal to an earlier
// one was not written to between the two, as far as the system's clock tells.
func (f *File) Stamp() (Stamp, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.f.Fd()), &st); err != nil {
		return Stamp{}, fail("stat", f.name, err)
	}
	return Stamp{Device: st.Dev, Inode: st.Ino, Size: st.Size, Modified: st.Mtim.Nano(), Changed: st.Ctim.Nano()}, nil
}

// Close releases the handle. It may be called more than once.
func (f *File) Close() error {
	if err := f.f.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fail("close", f.name, err)
	}
	return nil
}
