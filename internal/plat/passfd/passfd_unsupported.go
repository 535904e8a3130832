//go:build !linux

package passfd

import (
	"net"
	"os"

	"github.com/bailey-run/bailey/internal/errs"
)

// NewBlob refuses: windows exist on Linux only so far.
func NewBlob(string, []byte) (*Blob, error) { return nil, unsupported() }

// Open refuses.
func (*Blob) Open() (*os.File, error) { return nil, unsupported() }

// Pipe refuses.
func Pipe() (r, w *os.File, err error) { return nil, nil, unsupported() }

// Send refuses.
func Send(*net.UnixConn, []byte, *os.File) error { return unsupported() }

func unsupported() error { return errs.New(errs.NotSupported, "passfd") }
