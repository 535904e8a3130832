package safefile

import (
	"os"

	"golang.org/x/sys/unix"
)

// Protect takes the write bits away, so that a program of the user's own does
// not change the file by mistake. It binds nobody who means to.
func (f *File) Protect() error {
	if err := f.hook.step(OpChmod, f.name, 0); err != nil {
		return fail("chmod", f.name, err)
	}
	if err := unix.Fchmod(int(f.f.Fd()), 0o400); err != nil {
		return fail("chmod", f.name, err)
	}
	return nil
}

// Handover is the open file itself, for a descriptor that a worker is given. It
// stays f's: closing either closes both.
func (f *File) Handover() *os.File { return f.f }
