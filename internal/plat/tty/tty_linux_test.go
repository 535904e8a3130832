package tty_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/tty"
)

// TestMain is also the program at the terminal.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "asks" {
		os.Exit(asks())
	}
	os.Exit(m.Run())
}

// asks says "hold", holds until the file descriptor 3 ends, says "now", and
// reports the line that it read.
func asks() int {
	t, ok := tty.Open(os.Stdin, os.Stderr)
	if !ok {
		fmt.Fprintln(os.Stderr, "no terminal")
		return 1
	}
	columns, rows := t.Size()
	fmt.Fprintf(t, "hold %dx%d\n", columns, rows)
	_, _ = os.NewFile(3, "typed").Read(make([]byte, 1))
	if err := t.Hold(context.Background(), 0); err != nil {
		return 1
	}
	fmt.Fprintln(t, "now")
	line, err := t.ReadLine(context.Background())
	fmt.Fprintf(t, "read %q %v\n", line, err)
	return 0
}

// pty returns both ends of a new terminal.
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "master")
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(slave.Close(), master.Close()) })
	return master, slave
}

// until reads the terminal's output up to a text.
func until(t *testing.T, master *os.File, text string) string {
	t.Helper()
	if err := master.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	buf := make([]byte, 1)
	for !strings.Contains(all.String(), text) {
		n, err := master.Read(buf)
		if err != nil {
			t.Fatalf("no %q in %q: %v", text, all.String(), err)
		}
		all.Write(buf[:n])
	}
	return all.String()
}

// session runs the program with the terminal as its own, and returns what to
// close when everything that comes too early has been typed.
func session(t *testing.T, slave *os.File, in *os.File) (typed io.Closer) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "asks")
	cmd.Stdin, cmd.Stderr = in, slave
	cmd.ExtraFiles = []*os.File{r}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	t.Cleanup(func() { _ = errors.Join(w.Close(), cmd.Process.Kill(), cmd.Wait()) })
	return w
}

// What was typed before the question counts for nothing; what comes after it
// does.
func TestTypedAhead(t *testing.T) {
	for _, early := range []string{"", "read\n", "re"} {
		master, slave := pty(t)
		if err := unix.IoctlSetWinsize(int(slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: 90, Row: 30}); err != nil {
			t.Fatal(err)
		}
		typed := session(t, slave, slave)
		until(t, master, "hold 90x30")
		if _, err := master.WriteString(early); err != nil {
			t.Fatal(err)
		}
		if early != "" {
			// The echo says that the terminal has it.
			until(t, master, strings.TrimSpace(early))
		}
		_ = typed.Close()
		until(t, master, "now")
		if _, err := master.WriteString("ad\n"); err != nil {
			t.Fatal(err)
		}
		until(t, master, `read "ad" <nil>`)
	}
}

func TestLongLine(t *testing.T) {
	master, slave := pty(t)
	_ = session(t, slave, slave).Close()
	until(t, master, "now")
	if _, err := master.WriteString(strings.Repeat("x", 2*limits.PromptLine) + "\n"); err != nil {
		t.Fatal(err)
	}
	until(t, master, `read "`+strings.Repeat("x", limits.PromptLine)+`"`)
	// What was left of it is not there for the shell.
	if n, err := unix.IoctlGetInt(int(slave.Fd()), unix.TIOCINQ); err != nil || n != 0 {
		t.Errorf("%d bytes are left, %v", n, err)
	}
}

func TestEndOfInput(t *testing.T) {
	master, slave := pty(t)
	_ = session(t, slave, slave).Close()
	until(t, master, "now")
	if _, err := master.WriteString("\x04"); err != nil {
		t.Fatal(err)
	}
	until(t, master, `read "" <nil>`)
}

// A person can be asked only where input and error output are one terminal, in
// the foreground.
func TestOpen(t *testing.T) {
	_, slave := pty(t)
	_, other := pty(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, c := range []struct{ in, out *os.File }{{null, slave}, {slave, null}, {slave, other}, {slave, slave}} {
		// slave, slave: it is not the test's own terminal, so not in the foreground.
		if _, ok := tty.Open(c.in, c.out); ok {
			t.Errorf("%s and %s", c.in.Name(), c.out.Name())
		}
	}
	if !tty.Is(slave) || tty.Is(null) {
		t.Error("Is is wrong")
	}
	master, slave := pty(t)
	session(t, slave, null)
	until(t, master, "no terminal")
}

// A context ends the waiting, and the modes are put back as they were.
func TestContextEnds(t *testing.T) {
	master, slave := pty(t)
	raw, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	raw.Lflag &^= unix.ICANON | unix.ECHO
	if err := unix.IoctlSetTermios(int(slave.Fd()), unix.TCSETS, raw); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	term := tty.At(slave, slave)
	if err := term.Hold(ctx, time.Hour); errs.CodeOf(err) != errs.Cancelled {
		t.Errorf("Hold: %v", err)
	}
	if _, err := term.ReadLine(ctx); errs.CodeOf(err) != errs.Cancelled {
		t.Errorf("ReadLine: %v", err)
	}
	after, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil || *after != *raw {
		t.Errorf("the modes were changed: %+v, %+v, %v", raw, after, err)
	}
	_ = master
}

// In raw mode each key comes as it is, Ctrl-C too; afterwards all is as before.
func TestRaw(t *testing.T) {
	master, slave := pty(t)
	before, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	term := tty.At(slave, slave)
	restore, err := term.Raw()
	if err != nil {
		t.Fatal(err)
	}
	until(t, master, "\x1b[?2004h")
	if _, err := master.WriteString("a\r\x03\x1a"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	for got := ""; got != "a\r\x03\x1a"; {
		n, err := term.Keys(t.Context(), buf, 0)
		if err != nil || !strings.HasPrefix("a\r\x03\x1a", got+string(buf[:n])) {
			t.Fatalf("%q, then %q, %v", got, buf[:n], err)
		}
		got += string(buf[:n])
	}
	if n, err := term.Keys(t.Context(), buf, time.Millisecond); n != 0 || err != nil {
		t.Errorf("nothing was typed: %d, %v", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := term.Keys(ctx, buf, 0); errs.CodeOf(err) != errs.Cancelled {
		t.Errorf("%v", err)
	}
	restore()
	restore()
	until(t, master, "\x1b[?2004l")
	after, err := unix.IoctlGetTermios(int(slave.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the modes were changed: %+v, %+v, %v", before, after, err)
	}
}
