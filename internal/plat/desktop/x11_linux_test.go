package desktop

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A client of X11 with the few requests that an attack takes (X Window System
// Protocol, version 11, appendix B; the XTEST extension's protocol).
type xClient struct {
	conn net.Conn
	root uint32
}

const (
	xQueryExtension = 98
	xQueryKeymap    = 44
	xtestFakeInput  = 2
	xKeyPress       = 2
	xKeyRelease     = 3
	xReply          = 1
	xEvents         = 2 // and all above
)

// dialX connects with a cookie. refused says what the server answers to a bad
// one.
func dialX(t *testing.T, d Display, secret []byte) (c *xClient, refused string) {
	t.Helper()
	socket, err := d.XSocket()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	hello := []byte{'l', 0, 11, 0, 0, 0, byte(len(cookieProtocol)), 0, byte(len(secret)), 0, 0, 0}
	hello = append(append(hello, cookieProtocol...), 0, 0)
	if _, err := nc.Write(append(hello, secret...)); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 8)
	if _, err := io.ReadFull(nc, head); err != nil {
		t.Fatal(err)
	}
	rest := make([]byte, 4*int(binary.LittleEndian.Uint16(head[6:])))
	if _, err := io.ReadFull(nc, rest); err != nil {
		t.Fatal(err)
	}
	if head[0] != xReply {
		return nil, string(rest)
	}
	vendor, formats := int(binary.LittleEndian.Uint16(rest[16:])), int(rest[21])
	screen := 32 + (vendor+3)/4*4 + 8*formats
	return &xClient{nc, binary.LittleEndian.Uint32(rest[screen:])}, ""
}

// ask makes a request and returns its answer; ok is false for an error.
func (c *xClient) ask(t *testing.T, request []byte) (answer []byte, ok bool) {
	t.Helper()
	binary.LittleEndian.PutUint16(request[2:], uint16(len(request)/4))
	if _, err := c.conn.Write(request); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 32)
	// Events come between: all clients hear of a keyboard that is used first.
	for head[0] = xEvents; head[0] >= xEvents; {
		if _, err := io.ReadFull(c.conn, head); err != nil {
			t.Fatal(err)
		}
	}
	if head[0] != xReply {
		return head, false
	}
	rest := make([]byte, 4*int(binary.LittleEndian.Uint32(head[4:])))
	if _, err := io.ReadFull(c.conn, rest); err != nil {
		t.Fatal(err)
	}
	return append(head, rest...), true
}

// extension returns an extension's opcode, 0 where it is not shown.
func (c *xClient) extension(t *testing.T, name string) byte {
	t.Helper()
	r := append([]byte{xQueryExtension, 0, 0, 0, byte(len(name)), 0, 0, 0}, name...)
	for len(r)%4 != 0 {
		r = append(r, 0)
	}
	a, ok := c.ask(t, r)
	if !ok || a[8] == 0 {
		return 0
	}
	return a[9]
}

// fake presses or releases a key in the person's place.
func (c *xClient) fake(t *testing.T, xtest, event, key byte) {
	t.Helper()
	r := make([]byte, 36)
	r[0], r[1], r[4], r[5] = xtest, xtestFakeInput, event, key
	binary.LittleEndian.PutUint16(r[2:], uint16(len(r)/4))
	binary.LittleEndian.PutUint32(r[12:], c.root)
	if _, err := c.conn.Write(r); err != nil {
		t.Fatal(err)
	}
	// The server has done it when it answers the next request.
	if c.extension(t, "XTEST") == 0 {
		t.Error("the server refused to press")
	}
}

// pressed reports whether a key is down, as any client may ask.
func (c *xClient) pressed(t *testing.T, key int) bool {
	t.Helper()
	a, ok := c.ask(t, []byte{xQueryKeymap, 0, 1, 0})
	return ok && a[8+key/8]>>(key%8)&1 == 1
}

