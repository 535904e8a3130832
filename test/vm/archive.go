package vm

import (
	"fmt"
	"io"
	"path"
)

// An Archive writes a cpio archive in the format "newc", which the kernel
// unpacks as its first root (Documentation/driver-api/early-userspace/
// buffer-format.rst). Directories are made where they are needed; everything is
// root's. The zero value with W set is ready to use; Close ends the archive.
type Archive struct {
	W    io.Writer
	made map[string]bool
	next uint32
}

// Types of entries, as in stat(2).
const (
	typeDirectory = 0o040000
	typeFile      = 0o100000
	typeLink      = 0o120000
	typeDevice    = 0o020000
)

// trailer is the name that ends an archive.
const trailer = "TRAILER!!!"

// File adds a file of size bytes.
func (a *Archive) File(name string, mode uint32, size int64, r io.Reader) error {
	// The format has 32 bits for a size.
	if size < 0 || size > 1<<32-1 {
		return fmt.Errorf("%s: %d bytes do not fit an archive", name, size)
	}
	if err := a.head(name, typeFile|mode&0o7777, uint32(size), [2]uint32{}); err != nil {
		return err
	}
	n, err := io.Copy(a.W, io.LimitReader(r, size))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return a.pad(n)
}

// Link adds a symbolic link.
func (a *Archive) Link(name, target string) error {
	if err := a.head(name, typeLink|0o777, uint32(len(target)), [2]uint32{}); err != nil {
		return err
	}
	if _, err := io.WriteString(a.W, target); err != nil {
		return err
	}
	return a.pad(int64(len(target)))
}

// Directory adds a directory and those above it.
func (a *Archive) Directory(name string) error {
	name = path.Clean("/" + name)
	if name == "/" || a.made[name] {
		return nil
	}
	if err := a.head(name, typeDirectory|0o755, 0, [2]uint32{}); err != nil {
		return err
	}
	if a.made == nil {
		a.made = map[string]bool{}
	}
	a.made[name] = true
	return nil
}

// Device adds a character device, which the kernel needs before there is a /dev.
func (a *Archive) Device(name string, major, minor uint32) error {
	return a.head(name, typeDevice|0o600, 0, [2]uint32{major, minor})
}

// Close ends the archive; it closes no writer.
func (a *Archive) Close() error { return a.entry(trailer, 0, 0, [2]uint32{}) }

func (a *Archive) head(name string, mode, size uint32, device [2]uint32) error {
	name = path.Clean("/" + name)
	if err := a.Directory(path.Dir(name)); err != nil {
		return err
	}
	return a.entry(name[1:], mode, size, device)
}

func (a *Archive) entry(name string, mode, size uint32, device [2]uint32) error {
	a.next++
	// c_magic, then ino, mode, uid, gid, nlink, mtime, filesize, devmajor,
	// devminor, rdevmajor, rdevminor, namesize, check.
	head := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.next, mode, 0, 0, 1, 0, size, 0, 0, device[0], device[1], len(name)+1, 0, name)
	if _, err := io.WriteString(a.W, head); err != nil {
		return err
	}
	return a.pad(int64(len(head)))
}

// pad fills up to a multiple of four.
func (a *Archive) pad(n int64) error {
	_, err := a.W.Write(make([]byte, -n&3))
	return err
}
