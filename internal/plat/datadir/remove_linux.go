package datadir

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Remove removes the directory of a name with all that is in it; none is no
// error. Error: errs.HomeUnusable, which names the path.
//
// os.RemoveAll holds a descriptor for each level and leaves modes alone, so a
// deep tree or a mode of 0300 stops it.
func (p *Parent) Remove(name string) error {
	parent, err := p.root.Open(".")
	if err == nil {
		defer parent.Close()
		err = removeAll(parent, name)
	}
	if err != nil {
		path := filepath.Join(p.path, name)
		return errs.Wrap(errs.HomeUnusable, "datadir.remove", &os.PathError{Op: "remove", Path: path, Err: err}).
			With("a data directory cannot be removed: " + path)
	}
	return nil
}

// removeAll removes the entry of a directory.
func removeAll(parent *os.File, name string) error {
	left, err := removeOne(parent, name)
	if err != nil || !left {
		return err
	}
	top, err := openOwn(parent, name)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer top.Close()
	err = empty(top, func(sub string) error {
		d, err := openOwn(top, sub)
		if err != nil {
			return err
		}
		defer d.Close()
		// What is in it and is not empty goes up, so that no more than one
		// level is ever open.
		err = empty(d, func(deep string) error {
			if err := makeMovable(d, deep); err != nil {
				return err
			}
			return unix.Renameat(int(d.Fd()), deep, int(top.Fd()), rand.Text())
		})
		if err != nil {
			return err
		}
		return unlink(top, sub, unix.AT_REMOVEDIR)
	})
	if err != nil {
		return err
	}
	return unlink(parent, name, unix.AT_REMOVEDIR)
}

// empty empties a directory; full gets rid of a directory in it that is not
// empty.
func empty(d *os.File, full func(name string) error) error {
	for {
		if _, err := d.Seek(0, io.SeekStart); err != nil {
			return err
		}
		// Names that come while others are removed may be missed by one
		// reading, so it ends with one that finds none.
		for none := true; ; none = false {
			names, err := d.Readdirnames(limits.DataRemoveNames)
			if err == io.EOF && none {
				return nil
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			for _, n := range names {
				left, err := removeOne(d, n)
				if err == nil && left {
					err = full(n)
				}
				if err != nil {
					return err
				}
			}
		}
	}
}

// removeOne removes a file, a link or an empty directory; left says that it is
// a directory and not empty.
func removeOne(d *os.File, name string) (left bool, err error) {
	err = unlink(d, name, 0)
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return false, err
	}
	switch rmdir := unlink(d, name, unix.AT_REMOVEDIR); {
	case errors.Is(rmdir, unix.ENOTEMPTY), errors.Is(rmdir, unix.EEXIST):
		return true, nil
	case !errors.Is(rmdir, unix.ENOTDIR):
		return false, rmdir
	}
	return false, err
}

// unlink takes what is gone already for removed.
func unlink(d *os.File, name string, flags int) error {
	if err := unix.Unlinkat(int(d.Fd()), name, flags); err != nil && !errors.Is(err, unix.ENOENT) {
		return err
	}
	return nil
}

// pin opens a directory without reading it, whatever its mode is.
func pin(d *os.File, name string) (*os.File, error) {
	fd, err := unix.Openat2(int(d.Fd()), name, &unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		f.Close()
		return nil, err
	}
	if st.Mode&0o700 != 0o700 {
		// fchmod takes no O_PATH descriptor; this name stands for the very
		// object that is open.
		if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), 0o700); err != nil {
			f.Close()
			return nil, err
		}
	}
	return f, nil
}

// openOwn opens a directory for reading, and gives the owner all rights to it.
func openOwn(d *os.File, name string) (*os.File, error) {
	pinned, err := pin(d, name)
	if err != nil {
		return nil, err
	}
	defer pinned.Close()
	fd, err := unix.Openat(int(pinned.Fd()), ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// makeMovable: a directory moves to another only if it may be written itself,
// because ".." in it changes.
func makeMovable(d *os.File, name string) error {
	f, err := pin(d, name)
	if err != nil {
		return err
	}
	return f.Close()
}
