package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

const (
	opStart = "sandbox.start"

	hintNamespaces = "this system refuses unprivileged user namespaces; where AppArmor does (Ubuntu), `sudo make install`, or `sudo make apparmor PREFIX=` with yours, installs the AppArmor profile that gives them to Bailey; else ask an administrator; `bailey doctor` says more"
	hintBinary     = "install Bailey again: the worker's binary must be readable and executable by everyone (mode 0755), and /proc must be mounted"
	hintEngine     = "run `make engine` and install Bailey again; the engine and its library must be readable by everyone"
	hintProc       = "a part of /proc is covered here, as in most containers; run Bailey outside of it, or work in the terminal"
	hintLimits     = "the hard limit that Bailey was started under is lower: raise it (`ulimit -H`, /etc/security/limits.conf), then `bailey stop`"
	hintKernel     = "Bailey needs Linux 5.14 or later with Landlock and seccomp switched on; `bailey doctor` says more"
)

// namespaceFlags are the namespaces that every worker gets of its own.
const namespaceFlags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
	unix.CLONE_NEWIPC | unix.CLONE_NEWUTS

// Process is a running worker. Its methods may be called from any goroutine.
type Process struct {
	ids ids
	// spec is what it was started by, named where each target lies on the host.
	spec  workerspec.Spec
	named map[string]string
	done  chan struct{}

	mu sync.Mutex
	// pid and pidfd are the worker's, and outer bubblewrap's, if that started it.
	pid    int
	pidfd  int
	outer  outer
	reaped bool
	exit   Exit
}

// Start starts a worker and returns once its stub has built the sandbox and
// executed it; it has not sealed itself by then. The end of ctx ends the start,
// not the worker that it returned: that lives until it ends or is killed, and
// at the latest as long as this process. When Start fails nothing is left.
//
// Where the system refuses namespaces, the worker is started through bubblewrap, if
// that gets them; else, if the kind bears it, at level 2. [Process.Spec] and its
// posture say so.
//
// Errors: errs.SandboxMissing when a layer that the spec requires cannot be
// had; errs.FolderChanged when a directory is not where it was, errs.FolderClosed
// when the worker's id may not open it, errs.FolderNotDir, all with its path;
// errs.CoreBusy when the system has no process or memory to spare;
// errs.Cancelled when ctx ended; errs.Internal for a Config that does not fit
// its spec.
func Start(ctx context.Context, c Config) (*Process, error) {
	c.Spec = Narrow(c.Spec, c.Mounts)
	if err := c.check(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, errs.Wrap(errs.Cancelled, opStart, ctx.Err())
	}
	p, err := begin(ctx, c)
	if !errors.Is(err, errNamespaces) {
		return p, err
	}
	if wrapped, ok := c.wrap(); ok {
		if p, err := begin(ctx, wrapped); !errors.Is(err, errNoBubblewrap) {
			return p, err
		}
	}
	if c, err = c.reduce(err); err != nil {
		return nil, err
	}
	return begin(ctx, c)
}

// Spec is what the worker was started by, which says its level too.
func (p *Process) Spec() workerspec.Spec { return p.spec }

// Reduced reports whether the worker is at level 2, without namespaces.
func (p *Process) Reduced() bool { return p.spec.Reduced }

