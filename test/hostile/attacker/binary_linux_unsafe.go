//go:build bailey_hostile

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// ownExe leads to the file that a process was executed from, where there is /proc.
const ownExe = "/proc/self/exe"

// ownBinary are the attacks on that file (CVE-2019-5736): the next worker is made of
// it. Each gets a copy that belongs to the user, whose permissions then refuse nothing.
func ownBinary() map[string]attack {
	return map[string]attack{
		"write own binary":   writeOwn,
		"mode of own binary": simple(func(order) error { return unix.Chmod(ownExe, 0o755) }),
		"times of own binary": simple(func(order) error {
			return unix.UtimesNanoAt(unix.AT_FDCWD, ownExe, make([]unix.Timespec, 2), 0)
		}),
	}
}

// copied makes the copy in a scene, and opens it as the core opens a worker's binary.
func (s *scene) copied(program *os.File) (*os.File, error) {
	name := filepath.Join(s.base, "program")
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := io.Copy(f, io.NewSectionReader(program, 0, 1<<30)); err != nil {
		return nil, err
	}
	if err := f.Chmod(0o755); err != nil {
		return nil, err
	}
	// A file that is open for writing is not executed.
	if err := f.Close(); err != nil {
		return nil, err
	}
	return os.Open(name)
}

// posture is what the core would say of the sealed worker, or of what draws.
func (h *hostile) posture() string {
	if h.proc == nil {
		return ""
	}
	p, err := h.proc.Posture()
	switch {
	case err == nil && h.spec.Class == workerspec.Host:
		err = sandbox.CheckHost(p, h.spec, sandbox.Given{})
	case err == nil:
		err = sandbox.Check(p, h.spec)
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// writerName is argv[0] of the program that a worker turns into.
const writerName = "attacker-writer"

// writeOwn keeps a descriptor of its own binary and turns into another program: nobody
// is executed from the file any more, which the kernel would refuse to have written.
func writeOwn(order) func() answer {
	return func() answer {
		fd, err := unix.Open(ownExe, unix.O_RDONLY, 0)
		if err != nil {
			return did(err)
		}
		other, err := unix.MemfdCreate("x", 0)
		if err != nil {
			return did(err)
		}
		b := make([]byte, 1<<20)
		for {
			n, err := unix.Read(fd, b)
			if err != nil {
				return did(err)
			}
			if n == 0 {
				break
			}
			if _, err := unix.Write(other, b[:n]); err != nil {
				return did(err)
			}
		}
		argv := [3]*byte{(*byte)(cstr(writerName)), (*byte)(cstr(strconv.Itoa(fd)))}
		return did(raw(unix.SYS_EXECVEAT, uintptr(other), uintptr(cstr("")), uintptr(unsafe.Pointer(&argv[0])), 0, unix.AT_EMPTY_PATH))
	}
}

// writer is that other program.
func writer(fd string) int {
	err := open(unix.AT_FDCWD, "/proc/self/fd/"+fd, unix.O_WRONLY)
	if err := json.NewEncoder(os.NewFile(connFD, "conn")).Encode(did(err)); err != nil {
		fmt.Fprintln(os.Stderr, "writer:", err)
		return 2
	}
	return 0
}
