//go:build !linux

package tty

import (
	"context"
	"os"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
)

// Open refuses: not supported here.
func Open(in, out *os.File) (*Terminal, bool) { return nil, false }

// Is refuses: not supported here.
func Is(*os.File) bool { return false }

// Size refuses: not supported here.
func Size(*os.File) (columns, rows int, ok bool) { return 0, 0, false }

// Hold refuses: not supported here.
func (t *Terminal) Hold(context.Context, time.Duration) error {
	return errs.New(errs.NotSupported, "tty.hold")
}

// ReadLine refuses: not supported here.
func (t *Terminal) ReadLine(context.Context) (string, error) {
	return "", errs.New(errs.NotSupported, "tty.read-line")
}

// Write refuses: not supported here.
func (t *Terminal) Write([]byte) (int, error) { return 0, errs.New(errs.NotSupported, "tty.write") }

// Size refuses: not supported here.
func (t *Terminal) Size() (columns, rows int) { return 0, 0 }

// Raw refuses: not supported here.
func (t *Terminal) Raw() (restore func(), err error) {
	return nil, errs.New(errs.NotSupported, "tty.raw")
}

// Keys refuses: not supported here.
func (t *Terminal) Keys(context.Context, []byte, time.Duration) (int, error) {
	return 0, errs.New(errs.NotSupported, "tty.keys")
}

// Suspend refuses: not supported here.
func (t *Terminal) Suspend() error { return errs.New(errs.NotSupported, "tty.suspend") }
