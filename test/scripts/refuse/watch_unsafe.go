//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// bubblewrap is the one program that may make user namespaces.
const bubblewrap = "/usr/bin/bwrap"

// socketFD is what the one with the filter hands its listener over by, and where the
// watcher has it.
const socketFD = 3

// watched runs a command with a filter, and starts who answers it: that lives as long
// as anybody has the filter, which a core that the command started has longer than it.
func watched(args []string) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	cmd := exec.Command("/proc/self/exe", append([]string{args[0], inner}, args[1:]...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdin, os.Stdout, os.Stderr, []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		return err
	}
	theirs.Close()
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(pair[0], make([]byte, 1), oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		return fmt.Errorf("no listener: %w", cmd.Wait())
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return err
	}
	w := exec.Command("/proc/self/exe", args[0], watcher)
	w.ExtraFiles, w.SysProcAttr = []*os.File{os.NewFile(uintptr(fds[0]), "listener")}, &syscall.SysProcAttr{Setsid: true}
	if err := w.Start(); err != nil {
		return err
	}
	w.ExtraFiles[0].Close()
	return cmd.Wait()
}

// hand puts the filter on, and hands its listener over.
func hand() error {
	listener, err := filter(true)
	if err != nil {
		return err
	}
	if err := unix.Sendmsg(socketFD, []byte{0}, unix.UnixRights(listener), nil, 0); err != nil {
		return err
	}
	return unix.Close(socketFD)
}

// The kernel's struct seccomp_notif, without what it says of the call, and struct
// seccomp_notif_resp.
type (
	question struct {
		id         uint64
		pid, flags uint32
		_          [64]byte
	}
	answer struct {
		id    uint64
		value int64
		errno int32
		flags uint32
	}
)

// watch answers until nobody has the filter any more.
func watch() error {
	for {
		p := []unix.PollFd{{Fd: socketFD, Events: unix.POLLIN}}
		if _, err := unix.Poll(p, -1); err == unix.EINTR {
			continue
		} else if err != nil {
			return err
		}
		if p[0].Revents&unix.POLLIN == 0 {
			return nil
		}
		var q question
		if err := control(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&q)); err == unix.ENOENT || err == unix.EINTR {
			continue // who asked is gone
		} else if err != nil {
			return err
		}
		a := answer{id: q.id, errno: -int32(unix.EPERM)}
		if program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", q.pid)); err == nil && program == bubblewrap {
			a.errno, a.flags = 0, unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE
		}
		if err := control(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a)); err != nil && err != unix.ENOENT {
			return err
		}
	}
}

func control(request uintptr, argument unsafe.Pointer) error {
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, socketFD, request, uintptr(argument)); e != 0 {
		return e
	}
	return nil
}