// begin makes one try at the level of the spec.
func begin(ctx context.Context, c Config) (*Process, error) {
	p := &Process{spec: c.Spec, named: c.named(), pid: -1, pidfd: -1, outer: outer{fd: -1}, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.own(ctx, c, started)
	if err := <-started; err != nil {
		<-p.done
		return nil, err
	}
	return p, nil
}

// own is the worker's life: it clones it, waits for its end, and reaps it. The
// thread is locked and never unlocked: the parent-death signal follows the
// *thread* that cloned, so it must live as long as the worker, and it ends
// with this goroutine because its file-system state is its own.
func (p *Process) own(ctx context.Context, c Config, started chan<- error) {
	runtime.LockOSThread()
	defer close(p.done)
	setup, err := p.clone(c)
	if err != nil {
		started <- err
		return
	}
	defer p.reap()
	stop := context.AfterFunc(ctx, func() { p.Kill() })
	err = p.introduce(c, setup)
	unix.Close(setup)
	if !stop() || err != nil {
		p.Kill()
		if ctx.Err() != nil {
			err = errs.Wrap(errs.Cancelled, opStart, ctx.Err())
		}
	}
	started <- err
}

// clone makes the child, which executes the stub, and returns the core's end
// of the setup socket.
func (p *Process) clone(c Config) (int, error) {
	// Without this a change of directory would move the whole core.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return -1, errs.Wrap(errs.Internal, opStart, err)
	}
	if c.Spec.Reduced {
		if err := c.standIn(); err != nil {
			return -1, err
		}
		defer unix.Chdir("/")
	} else if !c.Spec.Wrapped && len(c.Mounts) > 0 && !c.Spec.Mounts[0].Code && !privileged() {
		// The child is born in the granted directory: a descriptor of this
		// mount namespace could not be mounted in the child's.
		if err := unix.Fchdir(int(c.Mounts[0].Dir.Fd())); err != nil {
			return -1, c.folderError(0, err)
		}
		// A thread that stands in the directory would keep it from being
		// unmounted.
		defer unix.Chdir("/")
	}
	var err error
	if p.ids, err = identity(c); err != nil {
		return -1, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return -1, errs.Wrap(errs.Internal, opStart, err)
	}
	defer null.Close()
	mine, theirs, err := setupPair()
	if err != nil {
		return -1, errs.Wrap(errs.Internal, opStart, err)
	}
	defer unix.Close(theirs)
	stderr := null
	if c.Stderr != nil {
		stderr = c.Stderr
	}
	stub := c.Stub
	if stub == nil {
		stub = c.Worker
	}
	stdin, stdout := null, null
	if c.Foreign != nil {
		stdin, stdout = c.Foreign.streams(null)
	}
	attr := &syscall.ProcAttr{
		Env:   []string{},
		Files: []uintptr{stdin.Fd(), stdout.Fd(), stderr.Fd(), c.Conn.Fd(), stub.Fd(), uintptr(theirs), c.Worker.Fd()},
		Sys: &syscall.SysProcAttr{
			Cloneflags: namespaceFlags,
			// What the stub needs to build the root, to bound its namespace, and to
			// give up the rest.
			AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_SYS_RESOURCE, unix.CAP_SETPCAP},
			Setsid:      true,
			Pdeathsig:   unix.SIGKILL,
			PidFD:       &p.pidfd,
		},
	}
	if c.Group != nil {
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, int(c.Group.Fd())
	}
	p.ids.apply(attr.Sys)
	path, argv := "/proc/self/fd/"+strconv.Itoa(stubFD), []string{stubName}
	switch {
	case c.Spec.Reduced:
		withoutNamespaces(attr.Sys, p.ids)
	case c.Spec.Wrapped:
		attr.Sys.PidFD = &p.outer.fd
		if path, argv, err = c.throughBubblewrap(attr, p.ids, null); err != nil {
			unix.Close(mine)
			return -1, errs.Wrap(errs.SandboxMissing, opStart, fmt.Errorf("%w: %w", errNoBubblewrap, err))
		}
	}
	if !c.Spec.Requires(workerspec.NetNamespace) {
		attr.Sys.Cloneflags &^= unix.CLONE_NEWNET
	}
	c.seam.clone(attr.Sys)
	pid, err := forkExec(path, argv, attr, c.Group)
	if err == nil && !p.ids.switched && attr.Sys.Cloneflags&unix.CLONE_NEWUSER != 0 {
		if err = mapIDs(pid, p.ids.innerUID, p.ids.innerGID); err != nil {
			unix.Close(p.pidfd)
			discard(pid)
		}
	}
	if err != nil {
		unix.Close(mine)
		if c.Spec.Wrapped {
			err = fmt.Errorf("%w: %w", errNoBubblewrap, err)
		} else if !c.Spec.Reduced && (refusedNamespaces(err) || errors.Is(err, unix.EACCES) && cloneDenied()) {
			err = fmt.Errorf("%w: %w", errNamespaces, err)
		}
		return -1, cloneError(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.Spec.Wrapped {
		p.outer.pid = pid
	} else {
		p.pid = pid
	}
	return mine, nil
}

// forkExec makes the child. Where clone3, which alone makes it in its control
// group, is not to be had (Docker's filter answers ENOSYS), it is moved there
// before it is told anything.
func forkExec(path string, argv []string, attr *syscall.ProcAttr, group *os.File) (int, error) {
	pid, err := syscall.ForkExec(path, argv, attr)
	if group == nil || !errors.Is(err, unix.ENOSYS) {
		return pid, err
	}
	attr.Sys.UseCgroupFD = false
	if pid, err = syscall.ForkExec(path, argv, attr); err != nil {
		return pid, err
	}
	fd, err := unix.Openat(int(group.Fd()), "cgroup.procs", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		_, err = unix.Write(fd, []byte(strconv.Itoa(pid)))
		unix.Close(fd)
	}
	if err != nil {
		discard(pid)
	}
	return pid, err
}

// discard ends a child that was told nothing yet.
func discard(pid int) {
	unix.Kill(pid, unix.SIGKILL)
	_, _ = syscall.Wait4(pid, nil, 0, nil)
}

// cloneError tells apart what one error of fork and exec may mean.
func cloneError(err error) error {
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOMEM):
		return errs.Wrap(errs.CoreBusy, opStart, err)
	case errors.Is(err, errNamespaces) && errors.Is(err, unix.EACCES):
		return errs.Wrap(errs.SandboxMissing, opStart, err).WithHint(hintNamespaces)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.ENOEXEC), errors.Is(err, unix.ENOENT), errors.Is(err, unix.ETXTBSY):
		// The clone succeeded: of these it gives none.
		return errs.Wrap(errs.SandboxMissing, opStart, err).With("bailey-worker cannot be executed: " + err.Error()).WithHint(hintBinary)
	}
	return errs.Wrap(errs.SandboxMissing, opStart, err).WithHint(cloneHint(err))
}

