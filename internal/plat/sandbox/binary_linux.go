package sandbox

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// A process reaches the file that it was executed from through /proc, whatever its
// root is, and on the mount that it was executed from (CVE-2019-5736). The core opened
// the file on the host's, and it may be the person's own: so the stub executes the same
// file from a mount of its own that cannot be written, where neither its bytes nor its
// mode, owner, times and attributes can be changed. That mount has no name: nobody can
// mount it anew. At level 2 there are no mounts, nor a kind that may call chmod or
// execute a program, and Landlock gives the file for reading alone.

// ownProgram says that a worker is executed from a file of the core's: a foreign
// program is one in memory, or one that stands in the sandbox.
func (c Config) ownProgram() bool { return c.Foreign == nil }

// detachProgram clones the mount of the binary, as only root can from outside; -1
// where the stub has to do it by name.
func (c Config) detachProgram() int {
	if !c.ownProgram() || c.Spec.Reduced || c.Spec.Wrapped || !privileged() {
		return -1
	}
	fd, err := unix.OpenTree(int(c.Worker.Fd()), "", treeFlags|unix.AT_EMPTY_PATH)
	if err != nil {
		return -1 // what the system has no mount of is copied
	}
	return fd
}

// ownMount puts in place of the core's descriptor of the binary one of the same
// file that cannot be written. detached is the mount that the core sent, or none.
func ownMount(wrapped bool, detached []int) error {
	take := mountedProgram
	if wrapped {
		take = placedProgram
	}
	fd, err := take(detached)
	if err != nil && !wrapped {
		// Bailey was installed anew, and the file has no name any more.
		fd, err = copiedProgram()
	}
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Dup3(fd, binaryFD, unix.O_CLOEXEC)
}

func mountedProgram(detached []int) (int, error) {
	sm, err := programFile()
	if err != nil {
		return -1, err
	}
	sm.From = fromDetached
	if len(detached) == 0 {
		sm.From = fromPath
		path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", binaryFD))
		if err != nil {
			return -1, err
		}
		sm.Path = exact(path)
	}
	fd, _, err := take(sm, detached)
	if err != nil {
		return -1, err
	}
	if err := confine(fd, workerspec.Mount{Code: true}); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// programFile says which file the binary is.
func programFile() (setupMount, error) {
	var st unix.Stat_t
	err := unix.Fstat(binaryFD, &st)
	return setupMount{Dev: st.Dev, Ino: st.Ino}, err
}

// copiedProgram copies the binary into memory. It is the worker's own, and counted
// with it.
func copiedProgram() (int, error) {
	const name = "program"
	var st unix.Stat_t
	if err := unix.Fstat(binaryFD, &st); err != nil {
		return -1, err
	}
	root, err := newTmpfs(int(st.Size)+limits.SandboxRootSize, limits.SandboxRootInodes, "0755", codeAttrs)
	if err != nil {
		return -1, err
	}
	defer unix.Close(root)
	fd, err := unix.Openat(root, name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC, 0o555)
	if err != nil {
		return -1, fmt.Errorf("create: %w", err)
	}
	w := os.NewFile(uintptr(fd), name)
	// The offset of the descriptor is everybody's: it is not moved.
	_, err = io.Copy(w, io.NewSectionReader(descriptor(binaryFD), 0, st.Size))
	// What is open for writing is not executed.
	if cerr := w.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = confine(root, workerspec.Mount{Code: true})
	}
	if err != nil {
		return -1, fmt.Errorf("copy: %w", err)
	}
	return unix.Openat(root, name, unix.O_PATH|unix.O_CLOEXEC, 0)
}

// placedProgram is where bubblewrap mounted it.
func placedProgram([]int) (int, error) {
	sm, err := programFile()
	if err != nil {
		return -1, err
	}
	fd, err := unix.Open(workerspec.ProgramTarget, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := same(fd, sm); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}
