package sandbox

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Steps of a stub, as they stand in its report.
const (
	stepSetup    = "setup"
	stepWatches  = "limit watches of files"
	stepProc     = "mount /proc"
	stepTake     = "take the directory"
	stepRoot     = "build the root"
	stepLimits   = "set limits"
	stepDrop     = "drop privileges"
	stepOpen     = "open the directory"
	stepLandlock = "landlock"
	stepSeccomp  = "seccomp"
	stepProgram  = "look at the program"
	stepExec     = "execute the worker"
)

// stepError is a failure with the step and, for a mount, its target.
type stepError struct {
	step, target string
	err          error
}

func (e *stepError) Error() string { return e.step + ": " + e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

func step(name string, err error) error {
	if err == nil {
		return nil
	}
	return &stepError{step: name, err: err}
}

// Stub is called first thing by bailey-worker with its arguments. When
// they are not those of a stub it returns false and has done nothing. When they
// are, it builds the sandbox and executes the worker, and returns only with an
// error, after it has told the core.
func Stub(args []string) (isStub bool, err error) {
	if len(args) != 1 || args[0] != stubName && args[0] != workerspec.StubTarget {
		return false, nil
	}
	// Everything below is the state of one thread; the exec makes it that of
	// the process.
	runtime.LockOSThread()
	err = build(args[0] == workerspec.StubTarget)
	r := report{Step: stepSetup, Text: strings.ToValidUTF8(fmt.Sprint(err), "?")}
	var s *stepError
	if errors.As(err, &s) {
		r.Step, r.Path = s.step, exact(s.target)
	}
	errors.As(err, &r.Errno)
	return true, errors.Join(err, send(setupFD, r, nil))
}

// build is the stub's work. wrapped says that bubblewrap started it, in the root
// that it made.
func build(wrapped bool) error {
	// The clone asked for it already; what lies between could have cleared it.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return step(stepSetup, err)
	}
	for _, fd := range []int{stubFD, setupFD, binaryFD} {
		unix.CloseOnExec(fd)
	}
	if wrapped {
		if err := step(stepSetup, announce()); err != nil {
			return err
		}
	}
	var m setup
	files, err := receive(setupFD, limits.SandboxSetup, &m)
	if err != nil {
		return step(stepSetup, err)
	}
	spec, ok := workerspec.For(m.Kind)
	if m.Foreign != nil {
		spec = spec.Foreign()
	}
	spec = spec.Taking(m.taken()...)
	if !ok || len(spec.Mounts) != len(m.Mounts) {
		return step(stepSetup, fmt.Errorf("no kind %q with %d mounts", m.Kind, len(m.Mounts)))
	}
	spec = spec.WithDevices(m.Devices)
	if err := step(stepSetup, checkDevices(spec)); err != nil {
		return err
	}
	if m.Reduced {
		if spec, err = spec.Reduce(); err != nil {
			return step(stepSetup, err)
		}
	}
	if wrapped {
		if spec, err = spec.Wrap(); err != nil {
			return step(stepSetup, err)
		}
	}
	// bubblewrap leaves no power in its namespace.
	if !spec.Reduced && !wrapped && watches(spec) {
		if err := step(stepWatches, limitWatches()); err != nil {
			return err
		}
	}
	// The layer of which a test can leave out nothing but this.
	if m.Foreign == nil && !spec.Reduced && !m.omits(workerspec.EmptyRoot) {
		var detached []int
		if m.Detached && len(files) > 0 {
			files, detached = files[:len(files)-1], files[len(files)-1:]
		}
		// As the root is built: where the namespace has no powers, this fails first.
		if err := step(stepRoot, ownMount(wrapped, detached)); err != nil {
			return err
		}
	}
	var held []int
	switch {
	case spec.Wrapped:
		err = checkPlaced(m.Mounts)
	case spec.Class == workerspec.Host:
		err = enterHostRoot(spec, m)
	case spec.Reduced:
		held, err = hold(spec, m, files)
	default:
		err = enterRoot(spec, m, files)
	}
	if err != nil {
		return err
	}
	if err := step(stepSetup, unix.CloseRange(firstForeignFD, ^uint(0), unix.CLOSE_RANGE_CLOEXEC)); err != nil {
		return err
	}
	if m.omits(workerspec.ParentDeath) {
		unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0)
	}
	if !m.omits(workerspec.ResourceLimits) {
		if err := step(stepLimits, setLimits(spec.WithMemory(m.Memory).Limits)); err != nil {
			return err
		}
	}
	if !m.omits(workerspec.NoCapabilities) {
		if err := step(stepDrop, dropPrivileges(!spec.Reduced && !spec.Wrapped, !m.omits(workerspec.NoNewPrivs))); err != nil {
			return err
		}
	}
	var rules []landlockRule
	switch {
	case spec.Class == workerspec.Host:
		rules, err = hostRules(spec, m)
	case spec.Reduced:
		rules = heldRules(spec, held)
	default:
		rules, err = fileRules(spec)
		if err == nil && spec.Surroundings != nil {
			var more []landlockRule
			more, err = hostRules(spec, m)
			rules = append(rules, more...)
		}
	}
	if err != nil {
		return err
	}
	if m.Foreign != nil {
		rules = m.Foreign.rules(rules)
	}
	if !m.omits(workerspec.Landlock) {
		if err := step(stepLandlock, restrict(rules, len(rules) > 0 || spec.Class != workerspec.Host, networkOf(spec))); err != nil {
			return err
		}
	}
	if !m.omits(workerspec.SeccompCompat) {
		if err := step(stepSeccomp, denyDangerous(spec)); err != nil {
			return err
		}
	}
	if spec.Class == workerspec.Host && spec.Requires(workerspec.SeccompStrict) && !m.omits(workerspec.SeccompStrict) {
		if err := step(stepSeccomp, allowListed(spec)); err != nil {
			return err
		}
	}
	if m.Foreign != nil {
		if err := m.Foreign.check(spec, m); err != nil {
			return err
		}
	}
	if spec.Reduced {
		if err := step(stepSetup, handGrant(spec, held)); err != nil {
			return err
		}
	}
	if err := step(stepSetup, send(setupFD, report{Ready: true, Thread: unix.Gettid()}, nil)); err != nil {
		return err
	}
	if m.Foreign != nil && !m.omits(workerspec.SeccompStrict) {
		if _, err := receive(setupFD, limits.SandboxSetup, &goAhead{}); err != nil {
			return step(stepSetup, err)
		}
		return step(stepExec, m.Foreign.execute(spec, environment(spec, m.named())))
	}
	argv := append([]string{spec.Program}, arguments(spec, m.Args)...)
	if m.Foreign != nil {
		argv = each[string](m.Foreign.Argv)
	}
	return step(stepExec, execDescriptor(binaryFD, argv, slices.Concat(environment(spec, m.named()), each[string](m.Env))))
}

