package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// needsBubblewrap leaves a test out where bubblewrap is not there, and for root.
func needsBubblewrap(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(bubblewrapPath); err != nil {
		t.Skip("bubblewrap is not installed")
	}
	if privileged() {
		t.Skip("root is never started so; TestAsOrdinaryUser is who is")
	}
}

// wrappedStarter starts workers as where namespaces are refused to this process alone.
// bubblewrap executes by name, which that of a test's binary need not be open to it.
func wrappedStarter(t *testing.T) starter {
	t.Helper()
	program, err := os.ReadFile(workerPath)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(realDir(t), "stub")
	if err := os.WriteFile(name, program, 0o755); err != nil {
		t.Fatal(err)
	}
	stub := openFile(t, name)
	// Whatever the tests' own is.
	words, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { words.Close(); stderr.Close() })
	return func(ctx context.Context, c Config) (*Process, error) {
		c.Stderr = stderr
		if c.Stub == nil {
			c.Stub = stub
		}
		if c.Worker.Name() == workerPath {
			c.Worker = stub
		}
		c.Spec = Narrow(c.Spec, c.Mounts)
		if err := c.check(); err != nil {
			return nil, err
		}
		c, ok := c.wrap()
		if !ok {
			return nil, errors.New("not for bubblewrap")
		}
		return begin(ctx, c)
	}
}

// TestBubblewrap starts a worker of every kind through bubblewrap: it is what its spec
// there says, and is not taken for one that Bailey's own start made.
func TestBubblewrap(t *testing.T) {
	needsBubblewrap(t)
	dir, start := realDir(t), wrappedStarter(t)
	tried := 0
	for _, spec := range workerspec.All() {
		if _, err := spec.Wrap(); err != nil {
			continue
		}
		tried++
		var k refusedKind
		if err := k.see(start, spec, dir, nil); err != nil {
			t.Errorf("%s: %v: %s", spec.Kind, err, errs.From(err).Detail)
			continue
		}
		if k.Reduced || k.Posture != "" || k.Full == "" || len(k.Failed) > 0 {
			t.Errorf("%s: %+v", spec.Kind, k)
		}
		if spec.Grant() >= 0 && !slices.Equal(k.Names, []string{"note.txt"}) {
			t.Errorf("%s: sees %v", spec.Kind, k.Names)
		}
	}
	if tried < 10 {
		t.Errorf("%d kinds were tried", tried)
	}
	nothingLeft(t)
}

