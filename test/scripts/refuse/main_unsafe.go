//go:build linux

// refuse runs a command on a system that refuses user namespaces to it, as no
// machine that tests run on can be told to:
//
//	refuse filter COMMAND ARGS   by a filter (EPERM), as AppArmor and Docker do
//	refuse others COMMAND ARGS   the same, but to bubblewrap they are given, as an
//	                             AppArmor profile of its own does
//	refuse limit COMMAND ARGS    by the limit of their number (ENOSPC), in a user
//	                             namespace of its own, whose limit is its own to set
//	refuse proc DIR COMMAND ARGS with DIR as the root, in which there is no /proc
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() { os.Exit(doMain(os.Args[1:])) }

// inner follows "limit" in the arguments of the one in the namespace, and "others" in
// those of the one with the filter, which has a watcher.
const (
	inner   = "--inside"
	watcher = "--watch"
)

func doMain(args []string) int {
	if len(args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: refuse filter|others|limit COMMAND ARGS")
		return 2
	}
	var err error
	switch {
	case args[0] == "filter":
		if _, err = filter(false); err == nil {
			err = become(args[1:])
		}
	case args[0] == "others" && args[1] == inner:
		if err = hand(); err == nil {
			err = become(args[2:])
		}
	case args[0] == "others" && args[1] == watcher:
		err = watch()
	case args[0] == "others":
		err = watched(args)
	case args[0] == "limit" && args[1] == inner:
		if err = os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err == nil {
			err = become(args[2:])
		}
	case args[0] == "limit":
		err = inside(args)
	case args[0] == "proc" && len(args) > 2:
		cmd := exec.Command(args[2], args[3:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Dir = os.Stdin, os.Stdout, os.Stderr, "/"
		cmd.SysProcAttr = namespace()
		cmd.SysProcAttr.Chroot = args[1]
		err = cmd.Run()
	default:
		err = fmt.Errorf("no way called %q", args[0])
	}
	var ended *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &ended):
		return ended.ExitCode()
	}
	fmt.Fprintln(os.Stderr, "refuse:", err)
	return 1
}

// become executes a command in the place of this process.
func become(argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	return unix.Exec(path, argv, os.Environ())
}

func inside(args []string) error {
	cmd := exec.Command("/proc/self/exe", append([]string{args[0], inner}, args[1:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = namespace()
	cmd.SysProcAttr.AmbientCaps = []uintptr{unix.CAP_SYS_RESOURCE}
	return cmd.Run()
}

// namespace is a user namespace in which everybody is who they are.
func namespace() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: os.Geteuid(), HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: os.Getegid(), HostID: os.Getegid(), Size: 1}},
	}
}

// filter refuses clone and unshare with CLONE_NEWUSER by EPERM, and clone3, whose
// flags no filter sees, by ENOSYS, as Docker's does. Instead of EPERM a listener may
// be asked each time, whose descriptor is returned.
func filter(ask bool) (listener int, err error) {
	runtime.LockOSThread()
	const (
		load, jeq, jset, ret = 0x20, 0x15, 0x45, 0x06
		allow, errno, notify = 0x7fff0000, 0x00050000, 0x7fc00000
		number, args         = 0, 16
	)
	refusal, flags := errno|uint32(unix.EPERM), uintptr(unix.SECCOMP_FILTER_FLAG_TSYNC)
	if ask {
		// The thread alone, which then executes the command.
		refusal, flags = notify, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	f := []unix.SockFilter{
		{Code: load, K: number},
		{Code: jeq, Jf: 1, K: unix.SYS_CLONE3},
		{Code: ret, K: errno | uint32(unix.ENOSYS)},
		{Code: jeq, Jt: 2, K: unix.SYS_CLONE},
		{Code: jeq, Jt: 1, K: unix.SYS_UNSHARE},
		{Code: ret, K: allow},
		{Code: load, K: args},
		{Code: jset, Jf: 1, K: unix.CLONE_NEWUSER},
		{Code: ret, K: refusal},
		{Code: ret, K: allow},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, err
	}
	p := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	fd, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&p)))
	runtime.KeepAlive(f)
	if e != 0 {
		return -1, e
	}
	return int(fd), nil
}