// fileRules opens each mount as the worker will, with no capability left, and
// returns the Landlock rules for them and for the worker's binary.
func fileRules(spec workerspec.Spec) ([]landlockRule, error) {
	rules := []landlockRule{{binaryFD, runRights}}
	for _, m := range spec.Mounts {
		flags := unix.O_DIRECTORY
		if m.File {
			flags = 0
		}
		fd, err := unix.Open(m.Target, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|flags, 0)
		if err != nil {
			return nil, &stepError{stepOpen, m.Target, err}
		}
		rules = append(rules, landlockRule{fd, mountRights(m)})
	}
	return driverRules(spec, rules)
}

// mountRights is what Landlock gives back of a mount.
func mountRights(m workerspec.Mount) uint64 {
	rights := uint64(readRights)
	if m.File {
		rights = unix.LANDLOCK_ACCESS_FS_READ_FILE
	}
	if m.Write {
		rights |= writeRights
	}
	if m.Loader || m.Run {
		rights |= runRights
	}
	if m.Run && m.Write {
		rights |= unix.LANDLOCK_ACCESS_FS_MAKE_SYM
	}
	return rights
}

func setLimits(l workerspec.Limits) error {
	// What an account has less of cannot be had back.
	var stack, core unix.Rlimit
	if err := errors.Join(unix.Getrlimit(unix.RLIMIT_STACK, &stack), unix.Getrlimit(unix.RLIMIT_CORE, &core)); err != nil {
		return err
	}
	for _, r := range []struct {
		resource int
		name     string
		value    uint64
	}{
		{unix.RLIMIT_NOFILE, "open files", l.OpenFiles}, {unix.RLIMIT_FSIZE, "file size", l.FileSize}, {unix.RLIMIT_NPROC, "processes", l.Processes},
		{unix.RLIMIT_DATA, "data", l.Data}, {unix.RLIMIT_CORE, "core", min(core.Max, limits.WorkerCore)}, {unix.RLIMIT_MEMLOCK, "locked memory", l.LockedMemory},
		{unix.RLIMIT_MSGQUEUE, "message queues", l.MessageQueues}, {unix.RLIMIT_SIGPENDING, "pending signals", limits.WorkerSignals},
		{unix.RLIMIT_STACK, "stack", min(stack.Max, limits.WorkerStack)},
		// A person may have these, and what runs in real time heeds no share of a processor.
		{unix.RLIMIT_RTPRIO, "real-time priority", 0}, {unix.RLIMIT_NICE, "nice", 0},
	} {
		if r.resource == unix.RLIMIT_NPROC && r.value == 0 {
			continue // not limited
		}
		if err := unix.Setrlimit(r.resource, &unix.Rlimit{Cur: r.value, Max: r.value}); err != nil {
			return fmt.Errorf("%s, of which a worker has %d: %w", r.name, r.value, err)
		}
	}
	return errors.Join(ordinary(), ownAddresses(), unmerged())
}

