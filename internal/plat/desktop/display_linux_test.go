package desktop

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// missing compares by code, which is what callers do.
func missing(err error) bool { return err != nil && errs.CodeOf(err) == errs.DisplayMissing }

func TestXSocket(t *testing.T) {
	for display, want := range map[string]string{
		":0": "/tmp/.X11-unix/X0", ":12.0": "/tmp/.X11-unix/X12", "unix:3": "/tmp/.X11-unix/X3", "unix:3.1": "/tmp/.X11-unix/X3",
		"": "", ":": "", "0": "", ":a": "", ":-1": "", ":+1": "", ":00": "", ":1.": "", ":1.a": "", ":1/../../x": "", "::1": "", ":65536": "", ":1:2": "", ": 1": "",
		"localhost:10.0": "", "host:0": "", "127.0.0.1:0": "", "tcp/host:0": "", "unix/host:0": "", "host::0": "", "/tmp/socket:0": "",
	} {
		got, err := Display{X11: display}.XSocket()
		if got != want || (want == "") != missing(err) {
			t.Errorf("%q: %q, %v", display, got, err)
		}
	}
	_, err := Display{X11: "localhost:10.0"}.XSocket()
	if !strings.Contains(errs.From(err).HintText(), "ssh") {
		t.Errorf("the hint says nothing of ssh: %q", errs.From(err).HintText())
	}
}

