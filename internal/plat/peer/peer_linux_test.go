package peer

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
)

func listen(t *testing.T, path string) *Listener {
	t.Helper()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestBothEndsKnowEachOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l := listen(t, path)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", st.Mode(), err)
	}
	got := make(chan Credentials, 1)
	go func() {
		c, cred, err := l.Accept(nil)
		if err == nil {
			c.Close()
		}
		got <- cred
	}()
	c, cred, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	want := Credentials{PID: os.Getpid(), UID: os.Geteuid(), GID: os.Getegid()}
	if other := <-got; cred != want || other != want {
		t.Fatalf("dial saw %+v, accept saw %+v, want %+v", cred, other, want)
	}
}

func TestStaleSocketIsReplacedAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	stale := listen(t, dir+"/s")
	stale.l.SetUnlinkOnClose(false)
	stale.Close()
	if _, _, err := Dial(dir + "/s"); !errors.Is(err, errs.New(errs.CoreUnavailable, "")) {
		t.Fatalf("a stale socket gave %v", err)
	}
	listen(t, dir+"/s")
	if err := os.WriteFile(dir+"/file", []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(dir + "/file"); !errors.Is(err, errs.New(errs.HomeUnusable, "")) {
		t.Fatalf("got %v", err)
	}
	if b, _ := os.ReadFile(dir + "/file"); string(b) != "keep" {
		t.Fatal("a file in the socket's place was removed")
	}
}

// A socket whose path leads elsewhere by now is lost, and what lies there instead is
// not removed with it.
func TestLost(t *testing.T) {
	base := t.TempDir()
	for n, lose := range map[string]func(path string) error{
		"removed":            os.Remove,
		"with its directory": func(path string) error { return os.RemoveAll(filepath.Dir(path)) },
		"replaced": func(path string) error {
			return errors.Join(os.Rename(path, path+".was"), os.WriteFile(path, []byte("keep"), 0o600))
		},
	} {
		t.Run(n, func(t *testing.T) {
			dir := filepath.Join(base, n)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			l := listen(t, dir+"/s")
			if l.Lost() {
				t.Error("lost from the first")
			}
			if err := lose(dir + "/s"); err != nil {
				t.Fatal(err)
			}
			if !l.Lost() {
				t.Error("not lost")
			}
			if err := errors.Join(l.Close(), l.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	if b, _ := os.ReadFile(base + "/replaced/s"); string(b) != "keep" {
		t.Error("what took the socket's place was removed")
	}
}

// A process of another user is refused by the core, and a socket of
// another user by the client, even where modes would let them through. Only
// root can start another user's process.
func TestOtherUsersAreRefused(t *testing.T) {
	if os.Getenv("PEER_TEST_SOCKET") != "" {
		c, cred, err := Dial(os.Getenv("PEER_TEST_SOCKET"))
		if c != nil {
			c.Close()
		}
		if cred.UID == os.Geteuid() || !errors.Is(err, errs.New(errs.HomeUnusable, "")) {
			t.Fatalf("the client accepted a core of uid %d: %v", cred.UID, err)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to start another user's process")
	}
	dir, err := os.MkdirTemp("/var/tmp", "peer")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	exe := dir + "/test"
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(exe, self, 0o755); err != nil {
		t.Fatal(err)
	}
	l := listen(t, dir+"/s")
	for _, p := range []string{dir, dir + "/s"} {
		if err := os.Chmod(p, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	refused := make(chan Credentials, 1)
	go func() { _, _, _ = l.Accept(func(conn *net.UnixConn, c Credentials) { conn.Close(); refused <- c }) }()
	cmd := exec.Command(exe, "-test.run=^TestOtherUsersAreRefused$")
	cmd.Env = append(os.Environ(), "PEER_TEST_SOCKET="+dir+"/s")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if c := <-refused; c.UID != 12345 {
		t.Fatalf("refused %+v", c)
	}
}