// cloneHint says what can be done about a clone that failed.
func cloneHint(err error) string {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EUSERS):
		return hintNamespaces
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return hintKernel
	}
	return ""
}

// introduce hands the stub its mounts and waits until it has executed the
// worker.
func (p *Process) introduce(c Config, sock int) error {
	m := setup{Kind: c.Spec.Kind, Args: c.Args, Memory: c.Memory, Reduced: c.Spec.Reduced, Env: each[exact](c.Given.Env), KeepName: c.Given.KeepName, Foreign: c.Foreign.setup(), seam: c.seam}
	if c.Spec.Driver != nil {
		m.Devices = c.Spec.Devices
	}
	for _, g := range c.Given.Places {
		var st unix.Stat_t
		if err := unix.Fstat(int(g.At.Fd()), &st); err != nil {
			return errs.Wrap(errs.WindowUnavailable, opStart, err).With(g.Path)
		}
		m.Places = append(m.Places, setupMount{Target: exact(g.Target), From: fromPath, Path: exact(g.Path), Dev: st.Dev, Ino: st.Ino,
			Dir: st.Mode&unix.S_IFMT == unix.S_IFDIR, Hide: each[exact](g.Hide), Sockets: g.Sockets})
	}
	var detached []int
	defer func() {
		for _, fd := range detached {
			unix.Close(fd)
		}
	}()
	for i := range c.Mounts {
		sm, fd, err := p.mount(c, i)
		if err != nil {
			return err
		}
		if fd >= 0 {
			detached = append(detached, fd)
		}
		m.Mounts = append(m.Mounts, sm)
	}
	if fd := c.detachProgram(); fd >= 0 {
		detached = append(detached, fd)
		m.Detached = true
	}
	if c.Spec.Wrapped {
		if err := p.meet(c, sock); err != nil {
			return err
		}
	}
	if err := send(sock, m, detached); err != nil {
		return stubError(err)
	}
	var ready bool
	for {
		var r report
		_, err := receive(sock, limits.SandboxSetup, &r)
		switch {
		case err == errClosed && ready:
			return p.begun(c)
		case err == errClosed:
			return stubError(errors.New("it ended"))
		case err != nil:
			return stubError(err)
		case r.Ready:
			ready = true
			if err := p.letGo(c, sock, r.Thread); err != nil {
				return err
			}
		default:
			return r.err(c)
		}
	}
}

