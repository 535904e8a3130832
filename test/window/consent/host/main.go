// host stands in the place of bailey-window: confined as that is, it shows
// nothing and does what the steps of its bundle say. With it the tests bring
// about each way in which a question of a page can end, as fast and as rudely as
// a page of anybody's could.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
}

// Step is one question: for the folders at Paths, in a task of its own unless Same
// says that it is the one before. Want is what has to become of each folder.
type Step struct {
	Paths []string `json:"paths"`
	Same  bool     `json:"same"`
	Want  string   `json:"want"`
	// Reload commits a new document while the question stands.
	Reload bool `json:"reload"`
}

// Frames of the wire, see internal/window.
const (
	toConfig   = 1
	toResponse = 2
	toReply    = 3

	fromReady    = 16
	fromRequest  = 17
	fromCall     = 18
	fromDocument = 21
	fromClosed   = 23
	fromDropped  = 24
)

type host struct {
	conn *net.UnixConn

	mu      sync.Mutex
	next    uint64
	replies map[uint64]chan []byte
	bodies  map[uint64]chan *os.File
	task    string
}

func run() error {
	// A window holds nothing but what it was born with while the core looks at it,
	// so Go's own descriptors wait for the first message.
	const core = 3
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: core, Events: unix.POLLIN}}, -1)
		if n > 0 {
			break
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	f := os.NewFile(core, "core")
	c, err := net.FileConn(f)
	f.Close()
	if err != nil {
		return err
	}
	h := &host{conn: c.(*net.UnixConn), replies: map[uint64]chan []byte{}, bodies: map[uint64]chan *os.File{}}
	if kind, _, _, _, err := h.read(); err != nil || kind != toConfig {
		return fmt.Errorf("no configuration: %d %w", kind, err)
	}
	page, err := renderer()
	if err != nil {
		return err
	}
	defer page.Process.Kill()
	lost := make(chan error, 1)
	go func() { lost <- h.listen() }()
	done := make(chan error, 1)
	go func() { done <- h.steps() }()
	select {
	case err := <-lost:
		return err
	case err := <-done:
		if err != nil {
			return err
		}
	}
	h.write(fromClosed, 0, nil)
	return <-lost
}

// renderer stands for the process of a page, which the core wants to see in a
// sandbox of its own: made by bubblewrap, as WebKit makes it, and doing nothing.
func renderer() (*exec.Cmd, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// A filter of one instruction, which allows everything.
	if _, err := w.Write([]byte{6, 0, 0, 0, 0, 0, 0xff, 0x7f}); err != nil {
		return nil, err
	}
	w.Close()
	cmd := exec.Command("/usr/bin/bwrap", "--die-with-parent", "--unshare-user", "--unshare-pid", "--seccomp", "3",
		"--dev-bind", "/", "/", "--ro-bind", "/usr/bin/sleep", "/tmp/WebKitWebProcess", "/tmp/WebKitWebProcess", "infinity")
	cmd.ExtraFiles = []*os.File{r}
	cmd.Stderr = os.Stderr
	return cmd, cmd.Start()
}

// read reads one frame, and the descriptor that rode on it.
func (h *host) read() (kind byte, id uint64, payload []byte, file *os.File, err error) {
	head := make([]byte, 16)
	for have := 0; have < len(head); {
		oob := make([]byte, 64)
		n, oobn, _, _, err := h.conn.ReadMsgUnix(head[have:], oob)
		if err != nil || n == 0 {
			return 0, 0, nil, nil, errors.Join(io.EOF, err)
		}
		have += n
		if ms, err := unix.ParseSocketControlMessage(oob[:oobn]); err == nil && len(ms) == 1 {
			if fds, err := unix.ParseUnixRights(&ms[0]); err == nil && len(fds) == 1 {
				file = os.NewFile(uintptr(fds[0]), "body")
			}
		}
	}
	payload = make([]byte, binary.LittleEndian.Uint32(head))
	_, err = io.ReadFull(h.conn, payload)
	return head[4], binary.LittleEndian.Uint64(head[8:]), payload, file, err
}

func (h *host) write(kind byte, id uint64, payload []byte) {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint64(append(b, kind, 0, 0, 0), id)
	h.mu.Lock()
	defer h.mu.Unlock()
	_, _ = h.conn.Write(append(b, payload...))
}

func (h *host) listen() error {
	for {
		kind, id, payload, file, err := h.read()
		if err != nil {
			return nil // the core has let go of this window
		}
		h.mu.Lock()
		switch kind {
		case toReply:
			h.replies[id] <- payload
		case toResponse:
			h.bodies[id] <- file
		}
		h.mu.Unlock()
	}
}

// call calls a method and returns its reply.
func (h *host) call(m *rpc.Method, in proto.Message) (*surfacev1.Reply, error) {
	message, err := proto.Marshal(in)
	if err != nil {
		return nil, err
	}
	b, err := proto.Marshal(&surfacev1.Call{Method: m.Number, Message: message})
	if err != nil {
		return nil, err
	}
	c := make(chan []byte, 1)
	h.mu.Lock()
	h.next++
	id := h.next
	h.replies[id] = c
	h.mu.Unlock()
	h.write(fromCall, id, b)
	out := &surfacev1.Reply{}
	return out, proto.Unmarshal(<-c, out)
}

