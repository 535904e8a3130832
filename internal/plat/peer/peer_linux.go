package peer

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Listener is the core's listening socket.
type Listener struct {
	l    *net.UnixListener
	uid  int
	path string
	// made is the socket's file, as it was made.
	made fs.FileInfo
	once sync.Once
}

// Listen makes the socket at path with mode 0600. The caller holds the lock of
// the home that path belongs to, so a socket that is found there is stale and
// is replaced. Errors: errs.HomeUnusable.
func Listen(path string) (*Listener, error) {
	const op = "peer.listen"
	if st, err := os.Lstat(path); err == nil {
		if st.Mode().Type() != fs.ModeSocket {
			return nil, errs.New(errs.HomeUnusable, op).With("something else is in the place of the core's socket").WithHint("move " + path + " away")
		}
		if err := os.Remove(path); err != nil {
			return nil, errs.Wrap(errs.HomeUnusable, op, err)
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, errs.Wrap(errs.HomeUnusable, op, err).With("the core's socket cannot be made")
	}
	// The directory is 0700, so nobody else can reach the socket between the
	// two calls.
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, errs.Wrap(errs.HomeUnusable, op, err)
	}
	made, err := os.Lstat(path)
	if err != nil {
		l.Close()
		return nil, errs.Wrap(errs.HomeUnusable, op, err)
	}
	return &Listener{l: l, uid: os.Geteuid(), path: path, made: made}, nil
}

// Lost reports whether nobody can come any more: the socket's file is gone, as after
// a logout, or its path leads to another, or nowhere that we may look at.
func (l *Listener) Lost() bool {
	at, err := os.Lstat(l.path)
	return err != nil || !os.SameFile(at, l.made)
}

// Accept returns the next connection of our own user. Those of others are refused's
// to close, before the next one is accepted; nil closes them.
func (l *Listener) Accept(refused func(*net.UnixConn, Credentials)) (*net.UnixConn, Credentials, error) {
	for {
		c, err := l.l.AcceptUnix()
		if short(err) {
			// It passes when somebody closes something. Until then the client
			// waits in the socket's queue.
			<-time.After(limits.AcceptPause)
			continue
		}
		if err != nil {
			return nil, Credentials{}, err
		}
		cred, err := Of(c)
		if err == nil && cred.UID == l.uid {
			return c, cred, nil
		}
		if refused == nil {
			c.Close()
		} else {
			refused(c, cred)
		}
	}
}

// short reports whether an accept failed for want of descriptors or memory, or
// because the client was gone already: no reason to end.
func short(err error) bool {
	for _, e := range []error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Close removes the socket, and nothing else that its path leads to by now, and ends
// Accept. It is idempotent.
func (l *Listener) Close() error {
	var err error
	l.once.Do(func() {
		if l.Lost() {
			l.l.SetUnlinkOnClose(false)
		}
		err = l.l.Close()
	})
	return err
}

// Dial connects to the core's socket and checks that our own user listens
// there. Errors: errs.CoreUnavailable when nobody listens, errs.HomeUnusable
// when somebody else does.
func Dial(path string) (*net.UnixConn, Credentials, error) {
	const op = "peer.dial"
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, Credentials{}, errs.Wrap(errs.CoreUnavailable, op, err)
	}
	cred, err := Of(c)
	if err != nil || cred.UID != os.Geteuid() {
		c.Close()
		return nil, cred, errs.Wrap(errs.HomeUnusable, op, err).With("the core's socket belongs to another user")
	}
	return c, cred, nil
}

// Of reads the credentials of a connection's other end.
func Of(c *net.UnixConn) (Credentials, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Credentials{}, err
	}
	var u *unix.Ucred
	var uerr error
	if err := raw.Control(func(fd uintptr) { u, uerr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return Credentials{}, err
	}
	if uerr != nil {
		return Credentials{}, uerr
	}
	return Credentials{PID: int(u.Pid), UID: int(u.Uid), GID: int(u.Gid)}, nil
}
