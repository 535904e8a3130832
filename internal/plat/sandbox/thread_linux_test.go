package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRestrictThread: what a restricted thread may open is the system's, and
// what it may make is a socket in its directory. Before, all of it was open.
func TestRestrictThread(t *testing.T) {
	home, own := t.TempDir(), t.TempDir()
	secret := filepath.Join(home, "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	listen := func(dir string) error {
		path := filepath.Join(dir, "s")
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			return err
		}
		return unix.Unlink(path)
	}
	open := func(path string, flags int) error {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o600)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}
	connect := func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Connect(fd, &unix.SockaddrInet4{Port: 1, Addr: [4]byte{127, 0, 0, 1}})
	}
	type denial struct {
		what string
		try  func() error
		// before is what happens without the restriction.
		before error
	}
	denied := []denial{
		{"read a file", func() error { return open(secret, unix.O_RDONLY) }, nil},
		{"list a directory", func() error { return open(home, unix.O_RDONLY|unix.O_DIRECTORY) }, nil},
		{"read /etc", func() error { return open("/etc/passwd", unix.O_RDONLY) }, nil},
		{"write a file", func() error { return open(filepath.Join(own, "new"), unix.O_WRONLY|unix.O_CREAT) }, nil},
		{"listen elsewhere", func() error { return listen(home) }, nil},
		{"connect by TCP", connect, unix.ECONNREFUSED},
	}
	abi, err := landlockABI()
	if err != nil {
		t.Fatal(err)
	}
	if abi < 4 {
		// Networks are nothing to Landlock before Linux 6.7.
		denied = slices.DeleteFunc(denied, func(d denial) bool { return d.what == "connect by TCP" })
		t.Logf("Landlock's ABI is %d: TCP is not restricted", abi)
	}
	allowed := map[string]func() error{
		"run":    func() error { return open("/usr/bin/env", unix.O_RDONLY) },
		"listen": func() error { return listen(own) },
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for life: the thread ends with this goroutine
		result <- func() error {
			for _, d := range denied {
				if err := d.try(); err != d.before {
					t.Errorf("%s, before: %v", d.what, err)
				}
			}
			if err := RestrictThread(own, home); err != nil {
				return err
			}
			for _, d := range denied {
				if err := d.try(); !errors.Is(err, unix.EACCES) {
					t.Errorf("%s: %v", d.what, err)
				}
			}
			for what, try := range allowed {
				if err := try(); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
			if err == nil && n != 1 {
				err = errors.New("no_new_privs is not set")
			}
			return err
		}()
	}()
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	// The other threads are as they were.
	if err := open(secret, unix.O_RDONLY); err != nil {
		t.Error(err)
	}
}