// fetch returns the body of an address.
func (h *host) fetch(path string) (*os.File, error) {
	c := make(chan *os.File, 1)
	h.mu.Lock()
	h.next++
	id := h.next
	h.bodies[id] = c
	h.mu.Unlock()
	h.write(fromRequest, id, []byte(path))
	f := <-c
	if f == nil {
		return nil, errors.New("nothing at " + path)
	}
	return f, nil
}

// stream calls a streaming method; next returns its messages, and io.EOF.
func (h *host) stream(m *rpc.Method, in proto.Message) (next func(proto.Message) error, err error) {
	r, err := h.call(m, in)
	if err != nil || len(r.Stream) == 0 {
		return nil, fmt.Errorf("%s: %v %w", m.Name, r, err)
	}
	f, err := h.fetch("/.stream/" + hex.EncodeToString(r.Stream))
	if err != nil {
		return nil, err
	}
	body := bufio.NewReader(f)
	return func(out proto.Message) error {
		var n [4]byte
		if _, err := io.ReadFull(body, n[:]); err != nil {
			return err
		}
		b := make([]byte, binary.BigEndian.Uint32(n[:]))
		if _, err := io.ReadFull(body, b); err != nil {
			return err
		}
		rec := &surfacev1.StreamRecord{}
		if err := proto.Unmarshal(b, rec); err != nil {
			return err
		}
		if rec.End {
			return io.EOF
		}
		if rec.Error != nil {
			return fmt.Errorf("%s: %v", m.Name, rec.Error)
		}
		return proto.Unmarshal(rec.Message, out)
	}, nil
}

func (h *host) steps() error {
	h.write(fromDocument, 0, nil)
	h.write(fromReady, 0, nil)
	f, err := h.fetch("/steps.json")
	if err != nil {
		return err
	}
	var all []Step
	if err := json.NewDecoder(f).Decode(&all); err != nil {
		return err
	}
	events, err := h.events()
	if err != nil {
		return err
	}
	for i, s := range all {
		if events, err = h.step(s, events); err != nil {
			return fmt.Errorf("step %d: %w", i, err)
		}
	}
	return nil
}

func (h *host) events() (func() ([]byte, error), error) {
	next, err := h.stream(surfacev1.SurfaceServiceEventsMethod(), &surfacev1.EventsRequest{})
	if err != nil {
		return nil, err
	}
	// The settings come first: from then on the core tells of what is dropped.
	if err := next(&surfacev1.EventsResponse{}); err != nil {
		return nil, err
	}
	return func() ([]byte, error) {
		for {
			e := &surfacev1.EventsResponse{}
			if err := next(e); err != nil {
				return nil, err
			}
			if d := e.GetDropped(); d != nil {
				return d.Picked, nil
			}
		}
	}, nil
}

func (h *host) step(s Step, dropped func() ([]byte, error)) (func() ([]byte, error), error) {
	q := &grantv1.RequestRequest{}
	for _, p := range s.Paths {
		// No faster than the core takes them, of which a person knows nothing.
		<-time.After(time.Second)
		h.write(fromDropped, 0, []byte(p))
		token, err := dropped()
		if err != nil {
			return nil, err
		}
		q.Wants = append(q.Wants, &grantv1.Want{Kind: policyv1.Kind_KIND_FILE_READ, Picked: token})
	}
	if !s.Same {
		r, err := h.call(corev1.CoreServiceBeginTaskMethod(), &corev1.BeginTaskRequest{Verb: "summarize"})
		if err != nil {
			return nil, err
		}
		t := &corev1.BeginTaskResponse{}
		if err := proto.Unmarshal(r.Message, t); err != nil || t.Task == "" {
			return nil, fmt.Errorf("no task: %v %w", r, err)
		}
		h.task = t.Task
	}
	q.Task = h.task
	next, err := h.stream(grantv1.GrantServiceRequestMethod(), q)
	if err != nil {
		return nil, err
	}
	if s.Reload {
		m := &grantv1.RequestResponse{}
		if err := next(m); err != nil || m.GetWaiting() == nil {
			return nil, fmt.Errorf("%v %w", m, err)
		}
		// As a person would, who has seen it.
		<-time.After(4 * time.Second)
		h.write(fromDocument, 0, nil)
		return h.events()
	}
	answered := make(chan string, 1)
	go func() { answered <- outcome(next) }()
	for {
		// The page goes on with its work while the person reads.
		began := time.Now()
		if _, err := h.call(corev1.CoreServiceEndTaskMethod(), &corev1.EndTaskRequest{Task: "none", Outcome: corev1.Outcome_OUTCOME_OK}); err != nil {
			return nil, err
		}
		if took := time.Since(began); took > time.Second {
			return nil, fmt.Errorf("the page stood still for %v", took)
		}
		select {
		case got := <-answered:
			if got != s.Want {
				return nil, fmt.Errorf("got %q, want %q", got, s.Want)
			}
			return dropped, nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// outcome reads the end of a request.
func outcome(next func(proto.Message) error) string {
	for {
		m := &grantv1.RequestResponse{}
		if err := next(m); err != nil {
			return err.Error()
		}
		if a := m.GetAnswered(); a != nil {
			var out []string
			for _, r := range a.Rows {
				s := strings.ToLower(strings.TrimPrefix(r.State.String(), "STATE_"))
				if r.Reason != "" {
					s += ":" + r.Reason
				}
				out = append(out, s)
			}
			return strings.Join(out, " ")
		}
	}
}
