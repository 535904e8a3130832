package desktop

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/peer"
)

// Check finds out whether a window can be shown: a server of the person's own,
// or of root, answers at the socket, and the file of cookies is the person's. It
// takes [limits.DisplayDial] at most. What is in a directory of own, or below it, is
// no display: those are Bailey's, and the socket would be handed to a window.
// Errors: errs.DisplayMissing.
func (d Display) Check(ctx context.Context, own ...string) error {
	const op = "desktop.display"
	switch {
	case d.Wayland != "":
		return answers(ctx, d.Wayland, own)
	case d.X11 != "":
		socket, err := d.XSocket()
		if err != nil {
			return err
		}
		if err := answers(ctx, socket, own); err != nil {
			return err
		}
		_, err = d.Cookie()
		return err
	}
	return errs.New(errs.DisplayMissing, op)
}

// answers connects to a display server's socket and lets go of it.
func answers(ctx context.Context, path string, own []string) error {
	const op = "desktop.display"
	refuse := func(cause error, detail string) error {
		return errs.Wrap(errs.DisplayMissing, op, cause).With(detail)
	}
	if len(path) > limits.SocketPath {
		return refuse(nil, "the name of its socket is too long")
	}
	st, err := os.Stat(path)
	if err != nil {
		return refuse(err, path)
	}
	if st.Mode().Type() != fs.ModeSocket {
		return refuse(nil, path+" is no socket")
	}
	if below(path, own) {
		return refuse(nil, path+" is Bailey's own")
	}
	ctx, cancel := context.WithTimeout(ctx, limits.DisplayDial)
	defer cancel()
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return refuse(err, "nobody answers at "+path)
	}
	defer c.Close()
	cred, err := peer.Of(c.(*net.UnixConn))
	if err != nil {
		return refuse(err, path)
	}
	if !trusted(cred.UID) {
		return refuse(nil, path+" is another user's")
	}
	return nil
}

// below reports whether a file is in one of directories or below it, by whatever
// names; so does one that cannot be looked at.
func below(path string, directories []string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return true
	}
	for dir := filepath.Dir(real); ; dir = filepath.Dir(dir) {
		st, err := os.Stat(dir)
		if err != nil {
			return true
		}
		for _, d := range directories {
			if own, err := os.Stat(d); err == nil && os.SameFile(st, own) {
				return true
			}
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// trusted: root can do as it likes anyway, and often runs the X server.
func trusted(uid int) bool { return uid == os.Geteuid() || uid == 0 }

// Cookie returns a file of X11 cookies with the one of this display alone, nil
// where there is none: the server may let the person in by the user's id. A
// file that is there and is not the person's is an error: errs.DisplayMissing.
func (d Display) Cookie() ([]byte, error) {
	const op = "desktop.cookie"
	if d.XAuthority == "" {
		return nil, nil
	}
	number, err := d.xNumber()
	if err != nil {
		return nil, err
	}
	refuse := func(cause error, detail string) error {
		return errs.Wrap(errs.DisplayMissing, op, cause).With(detail).WithHint("mend " + d.XAuthority + ", or let XAUTHORITY name the right file")
	}
	// O_NONBLOCK: a pipe in its place must not hold the core.
	f, err := os.OpenFile(d.XAuthority, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, refuse(err, "the file of X11's cookies cannot be read")
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, refuse(err, "the file of X11's cookies cannot be read")
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return nil, refuse(nil, "the file of X11's cookies is no file")
	case int(st.Uid) != os.Geteuid():
		return nil, refuse(nil, "the file of X11's cookies is another user's")
	}
	b, err := io.ReadAll(io.LimitReader(f, limits.XAuthorityFile+1))
	if err != nil {
		return nil, refuse(err, "the file of X11's cookies cannot be read")
	}
	if len(b) > limits.XAuthorityFile {
		return nil, refuse(nil, "the file of X11's cookies is too large")
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, refuse(err, "this machine has no name")
	}
	return cookie(b, host, number), nil
}