// stubError says that no more comes of a stub.
func stubError(err error) error {
	return errs.Wrap(errs.SandboxMissing, opStart, err).With("what builds the sandbox did not say how far it came: " + err.Error())
}

// err turns a stub's report into the error for the person who asked.
func (r report) err(c Config) error {
	cause := errors.New(r.Text)
	if r.Errno != 0 {
		cause = fmt.Errorf("%s: %w", r.Text, r.Errno)
	}
	switch r.Step {
	case stepProgram:
		return r.programError(cause)
	case stepProc:
		return errs.Wrap(errs.SandboxMissing, opStart, cause).With(r.Text).WithHint(hintProc)
	case stepTake, stepOpen:
		for _, g := range c.Given.Places {
			if g.Target == string(r.Path) {
				return errs.Wrap(errs.WindowUnavailable, opStart, cause).With(g.Path)
			}
		}
		for i, m := range c.Mounts {
			if m.Target == string(r.Path) {
				return c.folderError(i, cause)
			}
		}
	}
	if r.Step == stepExec && c.Foreign != nil {
		return r.programError(cause)
	}
	if r.Step == stepExec && c.Spec.Program != workerspec.WorkerProgram {
		return errs.Wrap(errs.EngineMissing, opStart, cause).With(c.Spec.Program + " cannot be executed").WithHint(hintEngine)
	}
	if (r.Step == stepRoot || r.Step == stepWatches) && (refusedNamespaces(r.Errno) || r.Errno == unix.EACCES) && !c.Spec.Reduced {
		// Ubuntu gives the namespace, and no power in it.
		cause = fmt.Errorf("%w: %w", errNamespaces, cause)
	}
	e := errs.Wrap(errs.SandboxMissing, opStart, cause).With(r.Text)
	if r.Step == stepWatches {
		return e.WithHint(hintProc)
	}
	if r.Step == stepLimits && r.Errno == unix.EPERM {
		return e.WithHint(hintLimits)
	}
	if r.Step == stepLandlock && c.Spec.Reduced {
		return e.WithHint(hintReduced)
	}
	return e.WithHint(cloneHint(r.Errno))
}

// folderError names the folder that could not be given, or the file of an
// engine that could not be.
func (c Config) folderError(i int, err error) error {
	m := c.Mounts[i]
	if c.Spec.Mounts[i].Code {
		return errs.Wrap(errs.EngineMissing, opStart, err).With(m.Path).WithHint(hintEngine)
	}
	code := errs.FolderChanged
	switch {
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		code = errs.FolderClosed
	case errors.Is(err, unix.ENOTDIR):
		code = errs.FolderNotDir
	}
	return errs.Wrap(code, opStart, err).With(m.Path)
}

