package lookin

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The attempts, as [Try] names them.
const (
	Trace      = "PTRACE_SEIZE"
	Memory     = "process_vm_readv"
	MemoryFile = "/proc/PID/mem"
	Descriptor = "pidfd_getfd"
	Environ    = "/proc/PID/environ"
)

// magic is what a program's first mapping begins with.
const magic = "\x7fELF"

// Open is the outcome of [Try] for a process that nothing closes.
func Open() map[string]error {
	return map[string]error{Trace: nil, Memory: nil, MemoryFile: nil, Descriptor: nil, Environ: nil}
}

// Closed is the outcome for one that is closed to its own user.
func Closed() map[string]error {
	return map[string]error{Trace: unix.EPERM, Memory: unix.EPERM, MemoryFile: unix.EACCES, Descriptor: unix.EPERM, Environ: unix.EACCES}
}

// Owned is the outcome for one whose files in /proc are closed, but which lives in
// a user namespace that the caller's user made.
func Owned() map[string]error {
	m := Closed()
	m[Trace], m[Memory], m[Descriptor] = nil, nil, nil
	return m
}

// Base is where the program of a process begins in its memory. Programs of one way
// of building that are not moved about (Go's, without cgo) have the same.
func Base(pid int) (uintptr, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), "-")
	n, err := strconv.ParseUint(first, 16, 64)
	return uintptr(n), err
}

// Try makes each attempt on a process and returns the errno that it was answered, nil
// where it succeeded. What it reads has to be a program's beginning.
func Try(pid int, base uintptr) map[string]error {
	out := map[string]error{Trace: trace(pid), Memory: memory(pid, base), MemoryFile: file(pid, "mem", int64(base)), Descriptor: descriptor(pid)}
	_, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	out[Environ] = plain(err)
	return out
}

// Halt traces a process, sends its first thread a signal, waits until that stands
// still for it, and lets go of it. A signal for the process could be taken by another
// thread, which is not traced.
func Halt(pid int, sig unix.Signal) error {
	return traced(pid, func() error {
		if err := unix.Tgkill(pid, pid, sig); err != nil {
			return err
		}
		for !says(pid, "State:\tt") {
			runtime.Gosched()
		}
		return nil
	})
}

func trace(pid int) error { return traced(pid, func() error { return nil }) }

// traced does something while it traces a process, and lets go by the end of the
// thread that traced. The main thread of a program of Go does not end, and one that
// stays traced is not waited for by its own parent.
func traced(pid int, do func() error) error {
	done := make(chan error)
	go seize(pid, do, done)
	err := <-done
	// Who comes before the thread has ended is refused for that.
	for err == nil && !says(pid, "TracerPid:\t0\n") {
		runtime.Gosched()
	}
	return err
}

// says looks for words in a process's status, which everybody may read; one that is
// gone says everything.
func says(pid int, words string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err != nil || bytes.Contains(b, []byte("\n"+words))
}

func seize(pid int, do func() error, done chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() != unix.Getpid() {
		err := unix.PtraceSeize(pid)
		if err == nil {
			err = do()
		}
		done <- err
		return
	}
	defer runtime.UnlockOSThread()
	other := make(chan error)
	go seize(pid, do, other)
	done <- <-other
}

func memory(pid int, base uintptr) error {
	b := make([]byte, len(magic))
	local := []unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	_, err := unix.ProcessVMReadv(pid, local, []unix.RemoteIovec{{Base: base, Len: len(b)}}, 0)
	return read(b, err)
}

func file(pid int, name string, at int64) error {
	f, err := os.Open(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		return plain(err)
	}
	defer f.Close()
	b := make([]byte, len(magic))
	_, err = f.ReadAt(b, at)
	return read(b, err)
}

func read(b []byte, err error) error {
	if err == nil && !bytes.Equal(b, []byte(magic)) {
		return fmt.Errorf("%q was read", b)
	}
	return plain(err)
}

// descriptor takes a copy of standard error, which every process of the tests has.
func descriptor(pid int) error {
	p, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(p)
	fd, err := unix.PidfdGetfd(p, 2, 0)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// plain is the errno of an error, if it has one.
func plain(err error) error {
	var e unix.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}
