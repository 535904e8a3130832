// rawworker is a worker that was taken over and speaks to the core without any
// manners: confined as an index worker, it passes the start, and then puts on the
// socket what the question orders, byte by byte. Tests put it in the place of
// bailey-worker.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
	"github.com/bailey-run/bailey/internal/workerkit"
)

func main() { os.Exit(doMain(os.Args)) }

func doMain(args []string) int {
	// The program in this place also sets up the sandbox of each worker.
	if stub, err := sandbox.Stub(args); stub {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	in, ok := sandbox.Started(args[1:])
	if !ok {
		return 2
	}
	conn, err := ipc.FromFD(3)
	if err != nil {
		return 3
	}
	if err := sandbox.Seal(in.Spec); err != nil {
		return 4
	}
	kit := workerkit.New(workerkit.Config{
		Kind: in.Spec.Kind, Release: release.Version(), Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Seal: sandbox.MakeUndumpable,
		Probe: func() (out []*workerv1.Attempt) {
			for _, a := range sandbox.Probe(in.Spec, false) {
				out = append(out, &workerv1.Attempt{Name: a.Name, Errno: a.Errno, Held: a.Held})
			}
			return out
		},
	})
	w := &worker{conn: conn, mux: kit.Mux(nil), db: in.Dir("/db")}
	fmt.Fprintln(os.Stderr, w.serve())
	return 5
}

// The kinds of frames; see package ipc, none of whose checks this program has.
const (
	request = 1
	message = 2
	end     = 3
	credit  = 5
)

type frame struct {
	length        uint32 // that of body where it is zero
	kind          byte
	flags         byte
	descriptors   byte
	reserved      byte
	stream        uint64
	method, value uint32
	body          []byte
}

func (f frame) bytes() []byte {
	if f.length == 0 {
		f.length = uint32(len(f.body))
	}
	b := binary.LittleEndian.AppendUint32(nil, f.length)
	b = append(b, f.kind, f.flags, f.descriptors, f.reserved)
	b = binary.LittleEndian.AppendUint64(b, f.stream)
	b = binary.LittleEndian.AppendUint32(b, f.method)
	b = binary.LittleEndian.AppendUint32(b, f.value)
	return append(b, f.body...)
}

type worker struct {
	conn *net.UnixConn
	mux  *rpc.Mux
	// db is the one directory that it may write.
	db string
}

// serve answers the core until it is ordered something else, and says why it ended.
func (w *worker) serve() error {
	for {
		f, err := w.read()
		if err != nil {
			return err
		}
		if f.kind != request {
			continue
		}
		if f.method == indexv1.IndexServiceAskMethod().Number {
			var q indexv1.AskRequest
			if err := proto.Unmarshal(f.body, &q); err != nil {
				return err
			}
			if err := w.obey(q.Question, f.stream); err != nil {
				return err
			}
			continue
		}
		r, ok := w.mux.Find(f.method)
		if !ok {
			continue // Readers, which stays open
		}
		b, err := r.Unary(context.Background(), f.body)
		if err != nil {
			return err
		}
		if err := w.write(frame{kind: end, stream: f.stream, body: b}.bytes()); err != nil {
			return err
		}
	}
}

func (w *worker) read() (frame, error) {
	var h [24]byte
	if _, err := io.ReadFull(w.conn, h[:]); err != nil {
		return frame{}, err
	}
	f := frame{length: binary.LittleEndian.Uint32(h[:]), kind: h[4], stream: binary.LittleEndian.Uint64(h[8:]), method: binary.LittleEndian.Uint32(h[16:]), value: binary.LittleEndian.Uint32(h[20:])}
	f.body = make([]byte, f.length)
	_, err := io.ReadFull(w.conn, f.body)
	return f, err
}

func (w *worker) write(b []byte) error { _, err := w.conn.Write(b); return err }

// rights sends bytes with a number of copies of one descriptor.
func (w *worker) rights(b []byte, fd, n int) error {
	fds := make([]int, n)
	for i := range fds {
		fds[i] = fd
	}
	_, _, err := w.conn.WriteMsgUnix(b, unix.UnixRights(fds...), nil)
	return err
}

// rest does nothing any more. Without a timer Go's runtime would end the process
// as deadlocked.
func (w *worker) rest() {
	for range time.Tick(time.Hour) {
	}
}
