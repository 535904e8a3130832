package dbus

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	godbus "github.com/godbus/dbus/v5"
	"go.uber.org/goleak"

	"github.com/bailey-run/bailey/internal/limits"
)

func TestMain(m *testing.M) {
	if path := os.Getenv("LISTEN"); path != "" {
		fmt.Println(listenAsAnother(path))
		return
	}
	goleak.VerifyTestMain(m)
}

// listenAsAnother is the other user of TestDialOther, in a process of its own.
func listenAsAnother(path string) error {
	runtime.LockOSThread()
	// Of this thread alone; it is the one that listens.
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, ^uintptr(0), limits.WorkerHostIDSmall, ^uintptr(0)); errno != 0 {
		return errno
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	c, err := l.Accept()
	if err == nil {
		_, err = c.Read(make([]byte, 1))
	}
	return err
}

// startBus runs a bus that starts no services.
func startBus(t *testing.T) (address string) {
	t.Helper()
	daemon, err := exec.LookPath("dbus-daemon")
	if err != nil {
		t.Skip("dbus-daemon is not installed")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "bus.conf")
	text := fmt.Sprintf(`<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(daemon, "--nofork", "--print-address", "--config-file="+config)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// other is a connection of somebody else on the bus.
func other(t *testing.T, address string) *godbus.Conn {
	t.Helper()
	c, err := godbus.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func dialBus(t *testing.T, address string) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

type echo struct{}

func (echo) Twice(s string) (string, *godbus.Error) { return s + s, nil }
func (echo) Fail() *godbus.Error {
	return godbus.NewError("org.example.Broken", []any{strings.Repeat("x", 1000)})
}
func (echo) Large() ([]byte, *godbus.Error) { return make([]byte, limits.BusMessage), nil }

const service, object = "org.example.Echo", ObjectPath("/org/example/Echo")

func serve(t *testing.T, address string) *godbus.Conn {
	t.Helper()
	s := other(t, address)
	if err := s.Export(echo{}, godbus.ObjectPath(object), service); err != nil {
		t.Fatal(err)
	}
	if r, err := s.RequestName(service, 0); err != nil || r != godbus.RequestNameReplyPrimaryOwner {
		t.Fatal(r, err)
	}
	return s
}

func TestCall(t *testing.T) {
	address := startBus(t)
	s := serve(t, address)
	c := dialBus(t, address)
	owner, err := c.Owner(t.Context(), service)
	if err != nil || owner != s.Names()[0] {
		t.Fatalf("owner %q, %v", owner, err)
	}
	twice := Call{Destination: owner, Path: object, Interface: service, Member: "Twice", Signature: "s", Args: []any{"ab"}}
	if out, err := c.Call(t.Context(), twice); err != nil || len(out) != 1 || out[0] != "abab" {
		t.Fatal(out, err)
	}
	fail := twice
	fail.Member, fail.Signature, fail.Args = "Fail", "", nil
	var e *Error
	if _, err := c.Call(t.Context(), fail); !errors.As(err, &e) || e.Name != "org.example.Broken" || len(e.Text) != limits.BusErrorText {
		t.Fatal(err)
	}
	for _, f := range []func(context.Context, string) (string, error){c.Owner, c.Start} {
		if _, err := f(t.Context(), "org.example.Nobody"); !errors.As(err, &e) {
			t.Fatal(err)
		}
	}
	if again, err := c.Start(t.Context(), service); err != nil || again != owner {
		t.Fatalf("owner %q, %v", again, err)
	}
	// An answer larger than what is read ends the connection.
	large := fail
	large.Member = "Large"
	if _, err := c.Call(t.Context(), large); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	<-c.Done()
	if _, err := c.Call(t.Context(), twice); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

// TestForgedAnswer: another connection of the bus answers a call that it was not
// asked. Whoever was asked still answers.
func TestForgedAnswer(t *testing.T) {
	address := startBus(t)
	called, goOn := make(chan godbus.Message, 1), make(chan struct{})
	s := other(t, address)
	err := s.ExportMethodTable(map[string]any{"Wait": func(m godbus.Message) (string, *godbus.Error) {
		called <- m
		<-goOn
		return "honest", nil
	}}, godbus.ObjectPath(object), service)
	if err != nil {
		t.Fatal(err)
	}
	c := dialBus(t, address)
	forge := other(t, address)
	answer := make(chan any, 1)
	go func() {
		out, err := c.Call(t.Context(), Call{Destination: s.Names()[0], Path: object, Interface: service, Member: "Wait"})
		if err != nil || len(out) != 1 {
			answer <- err
			return
		}
		answer <- out[0]
	}()
	m := <-called
	reply := &godbus.Message{Type: godbus.TypeMethodReply, Headers: map[godbus.HeaderField]godbus.Variant{
		godbus.FieldReplySerial: godbus.MakeVariant(m.Serial()), godbus.FieldDestination: godbus.MakeVariant(c.Name()),
		godbus.FieldSignature: godbus.MakeVariant(godbus.ParseSignatureMust("s")),
	}, Body: []any{"forged"}}
	forge.Send(reply, nil)
	// What the forger sends next arrives behind its answer.
	heard := make(chan struct{})
	stop, err := c.Watch(t.Context(), Match{Interface: "org.example.Mark", Member: "Done"}, func(*Message) { close(heard) })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := forge.Emit("/", "org.example.Mark.Done"); err != nil {
		t.Fatal(err)
	}
	<-heard
	select {
	case got := <-answer:
		t.Fatalf("the forged answer counted: %v", got)
	default:
	}
	close(goOn)
	if got := <-answer; got != "honest" {
		t.Fatal(got)
	}
}

func TestWatch(t *testing.T) {
	address := startBus(t)
	s := serve(t, address)
	liar := other(t, address)
	c := dialBus(t, address)
	heard := make(chan string, 10)
	stop, err := c.Watch(t.Context(), Match{Sender: s.Names()[0], Path: object, Interface: service, Member: "Said", Arg0: "this"}, func(m *Message) {
		v, _ := m.Values()
		heard <- v[1].(string)
	})
	if err != nil {
		t.Fatal(err)
	}
	emit := func(from *godbus.Conn, args ...any) {
		t.Helper()
		if err := from.Emit(godbus.ObjectPath(object), service+".Said", args...); err != nil {
			t.Fatal(err)
		}
	}
	emit(s, "other", "no")
	emit(s)
	// Sent to us alone, so that no rule of the bus holds it back.
	direct := &godbus.Message{Type: godbus.TypeSignal, Headers: map[godbus.HeaderField]godbus.Variant{
		godbus.FieldPath: godbus.MakeVariant(godbus.ObjectPath(object)), godbus.FieldInterface: godbus.MakeVariant(service),
		godbus.FieldMember: godbus.MakeVariant("Said"), godbus.FieldDestination: godbus.MakeVariant(c.Name()),
		godbus.FieldSignature: godbus.MakeVariant(godbus.ParseSignatureMust("ss")),
	}, Body: []any{"this", "a lie"}}
	liar.Send(direct, nil)
	// The liar's message is through once it has an answer to a later one.
	if err := liar.BusObject().Call("org.freedesktop.DBus.GetId", 0).Err; err != nil {
		t.Fatal(err)
	}
	emit(s, "this", "yes")
	if got := <-heard; got != "yes" {
		t.Fatalf("heard %q", got)
	}
	// When the name goes, that is heard too.
	gone := make(chan []any, 1)
	if _, err := c.Watch(t.Context(), OwnerChanged(service), func(m *Message) { v, _ := m.Values(); gone <- v }); err != nil {
		t.Fatal(err)
	}
	stop()
	emit(s, "this", "too late")
	s.Close()
	if v := <-gone; len(v) != 3 || v[2] != "" {
		t.Fatal(v)
	}
	if len(heard) != 0 {
		t.Fatalf("heard %q behind the stop", <-heard)
	}
}

func TestDialNobody(t *testing.T) {
	for _, address := range []string{"", "tcp:host=localhost,port=1", "unix:path=/nonexistent/bus", "unixexec:path=/bin/true"} {
		if c, err := Dial(t.Context(), address); !errors.Is(err, ErrNoBus) {
			t.Errorf("%q: %v, %v", address, c, err)
		}
	}
}

// TestDialNoBus: something listens that is no bus.
func TestDialNoBus(t *testing.T) {
	for name, says := range map[string]string{
		"nothing":             "",
		"no":                  "REJECTED EXTERNAL\r\n",
		"a line without end":  strings.Repeat("x", 2*limits.BusAuthLine),
		"yes, and then noise": "OK 0123\r\nthis is no message at all",
		"yes, and then ends":  "OK 0123\r\n",
	} {
		path := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c, err := l.Accept()
			if err != nil {
				return
			}
			defer c.Close()
			buf := make([]byte, 64)
			_, _ = c.Read(buf)
			_, _ = c.Write([]byte(says))
			if says == "" {
				_, _ = c.Read(buf) // until the other side gives up
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), limits.BusReply/10)
		began := time.Now()
		if _, err := Dial(ctx, Address(path)); !errors.Is(err, ErrNoBus) {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > limits.BusReply {
			t.Errorf("%s: it took %v", name, took)
		}
		cancel()
		l.Close()
		<-ended
	}
}

// TestNeverAnswers: a call ends with its context, and the connection goes on.
func TestNeverAnswers(t *testing.T) {
	address := startBus(t)
	s := other(t, address)
	called, goOn := make(chan struct{}, 2), make(chan struct{})
	defer close(goOn)
	if err := s.ExportMethodTable(map[string]any{"Wait": func() *godbus.Error { called <- struct{}{}; <-goOn; return nil }}, godbus.ObjectPath(object), service); err != nil {
		t.Fatal(err)
	}
	c := dialBus(t, address)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-called; cancel() }()
	if _, err := c.Call(ctx, Call{Destination: s.Names()[0], Path: object, Interface: service, Member: "Wait"}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if _, err := c.Call(t.Context(), Call{Destination: busService, Path: busPath, Interface: busInterface, Member: "GetId"}); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) != 0 {
		t.Errorf("%d calls are still waited for", len(c.waiting))
	}
}

// TestDialOther: a bus of another user is none.
func TestDialOther(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can listen as another user")
	}
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "s")
	// The kernel keeps the identity of whoever called listen.
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "LISTEN="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "listening\n" {
		t.Fatal(line, err)
	}
	if _, err := Dial(t.Context(), Address(path)); !errors.Is(err, ErrNoBus) || !strings.Contains(err.Error(), "another user") {
		t.Fatal(err)
	}
}
