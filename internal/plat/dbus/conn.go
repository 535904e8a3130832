package dbus

import (
	"bufio"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/peer"
)

// Names of the bus itself.
const (
	busService   = "org.freedesktop.DBus"
	busPath      = ObjectPath("/org/freedesktop/DBus")
	busInterface = "org.freedesktop.DBus"
)

var (
	// ErrNoBus is returned where no bus of this person can be reached.
	ErrNoBus = errors.New("dbus: no bus")
	// ErrClosed is returned when the connection has ended.
	ErrClosed = errors.New("dbus: connection closed")
)

// Conn is a connection to a bus. Its methods may be called from any goroutine,
// but not from a handler of [Conn.Watch].
type Conn struct {
	conn net.Conn
	// release is called once the connection is closed.
	release func()
	// name is our own, which the bus gave.
	name string
	done chan struct{} // closed when nothing is read any more

	write sync.Mutex

	mu sync.Mutex
	// Guarded by mu.
	serial  uint32
	waiting map[uint32]*waiting
	watches map[*watch]struct{}
	ended   bool
}

type waiting struct {
	sender string
	answer chan *Message
}

type watch struct {
	match  Match
	handle func(*Message)
}

// Dial connects to the first of an address's sockets where a process of our own
// user answers as a bus. It takes [limits.BusReply] at most. Errors: [ErrNoBus].
func Dial(ctx context.Context, address string) (*Conn, error) { return DialBy(ctx, address, direct) }

// A Connector makes the connection to a socket, as [Sockets] names it, and returns
// with it what is to be called once it is closed.
type Connector func(ctx context.Context, socket string) (*net.UnixConn, func(), error)

func direct(ctx context.Context, socket string) (*net.UnixConn, func(), error) {
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nil, err
	}
	return nc.(*net.UnixConn), func() {}, nil
}

// DialBy is [Dial] with connections that are made by connect.
func DialBy(ctx context.Context, address string, connect Connector) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limits.BusReply)
	defer cancel()
	err := errors.New("no address of a unix socket")
	for _, socket := range Sockets(address) {
		var c *Conn
		if c, err = dial(ctx, socket, connect); err == nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrNoBus, err)
}

func dial(ctx context.Context, socket string, connect Connector) (*Conn, error) {
	nc, release, err := connect(ctx, socket)
	if err != nil {
		return nil, err
	}
	refuse := func(err error) (*Conn, error) {
		nc.Close()
		release()
		return nil, err
	}
	cred, err := peer.Of(nc)
	if err == nil && cred.UID != os.Geteuid() {
		err = errors.New("the bus is another user's")
	}
	if err != nil {
		return refuse(err)
	}
	// The end of ctx cuts off reads and writes until the bus has said who we are.
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	r := bufio.NewReaderSize(nc, limits.BusAuthLine)
	if err := authenticate(nc, r); err != nil {
		stop()
		return refuse(err)
	}
	c := &Conn{conn: nc, release: sync.OnceFunc(release), done: make(chan struct{}), waiting: map[uint32]*waiting{}, watches: map[*watch]struct{}{}}
	go c.read(r)
	out, err := c.Call(ctx, Call{Destination: busService, Path: busPath, Interface: busInterface, Member: "Hello"})
	if err == nil {
		if len(out) != 1 {
			err = bad("Hello without a name")
		} else if name, ok := out[0].(string); !ok || !strings.HasPrefix(name, ":") || !busName(name) {
			err = bad("Hello without a name")
		} else {
			c.name = name
		}
	}
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// authenticate says who we are: EXTERNAL means that the kernel told the bus.
func authenticate(w net.Conn, r *bufio.Reader) error {
	uid := hex.EncodeToString([]byte(strconv.Itoa(os.Geteuid())))
	if _, err := w.Write([]byte("\x00AUTH EXTERNAL " + uid + "\r\n")); err != nil {
		return err
	}
	line, err := r.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("dbus: authentication: %w", err)
	}
	if !strings.HasPrefix(string(line), "OK ") {
		return errors.New("dbus: the bus refused us")
	}
	_, err = w.Write([]byte("BEGIN\r\n"))
	return err
}