// check compares a Config with its spec.
func (c Config) check() error {
	bad := func(format string, a ...any) error {
		return errs.Wrap(errs.Internal, opStart, fmt.Errorf(format, a...))
	}
	if c.Worker == nil || c.Conn == nil {
		return bad("no worker binary or no connection")
	}
	if c.Foreign != nil {
		if err := c.checkForeign(); err != nil {
			return err
		}
	}
	if len(c.Mounts) != len(c.Spec.Mounts) || len(c.Mounts) > limits.SandboxMounts {
		return bad("%d mounts where %s has %d", len(c.Mounts), c.Spec.Kind, len(c.Spec.Mounts))
	}
	if err := c.checkGiven(); err != nil {
		return bad("%v", err)
	}
	if err := checkDevices(c.Spec); err != nil {
		return bad("%v", err)
	}
	for i, m := range c.Mounts {
		want := c.Spec.Mounts[i]
		if m.Target != want.Target || m.Write != want.Write {
			return bad("mount %d of %s is %s", i, c.Spec.Kind, want.Target)
		}
		if m.Dir == nil {
			return bad("no directory for %s", m.Target)
		}
		var st unix.Stat_t
		if err := unix.Fstat(int(m.Dir.Fd()), &st); err != nil {
			return c.folderError(i, err)
		}
		switch kind := st.Mode & unix.S_IFMT; {
		case want.File && kind != unix.S_IFREG:
			return c.folderError(i, unix.EINVAL)
		case !want.File && kind != unix.S_IFDIR:
			return c.folderError(i, unix.ENOTDIR)
		}
	}
	return nil
}

// PID is the worker's process id, as the core sees it. It may be gone.
func (p *Process) PID() int { return p.pid }

// Kill ends the worker and everything in its pid namespace at once, by
// SIGKILL. It is idempotent, and nil for a worker that is gone.
func (p *Process) Kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return nil
	}
	fds, release := p.holds()
	defer release()
	for _, fd := range fds {
		if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
			return errs.Wrap(errs.Internal, "sandbox.kill", err)
		}
	}
	return nil
}

// reap waits for the worker and keeps how it ended.
func (p *Process) reap() {
	var ws syscall.WaitStatus
	child := p.pid
	if p.outer.pid > 0 {
		child = p.outer.pid
	}
	err := retry(func() error {
		_, err := syscall.Wait4(child, &ws, 0, nil)
		// A child that stands still for a tracer in this very process has not ended.
		if err == syscall.EINTR || err == nil && !ws.Exited() && !ws.Signaled() {
			return unix.EINTR
		}
		return err
	})
	e := Exit{Code: -1}
	switch {
	case err != nil: // someone else reaped our child: how it ended is lost
	case ws.Signaled():
		e.Signal = int(ws.Signal())
		e.Forbidden = ws.Signal() == syscall.SIGSYS
	default:
		e.Code = ws.ExitStatus()
	}
	if p.outer.pid > 0 {
		e = passedOn(e)
		p.follow()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exit, p.reaped = e, true
	for _, fd := range []int{p.pidfd, p.outer.fd} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// Done is closed when the worker has ended and was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait returns how the worker ended, or the error of ctx.
func (p *Process) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-p.done:
	case <-ctx.Done():
		return Exit{}, errs.Wrap(errs.Cancelled, "sandbox.wait", ctx.Err())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.exit, nil
}

// SealedFromOutside returns nil when the worker is non-dumpable, as seen from
// outside: its /proc/PID/fd no longer belongs to its own id, and is refused to
// the ordinary user that started it. The kernel refuses root nothing, and where
// the worker is called 0 inside it gives the directory to the worker's id
// still: there, what [MakeUndumpable] read back inside is the proof, and this
// says only that the worker is alive.
func (p *Process) SealedFromOutside() error {
	const op = "sandbox.sealed"
	readable, err := proc.Readable(p.pid)
	if err != nil {
		return errs.Wrap(errs.WorkerCrashed, op, err)
	}
	if readable && p.ids.innerUID != 0 {
		return errs.New(errs.PostureFailed, op).With("the worker can be read from outside")
	}
	return nil
}
