package desktop

import (
	"context"
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dbus"
)

// A portal looks up who asks it, by the root directory in /proc of the process that
// made the connection, and refuses whom it may not look at: a non-dumpable core gets
// no folder and no settings. So the core has its connection made by a child that is
// its own program and stays dumpable, the line. It hands the connection over, keeps
// nothing of it, and lives as long. Whoever traces it gains the way to a bus that is
// open to every program of this user anyway.

const (
	// lineName is argv[0] of a line, lineFD its end of a pair of sockets.
	lineName = "bailey-line"
	lineFD   = 3
)

// Line is called first thing by a program that calls this package, with its
// arguments. When they are not those of a line it returns false and has done
// nothing. When they are, it connects, and returns when its parent lets go.
func Line(args []string) (isLine bool, err error) {
	if len(args) != 2 || args[0] != lineName {
		return false, nil
	}
	return true, line(args[1])
}

func line(socket string) error {
	c, err := net.DialTimeout("unix", socket, limits.BusReply)
	if err != nil {
		return err
	}
	f, err := c.(*net.UnixConn).File()
	c.Close()
	if err != nil {
		return err
	}
	err = unix.Sendmsg(lineFD, []byte{0}, unix.UnixRights(int(f.Fd())), nil, unix.MSG_NOSIGNAL)
	f.Close()
	for err == nil || err == unix.EINTR {
		var n int
		if n, err = unix.Read(lineFD, make([]byte, 1)); err == nil && n == 0 {
			return nil
		}
	}
	return err
}

// dialPortal connects to the bus that the portal is on, by a line where this process
// is closed to others.
func dialPortal(ctx context.Context, d Display) (*dbus.Conn, error) {
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err == nil && dumpable == 1 {
		return dbus.Dial(ctx, d.SessionBus)
	}
	return dbus.DialBy(ctx, d.SessionBus, byLine)
}

// byLine is a [dbus.Connector].
func byLine(ctx context.Context, socket string) (*net.UnixConn, func(), error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs := os.NewFile(uintptr(fds[1]), "line")
	defer theirs.Close()
	mine, err := unixConn(fds[0])
	if err != nil {
		return nil, nil, err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		mine.Close()
		return nil, nil, err
	}
	defer null.Close()
	// By this name it is the running program, also where an update has replaced the
	// file.
	p, err := os.StartProcess("/proc/self/exe", []string{lineName, socket}, &os.ProcAttr{
		Dir: "/", Env: []string{}, Files: []*os.File{null, null, null, theirs},
	})
	if err != nil {
		mine.Close()
		return nil, nil, err
	}
	release := func() {
		mine.Close()
		// It would end by itself, unless somebody has stopped it.
		_ = p.Kill()
		_, _ = p.Wait()
	}
	theirs.Close() // or its end would not show
	stop := context.AfterFunc(ctx, func() { mine.Close() })
	bus, err := received(mine)
	if !stop() && err == nil {
		bus.Close()
		err = context.Cause(ctx)
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return bus, release, nil
}

// received takes the one connection that a line sends.
func received(from *net.UnixConn) (*net.UnixConn, error) {
	oob := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := from.ReadMsgUnix(make([]byte, 1), oob)
	if err != nil {
		return nil, err
	}
	msgs, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(msgs) != 1 {
		return nil, errors.Join(errors.New("desktop: no connection was made"), err)
	}
	sent, err := unix.ParseUnixRights(&msgs[0])
	if err != nil || len(sent) != 1 {
		return nil, errors.Join(errors.New("desktop: no connection was sent"), err)
	}
	return unixConn(sent[0])
}

// unixConn takes a descriptor over.
func unixConn(fd int) (*net.UnixConn, error) {
	f := os.NewFile(uintptr(fd), "socket")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, errors.New("desktop: no unix socket")
	}
	return u, nil
}