// Name is this connection's unique name.
func (c *Conn) Name() string { return c.name }

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close ends the connection and waits for its handlers. It is idempotent.
func (c *Conn) Close() error {
	err := c.conn.Close()
	<-c.done
	c.release()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// read hands on what comes, until something comes that is not D-Bus.
func (c *Conn) read(r *bufio.Reader) {
	defer close(c.done)
	defer c.conn.Close()
	for {
		m, err := ReadMessage(r)
		if err != nil {
			c.mu.Lock()
			c.ended = true
			for serial, w := range c.waiting {
				close(w.answer)
				delete(c.waiting, serial)
			}
			c.mu.Unlock()
			return
		}
		switch m.Type {
		case MethodReturn, ErrorReply:
			c.mu.Lock()
			w := c.waiting[m.ReplySerial]
			// Another connection of the bus may answer first: it is not asked.
			if w != nil && w.sender == m.Sender {
				delete(c.waiting, m.ReplySerial)
				w.answer <- m
			}
			c.mu.Unlock()
		case Signal:
			for _, h := range c.heard(m) {
				h(m)
			}
		}
	}
}

func (c *Conn) heard(m *Message) []func(*Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []func(*Message)
	for w := range c.watches {
		if w.match.fits(m) {
			out = append(out, w.handle)
		}
	}
	return out
}

// Call is a call of a method.
type Call struct {
	// Destination is the bus itself or the unique name of a connection.
	Destination       string
	Path              ObjectPath
	Interface, Member string
	Signature         Signature
	Args              []any
}

// Call makes a call and returns the values of the answer. Without a deadline in
// ctx it takes [limits.BusReply] at most. Errors: *[Error] from the service,
// [ErrClosed], the context's.
func (c *Conn) Call(ctx context.Context, call Call) ([]any, error) {
	if call.Destination != busService && !strings.HasPrefix(call.Destination, ":") {
		panic("BUG: a call by a name that may change its owner")
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limits.BusReply)
		defer cancel()
	}
	w := &waiting{sender: call.Destination, answer: make(chan *Message, 1)}
	serial, err := c.send(ctx, call, 0, w)
	if err != nil {
		return nil, err
	}
	defer c.forget(serial)
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case m, ok := <-w.answer:
		switch {
		case !ok:
			return nil, ErrClosed
		case m.Type == ErrorReply:
			e := &Error{Name: m.ErrorName}
			if v, err := m.Values(); err == nil && len(v) > 0 {
				s, _ := v[0].(string)
				e.Text = s[:min(len(s), limits.BusErrorText)]
			}
			return nil, e
		}
		return m.Values()
	}
}

// Tell makes a call whose answer nobody waits for.
func (c *Conn) Tell(ctx context.Context, call Call) error {
	_, err := c.send(ctx, call, noReply, nil)
	return err
}

func (c *Conn) send(ctx context.Context, call Call, flags byte, w *waiting) (uint32, error) {
	body, err := Encode(call.Signature, call.Args...)
	if err != nil {
		return 0, err
	}
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return 0, ErrClosed
	}
	if c.serial++; c.serial == 0 {
		c.serial = 1
	}
	serial := c.serial
	if w != nil {
		c.waiting[serial] = w
	}
	c.mu.Unlock()
	b, err := (&Message{
		Type: MethodCall, Flags: flags, Serial: serial, Destination: call.Destination, Path: call.Path,
		Interface: call.Interface, Member: call.Member, Signature: call.Signature, Body: body,
	}).Marshal()
	if err == nil {
		err = c.put(ctx, b)
	}
	if err != nil {
		c.forget(serial)
	}
	return serial, err
}

