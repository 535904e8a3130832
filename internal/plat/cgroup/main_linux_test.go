package cgroup

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// attackEnv has the test's program do one of attacks in place of the tests.
const attackEnv = "BAILEY_ATTACK"

func TestMain(m *testing.M) {
	if name := os.Getenv(attackEnv); name != "" {
		n, _ := strconv.Atoi(os.Args[1])
		attacks()[name](n)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// attacks are what takes too much of a machine, up to an amount at which the
// control run ends it.
func attacks() map[string]func(int) {
	return map[string]func(int){"memory": takeMemory, "fork": takeProcesses, "spin": takeProcessors, "tree": leaveTree,
		"hold": func(n int) { takeMemory(n); wait() }}
}

// takeMemory takes MiB, page by page.
func takeMemory(n int) {
	var all [][]byte
	for range n {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += os.Getpagesize() {
			b[i] = 1
		}
		all = append(all, b)
	}
	fmt.Println("took", len(all))
}

// fork makes a child that does nothing for ever, which the Go runtime has no call
// for: it is the kernel that is asked how many there may be.
func fork(session bool) syscall.Errno {
	pid, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno == 0 && pid == 0 {
		if session {
			syscall.RawSyscall(unix.SYS_SETSID, 0, 0, 0)
		}
		for {
			syscall.RawSyscall6(unix.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
		}
	}
	return errno
}

// takeProcesses makes n processes, or as many as it may.
func takeProcesses(n int) {
	made := 0
	for ; made < n; made++ {
		if errno := fork(false); errno != 0 {
			fmt.Printf("refused with %s\n", unix.ErrnoName(errno))
			break
		}
	}
	fmt.Println("made", made)
	_ = unix.Kill(0, unix.SIGKILL) // its own group: them all, and itself
}

// takeProcessors spins on all processors for n milliseconds, and says how many of
// processor time it got.
func takeProcessors(n int) {
	end := time.Now().Add(time.Duration(n) * time.Millisecond)
	for range runtime.NumCPU() - 1 {
		go func() {
			for time.Now().Before(end) {
			}
		}()
	}
	for time.Now().Before(end) {
	}
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic("BUG: " + err.Error())
	}
	fmt.Println("got", (u.Utime.Nano()+u.Stime.Nano())/int64(time.Millisecond))
}

// leaveTree leaves n processes behind, each in a session of its own, and waits.
func leaveTree(n int) {
	for range n {
		if errno := fork(true); errno != 0 {
			fmt.Println(errno)
		}
	}
	fmt.Println("left", n)
	wait() // the first is killed
}

// wait is for ever. Go's runtime would take a select without cases for a deadlock,
// and end the process.
func wait() {
	for {
		_ = unix.Pause()
	}
}
