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

// Raw turns line editing, echo and the signal keys off, so that each key can be
// read; output is still processed. restore puts all back as it was, and may be
// called again.
func (t *Terminal) Raw() (restore func(), err error) {
	fd := int(t.in.Fd())
	before, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, "tty.raw", err)
	}
	now := *before
	now.Lflag &^= unix.ICANON | unix.ECHO | unix.ISIG | unix.IEXTEN
	now.Iflag &^= unix.ICRNL | unix.INLCR | unix.IXON | unix.ISTRIP | unix.BRKINT
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &now); err != nil {
		return nil, errs.Wrap(errs.Internal, "tty.raw", err)
	}
	// Bracketed paste: what is pasted comes between marks (xterm).
	_, _ = t.Write([]byte("\x1b[?2004h"))
	return func() {
		_, _ = t.Write([]byte("\x1b[?2004l"))
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, before)
	}, nil
}

// Keys implements [Screen]. It ends with ctx, leaving what was typed unread.
func (t *Terminal) Keys(ctx context.Context, buf []byte, wait time.Duration) (int, error) {
	const op = "tty.keys"
	wakeR, wakeW, err := os.Pipe()
	if err != nil {
		return 0, errs.Wrap(errs.Internal, op, err)
	}
	defer wakeR.Close()
	defer wakeW.Close()
	defer context.AfterFunc(ctx, func() { _ = wakeW.Close() })()
	fds := []unix.PollFd{{Fd: int32(t.in.Fd()), Events: unix.POLLIN}, {Fd: int32(wakeR.Fd()), Events: unix.POLLIN}}
	timeout := -1
	if wait > 0 {
		timeout = int(wait.Milliseconds())
	}
	for {
		ready, err := unix.Poll(fds, timeout)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, errs.Wrap(errs.Internal, op, err)
		case fds[1].Revents != 0:
			return 0, errs.Wrap(errs.Cancelled, op, context.Cause(ctx))
		case ready == 0:
			return 0, nil
		}
		n, err := unix.Read(int(t.in.Fd()), buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil || n == 0:
			// EIO: the terminal went away.
			return 0, ErrEnd
		}
		return n, nil
	}
}

// Suspend implements [Screen]: as Ctrl-Z does for other programs. The shell gets
// its terminal as it was.
func (t *Terminal) Suspend() error {
	fd := int(t.in.Fd())
	now, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return errs.Wrap(errs.Internal, "tty.suspend", err)
	}
	shell := *now
	shell.Lflag |= unix.ICANON | unix.ECHO | unix.ISIG | unix.IEXTEN
	shell.Iflag |= unix.ICRNL | unix.IXON
	_, _ = t.Write([]byte("\r\n\x1b[?2004l"))
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &shell); err != nil {
		return errs.Wrap(errs.Internal, "tty.suspend", err)
	}
	// The whole group, as the terminal's own key would: it goes on here when the
	// shell continues it.
	if err := unix.Kill(0, unix.SIGTSTP); err != nil {
		return errs.Wrap(errs.Internal, "tty.suspend", err)
	}
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, now); err != nil {
		return errs.Wrap(errs.Internal, "tty.suspend", err)
	}
	_, _ = t.Write([]byte("\x1b[?2004h"))
	return nil
}
