//go:build !linux

package passfd

import (
	"net"
	"os"

	"github.com/bailey-run/bailey/internal/errs"
)

// Sealed refuses: windows exist on Linux only so far.
func Sealed(string, []byte) (*os.File, error) { return nil, unsupported() }

// Pipe refuses.
func Pipe() (r, w *os.File, err error) { return nil, nil, unsupported() }

// Send refuses.
func Send(*net.UnixConn, []byte, *os.File) error { return unsupported() }

func unsupported() error { return errs.New(errs.NotSupported, "passfd") }
