package ipc

import (
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// lingering returns a socket whose last close waits for half a minute: its peer
// takes nothing of what was written to it.
func lingering(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	defer f.Close()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = unix.SendmsgN(fd, make([]byte, 1<<16), nil, nil, unix.MSG_DONTWAIT)
	}
	if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 30}); err != nil {
		t.Fatal(err)
	}
	return fd
}

// A client's socket that lingers is nobody's to wait for: the connection is over
// at once, wherever the socket was when it ended.
func TestSocketThatLingers(t *testing.T) {
	dir, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	plain := int(dir.Fd())
	bad := bytesOf(header{kind: 9, stream: 1}, "")
	for name, send := range map[string]func(fd, lingers int) error{
		"with a frame": func(fd, lingers int) error { return unix.Sendmsg(fd, bad[:9], unix.UnixRights(lingers), nil, 0) },
		"as one too many": func(fd, lingers int) error {
			return unix.Sendmsg(fd, bad[:9], unix.UnixRights(plain, plain, plain, plain, lingers), nil, 0)
		},
		"behind a bad frame": func(fd, lingers int) error {
			if err := unix.Sendmsg(fd, bad, unix.UnixRights(plain), nil, 0); err != nil {
				return err
			}
			return unix.Sendmsg(fd, bad, unix.UnixRights(lingers), nil, 0)
		},
		"on a connection that is refused": nil,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := sockets(t)
			defer a.Close()
			raw, err := a.File()
			if err != nil {
				t.Fatal(err)
			}
			defer raw.Close()
			lingers := lingering(t)
			refused := send == nil
			if refused {
				send = func(fd, lingers int) error { return unix.Sendmsg(fd, bad, unix.UnixRights(lingers), nil, 0) }
			}
			err = send(int(raw.Fd()), lingers)
			// What was sent is the last of it; the close of this one does not wait.
			unix.Close(lingers)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			if refused {
				Drop(b)
			} else {
				c := New(b, Options{Peer: policyv1.Caller_CALLER_CLIENT, Even: true})
				select {
				case <-c.Done():
				case <-time.After(patience):
					t.Error("it is not over")
				}
				c.Close()
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}
