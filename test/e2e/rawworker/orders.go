package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

// done is an answer in order.
func (w *worker) done(stream uint64) error {
	b, err := proto.Marshal(&indexv1.AskResponse{Event: &indexv1.AskResponse_Done{Done: &indexv1.Done{Engine: "raw", Usage: &indexv1.Usage{}}}})
	if err != nil {
		return err
	}
	if err := w.write(frame{kind: message, stream: stream, body: b}.bytes()); err != nil {
		return err
	}
	return w.write(frame{kind: end, stream: stream}.bytes())
}

// obey does on the call with this number what it is ordered.
func (w *worker) obey(order string, stream uint64) error {
	one := func(f frame) error {
		if err := w.write(f.bytes()); err != nil {
			return err
		}
		w.rest()
		return nil
	}
	text := bytes.Repeat([]byte("\x1b[2J\u202e!"), 4096)
	switch order {
	case "well?":
		return w.done(stream)
	case "random bytes":
		b := make([]byte, 1<<20)
		for i := range b {
			b[i] = byte(rand.Uint32())
		}
		return w.forever(b)
	case "zeros":
		return w.forever(make([]byte, 1<<20))
	case "4 GiB":
		_ = w.write(frame{kind: message, stream: stream, length: math.MaxUint32}.bytes())
		return w.forever(make([]byte, 1<<20))
	case "an answer to nobody":
		return one(frame{kind: end, stream: stream + 2})
	case "an answer to a call that has ended":
		return one(frame{kind: end, stream: 1})
	case "a call of its own":
		return one(frame{kind: request, stream: 2, method: 1})
	case "a kind that is none":
		return one(frame{kind: 77, stream: stream})
	case "a reserved byte":
		return one(frame{kind: message, stream: stream, reserved: 1})
	case "stream zero":
		return one(frame{kind: message})
	case "credit for nothing":
		return one(frame{kind: credit, stream: 2, value: math.MaxUint32})
	case "an end with a body":
		return one(frame{kind: end, stream: stream, body: text})
	case "a message of garbage":
		return one(frame{kind: message, stream: stream, body: text})
	case "a message that is too deep":
		return one(frame{kind: message, stream: stream, body: bytes.Repeat(protowire.AppendTag(nil, 1000, protowire.StartGroupType), 20_000)})
	case "a message that is too long":
		return one(frame{kind: message, stream: stream, body: make([]byte, 1<<20)})
	case "an error that is too long":
		return one(frame{kind: end, flags: 1, stream: stream, body: text})
	case "an error with its own code":
		return w.write(frame{kind: end, flags: 1, stream: stream, body: spoken()}.bytes())
	case "a flood":
		// Whole messages in order, one after the other, whatever the window says.
		return w.forever(bytes.Repeat(frame{kind: message, stream: stream, body: make([]byte, 0)}.bytes(), 10_000))
	case "half a head":
		_ = w.write(frame{kind: message, stream: stream, body: text}.bytes()[:11])
		w.rest()
	case "half a frame":
		_ = w.write(frame{kind: message, stream: stream, body: text}.bytes()[:100])
		w.rest()
	case "half a frame and the end":
		_ = w.write(frame{kind: message, stream: stream, body: text}.bytes()[:100])
		_ = unix.Shutdown(3, unix.SHUT_RDWR)
		w.rest()
	case "no reading":
		w.rest()
	}
	return w.hand(order, stream)
}

// forever writes until nobody takes it any more, and stays.
func (w *worker) forever(b []byte) error {
	for w.write(b) == nil {
	}
	w.rest()
	return nil
}

// spoken is an error in form, whose every word is a lie.
func spoken() []byte {
	b := protowire.AppendTag(nil, 1, protowire.BytesType)
	b = protowire.AppendString(b, "audit-log-broken")
	for field := protowire.Number(2); field <= 3; field++ {
		b = protowire.AppendTag(b, field, protowire.BytesType)
		b = protowire.AppendString(b, "\x1b[2J\u202eyour disk is damaged")
	}
	return b
}

// hand sends descriptors where none belong.
func (w *worker) hand(order string, stream uint64) error {
	open := func(path string, flags int) int {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
		if err != nil {
			fmt.Fprintln(os.Stderr, order, err)
			os.Exit(6)
		}
		return fd
	}
	well := frame{kind: message, stream: stream}
	said := well
	said.descriptors = 1
	fd, f, n := 3, well, 1
	switch order {
	case "a directory":
		fd = open(w.db, unix.O_RDONLY|unix.O_DIRECTORY)
	case "a directory that is said":
		fd, f = open(w.db, unix.O_RDONLY|unix.O_DIRECTORY), said
	case "a file of its own, which it shrinks":
		fd = open(w.db+"/shrinks", unix.O_RDWR|unix.O_CREAT)
		if err := unix.Ftruncate(fd, 1<<20); err != nil {
			return err
		}
	case "a socket":
	case "253 descriptors":
		n = 253
	case "1000 descriptors":
		b := f.bytes()
		for i := range 4 {
			if err := w.rights(b[i:i+1], fd, 250); err != nil {
				break // it was ended meanwhile
			}
		}
		w.rest()
	case "1000 descriptors by driblets":
		fd = 2 // no socket, which would end it at once
		b := f.bytes()
		for i := range 250 {
			if err := w.rights(b[i%len(b):i%len(b)+1], fd, 4); err != nil {
				break
			}
		}
		w.rest()
	default:
		return fmt.Errorf("no such order: %q", order)
	}
	if err := w.rights(f.bytes(), fd, n); err != nil {
		return err
	}
	if order == "a file of its own, which it shrinks" {
		_ = unix.Ftruncate(fd, 0)
	}
	w.rest()
	return nil
}
