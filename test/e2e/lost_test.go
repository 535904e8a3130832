package e2e

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/env"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

// opened is the place's home.
func (p *place) opened() *home.Home {
	p.t.Helper()
	h, err := home.Open(home.Options{Dir: p.home, Env: env.Read()})
	if err != nil {
		p.t.Fatal(err)
	}
	return h
}

// A core whose socket is gone, as after a logout, can be told nothing any more: it ends
// by itself, and with it all that was allowed. The next command has a core of its own.
func TestSocketGone(t *testing.T) {
	for n, lose := range map[string]func(h *home.Home) error{
		"file":      func(h *home.Home) error { return os.Remove(h.Socket) },
		"directory": func(h *home.Home) error { return os.RemoveAll(h.Runtime) },
		"replaced": func(h *home.Home) error {
			return errors.Join(os.Rename(h.Socket, h.Socket+".was"), syscall.Mknod(h.Socket, syscall.S_IFSOCK|0o600, 0))
		},
	} {
		t.Run(n, func(t *testing.T) {
			p := newPlace(t)
			c := p.connect()
			p.grant(c)
			core, worker := c.PID, p.worker(c.PID)
			if err := lose(p.opened()); err != nil {
				t.Fatal(err)
			}
			if _, errs, code := p.bailey("grant", "list"); code != 0 {
				t.Errorf("the next command gave %d: %s", code, errs)
			}
			for _, pid := range []int{core, worker} {
				if proc.Alive(pid) {
					t.Errorf("process %d is there, beside a core that knows nothing of it", pid)
				}
			}
			p.verified()
		})
	}
}

// `bailey stop` does not say that nothing was running while a core is, where it finds no
// socket: when it has said anything, there is none.
func TestStopOfALostCore(t *testing.T) {
	p := newPlace(t)
	c := p.connect()
	p.grant(c)
	core, worker := c.PID, p.worker(c.PID)
	if err := os.RemoveAll(p.opened().Runtime); err != nil {
		t.Fatal(err)
	}
	out, errs, code := p.bailey("stop")
	if code != 0 {
		t.Errorf("stop gave %d: %s%s", code, out, errs)
	}
	for _, pid := range []int{core, worker} {
		if proc.Alive(pid) {
			t.Errorf("%q, and process %d is there", out, pid)
		}
	}
	p.verified()
}

// A core that waits for the system at its start ends when it is told to, and
// `bailey stop` finds it. Here a lock is in its way.
func TestStopOfACoreThatStarts(t *testing.T) {
	p := newPlace(t)
	if _, errs, code := p.bailey("grant", "list"); code != 0 {
		t.Fatalf("control: %d %s", code, errs)
	}
	p.gone(wait)
	h := p.opened()
	d, err := os.Open(filepath.Join(h.Cache, "index"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	cmd := p.command("grant", "list")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Open(filepath.Join(h.State, home.LockName))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	p.until(wait, "the core to hold its lock", func() bool {
		return syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil || syscall.Flock(int(lock.Fd()), syscall.LOCK_UN) != nil
	})
	begin := time.Now()
	out, errs, code := p.bailey("stop")
	if code != 0 || out != "Stopped.\n" {
		t.Errorf("stop gave %d: %q %s", code, out, errs)
	}
	if took := time.Since(begin); took > limits.CoreGone {
		t.Errorf("it took %v: it was killed", took)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(said.String(), "Stopped") {
		t.Errorf("the command that had started it: %v, %s", err, said.String())
	}
	p.gone(wait)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	p.mustAnswer()
	p.verified()
}

// What is not what it should be in a home is refused at once, and named.
func TestNoHome(t *testing.T) {
	for name, why := range map[string]string{
		"cache/index": "it is not a directory", "state/store": "it is not a directory", "cache/code": "",
		"state/core.lock": "it is not a regular file",
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			if _, errs, code := p.bailey("grant", "list"); code != 0 {
				t.Fatalf("control: %d %s", code, errs)
			}
			p.gone(wait)
			path := filepath.Join(p.home, name)
			if err := errors.Join(os.RemoveAll(path), syscall.Mkfifo(path, 0o600)); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			_, errs, code := p.bailey("grant", "list")
			if took := time.Since(begin); took > limits.CoreStart {
				t.Errorf("it took %v", took)
			}
			if why == "" && code != 0 || why != "" && (code == 0 || !strings.Contains(errs, filepath.Base(name)+": "+why)) {
				t.Errorf("it gave %d: %s", code, errs)
			}
		})
	}
}
