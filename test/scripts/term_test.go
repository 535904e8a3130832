package scripts

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// term [-stdout FILE] [-stdin FILE] [-code N] PLAY CMD ARG...: runs a program on a terminal of
// its own, as its input, error output and (without -stdout) output, and plays a
// person. PLAY is a file of lines:
//
//	size COLUMNS ROWS   the terminal's size; 80 by 24 otherwise; later lines change it
//	see TEXT            wait until TEXT is on the terminal (behind what was seen before)
//	grows BYTES         wait until so much more than was seen has appeared
//	type TEXT           type a Go string without its quotes, for example read\n
//	quiet DURATION      nothing more may appear for so long
//	signal SIGNAL NAME  send INT, TERM or KILL to the script's processes of that name
//	ends DURATION       the program must end within so long
//
// However the program ends, it has to leave the terminal in the mode in which it
// found it. What appeared is in the file term.out. Without -code the program must end
// with 0. It is testscript's ttyin that also gives standard error, where Bailey asks.
func term(ts *testscript.TestScript, neg bool, args []string) {
	var stdin, stdout string
	code := 0
	for len(args) > 1 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-stdout":
			stdout = ts.MkAbs(args[1])
		case "-stdin":
			stdin = ts.MkAbs(args[1])
		case "-code":
			n, err := strconv.Atoi(args[1])
			ts.Check(err)
			code = n
		default:
			ts.Fatalf("term: %s?", args[0])
		}
		args = args[2:]
	}
	need(ts, neg, args, 2, "term [-stdout FILE] [-code N] PLAY CMD ARG...")
	master, slave, err := pty()
	ts.Check(err)
	defer master.Close()
	cmd := command(ts, args[1:])
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if stdout != "" {
		f, err := os.Create(stdout)
		ts.Check(err)
		defer f.Close()
		cmd.Stdout = f
	}
	if stdin != "" {
		f, err := os.Open(stdin)
		ts.Check(err)
		defer f.Close()
		cmd.Stdin = f
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 2}
	play := strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n")
	s := &screenplay{master: master}
	ts.Check(s.act("size", "80 24"))
	if verb, what, _ := strings.Cut(play[0], " "); verb == "size" {
		ts.Check(s.act(verb, what))
		play = play[1:]
	}
	// The terminal stays open here: the kernel puts the modes of one back that
	// nobody has open any more.
	closed := false
	defer func() {
		if !closed {
			_ = slave.Close()
		}
	}()
	before, err := modes(slave)
	ts.Check(err)
	ts.Check(cmd.Start())
	defer func() { ts.Check(os.WriteFile(ts.MkAbs("term.out"), []byte(s.all.String()), 0o600)) }()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	limit := patience
	for _, line := range play {
		verb, what, _ := strings.Cut(line, " ")
		if verb == "signal" {
			signal(ts, false, strings.Fields(what))
			continue
		}
		if verb == "ends" {
			limit, err = time.ParseDuration(what)
			ts.Check(err)
			continue
		}
		if err := s.act(verb, what); err != nil {
			ts.Fatalf("%s: %v; on the terminal:\n%s", line, err, s.all.String())
		}
	}
	// Drain, so that the program is never stuck writing.
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_ = s.read(time.Now().Add(limit+patience), func() bool { return false })
	}()
	select {
	case err := <-ended:
		after, merr := modes(slave)
		closed = true
		ts.Check(slave.Close())
		<-drained
		if merr != nil || after != before {
			ts.Fatalf("the terminal was left as %+v, it was %+v (%v)", after, before, merr)
		}
		if got := exitCode(err); got != code {
			ts.Fatalf("exit code %d, want %d; on the terminal:\n%s", got, code, s.all.String())
		}
	case <-time.After(limit):
		_ = cmd.Process.Kill()
		closed = true
		ts.Check(slave.Close())
		<-drained
		ts.Fatalf("not ended after %v; on the terminal:\n%s", limit, s.all.String())
	}
}

// modes are how a terminal treats what is typed.
func modes(terminal *os.File) (unix.Termios, error) {
	raw, err := terminal.SyscallConn()
	if err != nil {
		return unix.Termios{}, err
	}
	var now *unix.Termios
	var failed error
	err = raw.Control(func(fd uintptr) { now, failed = unix.IoctlGetTermios(int(fd), unix.TCGETS) })
	if err = errors.Join(err, failed); err != nil {
		return unix.Termios{}, err
	}
	return *now, nil
}

// screenplay is what has appeared on a terminal, and how much of it was seen.
type screenplay struct {
	master *os.File
	all    strings.Builder
	seen   int
}

func (s *screenplay) act(verb, what string) error {
	switch verb {
	case "see":
		return s.read(time.Now().Add(patience), func() bool {
			i := strings.Index(s.all.String()[s.seen:], what)
			if i >= 0 {
				s.seen += i + len(what)
			}
			return i >= 0
		})
	case "grows":
		n, err := strconv.Atoi(what)
		if err != nil {
			return err
		}
		return s.read(time.Now().Add(patience), func() bool {
			if s.all.Len() < s.seen+n {
				return false
			}
			s.seen += n
			return true
		})
	case "size":
		var size unix.Winsize
		if _, err := fmt.Sscan(what, &size.Col, &size.Row); err != nil {
			return err
		}
		// Not Fd: it would make the descriptor blocking, and end the deadlines.
		raw, err := s.master.SyscallConn()
		if err != nil {
			return err
		}
		var failed error
		err = raw.Control(func(fd uintptr) { failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &size) })
		return errors.Join(err, failed)
	case "type":
		text, err := strconv.Unquote(`"` + what + `"`)
		if err == nil {
			_, err = s.master.WriteString(text)
		}
		return err
	case "quiet":
		d, err := time.ParseDuration(what)
		if err != nil {
			return err
		}
		before := s.all.Len()
		err = s.read(time.Now().Add(d), func() bool { return s.all.Len() > before })
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		return errors.Join(err, errors.New("something appeared"))
	}
	return errors.New("no such line in a play")
}

// read reads what appears until done says so or the program is gone.
func (s *screenplay) read(deadline time.Time, done func() bool) error {
	if err := s.master.SetReadDeadline(deadline); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	for !done() {
		n, err := s.master.Read(buf)
		s.all.Write(buf[:n])
		if err != nil {
			if done() {
				return nil
			}
			return err
		}
	}
	return nil
}

// pty returns both ends of a new terminal.
func pty() (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	master = os.NewFile(uintptr(fd), "master")
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}