// unmerged takes back what the core was started with of sharing equal pages with
// other processes (KSM): how long a write takes then tells what these hold.
func unmerged() error {
	refused := unix.Prctl(unix.PR_SET_MEMORY_MERGE, 0, 0, 0, 0)
	if refused == nil {
		return nil
	}
	// A kernel without it, or a filter of the system's, under which nobody set it.
	if on, err := unix.PrctlRetInt(unix.PR_GET_MEMORY_MERGE, 0, 0, 0, 0); err == nil && on != 0 {
		return fmt.Errorf("memory merge: %w", refused)
	}
	return nil
}

// ownAddresses takes back what the core was started with of a personality
// (setarch): memory at the same addresses in every worker, a page at address 0. It
// holds from the next exec on. Where a filter of the system's refuses the call and
// the question too, nobody could have set one either.
func ownAddresses() error {
	const plain, query = 0, 0xffffffff
	_, _, refused := unix.Syscall(unix.SYS_PERSONALITY, plain, 0, 0)
	if refused == 0 {
		return nil
	}
	if now, _, e := unix.Syscall(unix.SYS_PERSONALITY, query, 0, 0); e == 0 && now != plain {
		return fmt.Errorf("personality %#x: %w", now, refused)
	}
	return nil
}

// ordinary takes back what the core was started with of a turn before others, of a
// clock that is more exact than others', and of signals that do nothing.
func ordinary() error {
	return errors.Join(ordinaryTurn(), ordinaryDisk(), ordinaryTimers(), ordinarySignals())
}

// ordinaryDisk is ordinary for the disk (ionice): what comes after others stays so.
// Where a filter of the system's, or a kernel without disks, refuses to say, nobody
// could have set it either.
func ordinaryDisk() error {
	const realTime, bestEffort, middle, classShift = 1, 2, 4, 13
	is, _, e := unix.Syscall(unix.SYS_IOPRIO_GET, ioprioProcess, 0, 0)
	if e != 0 {
		return nil
	}
	class, level := is>>classShift, is&(1<<classShift-1)
	if class != realTime && (class != bestEffort || level >= middle) {
		return nil
	}
	if _, _, e := unix.Syscall(unix.SYS_IOPRIO_SET, ioprioProcess, 0, 0); e != 0 {
		return fmt.Errorf("ioprio_set: %w", e)
	}
	return nil
}

