package dirfd

import (
	"encoding/binary"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/limits"
)

// openFlags never follow a link in the last component, never wait for a peer
// of a pipe or a carrier, and never make a terminal ours.
const openFlags = unix.O_RDONLY | unix.O_CLOEXEC | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY

// Open opens the directory at path, following links in it: the caller vouches
// for path. Errors are those of open(2).
func Open(path string) (*Dir, error) {
	fd, err := openat(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_DIRECTORY|unix.O_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return &Dir{fd: fd}, nil
}

// OpenAt opens the directory that descriptor fd, which stays the caller's, is
// open on. Errors are those of open(2).
func OpenAt(fd int) (*Dir, error) {
	dir, err := openat(fd, ".", openFlags|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &Dir{fd: dir}, nil
}

func openat(at int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(at, name, flags, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func single(name string) error {
	if name == "" || name == "." || name == ".." || strings.IndexByte(name, '/') >= 0 {
		return unix.EINVAL
	}
	return nil
}

// Dir opens the directory called name. Errors are those of open(2): ELOOP or
// ENOTDIR for a link, ENOENT, EACCES; EINVAL when name is not a single name.
func (d *Dir) Dir(name string) (*Dir, error) {
	if err := single(name); err != nil {
		return nil, err
	}
	fd, err := openat(d.fd, name, openFlags|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return &Dir{fd: fd}, nil
}

// File opens what is called name, of any kind but a link; ask Info before
// reading. Errors are those of open(2), as for Dir.
func (d *Dir) File(name string) (*File, error) {
	if err := single(name); err != nil {
		return nil, err
	}
	fd, err := openat(d.fd, name, openFlags)
	if err != nil {
		return nil, err
	}
	return &File{fd: fd}, nil
}

// Info describes the directory.
func (d *Dir) Info() (Info, error) { return info(d.fd) }

// Info describes the file.
func (f *File) Info() (Info, error) { return info(f.fd) }

func info(fd int) (Info, error) {
	var st unix.Stat_t
	for {
		err := unix.Fstat(fd, &st)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return Info{}, err
		}
		break
	}
	i := Info{Kind: Other, Size: st.Size, MTime: st.Mtim.Nano(), CTime: st.Ctim.Nano(), Inode: st.Ino, Device: uint64(st.Dev)}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		i.Kind = Regular
	case unix.S_IFDIR:
		i.Kind = Directory
	case unix.S_IFLNK:
		i.Kind = Link
	}
	return i, nil
}

// List returns the directory's entries in the file system's order, at most max;
// more reports that there were others. A directory removed since it was opened
// lists as ENOENT. It may be called once.
func (d *Dir) List(max int) (names []Name, more bool, err error) {
	buf := make([]byte, limits.DirRead)
	for {
		n, err := unix.Getdents(d.fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return names, false, err
		}
		if n <= 0 {
			return names, false, nil
		}
		// struct linux_dirent64: u64 ino, s64 off, u16 reclen, u8 type, name
		// with a NUL behind it (getdents64(2)).
		for b := buf[:n]; len(b) >= 20; {
			size := int(binary.NativeEndian.Uint16(b[16:]))
			if size < 20 || size > len(b) {
				return names, false, unix.EIO
			}
			name := b[19:size]
			for i, c := range name {
				if c == 0 {
					name = name[:i]
					break
				}
			}
			if s := string(name); single(s) == nil {
				if len(names) == max {
					return names, true, nil
				}
				names = append(names, Name{s, kindOf(b[18])})
			}
			b = b[size:]
		}
	}
}

func kindOf(t byte) Kind {
	switch t {
	case unix.DT_UNKNOWN:
		return Unknown
	case unix.DT_REG:
		return Regular
	case unix.DT_DIR:
		return Directory
	case unix.DT_LNK:
		return Link
	}
	return Other
}

// Read implements io.Reader from the file's current place.
func (f *File) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		n, err := unix.Read(f.fd, p)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, io.EOF
		}
		return n, nil
	}
}

// Handover returns a second descriptor of the file, to be handed to another process:
// what it is opened for stays the same, and so does its place.
func (f *File) Handover() (*os.File, error) {
	fd, err := unix.FcntlInt(uintptr(f.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "file"), nil
}

// Close closes the directory; again is harmless.
func (d *Dir) Close() error {
	if d.closed {
		return nil
	}
	d.closed = true
	return unix.Close(d.fd)
}

// Close closes the file; again is harmless.
func (f *File) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	return unix.Close(f.fd)
}

// FailureOf says what err, from a call of this package, means.
func FailureOf(err error) Failure {
	switch err {
	case unix.ENOENT, unix.ESTALE:
		return FailedGone
	case unix.EACCES, unix.EPERM:
		return FailedDenied
	case unix.ELOOP:
		return FailedLink
	case unix.ENOTDIR, unix.ENXIO, unix.ENODEV, unix.EISDIR, unix.EOPNOTSUPP:
		return FailedKind
	case unix.EMFILE, unix.ENFILE:
		return FailedSpace
	}
	return FailedIO
}