// put writes a message whole. A bus that takes half of one is left, since the
// next would begin in its middle.
func (c *Conn) put(ctx context.Context, b []byte) error {
	c.write.Lock()
	defer c.write.Unlock()
	limit := time.Now().Add(limits.BusReply)
	if d, ok := ctx.Deadline(); ok && d.Before(limit) {
		limit = d
	}
	if err := c.conn.SetWriteDeadline(limit); err != nil {
		return ErrClosed
	}
	if _, err := c.conn.Write(b); err != nil {
		c.conn.Close()
		return fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return nil
}

func (c *Conn) forget(serial uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, serial)
}

// Start starts the service of a well-known name where it does not run, and
// returns the unique name of the connection that has it.
func (c *Conn) Start(ctx context.Context, name string) (string, error) {
	owner, err := c.Owner(ctx, name)
	if e := (*Error)(nil); !errors.As(err, &e) {
		return owner, err
	}
	_, err = c.Call(ctx, Call{
		Destination: busService, Path: busPath, Interface: busInterface, Member: "StartServiceByName",
		Signature: "su", Args: []any{name, uint32(0)},
	})
	if err != nil {
		return "", err
	}
	return c.Owner(ctx, name)
}

// Owner returns the unique name of the connection that has a well-known name
// now. Errors: *[Error] when there is none.
func (c *Conn) Owner(ctx context.Context, name string) (string, error) {
	out, err := c.Call(ctx, Call{
		Destination: busService, Path: busPath, Interface: busInterface, Member: "GetNameOwner",
		Signature: "s", Args: []any{name},
	})
	if err != nil {
		return "", err
	}
	if len(out) == 1 {
		if s, ok := out[0].(string); ok && strings.HasPrefix(s, ":") && busName(s) {
			return s, nil
		}
	}
	return "", bad("an owner without a name")
}

// Match says which signals are meant. Sender is a unique name or the bus; an
// empty field fits everything.
type Match struct {
	Sender            string
	Path              ObjectPath
	Interface, Member string
	// Arg0 is the first value, a string.
	Arg0 string
}

func (m Match) rule() string {
	var b strings.Builder
	b.WriteString("type='signal'")
	for _, p := range []struct{ k, v string }{
		{"sender", m.Sender}, {"path", string(m.Path)}, {"interface", m.Interface}, {"member", m.Member}, {"arg0", m.Arg0},
	} {
		if p.v == "" {
			continue
		}
		if strings.ContainsAny(p.v, `'\,`) {
			panic("BUG: a match that would need quotes")
		}
		b.WriteString("," + p.k + "='" + p.v + "'")
	}
	return b.String()
}

// fits: a signal that was sent to us alone comes whatever we asked for.
func (m Match) fits(s *Message) bool {
	if m.Sender != "" && m.Sender != s.Sender || m.Path != "" && m.Path != s.Path ||
		m.Interface != "" && m.Interface != s.Interface || m.Member != "" && m.Member != s.Member {
		return false
	}
	if m.Arg0 == "" {
		return true
	}
	v, err := s.Values()
	return err == nil && len(v) > 0 && v[0] == any(m.Arg0)
}

// Watch has handle called for each signal that fits, one after the other, until
// the connection ends or stop is called. handle must not wait for anything.
func (c *Conn) Watch(ctx context.Context, m Match, handle func(*Message)) (stop func(), err error) {
	w := &watch{m, handle}
	c.mu.Lock()
	c.watches[w] = struct{}{}
	c.mu.Unlock()
	rule := Call{Destination: busService, Path: busPath, Interface: busInterface, Member: "AddMatch", Signature: "s", Args: []any{m.rule()}}
	drop := func() {
		c.mu.Lock()
		delete(c.watches, w)
		c.mu.Unlock()
	}
	if _, err := c.Call(ctx, rule); err != nil {
		drop()
		return nil, err
	}
	return func() {
		drop()
		rule.Member = "RemoveMatch"
		_ = c.Tell(context.Background(), rule) // else it goes with the connection
	}, nil
}

// OwnerChanged is the match of a well-known name's new or lost owner.
func OwnerChanged(name string) Match {
	return Match{Sender: busService, Path: busPath, Interface: busInterface, Member: "NameOwnerChanged", Arg0: name}
}
