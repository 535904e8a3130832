package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
)

// RestrictThread restricts the calling thread, and what it starts from now on, to
// reading and running the system's programs and libraries and to making
// sockets in the directory given; it connects to sockets there and in the
// directories of connect. It is for a program of the system that speaks for a
// host and needs no root of its own. The thread must be locked and may not serve
// anything else again. Errors: errs.SandboxMissing.
func RestrictThread(sockets string, connect ...string) error {
	const op = "sandbox.thread"
	refuse := func(err error) error { return errs.Wrap(errs.SandboxMissing, op, err) }
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return refuse(fmt.Errorf("no_new_privs: %w", err))
	}
	// resolve is known from Landlock 9 on; before, connecting is not restricted.
	const resolve = unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX
	var rules []landlockRule
	defer func() {
		for _, r := range rules {
			unix.Close(r.fd)
		}
	}()
	add := func(path string, rights uint64) error {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
		if err == nil {
			rules = append(rules, landlockRule{fd, rights})
		}
		return err
	}
	for _, path := range []string{"/usr", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache"} {
		rights := uint64(runRights | readRights)
		if st, err := os.Stat(path); err == nil && !st.IsDir() {
			rights = runRights
		}
		if err := add(path, rights); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return refuse(err)
		}
	}
	// The child's ids are written there by this thread, under its own rules, and
	// opened for both. What would harm in there wants ptrace, which Landlock refuses.
	if err := add("/proc", unix.LANDLOCK_ACCESS_FS_WRITE_FILE|unix.LANDLOCK_ACCESS_FS_READ_FILE); err != nil {
		return refuse(err)
	}
	if err := add(sockets, unix.LANDLOCK_ACCESS_FS_MAKE_SOCK|unix.LANDLOCK_ACCESS_FS_REMOVE_FILE|resolve); err != nil {
		return refuse(err)
	}
	for _, path := range connect {
		if err := add(path, resolve); err != nil {
			return refuse(err)
		}
	}
	if err := restrict(rules, 0); err != nil {
		return refuse(err)
	}
	return nil
}
