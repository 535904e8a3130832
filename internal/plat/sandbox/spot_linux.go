package sandbox

import (
	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// spot is where a directory of the spec stands for the worker: below an open one,
// by a name.
type spot struct {
	fd   int
	name string
}

// spotOf is the spot of a mount; [Inside] says which at level 2.
func spotOf(spec workerspec.Spec, target string) spot {
	if !spec.Reduced {
		return spot{unix.AT_FDCWD, target}
	}
	if i := spec.Grant(); i >= 0 && spec.Mounts[i].Target == target {
		return spot{workerspec.GrantFD, "."}
	}
	return spot{unix.AT_FDCWD, "."}
}

// newFile are the flags that make a file.
const newFile = unix.O_CREAT | unix.O_EXCL | unix.O_WRONLY

func (s spot) tryOpen(name string, flags int) func() unix.Errno {
	return func() unix.Errno {
		fd, err := unix.Openat(s.fd, s.name+name, flags|unix.O_CLOEXEC, 0o600)
		if err == nil {
			unix.Close(fd)
			if flags&unix.O_CREAT != 0 {
				unix.Unlinkat(s.fd, s.name+name, 0)
			}
		}
		return errnoOf(err)
	}
}

func (s spot) tryLink() unix.Errno {
	return errnoOf(unix.Symlinkat("/etc/passwd", s.fd, s.name+"/"+probeName))
}

func (s spot) tryDirectory() unix.Errno {
	err := unix.Mkdirat(s.fd, s.name+"/"+probeName, 0o700)
	if err == nil {
		unix.Unlinkat(s.fd, s.name+"/"+probeName, unix.AT_REMOVEDIR)
	}
	return errnoOf(err)
}

func (s spot) tryLock() unix.Errno {
	fd, err := unix.Openat(s.fd, s.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return unix.EIO
	}
	defer unix.Close(fd)
	return errnoOf(unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB))
}