// IOPRIO_WHO_PROCESS, which with 0 is the thread itself.
const ioprioProcess = 1

// ordinaryTimers is ordinary for how late a timer may be: 50 µs are the kernel's.
func ordinaryTimers() error {
	const usual = 50_000
	is, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil || is >= usual {
		return err
	}
	return unix.Prctl(unix.PR_SET_TIMERSLACK, usual, 0, 0, 0)
}

// ordinarySignals has every signal do what it does by itself. An exec does so for
// those that have a handler here.
func ordinarySignals() error {
	const last = 64
	for n := uintptr(1); n <= last; n++ {
		if err := unignore(n); err != nil {
			return fmt.Errorf("signal %d: %w", n, err)
		}
	}
	return unix.PthreadSigmask(unix.SIG_SETMASK, &unix.Sigset_t{}, nil)
}

// ordinaryTurn is ordinary for the processor: real time (chrt), and less niceness.
func ordinaryTurn() error {
	a, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return fmt.Errorf("sched_getattr: %w", err)
	}
	// The call gives 20 less the niceness, of real time too.
	turn, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return fmt.Errorf("getpriority: %w", err)
	}
	nice := int32(20 - turn)
	switch a.Policy {
	case unix.SCHED_NORMAL, unix.SCHED_BATCH, unix.SCHED_IDLE:
		if nice >= 0 {
			return nil
		}
	default:
		a.Policy = unix.SCHED_NORMAL
	}
	a = &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: a.Policy, Nice: max(nice, 0)}
	if err := unix.SchedSetAttr(0, a, 0); err != nil {
		return fmt.Errorf("sched_setattr: %w", err)
	}
	return nil
}

// Secure bits, all locked: uid 0 has no powers, and no call brings any back.
const secureBits = 1<<0 | 1<<1 | // NOROOT
	1<<2 | 1<<3 | // NO_SETUID_FIXUP
	1<<5 | // KEEP_CAPS locked off
	1<<6 | 1<<7 // NO_CAP_AMBIENT_RAISE

// dropPrivileges leaves the thread without any capability in any set. Without a
// namespace of its own it has had none, but for those that a set-id program could
// give it, which no_new_privs takes; to empty that set takes one itself. bubblewrap
// has emptied it, which is seen from outside.
func dropPrivileges(had, noNew bool) error {
	if noNew {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return err
		}
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return err
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if !had {
		return unix.Capset(&header, &none[0])
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, secureBits, 0, 0, 0); err != nil {
		return err
	}
	for c := uintptr(0); ; c++ {
		// EINVAL is the end of the kernel's list, which may be longer than
		// ours.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err == unix.EINVAL && c > unix.CAP_CHOWN {
			break
		} else if err != nil {
			return err
		}
	}
	return unix.Capset(&header, &none[0])
}

func denyDangerous(spec workerspec.Spec) error {
	p, err := compatFilter(spec, native())
	if err != nil {
		return err
	}
	return seccompFilter(program(p), 0)
}

// allowListed puts a host's allow-list on: it is a program of the system's
// libraries, which would not do it itself.
func allowListed(spec workerspec.Spec) error {
	p, err := strictFilter(spec, native(), uint32(unix.Getpid()))
	if err != nil {
		return err
	}
	return seccompFilter(program(p), 0)
}

// program converts a filter for the kernel.
func program(p []insn) []unix.SockFilter {
	f := make([]unix.SockFilter, len(p))
	for i, x := range p {
		f[i] = unix.SockFilter{Code: x.code, Jt: x.jt, Jf: x.jf, K: x.k}
	}
	return f
}
