package peer

import (
	"errors"
	"io/fs"
	"syscall"
)

// Absent reports whether an error of [Dial] says that no process listens: the
// socket is missing, or stale.
func Absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}
