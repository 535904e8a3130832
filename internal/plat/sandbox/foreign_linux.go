package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// The stub puts the strict filter on in a foreign program's place, before the
// program's first instruction, and the program must come after it by one exec.
//
// Which exec that is the filter tells by the address that the call is made
// from: a page at a random address that the stub made, holds that one call, and
// is gone with the exec. No program learns the address, and one that guesses is
// killed for the first wrong guess. Were it right, it would still hold no
// descriptor of a file that Landlock lets it execute. Rejected: a user
// notification, because an answer to let a call continue says nothing about
// what its arguments are by then, and somebody has to be there to answer; and a
// loader in the worker, because the program would share the loader's memory and
// threads.
//
// Kinds that may execute programs anyway need no such door: their filter lets
// exec pass.

// Offset of the address that a call was made from, in struct seccomp_data.
const offAddress = 8

// foreignSetup is what a stub is told of a foreign program.
type foreignSetup struct {
	Argv []exact `json:"argv"`
	Path exact   `json:"path,omitempty"`
}

// goAhead is what the core says when it has looked at a stub that is ready to
// execute a foreign program.
type goAhead struct{}

// checkForeign compares a Config for a foreign program with what can be done.
func (c Config) checkForeign() error {
	const op = "sandbox.foreign"
	f := c.Foreign
	switch {
	case c.Spec.Class == workerspec.Host:
		return errs.New(errs.NotSupported, op).With("no program but its own runs in the kind " + c.Spec.Kind)
	case c.Spec.Class != workerspec.Exec && runtime.GOARCH != "amd64":
		// The page that holds the one exec is machine code, written for one processor.
		return errs.New(errs.NotSupported, op).With("programs run in the kind " + c.Spec.Kind + " on x86-64 alone in this release").
			WithHint("kinds that may execute programs take any, on every processor: `--kind tool`")
	case f.Path != "" && !SeesProgram(c.Spec, f.Path):
		return errs.Wrap(errs.Internal, op, errors.New("a program that the kind does not see"))
	case len(f.Argv) == 0 || len(f.Argv) > limits.ProgramArgs:
		return errs.Wrap(errs.Internal, op, fmt.Errorf("%d arguments", len(f.Argv)))
	}
	return nil
}

func (f *Foreign) setup() *foreignSetup {
	if f == nil {
		return nil
	}
	return &foreignSetup{Argv: each[exact](f.Argv), Path: exact(f.Path)}
}

// streams are the program's standard input and output.
func (f *Foreign) streams(null *os.File) (stdin, stdout *os.File) {
	stdin, stdout = null, null
	if f.Stdin != nil {
		stdin = f.Stdin
	}
	if f.Stdout != nil {
		stdout = f.Stdout
	}
	return stdin, stdout
}

// check looks, in a stub, at the program, and at what nobody sees from outside and no
// worker of Bailey's own will try inside: a system may answer a call as done that it
// does not know (an emulated kernel, a filter that somebody wrote).
func (s *foreignSetup) check(spec workerspec.Spec, m setup) error {
	if !m.omits(workerspec.Landlock) {
		fd, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != unix.EACCES {
			unix.Close(fd)
			return step(stepLandlock, errors.New("it is not on: to list / was not refused"))
		}
	}
	for fd := firstForeignFD; fd < limits.ProgramDescriptors; fd++ {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			return step(stepSetup, fmt.Errorf("descriptor %d stays open", fd))
		}
	}
	if spec.Class == workerspec.Exec {
		return nil
	}
	return step(stepProgram, checkProgram(descriptor(binaryFD)))
}

// descriptor reads an open file by its number. It is no os.File, which would close
// it when nobody holds it any more.
type descriptor int

func (d descriptor) ReadAt(b []byte, at int64) (n int, err error) {
	for n < len(b) {
		m, err := unix.Pread(int(d), b[n:], at+int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, err
		case m == 0:
			return n, io.EOF
		}
		n += max(m, 0)
	}
	return n, nil
}

// execute replaces the stub by the program, with the strict filter on.
func (s *foreignSetup) execute(spec workerspec.Spec, env []string) error {
	if spec.Class != workerspec.Exec {
		return executeForeign(spec, each[string](s.Argv), env)
	}
	if err := allowListed(spec); err != nil {
		return err
	}
	if s.Path != "" {
		return unix.Exec(string(s.Path), each[string](s.Argv), env)
	}
	mark := make([]byte, 2)
	if n, _ := descriptor(binaryFD).ReadAt(mark, 0); n < 2 || string(mark) != "#!" {
		return execDescriptor(binaryFD, each[string](s.Argv), env)
	}
	// The kernel executes the interpreter, which reads the script by the name that
	// it is executed by. So it keeps the descriptor.
	if _, err := unix.FcntlInt(binaryFD, unix.F_SETFD, 0); err != nil {
		return err
	}
	return unix.Exec(fmt.Sprintf("/proc/self/fd/%d", binaryFD), each[string](s.Argv), env)
}

