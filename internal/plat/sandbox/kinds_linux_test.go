package sandbox

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// forKind is a Config for a kind over directories and files of its own. The
// worker is not linked to libraries, so that any file does for one.
func forKind(t *testing.T, spec workerspec.Spec) (c Config, conn, stderr *os.File) {
	t.Helper()
	base := realDir(t)
	if err := os.Chmod(filepath.Dir(base), 0o755); err != nil {
		t.Fatal(err)
	}
	c, conn, stderr = config(t, base, base)
	c.Spec, c.Mounts = spec, nil
	for _, m := range spec.Mounts {
		name := filepath.Join(base, strings.ReplaceAll(m.Target, "/", "-"))
		mt := Mount{Target: m.Target, Path: name, Write: m.Write}
		if m.File {
			// Everybody may write it: what refuses is not its mode.
			if err := errors.Join(os.WriteFile(name, []byte("library"), 0o666), os.Chmod(name, 0o666)); err != nil {
				t.Fatal(err)
			}
			mt.Dir = openFile(t, name)
		} else {
			if err := os.Mkdir(name, 0o755); err != nil {
				t.Fatal(err)
			}
			mt.Dir = openDir(t, name)
		}
		c.Mounts = append(c.Mounts, mt)
	}
	return c, conn, stderr
}

func openFile(t *testing.T, name string) *os.File {
	t.Helper()
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), name)
	t.Cleanup(func() { f.Close() })
	return f
}

// TestOptionalMount starts a worker without what it may do without: that is not
// in its root, and a start that gives it is another.
func TestOptionalMount(t *testing.T) {
	tried := 0
	for _, spec := range workerspec.All() {
		if !slices.ContainsFunc(spec.Mounts, func(m workerspec.Mount) bool { return m.Optional }) {
			continue
		}
		tried++
		c, conn, stderr := forKind(t, spec)
		all := c.Mounts
		c.Mounts = slices.DeleteFunc(slices.Clone(all), func(m Mount) bool {
			return slices.ContainsFunc(spec.Mounts, func(s workerspec.Mount) bool { return s.Optional && s.Target == m.Target })
		})
		p, err := Start(t.Context(), c)
		if err != nil {
			t.Fatalf("%s: %v", spec.Kind, err)
		}
		t.Cleanup(func() { p.Kill(); <-p.Done() })
		c.Conn.Close()
		c.Stderr.Close()
		r := &running{p, t, conn, bufio.NewReader(conn), stderr, "", spec}
		var early, late []Attempt
		r.order('e', &early)
		r.seal()
		r.order('p', &late)
		for _, a := range append(early, late...) {
			if !a.Held {
				t.Errorf("%s: %s: errno %d", spec.Kind, a.Name, a.Errno)
			}
		}
		pos, err := r.Posture()
		if err != nil {
			t.Fatal(err)
		}
		if err := Check(pos, Narrow(spec, c.Mounts)); err != nil {
			t.Errorf("%s: %v", spec.Kind, err)
		}
		if Check(pos, Narrow(spec, all)) == nil {
			t.Errorf("%s: a mount is missing, and nothing shows it", spec.Kind)
		}
	}
	if tried == 0 {
		t.Error("no kind has an optional mount")
	}
}

// TestEveryKind takes a worker of each kind through its start: what its spec
// says is what is seen of it, and every probe is answered as it says.
func TestEveryKind(t *testing.T) {
	for _, spec := range workerspec.All() {
		t.Run(spec.Kind, func(t *testing.T) {
			c, conn, stderr := forKind(t, spec)
			c.Memory = spec.Limits.Data / 2
			p, err := Start(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Kill(); <-p.Done() })
			c.Conn.Close()
			c.Stderr.Close()
			r := &running{p, t, conn, bufio.NewReader(conn), stderr, "", spec}
			var early, late []Attempt
			r.order('e', &early)
			r.seal()
			pos, err := r.Posture()
			if err != nil {
				t.Fatal(err)
			}
			if err := Check(pos, spec.WithMemory(c.Memory)); err != nil {
				t.Error(err)
			}
			if Check(pos, spec) == nil {
				t.Error("another limit of memory than asked for passes")
			}
			r.order('p', &late)
			if n := len(early) + len(late); n != len(spec.Probes) {
				t.Errorf("%d attempts for %d probes", n, len(spec.Probes))
			}
			for _, a := range append(early, late...) {
				if !a.Held {
					t.Errorf("%s: errno %d", a.Name, a.Errno)
				}
			}
			if r.ids.innerUID == 0 && spec.Grant() < 0 {
				t.Error("it is called root inside, where nothing needs it to be")
			}
		})
	}
}

// TestCodeIsWhatWasOpened: a library that is another one by the time that it is
// mounted is refused, and so is what no library can be.
func TestCodeIsWhatWasOpened(t *testing.T) {
	spec, _ := workerspec.For("engine")
	const lib, dir = 1, 8
	for what, change := range map[string]func(c *Config){
		"a directory for a library": func(c *Config) { c.Mounts[lib].Dir = c.Mounts[dir].Dir },
		"a library for a directory": func(c *Config) { c.Mounts[dir].Dir = c.Mounts[lib].Dir },
		"nothing":                   func(c *Config) { c.Mounts[lib].Dir = nil },
		"a library missing":         func(c *Config) { c.Mounts = c.Mounts[1:] },
		"a library to be written":   func(c *Config) { c.Mounts[lib].Write = true },
	} {
		c, _, _ := forKind(t, spec)
		change(&c)
		_, err := Start(t.Context(), c)
		if code := errs.CodeOf(err); err == nil || code != errs.EngineMissing && code != errs.Internal {
			t.Errorf("%s: %v", what, err)
		}
	}
	if os.Geteuid() == 0 {
		// Root's is mounted from the descriptor: what its name leads to now does
		// not matter.
		return
	}
	c, _, _ := forKind(t, spec)
	name := c.Mounts[lib].Path
	if err := errors.Join(os.Rename(name, name+"-moved"), os.WriteFile(name, []byte("evil"), 0o644)); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), c)
	wantCode(t, err, errs.EngineMissing)
	if e := errs.From(err); e.Detail != name {
		t.Errorf("names %q", e.Detail)
	}
	nothingLeft(t)
}
