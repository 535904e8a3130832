package sandbox

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// Survey finds out which layers this machine offers, by trying them: settings
// under /proc/sys and /sys do not say what a security module will do. It
// starts no worker and leaves nothing. `bailey doctor` calls it where no worker
// starts, to say which layer is to blame.
func Survey(ctx context.Context) []LayerState {
	namespaces := inWords(tryNamespaces(ctx))
	abi, landlock := landlockABI()
	seccomp := trySeccomp()
	var found []LayerState
	for _, l := range workerspec.Layers() {
		s := LayerState{Layer: l, Have: true}
		switch l {
		case workerspec.UserNamespace, workerspec.MountNamespace, workerspec.PIDNamespace, workerspec.NetNamespace,
			workerspec.IPCNamespace, workerspec.UTSNamespace, workerspec.EmptyRoot:
			s.decide(namespaces, "tried", hintNamespaces)
		case workerspec.Landlock:
			s.decide(landlock, fmt.Sprintf("ABI %d", abi), hintKernel)
		case workerspec.SeccompCompat, workerspec.SeccompStrict:
			s.decide(seccomp, "all actions known", hintKernel)
		default:
			s.How = "in every supported kernel"
		}
		found = append(found, s)
	}
	return found
}

func (s *LayerState) decide(err error, how, hint string) {
	if s.How = how; err != nil {
		s.Have, s.How, s.Hint = false, err.Error(), hint
	}
}

// inWords says what the errno of a refused namespace means.
func inWords(err error) error {
	switch {
	case errors.Is(err, unix.ENOSPC):
		return errors.New("the limit in /proc/sys/user/max_user_namespaces is reached")
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return errors.New("the system refuses it to this user")
	}
	return err
}

// absentProgram cannot exist: it lies below something that is no directory.
const absentProgram = "/dev/null/bailey-survey"

// tryNamespaces makes a child in all the namespaces, with the worker's ids and
// a call that needs a capability there (Ubuntu grants the namespace and
// refuses the capability), and lets it execute a program that is not there.
// That it got as far as finding the program absent is the good news.
func tryNamespaces(ctx context.Context) error {
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		id, err := identity(Config{})
		if err != nil {
			result <- err
			return
		}
		sys := &syscall.SysProcAttr{Chroot: "/", Cloneflags: namespaceFlags}
		id.apply(sys)
		_, err = syscall.ForkExec(absentProgram, []string{absentProgram}, &syscall.ProcAttr{Env: []string{}, Sys: sys})
		if errors.Is(err, unix.ENOTDIR) {
			err = nil
		} else if err == nil {
			err = errors.New("a program that cannot exist was executed")
		}
		result <- err
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// trySeccomp asks for the one action that old kernels lack.
func trySeccomp() error { return seccompKnows(unix.SECCOMP_RET_KILL_PROCESS) }
