package sandbox

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// TestSystemProgramChanged: what is recorded of a program of the system's is what was
// executed, whoever writes to it or puts another in its place meanwhile.
func TestSystemProgramChanged(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"nothing": func(string) error { return nil },
		"written": func(path string) error { return os.WriteFile(path, []byte("two"), 0o755) },
		"replaced": func(path string) error {
			return errors.Join(os.WriteFile(path+".new", []byte("one"), 0o755), os.Rename(path+".new", path))
		},
		"replaced for a while": func(path string) error {
			return errors.Join(os.Rename(path, path+".old"), os.WriteFile(path, []byte("two"), 0o755), os.Rename(path+".old", path))
		},
		"gone": os.Remove,
	} {
		path := filepath.Join(realDir(t), "program")
		if err := os.WriteFile(path, []byte("one"), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		sum, size, still, err := SystemProgram(t.Context(), f, path)
		if err != nil || size != 3 || sum != sha256.Sum256([]byte("one")) {
			t.Fatalf("%x, %d, %v", sum, size, err)
		}
		waitForTick(t, path)
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		if err := still(); (err == nil) != (name == "nothing") || err != nil && errs.CodeOf(err) != errs.ProgramRefused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// waitForTick returns when the clock of the file system, which may tick but a few
// hundred times in a second, is beyond a file's last change.
func waitForTick(t *testing.T, path string) {
	t.Helper()
	for {
		var before, now unix.Stat_t
		other := path + ".clock"
		if err := errors.Join(unix.Stat(path, &before), os.WriteFile(other, nil, 0o600), unix.Stat(other, &now), os.Remove(other)); err != nil {
			t.Fatal(err)
		}
		if now.Ctim.Nano() > before.Ctim.Nano() {
			return
		}
	}
}

// TestStackIsLimited: where an account has no limit of stacks, which RLIMIT_DATA does
// not count, a worker has one.
func TestStackIsLimited(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_STACK, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_STACK, &unix.Rlimit{Cur: before.Max, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_STACK, &before)
	r := start(t, t.Context(), realDir(t))
	r.seal()
	pos, err := r.Posture()
	if err != nil {
		t.Fatal(err)
	}
	l, ok := pos.Limits["Max stack size"]
	if !ok || l.Soft > limits.WorkerStack || l.Hard > limits.WorkerStack {
		t.Errorf("with %d here: %+v", before.Max, l)
	}
}

// TestOrdinaryTurn: a core that somebody gave real time or a turn before others passes
// neither on.
func TestOrdinaryTurn(t *testing.T) {
	for name, a := range map[string]unix.SchedAttr{
		"real time":     {Policy: unix.SCHED_RR, Priority: 1},
		"less niceness": {Policy: unix.SCHED_NORMAL, Nice: -5},
	} {
		t.Run(name, func(t *testing.T) {
			a.Size = unix.SizeofSchedAttr
			// Whichever thread clones, or makes the one that does.
			set := func(a unix.SchedAttr) error {
				threads, err := os.ReadDir("/proc/self/task")
				if err != nil {
					return err
				}
				for _, e := range threads {
					tid, err := strconv.Atoi(e.Name())
					if err != nil {
						return err
					}
					if err := unix.SchedSetAttr(tid, &a, 0); err != nil && err != unix.ESRCH {
						return err
					}
				}
				return nil
			}
			defer set(unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL})
			if err := set(a); err == unix.EPERM {
				t.Log("an account without powers has neither to give")
				return
			} else if err != nil {
				t.Fatal(err)
			}
			r := start(t, t.Context(), realDir(t))
			got, err := unix.SchedGetAttr(r.PID(), 0)
			if err != nil {
				t.Fatal(err)
			}
			if got.Policy != unix.SCHED_NORMAL || got.Nice < 0 {
				t.Errorf("policy %d, niceness %d", got.Policy, got.Nice)
			}
		})
	}
}

// TestOrdinarySignals: a core that was started with signals blocked and ignored, with
// a turn at the disk before others and with timers that are more exact than others'
// passes nothing of it on.
func TestOrdinarySignals(t *testing.T) {
	const own = "BAILEY_TEST_SIGNALS"
	switch os.Getenv(own) {
	case "":
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestOrdinarySignals$", "-test.v")
		cmd.Env = append(os.Environ(), own+"=told")
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestOrdinarySignals")) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	case "told":
		// A program begins with what the thread that executes it was told.
		runtime.LockOSThread()
		block := unix.Sigset_t{}
		block.Val[0] = 1<<(unix.SIGTERM-1) | 1<<(unix.SIGUSR1-1)
		signal.Ignore(unix.SIGTTIN, unix.SIGTSTP)
		if err := errors.Join(unix.PthreadSigmask(unix.SIG_BLOCK, &block, nil), unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)); err != nil {
			t.Fatal(err)
		}
		if _, _, e := unix.Syscall(unix.SYS_IOPRIO_SET, ioprioProcess, 0, 2<<13); e != 0 {
			t.Fatal(e)
		}
		t.Setenv(own, "started")
		t.Fatal(unix.Exec("/proc/self/exe", os.Args, os.Environ()))
	}
	// All that can be blocked is for as long as a runtime makes a thread.
	const passing = ^uint64(1<<(unix.SIGKILL-1) | 1<<(unix.SIGSTOP-1))
	look := func(pid int) (blocked, ignored uint64, disk uintptr) {
		t.Helper()
		for blocked = passing; blocked == passing && t.Context().Err() == nil; {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range strings.Split(string(b), "\n") {
				fmt.Sscanf(line, "SigBlk:\t%x", &blocked)
				fmt.Sscanf(line, "SigIgn:\t%x", &ignored)
			}
		}
		disk, _, e := unix.Syscall(unix.SYS_IOPRIO_GET, ioprioProcess, uintptr(pid), 0)
		if e != 0 {
			t.Fatal(e)
		}
		return blocked, ignored, disk
	}
	if blocked, ignored, disk := look(os.Getpid()); blocked == 0 || ignored == 0 || disk != 2<<13 {
		t.Fatalf("control: the core has %x blocked, %x ignored, %#x at the disk", blocked, ignored, disk)
	}
	r := start(t, t.Context(), realDir(t))
	if blocked, ignored, disk := look(r.PID()); blocked != 0 || ignored != 0 || disk == 2<<13 {
		t.Errorf("the worker has %x blocked, %x ignored, %#x at the disk", blocked, ignored, disk)
	}
}

