//go:build linux

package sqlfiles

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
	"modernc.org/libc"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bailey-run/bailey/internal/errs"
)

// vfsName is what SQLite calls the way to files that [Use] makes.
const vfsName = "bailey"

// Use makes SQLite, in this process and from now on, open files by the names that
// it is given and look at them by descriptor. It may be called again. The error is
// errs.Internal; a database must then not be opened.
func Use() error {
	const op = "sqlfiles.use"
	fail := func(what string, rc int32) error {
		return errs.Wrap(errs.Internal, op, fmt.Errorf("%s: %d", what, rc))
	}
	tls := libc.NewTLS()
	defer tls.Close()
	if rc := sqlite3.Xsqlite3_initialize(tls); rc != sqlite3.SQLITE_OK {
		return fail("initialize", rc)
	}
	name, err := libc.CString(vfsName)
	if err != nil {
		return errs.Wrap(errs.Internal, op, err)
	}
	if sqlite3.Xsqlite3_vfs_find(tls, name) != 0 {
		libc.Xfree(tls, name)
		return nil
	}
	if _, err := sqlite.OFDLocking(true); err != nil {
		return errs.Wrap(errs.Internal, op, err)
	}
	// The one for files of Unix, but for two of its methods. SQLite keeps the
	// structure, so it is C's memory.
	standard := sqlite3.Xsqlite3_vfs_find(tls, 0)
	const size = unsafe.Sizeof(sqlite3.Tsqlite3_vfs{})
	own := libc.Xmalloc(tls, libc.Tsize_t(size))
	if standard == 0 || own == 0 {
		return fail("no way to files", sqlite3.SQLITE_NOMEM)
	}
	libc.Xmemcpy(tls, own, standard, libc.Tsize_t(size))
	vfs := *(**sqlite3.Tsqlite3_vfs)(unsafe.Pointer(&own))
	vfs.FzName, vfs.FpNext, vfs.FxFullPathname = name, 0, pointer(fullPathname)
	set := *(*func(*libc.TLS, uintptr, uintptr, uintptr) int32)(unsafe.Pointer(&struct{ uintptr }{vfs.FxSetSystemCall}))
	for call, f := range map[string]uintptr{"stat": pointer(stat), "access": pointer(access)} {
		cs, err := libc.CString(call)
		if err != nil {
			return errs.Wrap(errs.Internal, op, err)
		}
		rc := set(tls, own, cs, f)
		libc.Xfree(tls, cs)
		if rc != sqlite3.SQLITE_OK {
			return fail(call, rc)
		}
	}
	if rc := sqlite3.Xsqlite3_vfs_register(tls, own, 1); rc != sqlite3.SQLITE_OK {
		return fail("register", rc)
	}
	return nil
}

// pointer is a function as the translated C calls it: by the address of Go's
// closure, which for one that is declared never moves.
func pointer(f any) uintptr { return (*[2]uintptr)(unsafe.Pointer(&f))[1] }

// look opens a path for nothing but to look at it, and never waits.
func look(tls *libc.TLS, path uintptr, mode int32) int32 {
	return libc.Xopen(tls, path, mode|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
}

// stat is stat(2) of what may be opened for reading.
func stat(tls *libc.TLS, path, buf uintptr) int32 {
	fd := look(tls, path, unix.O_RDONLY)
	if fd < 0 {
		return -1
	}
	rc := libc.Xfstat(tls, fd, buf)
	libc.Xclose(tls, fd)
	return rc
}

// access is access(2), of which SQLite asks for reading and writing together alone.
func access(tls *libc.TLS, path uintptr, _ int32) int32 {
	fd := look(tls, path, unix.O_RDWR)
	if fd < 0 {
		return -1
	}
	return libc.Xclose(tls, fd)
}

// fullPathname is sqlite3_vfs.xFullPathname: the name as it is.
func fullPathname(tls *libc.TLS, _, path uintptr, size int32, out uintptr) int32 {
	n := libc.Xstrlen(tls, path)
	if n == 0 || n >= libc.Tsize_t(size) {
		return sqlite3.SQLITE_CANTOPEN
	}
	libc.Xmemcpy(tls, out, path, n+1)
	return sqlite3.SQLITE_OK
}
