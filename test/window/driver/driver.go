package driver

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/test/window/desk"
)

//go:embed enter/enter.c
var enterSource []byte

// Build compiles what enters a window's namespaces, into dir.
func Build(dir string) error {
	src := filepath.Join(dir, "enter.c")
	if err := os.WriteFile(src, enterSource, 0o644); err != nil {
		return err
	}
	out, err := exec.Command("gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", filepath.Join(dir, enterName), src).CombinedOutput()
	if err != nil {
		return fmt.Errorf("enter.c: %w\n%s", err, out)
	}
	return nil
}

const enterName = "enter"

// Inside a window's network namespace: where the window listens, and where the
// driver does.
const (
	windowPort = 2999
	driverPort = 7438
)

// Wait bounds everything that is awaited of a driver.
const Wait = 20 * time.Second

// Inside is the inside of a process's network namespace.
type Inside struct {
	mu   sync.Mutex
	conn *net.UnixConn
	cmd  *exec.Cmd
	said bytes.Buffer
}

// Enter joins the user and network namespaces of a process, brings the loopback
// up there and runs a program, until the test ends. dir is where Build put its
// program.
func Enter(t testing.TB, dir string, pid int, argv ...string) *Inside {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	theirs := os.NewFile(uintptr(pair[1]), "enter")
	defer theirs.Close()
	mine := os.NewFile(uintptr(pair[0]), "enter")
	c, err := net.FileConn(mine)
	must(t, errors.Join(err, mine.Close()))
	in := &Inside{conn: c.(*net.UnixConn)}
	in.cmd = exec.Command(filepath.Join(dir, enterName), append([]string{strconv.Itoa(pid)}, argv...)...)
	in.cmd.ExtraFiles = []*os.File{theirs}
	in.cmd.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8"}
	in.cmd.Stdout, in.cmd.Stderr = &in.said, &in.said
	in.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in.cmd.WaitDelay = time.Second
	must(t, desk.Begin(in.cmd))
	t.Cleanup(func() {
		in.conn.Close()
		_ = in.cmd.Wait()
		if t.Failed() && in.said.Len() > 0 {
			t.Logf("the driver said:\n%s", in.said.String())
		}
	})
	return in
}

// Dial connects to a port of the loopback inside.
func (in *Inside) Dial(port int) (net.Conn, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if _, err := in.conn.Write([]byte{0}); err != nil {
		return nil, err
	}
	oob := make([]byte, unix.CmsgSpace(4))
	b := make([]byte, 1)
	_ = in.conn.SetReadDeadline(time.Now().Add(Wait))
	_, n, _, _, err := in.conn.ReadMsgUnix(b, oob)
	if err != nil {
		return nil, err
	}
	ms, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(ms) != 1 {
		return nil, errors.Join(err, errors.New("no socket came"))
	}
	fds, err := unix.ParseUnixRights(&ms[0])
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fds[0]), "inside")
	defer f.Close()
	if err := unix.Connect(fds[0], &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, err
	}
	return net.FileConn(f)
}

// Session is a driver that holds one window.
type Session struct {
	t      testing.TB
	client *http.Client
	base   string
	in     *Inside
}

// Attach starts a driver for the window of the process and begins a session.
func Attach(t testing.TB, dir string, pid int) *Session {
	t.Helper()
	in := Enter(t, dir, pid, "WebKitWebDriver", "--port="+strconv.Itoa(driverPort), "--target=127.0.0.1:"+strconv.Itoa(windowPort))
	s := &Session{t: t, in: in, base: fmt.Sprintf("http://127.0.0.1:%d/session", driverPort)}
	s.client = &http.Client{Timeout: 2 * Wait, Transport: &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return in.Dial(driverPort) },
	}}
	t.Cleanup(s.client.CloseIdleConnections)
	// The window listens once its loopback is up, and the driver after it has
	// started.
	deadline := time.Now().Add(Wait)
	for {
		var got struct {
			SessionID string `json:"sessionId"`
		}
		err := s.do(http.MethodPost, "", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{}}}, &got)
		if err == nil {
			s.base += "/" + got.SessionID
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no session with the window: %v", err)
		}
		<-time.After(20 * time.Millisecond)
	}
	t.Cleanup(func() { _ = s.do(http.MethodDelete, "", nil, nil) })
	return s
}

// Error is what a driver answers when it cannot do something.
type Error struct {
	Kind    string `json:"error"`
	Message string `json:"message"`
}

// Error implements error.
func (e *Error) Error() string { return e.Kind + ": " + e.Message }