// TestBubblewrapHides: what is Bailey's own in the folder is an empty directory there.
func TestBubblewrapHides(t *testing.T) {
	needsBubblewrap(t)
	spec, _ := workerspec.For("index")
	dir := realDir(t)
	w, err := startKind(wrappedStarter(t), spec, dir, []string{"own"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.end()
	own, err := filepath.Glob(dir + "/*/-grant/own")
	if err != nil || len(own) != 1 {
		t.Fatalf("%q, %v", own, err)
	}
	if err := os.WriteFile(own[0]+"/secret", []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if names, err := w.list("/grant/own"); err != nil || len(names) > 0 {
		t.Errorf("the worker sees %q, %v", names, err)
	}
	if text := w.read("/grant/own/secret"); text != unix.ENOENT.Error() {
		t.Errorf("the worker reads %q", text)
	}
	if text := w.read("/grant/note.txt"); text != "note" {
		t.Errorf("the note reads %q", text)
	}
	var ok string
	if err := w.order('s', &ok); err != nil {
		t.Fatal(err)
	}
	p, err := w.Posture()
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(p, w.Spec()); err != nil {
		t.Errorf("%v: %s", err, errs.From(err).Detail)
	}
}

// TestBubblewrapEnds: the worker ends with bubblewrap, bubblewrap with the worker, and
// a stopped bubblewrap keeps nobody. What is told of the end is the worker's.
func TestBubblewrapEnds(t *testing.T) {
	needsBubblewrap(t)
	spec, _ := workerspec.For("index")
	start := wrappedStarter(t)
	killed := Exit{Code: -1, Signal: int(unix.SIGKILL)}
	for name, c := range map[string]struct {
		end  func(w *plain) error
		want Exit
	}{
		"kill":               {func(w *plain) error { return w.Kill() }, killed},
		"kill of bubblewrap": {func(w *plain) error { return unix.Kill(w.outer.pid, unix.SIGKILL) }, killed},
		"kill of the worker": {func(w *plain) error { return unix.Kill(w.PID(), unix.SIGKILL) }, killed},
		"bubblewrap stopped": {func(w *plain) error {
			return errors.Join(unix.Kill(w.outer.pid, unix.SIGSTOP), w.Kill())
		}, killed},
		"exit": {func(w *plain) error { _, err := w.conn.Write([]byte{'x'}); return err }, Exit{Code: 7}},
		"forbidden": {func(w *plain) error { _, err := w.conn.Write([]byte{'m'}); return err },
			Exit{Code: -1, Signal: int(unix.SIGSYS), Forbidden: true}},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := startKind(start, spec, realDir(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer w.end()
			if s, err := proc.ReadStatus(w.PID()); err != nil || s.Parent != w.outer.pid || s.Inner != 1 {
				t.Fatalf("%+v, %v", s, err)
			}
			fd, err := unix.PidfdOpen(w.PID(), 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			began := time.Now()
			if err := c.end(w); err != nil {
				t.Fatal(err)
			}
			e, err := w.Wait(t.Context())
			if err != nil || e != c.want {
				t.Errorf("%+v, %v", e, err)
			}
			// Ten times what is promised.
			if took := time.Since(began); took > 2500*time.Millisecond {
				t.Errorf("it took %v", took)
			} else {
				t.Logf("it took %v", took)
			}
			if ended, err := awaitEnd(fd, 0); err != nil || !ended {
				t.Errorf("the worker is there, %v", err)
			}
			if err := w.Kill(); err != nil {
				t.Error(err)
			}
			nothingLeft(t)
		})
	}
}

// TestBubblewrapFails: where bubblewrap does not come to execute the stub, or another
// program is in its place or in the worker's, it is as if there were none; the end of
// the context is another matter.
func TestBubblewrapFails(t *testing.T) {
	needsBubblewrap(t)
	dir, start := realDir(t), wrappedStarter(t)
	program, err := os.ReadFile(workerPath)
	if err != nil {
		t.Fatal(err)
	}
	stub := filepath.Join(dir, "stub")
	for name, change := range map[string]func() error{
		"removed":  func() error { return os.Remove(stub) },
		"no stub":  func() error { return errors.Join(os.Remove(stub), os.WriteFile(stub, []byte("#!/bin/sh\n"), 0o755)) },
		"replaced": func() error { return errors.Join(os.Remove(stub), os.WriteFile(stub, program, 0o755)) },
		"":         func() error { return nil },
	} {
		for what, set := range map[string]func(*Config, *os.File){
			"stub":   func(c *Config, f *os.File) { c.Stub = f },
			"worker": func(c *Config, f *os.File) { c.Worker = f },
		} {
			if err := os.WriteFile(stub, program, 0o755); err != nil {
				t.Fatal(err)
			}
			c, _, _ := config(t, dir, realDir(t))
			set(&c, openFile(t, stub))
			if err := change(); err != nil {
				t.Fatal(err)
			}
			p, err := start(t.Context(), c)
			if p != nil {
				p.Kill()
				<-p.Done()
			}
			if name != "" && !errors.Is(err, errNoBubblewrap) || name == "" && err != nil {
				t.Errorf("%s %s: %v", what, name, err)
			}
			nothingLeft(t)
			os.Remove(stub)
		}
	}
	c, _, _ := config(t, dir, realDir(t))
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(time.Millisecond, cancel)
	if p, err := start(ctx, c); err == nil {
		p.Kill()
		<-p.Done()
	} else {
		wantCode(t, err, errs.Cancelled)
	}
	nothingLeft(t)
}

// TestPlaced: what bubblewrap mounted has to be what the core opened, and what is to
// be hidden is not there or empty and read-only.
func TestPlaced(t *testing.T) {
	dir := realDir(t)
	var st unix.Stat_t
	if err := errors.Join(os.MkdirAll(dir+"/own", 0o755), unix.Stat(dir, &st)); err != nil {
		t.Fatal(err)
	}
	good := setupMount{Target: exact(dir), From: fromPlaced, Dev: st.Dev, Ino: st.Ino, Hide: []exact{"none"}}
	if err := good.placed(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*setupMount){
		"another directory":   func(m *setupMount) { m.Ino++ },
		"another file system": func(m *setupMount) { m.Dev++ },
		"nothing":             func(m *setupMount) { m.Target += "/none" },
		"another way":         func(m *setupMount) { m.From = fromPath },
		"not hidden":          func(m *setupMount) { m.Hide = []exact{"own"} },
	} {
		bad := good
		change(&bad)
		if err := bad.placed(); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// TestOfSystemAlone: only a program that nobody but root can have put there is
// executed to make namespaces.
func TestOfSystemAlone(t *testing.T) {
	if !ofSystemAlone("/usr/bin/env") {
		t.Error("/usr/bin/env is not taken")
	}
	own := filepath.Join(realDir(t), "bwrap")
	if err := os.WriteFile(own, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{own, "/usr/bin", "/usr/bin/none", "/usr/bin/passwd", "/usr/bin/su", "/dev/null", "/proc/self/exe"} {
		if ofSystemAlone(name) {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestPassedOn: bubblewrap says a signal as a shell does.
func TestPassedOn(t *testing.T) {
	for code, want := range map[int]Exit{
		0: {}, 7: {Code: 7}, 128: {Code: 128}, 255: {Code: 255},
		137: {Code: -1, Signal: 9}, 159: {Code: -1, Signal: 31, Forbidden: true},
	} {
		if got := passedOn(Exit{Code: code}); got != want {
			t.Errorf("%d: %+v", code, got)
		}
	}
	if e := (Exit{Code: -1, Signal: 9}); passedOn(e) != e {
		t.Error("an end of bubblewrap itself")
	}
}

// TestBubblewrapArguments: everybody may read the arguments of a process, so they show
// nothing of a person's; each namespace is asked for, and the network's is left to
// the one kind that has it.
func TestBubblewrapArguments(t *testing.T) {
	dir := realDir(t)
	for _, spec := range workerspec.All() {
		spec, err := spec.Wrap()
		if err != nil {
			continue
		}
		c := Config{Spec: spec}
		for _, m := range spec.Mounts {
			c.Mounts = append(c.Mounts, Mount{Target: m.Target, Path: dir, Dir: openDir(t, dir), Write: m.Write})
		}
		args, err := c.bubblewrapArgs(ids{innerUID: 1000, innerGID: 1000})
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(strings.Join(args, " "), dir) {
			t.Errorf("%s: a folder's path in %q", spec.Kind, args)
		}
		for _, o := range []string{"--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent", "--as-pid-1", "--new-session"} {
			if !slices.Contains(args, o) {
				t.Errorf("%s: no %s", spec.Kind, o)
			}
		}
		if slices.Contains(args, "--unshare-net") != spec.Requires(workerspec.NetNamespace) {
			t.Errorf("%s: %q", spec.Kind, args)
		}
		for i, m := range spec.Mounts {
			how := "--ro-bind"
			if m.Write {
				how = "--bind"
			}
			want := how + " /proc/self/fd/" + []string{"8", "9", "10", "11", "12", "13", "14", "15", "16", "17"}[i] + " " + m.Target + " "
			if !strings.Contains(strings.Join(args, " ")+" ", want) {
				t.Errorf("%s: no %q in %q", spec.Kind, want, args)
			}
		}
	}
}