func listen(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return path
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	socket := listen(t)
	link := filepath.Join(dir, "link")
	if err := os.Symlink(socket, link); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(dir, "stale")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	for name, c := range map[string]struct {
		d  Display
		ok bool
	}{
		"nothing":                      {Display{}, false},
		"Wayland":                      {Display{Wayland: socket}, true},
		"by a link":                    {Display{Wayland: link}, true},
		"Wayland goes before X11":      {Display{Wayland: socket, X11: "host:0"}, true},
		"no fallback to X11 in secret": {Display{Wayland: file, X11: ":0"}, false},
		"a file":                       {Display{Wayland: file}, false},
		"a directory":                  {Display{Wayland: dir}, false},
		"nobody listens":               {Display{Wayland: stale}, false},
		"not there":                    {Display{Wayland: dir + "/none"}, false},
		"a name too long":              {Display{Wayland: "/" + strings.Repeat("a", limits.SocketPath)}, false},
		"an X server of another host":  {Display{X11: "host:0"}, false},
		"no X server":                  {Display{X11: ":59535"}, false},
	} {
		if err := c.d.Check(t.Context()); (err == nil) != c.ok || !c.ok && !missing(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A socket of Bailey's own, as the core's, is no display, by whatever name it is
// called.
func TestCheckOwn(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(dir+"/own/deep", 0o700); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"/aside": dir + "/own/deep", "/s": dir + "/own/deep/s"} {
		if err := os.Symlink(to, dir+link); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{dir + "/own/deep/s", dir + "/ownish"} {
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	own := []string{dir + "/none", dir + "/own"}
	for _, path := range []string{"/own/deep/s", "/aside/s", "/s", "/own/deep/../deep/s"} {
		d := Display{Wayland: dir + path}
		if err := d.Check(t.Context(), own...); !missing(err) {
			t.Errorf("%s: %v", path, err)
		}
		// The control: it is refused for nothing else.
		if err := d.Check(t.Context()); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := (Display{Wayland: dir + "/ownish"}).Check(t.Context(), own...); err != nil {
		t.Error("a name that begins alike:", err)
	}
}

// entry writes one entry of a file of cookies.
func entry(family uint16, address, number, proto, data string) []byte {
	return xEntry{family, address, number, proto, data}.append(nil)
}

func TestCookie(t *testing.T) {
	const secret, other = "0123456789abcdef", "fedcba9876543210"
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	want := entry(familyWild, "", "1", cookieProtocol, secret)
	good := entry(familyLocal, host, "1", cookieProtocol, secret)
	for name, c := range map[string]struct {
		file [][]byte
		want []byte
	}{
		"empty":                     {nil, nil},
		"the one":                   {[][]byte{good}, want},
		"any host":                  {[][]byte{entry(familyWild, "", "1", cookieProtocol, secret)}, want},
		"any display":               {[][]byte{entry(familyLocal, host, "", cookieProtocol, secret)}, want},
		"the first that fits":       {[][]byte{entry(familyLocal, host, "2", cookieProtocol, other), entry(familyLocal, "elsewhere", "1", cookieProtocol, other), entry(0, host, "1", cookieProtocol, other), good, entry(familyLocal, host, "1", cookieProtocol, other)}, want},
		"another protocol":          {[][]byte{entry(familyLocal, host, "1", "XDM-AUTHORIZATION-1", other), good}, want},
		"another display":           {[][]byte{entry(familyLocal, host, "10", cookieProtocol, other)}, nil},
		"an empty cookie":           {[][]byte{entry(familyLocal, host, "1", cookieProtocol, "")}, nil},
		"damaged behind it":         {[][]byte{good, {1, 2, 3}}, want},
		"damaged before it":         {[][]byte{{1, 0, 255, 255}, good}, nil},
		"cut off":                   {[][]byte{good[:len(good)-1]}, nil},
		"behind too many of others": {[][]byte{bytes.Repeat(entry(0, "", "", "", ""), limits.XAuthorityEntries), good}, nil},
	} {
		path := filepath.Join(t.TempDir(), "auth")
		if err := os.WriteFile(path, bytes.Join(c.file, nil), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Display{X11: ":1.0", XAuthority: path}.Cookie()
		if err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestCookieFile(t *testing.T) {
	dir := t.TempDir()
	fifo, large, foreign := filepath.Join(dir, "fifo"), filepath.Join(dir, "large"), filepath.Join(dir, "foreign")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, make([]byte, limits.XAuthorityFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	refused := []string{dir, fifo, large, "/dev/zero"}
	if os.Geteuid() == 0 {
		if err := os.WriteFile(foreign, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(foreign, limits.WorkerHostIDSmall, -1); err != nil {
			t.Fatal(err)
		}
		refused = append(refused, foreign)
	} else {
		refused = append(refused, "/etc/passwd")
	}
	for _, path := range refused {
		if b, err := (Display{X11: ":1", XAuthority: path}).Cookie(); !missing(err) {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
	for _, path := range []string{"", dir + "/none"} {
		if b, err := (Display{X11: ":1", XAuthority: path}).Cookie(); b != nil || err != nil {
			t.Errorf("%q: %q, %v", path, b, err)
		}
	}
}

// TestCookieOfXauth: what the tool of X11 writes is read, and what is written
// for a window is read by it.
func TestCookieOfXauth(t *testing.T) {
	xauth, err := exec.LookPath("xauth")
	if err != nil {
		t.Skip("xauth is not installed")
	}
	path := filepath.Join(t.TempDir(), "auth")
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(xauth, append([]string{"-q", "-f", path}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	secret := hex.EncodeToString([]byte("0123456789abcdef"))
	for n := range 3 {
		run("add", fmt.Sprintf(":%d", n), ".", strings.Repeat(fmt.Sprint(n), 32))
	}
	run("add", ":1", ".", secret)
	b, err := Display{X11: ":1", XAuthority: path}.Cookie()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(run("list")); len(got) != 3 || got[2] != secret || got[1] != cookieProtocol {
		t.Errorf("xauth lists %q", got)
	}
}

// FuzzCookie: what a window gets is one entry for its display, or nothing.
func FuzzCookie(f *testing.F) {
	f.Add(bytes.Join([][]byte{entry(familyLocal, "h", "2", cookieProtocol, "x"), entry(familyWild, "", "1", cookieProtocol, "secret")}, nil))
	f.Fuzz(func(t *testing.T, file []byte) {
		b := cookie(file, "h", "1")
		if b == nil {
			return
		}
		e, rest, ok := readEntry(b)
		if !ok || len(rest) != 0 || e.family != familyWild || e.address != "" || e.number != "1" || e.proto != cookieProtocol || e.data == "" {
			t.Fatalf("%q", b)
		}
		if !bytes.Contains(file, []byte(e.data)) {
			t.Fatal("a cookie that is not in the file")
		}
	})
}