func (s *Session) do(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	q, err := http.NewRequest(method, s.base+path, body)
	if err != nil {
		return err
	}
	r, err := s.client.Do(q)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	var got struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(b, &got); err != nil {
		return fmt.Errorf("%w in %q", err, b)
	}
	if r.StatusCode != http.StatusOK {
		e := &Error{}
		if err := json.Unmarshal(got.Value, e); err != nil {
			return err
		}
		return e
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(got.Value, out)
}

// Try runs the body of a function in the page, which may wait; what it returns
// is decoded into out.
func (s *Session) Try(out any, body string, args ...any) error {
	if args == nil {
		args = []any{}
	}
	script := `const done = arguments[arguments.length - 1];
const args = Array.prototype.slice.call(arguments, 0, -1);
(async () => {` + body + `})().then(v => done({value: v === undefined ? null : v}), e => done({error: String(e && e.message || e)}));`
	var got struct {
		Value json.RawMessage `json:"value"`
		Error string          `json:"error"`
	}
	if err := s.do(http.MethodPost, "/execute/async", map[string]any{"script": script, "args": args}, &got); err != nil {
		return err
	}
	if got.Error != "" {
		return errors.New("in the page: " + got.Error)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(got.Value, out)
}

// Do is Try that must succeed.
func (s *Session) Do(out any, body string, args ...any) {
	s.t.Helper()
	must(s.t, s.Try(out, body, args...))
}

// Text is what the page shows, as a person reads it.
func (s *Session) Text() string {
	s.t.Helper()
	var text string
	s.Do(&text, "return document.body ? document.body.innerText : ''")
	return text
}

// Rect is an element's place in the page's viewport.
type Rect struct{ X, Y, W, H float64 }

// Middle is where one presses.
func (r Rect) Middle() (x, y int) { return int(r.X + r.W/2), int(r.Y + r.H/2) }

// named finds the first visible element by its role and accessible name, as a
// person with a screen reader would; css "" = any that can be pressed.
const named = `
const [css, name] = args;
const seen = e => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0 && getComputedStyle(e).visibility !== 'hidden' };
const called = e => {
  const by = e.getAttribute('aria-labelledby');
  const text = e.getAttribute('aria-label') || (by && by.split(/\s+/).map(i => (document.getElementById(i) || {}).textContent || '').join(' ')) ||
    (e.labels && e.labels.length ? e.labels[0].textContent : '') || e.innerText || e.textContent || e.getAttribute('title') || e.getAttribute('placeholder') || '';
  return text.replace(/\s+/g, ' ').trim();
};
const all = [...document.querySelectorAll(css || 'button, a[href], [role=button], input, textarea, [role=tab], [role=menuitem], summary, select')].filter(seen);
const e = all.find(e => called(e) === name) || all.find(e => called(e).startsWith(name)) || all.find(e => called(e).includes(name));
`

// Place finds an element by its accessible name and brings it into view. css
// narrows down what is looked at.
func (s *Session) Place(css, name string) (Rect, error) {
	var r *Rect
	// Where it stands still, and nothing lies over it.
	err := s.Try(&r, named+`if (!e) return null;
e.scrollIntoView({block: 'nearest', inline: 'nearest', behavior: 'instant'});
const painted = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
let r = e.getBoundingClientRect();
for (let i = 0; i < 50; i++) {
  await painted();
  const now = e.getBoundingClientRect();
  if (now.x === r.x && now.y === r.y) {
    const top = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
    return top && (e.contains(top) || top.contains(e) || top.closest("label")?.contains(e)) ? {X: r.x, Y: r.y, W: r.width, H: r.height} : null;
  }
  r = now;
}
return null;`, css, name)
	if err == nil && r == nil {
		err = fmt.Errorf("no %s %q in the page", css, name)
	}
	if err != nil {
		return Rect{}, err
	}
	return *r, nil
}

// Await waits until a script's expression is true.
func (s *Session) Await(what, expression string, args ...any) {
	s.t.Helper()
	deadline := time.Now().Add(Wait)
	for {
		var ok bool
		err := s.Try(&ok, "return !!("+expression+")", args...)
		if ok {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain for %s (%v); the page shows:\n%s", what, err, s.Text())
		}
		<-time.After(20 * time.Millisecond)
	}
}

// AwaitText waits until the page shows the words.
func (s *Session) AwaitText(words string) {
	s.t.Helper()
	s.Await(strconv.Quote(words), "document.body && document.body.innerText.includes(args[0])", words)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Inner is the size of the page's viewport in pixels.
func (s *Session) Inner() (width, height int) {
	s.t.Helper()
	var in [2]int
	s.Do(&in, "return [innerWidth, innerHeight]")
	return in[0], in[1]
}

// Axe runs the checks of accessibility of the given source of axe-core over the
// page and returns what it finds. It leaves its own traces in the page.
func (s *Session) Axe(source string) []string {
	s.t.Helper()
	must(s.t, s.do(http.MethodPost, "/execute/sync", map[string]any{"script": source + "\nreturn true;", "args": []any{}}, nil))
	var found []string
	s.Do(&found, `const r = await axe.run(document, {resultTypes: ["violations"]});
return r.violations.map(v => v.id + " (" + v.impact + "): " + v.nodes.map(n => n.target.join(" ") + " " + (n.failureSummary || "").replace(/\s+/g, " ")).join("; "));`)
	return found
}
