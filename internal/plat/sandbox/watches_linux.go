package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// watches reports whether a kind may watch files at level 1: its list says so, or
// it has none.
func watches(spec workerspec.Spec) bool {
	return !spec.Requires(workerspec.SeccompStrict) ||
		slices.ContainsFunc(spec.Syscalls, func(c workerspec.Syscall) bool { return c.Name == "inotify_init1" })
}

// limitWatches bounds what the worker's own user namespace may take of the person's
// watches of files. The kernel counts each in every namespace up to the person's
// own, and holds each to its limit. It runs as a stub, with CAP_SYS_RESOURCE in that
// namespace, by whose limits the files below /proc/sys/user are then.
func limitWatches() error {
	err := setWatches(unix.AT_FDCWD, "/proc/sys/user/")
	if err == nil {
		return nil
	}
	// A container's /proc/sys is for reading; one of our own is not.
	fd, e := newProc(procAttrs)
	if e != nil {
		return errors.Join(err, e)
	}
	defer unix.Close(fd)
	return setWatches(fd, "sys/user/")
}

func setWatches(at int, dir string) error {
	for _, l := range []struct {
		name string
		most int
	}{{"max_inotify_instances", limits.SandboxWatchers}, {"max_inotify_watches", limits.SandboxWatches}} {
		fd, err := unix.Openat(at, dir+l.name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			_, err = unix.Write(fd, []byte(strconv.Itoa(l.most)))
			unix.Close(fd)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
	}
	return nil
}
