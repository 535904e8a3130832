//go:build !linux

package dirfd

import (
	"os"

	"github.com/bailey-run/bailey/internal/errs"
)

func refuse(op string) error { return errs.New(errs.NotSupported, op) }

// Open refuses on this system.
func Open(path string) (*Dir, error) { return nil, refuse("dirfd.open") }

// OpenAt refuses on this system.
func OpenAt(fd int) (*Dir, error) { return nil, refuse("dirfd.open") }

// Dir refuses on this system.
func (d *Dir) Dir(name string) (*Dir, error) { return nil, refuse("dirfd.dir") }

// File refuses on this system.
func (d *Dir) File(name string) (*File, error) { return nil, refuse("dirfd.file") }

// Info refuses on this system.
func (d *Dir) Info() (Info, error) { return Info{}, refuse("dirfd.info") }

// Info refuses on this system.
func (f *File) Info() (Info, error) { return Info{}, refuse("dirfd.info") }

// List refuses on this system.
func (d *Dir) List(max int) (names []Name, more bool, err error) {
	return nil, false, refuse("dirfd.list")
}

// Handover refuses on this system.
func (f *File) Handover() (*os.File, error) { return nil, refuse("dirfd.handover") }

// Read refuses on this system.
func (f *File) Read(p []byte) (int, error) { return 0, refuse("dirfd.read") }

// Close does nothing: nothing was opened.
func (d *Dir) Close() error { d.closed = true; return nil }

// Close does nothing: nothing was opened.
func (f *File) Close() error { f.closed = true; return nil }

// FailureOf cannot tell errors apart on this system.
func FailureOf(err error) Failure { return FailedIO }