// TestDumpsAreEmpty: what the core says of dumps holds for a worker.
func TestDumpsAreEmpty(t *testing.T) {
	before, err := os.ReadFile("/proc/self/coredump_filter")
	if err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile("/proc/self/coredump_filter", append([]byte("0x"), before...), 0)
	if err := EmptyDumps(); err != nil {
		t.Fatal(err)
	}
	r := start(t, t.Context(), realDir(t))
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/coredump_filter", r.PID()))
	if err != nil || strings.Trim(string(b), "0\n") != "" {
		t.Errorf("%q, %v", b, err)
	}
}

// TestNoDumpsAlready: an account whose limit of core dumps is 0 starts workers.
func TestNoDumpsAlready(t *testing.T) {
	const own = "BAILEY_TEST_NO_DUMPS"
	if os.Getenv(own) == "" {
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestNoDumpsAlready$", "-test.v")
		cmd.Env = append(os.Environ(), own+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestNoDumpsAlready")) {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		t.Fatal(err)
	}
	r := start(t, t.Context(), realDir(t))
	r.seal()
	pos, err := r.Posture()
	if err != nil {
		t.Fatal(err)
	}
	if l, ok := pos.Limits["Max core file size"]; !ok || l.Soft > limits.WorkerCore || l.Hard > limits.WorkerCore {
		t.Errorf("%+v", l)
	}
}
