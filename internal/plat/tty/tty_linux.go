package tty

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Is reports whether f is a terminal.
func Is(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// Size returns the columns and rows of the terminal f; ok is false if f is none
// or does not say.
func Size(f *os.File) (columns, rows int, ok bool) {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil || ws.Col == 0 || ws.Row == 0 {
		return 0, 0, false
	}
	return int(ws.Col), int(ws.Row), true
}

// Open returns the terminal that is both in and out, if a person can be asked
// there.
func Open(in, out *os.File) (*Terminal, bool) {
	if !Is(in) || !Is(out) {
		return nil, false
	}
	var a, b unix.Stat_t
	if unix.Fstat(int(in.Fd()), &a) != nil || unix.Fstat(int(out.Fd()), &b) != nil || a.Rdev != b.Rdev {
		return nil, false
	}
	group, err := unix.IoctlGetInt(int(in.Fd()), unix.TIOCGPGRP)
	if err != nil || group != unix.Getpgrp() {
		return nil, false
	}
	return &Terminal{in, out}, true
}

// Size returns the terminal's columns and rows; 80 by 24 where it does not say.
func (t *Terminal) Size() (columns, rows int) {
	if c, r, ok := Size(t.out); ok {
		return c, r
	}
	return 80, 24
}

// Write writes to the terminal.
func (t *Terminal) Write(p []byte) (int, error) { return t.out.Write(p) }

// Hold waits for d, then throws away all that was typed until then.
func (t *Terminal) Hold(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return errs.Wrap(errs.Cancelled, "tty.hold", ctx.Err())
	}
	if err := unix.IoctlSetInt(int(t.in.Fd()), unix.TCFLSH, unix.TCIFLUSH); err != nil {
		return errs.Wrap(errs.Internal, "tty.hold", err)
	}
	return nil
}

// ReadLine reads one line without its end; an end of input is an empty line, and
// what is longer than [limits.PromptLine] ends there. The terminal's own line
// editing is in force. It ends with ctx, leaving what was typed unread; the
// descriptor itself is never made non-blocking, because the shell shares it.
func (t *Terminal) ReadLine(ctx context.Context) (string, error) {
	restore, err := t.cooked()
	if err != nil {
		return "", err
	}
	defer restore()
	wakeR, wakeW, err := os.Pipe()
	if err != nil {
		return "", errs.Wrap(errs.Internal, "tty.read-line", err)
	}
	defer wakeR.Close()
	defer wakeW.Close()
	defer context.AfterFunc(ctx, func() { _ = wakeW.Close() })()
	fds := []unix.PollFd{{Fd: int32(t.in.Fd()), Events: unix.POLLIN}, {Fd: int32(wakeR.Fd()), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); errors.Is(err, unix.EINTR) {
			continue
		} else if err != nil {
			return "", errs.Wrap(errs.Internal, "tty.read-line", err)
		}
		if fds[1].Revents != 0 {
			return "", errs.Wrap(errs.Cancelled, "tty.read-line", context.Cause(ctx))
		}
		buf := make([]byte, limits.PromptLine)
		n, err := unix.Read(int(t.in.Fd()), buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			// EIO: the terminal went away.
			return "", errs.Wrap(errs.Cancelled, "tty.read-line", err)
		}
		line, _, whole := strings.Cut(string(buf[:n]), "\n")
		if !whole && n == len(buf) {
			// The rest of a line that long must not reach the shell as a command.
			_ = unix.IoctlSetInt(int(t.in.Fd()), unix.TCFLSH, unix.TCIFLUSH)
		}
		return line, nil
	}
}

// cooked turns line editing, echo and the signal keys on, for terminals that
// another program left without, and returns how to put all back.
func (t *Terminal) cooked() (restore func(), err error) {
	fd := int(t.in.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, "tty.cooked", err)
	}
	now := *before
	now.Lflag |= unix.ICANON | unix.ECHO | unix.ISIG
	now.Iflag |= unix.ICRNL
	if now == *before {
		return func() {}, nil
	}
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &now); err != nil {
		return nil, errs.Wrap(errs.Internal, "tty.cooked", err)
	}
	return func() { _ = unix.IoctlSetTermios(fd, unix.TCSETS, before) }, nil
}