// rules leaves out what Landlock has no rule for, and needs none: a file in memory
// that nobody can name. A program of the system's is where the spec says that
// programs are.
func (s *foreignSetup) rules(rules []landlockRule) []landlockRule {
	return slices.DeleteFunc(rules, func(r landlockRule) bool { return r.fd == binaryFD })
}

// letGo has a stub that is ready execute a foreign program, once it was looked at.
func (p *Process) letGo(c Config, sock, thread int) error {
	if c.Foreign == nil || c.seam.omits(workerspec.SeccompStrict) {
		return nil
	}
	if err := p.seenBefore(c, thread); err != nil {
		return err
	}
	if err := send(sock, goAhead{}, nil); err != nil {
		return errs.Wrap(errs.SandboxMissing, opStart, err)
	}
	return nil
}

// begun is called once a stub has executed what it was to.
func (p *Process) begun(c Config) error {
	if c.Foreign == nil || c.seam.omits(workerspec.SeccompStrict) {
		return nil
	}
	return p.seenAfter(c)
}

// seenBefore looks at a stub that has built the sandbox, and is about to put the
// strict filter on and execute a foreign program: all that /proc shows by then has
// to be what the spec demands. A worker is looked at before its first work; here
// there is no later.
func (p *Process) seenBefore(c Config, thread int) error {
	pos, err := p.Posture()
	if err != nil {
		return err
	}
	// The stub need not be the first thread of its process.
	s, err := proc.ReadThreadStatus(p.pid, thread)
	if err != nil {
		return errs.Wrap(errs.PostureFailed, "sandbox.posture", err)
	}
	s.Inner = pos.Status.Inner
	pos.Status = s
	return checkBefore(pos, c.Spec.WithMemory(c.Memory))
}

// seenAfter wants the program to be non-dumpable, unless it is over already or may
// execute others.
func (p *Process) seenAfter(c Config) error {
	if c.Spec.Class == workerspec.Exec {
		return nil
	}
	err := p.SealedFromOutside()
	if err == nil || p.over() {
		return nil
	}
	return err
}

// over reports whether the process has ended. It need not be a child of ours.
func (p *Process) over() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return true
	}
	ended, err := awaitEnd(p.pidfd, 0)
	return err != nil || ended
}

// awaitEnd waits for the end of a process, as many milliseconds as wait says, or for
// ever where that is negative.
func awaitEnd(pidfd int, wait int) (ended bool, err error) {
	err = retry(func() error {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, wait)
		ended = n > 0
		return err
	})
	return ended, err
}

// foreignFilter is the strict filter, with one exec from an address. spec is that
// of a foreign program.
func foreignFilter(spec workerspec.Spec, a arch, self uint32, address uint64) ([]insn, error) {
	p, err := strictFilter(spec, a, self)
	if err != nil {
		return nil, err
	}
	p = slices.Insert(p, len(prologue(a)),
		insn{code: opJeq, jt: 0, jf: 6, k: unix.SYS_EXECVEAT},
		insn{code: opLoad, k: offAddress},
		insn{code: opJeq, jt: 0, jf: 3, k: uint32(address)},
		insn{code: opLoad, k: offAddress + 4},
		insn{code: opJeq, jt: 0, jf: 1, k: uint32(address >> 32)},
		insn{code: opRet, k: actAllow},
		insn{code: opRet, k: actKill},
	)
	return p, checkLength(p)
}

// randomPage is the address of a page among 2^34.
func randomPage() (uintptr, error) {
	var b [8]byte
	if n, err := unix.Getrandom(b[:], 0); err != nil || n != len(b) {
		return 0, fmt.Errorf("%d random bytes: %w", n, err)
	}
	const low, pages = 1 << 32, 1 << 34
	return low + uintptr(binary.LittleEndian.Uint64(b[:])%pages)<<12, nil
}

// programError is a stub's report about a foreign program, for the person who runs
// it.
func (r report) programError(cause error) error {
	const op = opStart
	e := errs.Wrap(errs.ProgramRefused, op, cause)
	switch {
	case r.Step == stepExec && r.Errno == unix.ENOENT:
		return e.With("the interpreter or loader that it names is not in the sandbox").
			WithHint("look at its first line, or at `file PROG`: it has to be one of the system's, in /usr")
	case r.Step == stepExec && r.Errno == unix.ENOEXEC:
		return e.With("it is neither a program of this machine's nor a script that names its interpreter").
			WithHint("begin a script with a line like #!/bin/sh")
	case r.Step == stepExec:
		return e.With("the system does not execute it: " + r.Errno.Error())
	}
	hint := "link it static (`cc -static`, `CGO_ENABLED=0 go build`), or run it in the kind tool"
	for _, known := range []error{errScript, errNoELF, errLinked, errWritable} {
		if r.Text != step(stepProgram, known).Error() {
			continue
		}
		switch known {
		case errScript:
			hint = "run it in the kind tool, which has the system's programs"
		case errNoELF:
			hint = "name a program that was built for this machine"
		case errWritable:
			hint = "link it without an executable stack (`-z noexecstack`)"
		}
		return e.With(known.Error()).WithHint(hint)
	}
	return e.With("it cannot be read").WithHint(errors.Unwrap(e).Error())
}
