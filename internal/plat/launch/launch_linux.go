package launch

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Start starts c in a session of its own, in the root directory, with
// /dev/null as its input and output, and waits for its line. When ctx ends
// first, the program is left to itself: it ends when nobody needs it. The error
// is a *[Failed] if it ended without a line.
func Start(ctx context.Context, c Command) (Outcome, error) {
	if !filepath.IsAbs(c.Path) {
		panic("BUG: a program to start is not named by an absolute path")
	}
	// Descriptors that our own starter left open without close-on-exec would
	// live on in the core: a pipe of a shell would never end.
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return 0, errs.Wrap(errs.Internal, "launch.start", err)
	}
	ready, readyW, err := os.Pipe()
	if err != nil {
		return 0, errs.Wrap(errs.Internal, "launch.start", err)
	}
	defer ready.Close()
	words, wordsW, err := os.Pipe()
	if err != nil {
		_ = readyW.Close()
		return 0, errs.Wrap(errs.Internal, "launch.start", err)
	}
	defer words.Close()
	cmd := &exec.Cmd{
		Path: c.Path, Args: append([]string{c.Path}, c.Args...), Env: c.Env, Dir: "/",
		Stderr: wordsW, ExtraFiles: []*os.File{readyW},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if cmd.Env == nil {
		cmd.Env = []string{}
	}
	err = start(cmd)
	_ = readyW.Close()
	_ = wordsW.Close()
	if err != nil {
		return 0, errs.Wrap(errs.CoreUnavailable, "launch.start", err)
	}
	defer context.AfterFunc(ctx, func() { _ = ready.SetReadDeadline(time.Unix(1, 0)) })()
	line, err := firstLine(ready)
	switch {
	case line == "ready":
		return Ready, cmd.Process.Release()
	case line == "taken":
		return Taken, cmd.Process.Release()
	case ctx.Err() != nil:
		return 0, errors.Join(errs.Wrap(errs.CoreUnavailable, "launch.start", ctx.Err()).With("it did not start in time"), cmd.Process.Release())
	case err != nil && !errors.Is(err, io.EOF):
		return 0, errors.Join(errs.Wrap(errs.Internal, "launch.start", err), cmd.Process.Release())
	}
	return 0, failed(ctx, cmd, words)
}

// start starts a program whose memory lies at addresses of its own, also where
// this one was told to have its own at the same as ever (setarch -R): it and its
// workers live on. Where that is refused, each worker does it again.
func start(cmd *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, _, _ = unix.Syscall(unix.SYS_PERSONALITY, 0, 0, 0)
	return cmd.Start()
}

// failed collects what a program left behind that ended, or closed its
// descriptor, without a line.
func failed(ctx context.Context, cmd *exec.Cmd, words *os.File) error {
	defer context.AfterFunc(ctx, func() {
		_ = words.SetReadDeadline(time.Unix(1, 0))
		_ = cmd.Process.Kill()
	})()
	text, _ := io.ReadAll(io.LimitReader(words, limits.CoreStderr))
	_ = words.Close()
	_ = cmd.Wait()
	return &Failed{Exit: cmd.ProcessState.ExitCode(), Stderr: string(text)}
}

// firstLine reads until a line end; nothing longer than the two words is taken.
func firstLine(r io.Reader) (string, error) {
	buf := make([]byte, 0, 16)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if line, _, ok := strings.Cut(string(buf), "\n"); ok {
			return line, nil
		}
		if err != nil || len(buf) == cap(buf) {
			return "", err
		}
	}
}

// Self returns the real path of the running program. Errors: errs.SandboxMissing
// where there is no /proc, without which no worker could be looked at either.
func Self() (string, error) {
	p, err := os.Executable()
	if _, e := os.Lstat("/proc/self"); err != nil && e != nil {
		return "", errs.Wrap(errs.SandboxMissing, "launch.self", err).With("/proc is not mounted").
			WithHint("mount it (`mount -t proc proc /proc`), in a container or chroot as well")
	}
	if err == nil {
		p, err = filepath.EvalSymlinks(p)
	}
	if err != nil {
		return "", errs.Wrap(errs.Internal, "launch.self", err)
	}
	return p, nil
}

// Executable reports whether path names a file that can be run.
func Executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && unix.Access(path, unix.X_OK) == nil
}
