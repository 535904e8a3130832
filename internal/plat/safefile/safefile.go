// Package safefile is the only way in which Bailey's stores touch files: the
// audit log, keys, remembered policy, the core's lock.
//
// A [Dir] is an open directory that belongs to the user and to nobody else
// (owner and mode are checked on the open descriptor). Everything below it is
// named by a single component and opened relative to that descriptor with
// openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS), so
// that a link planted in a state directory leads nowhere and a directory that
// is swapped behind our back is never entered. Files are created 0600,
// directories 0700; a file that is not regular, not the user's own, has a
// second hard link, or can be read by others is refused.
//
// [Dir.Publish] replaces a whole file atomically and durably: temporary file,
// fsync, rename, fsync of the directory. [Dir.OpenAppend] gives a handle for
// logs. After a failed fsync the caller must not use that handle again: the
// kernel has marked the pages clean and a second fsync would say "fine"
// (https://wiki.postgresql.org/wiki/Fsync_Errors).
//
// It refuses: names with a slash, "." and "..", anything that it would have to
// follow, and every system but Linux so far.
//
// Callers: stores in the core and the command line. Users' own documents are
// never opened here; those go through grants and workers.
//
// [Dir.WithHook] is the seam for tests: the hook sees every operation before it
// is done and can fail it, cut a write short or kill the process there.
package safefile

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Op names an operation that a [Hook] can see.
type Op string

// The operations, in the order in which a publish does them.
const (
	OpMkdir    Op = "mkdir"
	OpOpen     Op = "open"
	OpCreate   Op = "create"
	OpRead     Op = "read"
	OpWrite    Op = "write"
	OpTruncate Op = "truncate"
	OpSync     Op = "sync"
	OpRename   Op = "rename"
	OpUnlink   Op = "unlink"
	OpSyncDir  Op = "syncdir"
	OpLock     Op = "lock"
	OpChmod    Op = "chmod"
)

// Step is one operation on one name, before it is done. Size is the number of
// bytes of a write.
type Step struct {
	Op   Op
	Name string
	Size int
}

// Stamp is a file's identity and state; see [File.Stamp]. Times are in
// nanoseconds since 1970.
type Stamp struct {
	Device, Inode     uint64
	Size              int64
	Modified, Changed int64
}

// Hook returns nil to let a step pass, or the error that it shall fail with. A
// [*Short] lets the first bytes of a write through.
type Hook func(Step) error

// Short makes a write fail with Err after N bytes were written.
type Short struct {
	N   int
	Err error
}

func (s *Short) Error() string { return fmt.Sprintf("short write of %d bytes: %v", s.N, s.Err) }
func (s *Short) Unwrap() error { return s.Err }

func (h Hook) step(op Op, name string, size int) error {
	if h == nil {
		return nil
	}
	return h(Step{Op: op, Name: name, Size: size})
}

// tmpPrefix marks files that are being published. One that a crash left behind
// is overwritten by the next publish of the same name and never listed.
const tmpPrefix = ".new."

// checkName refuses what is not a plain single component.
func checkName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
	case len(name) > limits.StateName:
	case strings.ContainsAny(name, "/\x00"):
	case strings.HasPrefix(name, tmpPrefix):
	default:
		return nil
	}
	return errs.Wrap(errs.Internal, "safefile", errors.New("not a plain file name"))
}