// startX runs an X server without a screen; cookies are in the display's file.
func startX(t *testing.T) Display {
	t.Helper()
	for _, program := range []string{"Xvfb", "xauth"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	auth := filepath.Join(t.TempDir(), "auth")
	if err := os.WriteFile(auth, entry(familyWild, "", "", cookieProtocol, "trusted-cookie-0"), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// Without -noreset the server forgets what it generated with the last client.
	// A number of its own: servers that look for a free one at the same time take
	// each other's.
	cmd := exec.Command("Xvfb", fmt.Sprintf(":%d", 1000+rand.IntN(50000)), "-displayfd", "3", "-auth", auth, "-nolisten", "tcp", "-noreset", "-screen", "0", "320x200x24")
	cmd.ExtraFiles = []*os.File{w}
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	n, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb: %v", err)
	}
	return Display{X11: ":" + strings.TrimSpace(n), XAuthority: auth}
}

// secret is the cookie in what a window would get.
func (d Display) secret(t *testing.T) []byte {
	t.Helper()
	b, err := d.Cookie()
	if err != nil {
		t.Fatal(err)
	}
	e, _, ok := readEntry(b)
	if !ok {
		t.Fatalf("no cookie: %q", b)
	}
	return []byte(e.data)
}

// TestX11 shows what SECURITY.md says of X11, and why the cookie that the
// server calls untrusted does not help: whoever may connect can press keys in
// the person's place and see which are down. With the untrusted cookie that is
// refused (so the attack can fail), but the server also hides XInput, without
// which GTK 4 ends at once.
func TestX11(t *testing.T) {
	d := startX(t)
	if err := d.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, refused := dialX(t, d, []byte("a wrong cookie 1")); refused == "" {
		t.Fatal("a wrong cookie was taken, so the right one says nothing")
	}
	window, refused := dialX(t, d, d.secret(t))
	if window == nil {
		t.Fatalf("the window's own cookie is refused: %s", refused)
	}
	const key = 38 // "a" on most keyboards
	xtest := window.extension(t, "XTEST")
	if xtest == 0 || window.extension(t, "XInputExtension") == 0 {
		t.Fatal("a window does not see the extensions that it needs")
	}
	other, _ := dialX(t, d, d.secret(t))
	if other.pressed(t, key) {
		t.Fatal("a key is down that nobody pressed")
	}
	window.fake(t, xtest, xKeyPress, key)
	if !other.pressed(t, key) {
		t.Error("a window could not press a key, or another could not see it: SECURITY.md says that it can")
	}

	untrusted := d
	untrusted.XAuthority = filepath.Join(t.TempDir(), "auth")
	if err := os.WriteFile(untrusted.XAuthority, entry(familyWild, "", "", cookieProtocol, string(d.secret(t))), 0o600); err != nil {
		t.Fatal(err)
	}
	generated := filepath.Join(t.TempDir(), "generated")
	cmd := exec.Command("xauth", "-f", generated, "generate", d.X11, ".", "untrusted", "timeout", "0")
	cmd.Env = append(os.Environ(), "XAUTHORITY="+untrusted.XAuthority)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("xauth: %v: %s", err, out)
	}
	list, err := exec.Command("xauth", "-f", generated, "list").Output()
	if err != nil {
		t.Fatal(err)
	}
	var where, proto, digits string
	if _, err := fmt.Sscan(string(list), &where, &proto, &digits); err != nil {
		t.Fatalf("%q: %v", list, err)
	}
	weak, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	less, refused := dialX(t, d, weak)
	if less == nil {
		t.Fatalf("the untrusted cookie is refused: %s", refused)
	}
	if less.extension(t, "XTEST") != 0 {
		t.Error("the untrusted cookie shows XTEST")
	}
	if less.pressed(t, key) {
		t.Error("the untrusted cookie shows which keys are down")
	}
	if less.extension(t, "XInputExtension") != 0 {
		t.Error("the untrusted cookie shows XInput now: try it again with GTK")
	}
	window.fake(t, xtest, xKeyRelease, key)
}
