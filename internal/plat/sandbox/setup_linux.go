package sandbox

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// Descriptors that a stub is born with, besides the worker's own.
const (
	connFD   = 3
	stubFD   = 4
	setupFD  = 5
	binaryFD = 6
	// firstForeignFD and everything above it is closed before the worker.
	firstForeignFD = 7
)

// stubName is argv[0] of a stub.
const stubName = "bailey-stub"

// How the stub comes by a mount.
const (
	fromPlaced   = "placed"   // bubblewrap put it at its target
	fromCwd      = "cwd"      // the directory that it was born in
	fromPath     = "path"     // by path, compared with Dev and Ino
	fromDetached = "detached" // a detached mount that rides on the message
)

// exact is a string of which no byte is lost on the way: the name of a file need not
// be UTF-8, and what hides one by a name that is nearly its own hides nothing.
type exact string

// MarshalText implements encoding.TextMarshaler.
func (e exact) MarshalText() ([]byte, error) {
	return []byte(base64.StdEncoding.EncodeToString([]byte(e))), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *exact) UnmarshalText(b []byte) error {
	s, err := base64.StdEncoding.DecodeString(string(b))
	*e = exact(s)
	return err
}

func each[To, From ~string](all []From) []To {
	out := make([]To, len(all))
	for i, s := range all {
		out[i] = To(s)
	}
	return out
}

// setup is what the core tells a stub, in one packet.
type setup struct {
	Kind   string       `json:"kind"`
	Args   []string     `json:"args,omitempty"`
	Mounts []setupMount `json:"mounts,omitempty"`
	Memory uint64       `json:"memory,omitempty"`
	// Reduced is of level 2.
	Reduced bool `json:"reduced,omitempty"`
	// Devices are of a worker with a driver alone.
	Devices []string `json:"devices,omitempty"`
	// Of a host alone.
	Env      []exact      `json:"env,omitempty"`
	Places   []setupMount `json:"places,omitempty"`
	KeepName bool         `json:"keep_name,omitempty"`
	// Detached says that the mount of the worker's binary rides on the message too, as
	// the last.
	Detached bool `json:"detached,omitempty"`
	// Foreign says that the program is anyone's.
	Foreign *foreignSetup `json:"foreign,omitempty"`
	seam
}

// taken says of the mounts what a spec leaves open.
func (m setup) taken() []workerspec.Taken {
	taken := make([]workerspec.Taken, len(m.Mounts))
	for i, s := range m.Mounts {
		taken[i] = workerspec.Taken{Target: string(s.Target), Write: s.Write}
	}
	return taken
}

type setupMount struct {
	Target exact  `json:"target"`
	Write  bool   `json:"write,omitempty"`
	From   string `json:"from"`
	Path   exact  `json:"path,omitempty"`
	Dev    uint64 `json:"dev,omitempty"`
	Ino    uint64 `json:"ino,omitempty"`
	// Hide is Mount.Hide.
	Hide []exact `json:"hide,omitempty"`
	// Dir says that a place is a directory.
	Dir bool `json:"dir,omitempty"`
	// Sockets is Place.Sockets.
	Sockets bool `json:"sockets,omitempty"`
}

// report is what a stub tells the core: that it is about to execute the
// worker, or at which step it failed.
type report struct {
	// Here is what a stub that bubblewrap started says first.
	Here  bool `json:"here,omitempty"`
	Ready bool `json:"ready,omitempty"`
	// Thread is the one that is ready, as it sees itself: what confines it is on no
	// other until it executes.
	Thread int        `json:"thread,omitempty"`
	Step   string     `json:"step,omitempty"`
	Errno  unix.Errno `json:"errno,omitempty"`
	Text   string     `json:"text,omitempty"`
	Path   exact      `json:"path,omitempty"`
}

// errClosed is the end of the setup socket: the other process has executed the
// worker, or is gone.
var errClosed = errors.New("setup socket closed")

func setupPair() (core, stub int, err error) {
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, -1, err
	}
	return p[0], p[1], nil
}

// lost stands where json has put another character in the place of a byte that is
// none; a character of that kind that was there before is not escaped.
var lost = []byte(`\ufffd`)

func send(fd int, v any, files []int) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if bytes.Contains(b, lost) {
		return errors.New("setup message with a string that is not UTF-8")
	}
	if len(b) > limits.SandboxMessage {
		return fmt.Errorf("setup message of %d bytes", len(b))
	}
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	return retry(func() error { return unix.Sendmsg(fd, b, rights, nil, unix.MSG_NOSIGNAL) })
}

// receive waits at most wait for one packet. The caller owns the files.
func receive(fd int, wait time.Duration, v any) (files []int, err error) {
	until := time.Now().Add(wait)
	for {
		left := time.Until(until)
		if left <= 0 {
			return nil, os.ErrDeadlineExceeded
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left/time.Millisecond)+1)
		if err != nil && err != unix.EINTR {
			return nil, err
		}
		if n > 0 {
			break
		}
	}
	b := make([]byte, limits.SandboxMessage)
	oob := make([]byte, unix.CmsgSpace(4*(limits.SandboxMounts+1)))
	var n, oobn, flags int
	err = retry(func() (e error) {
		n, oobn, flags, _, e = unix.Recvmsg(fd, b, oob, unix.MSG_CMSG_CLOEXEC)
		return e
	})
	if err == unix.ECONNRESET {
		return nil, errClosed
	}
	if err != nil {
		return nil, err
	}
	if oobn > 0 {
		msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
		if err != nil {
			return nil, err
		}
		for i := range msgs {
			fds, err := unix.ParseUnixRights(&msgs[i])
			if err != nil {
				return files, err
			}
			files = append(files, fds...)
		}
	}
	if n == 0 {
		return files, errClosed
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		return files, errors.New("setup message cut short")
	}
	return files, json.Unmarshal(b[:n], v)
}

func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
