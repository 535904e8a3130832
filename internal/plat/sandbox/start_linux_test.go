package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// running is a worker under test.
type running struct {
	*Process
	t      *testing.T
	conn   *os.File
	in     *bufio.Reader
	stderr *os.File
	grant  string
	spec   workerspec.Spec
}

func openDir(t testing.TB, path string) *os.File {
	t.Helper()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), path)
	t.Cleanup(func() { f.Close() })
	return f
}

// realDir is a new directory by its path without links.
func realDir(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func config(t testing.TB, grant, db string) (c Config, conn, stderr *os.File) {
	t.Helper()
	spec, ok := workerspec.For("index")
	if !ok {
		t.Fatal("no index")
	}
	worker, err := os.Open(workerPath)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { worker.Close() })
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	mine, theirs := os.NewFile(uintptr(p[0]), "core"), os.NewFile(uintptr(p[1]), "worker")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{mine, theirs, r, w} {
		t.Cleanup(func() { f.Close() })
	}
	return Config{Spec: spec, Worker: worker, Conn: theirs, Stderr: w, Mounts: []Mount{
		{Target: "/grant", Dir: openDir(t, grant), Path: grant},
		{Target: "/db", Dir: openDir(t, db), Path: db, Write: true},
	}}, mine, r
}

func start(t *testing.T, ctx context.Context, grant string) *running {
	t.Helper()
	c, conn, stderr := config(t, grant, realDir(t))
	c.Args = []string{"--arg"}
	p, err := Start(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	c.Conn.Close()
	c.Stderr.Close()
	r := &running{p, t, conn, bufio.NewReader(conn), stderr, grant, c.Spec}
	t.Cleanup(func() { p.Kill(); <-p.Done() })
	return r
}

// order has the worker do something and decodes its answer.
func (r *running) order(o byte, answer any) {
	r.t.Helper()
	if _, err := r.conn.Write([]byte{o}); err != nil {
		r.t.Fatal(err)
	}
	line, err := r.in.ReadBytes('\n')
	if err != nil {
		<-r.Done()
		text, _ := io.ReadAll(r.stderr)
		e, _ := r.Wait(context.Background())
		r.t.Fatalf("order %c: %v; worker ended %+v; %s", o, err, e, text)
	}
	if err := json.Unmarshal(line, answer); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) seal() {
	r.t.Helper()
	var ok string
	r.order('s', &ok)
}

// wantCode fails unless err has the code.
func wantCode(t *testing.T, err error, code errs.Code) {
	t.Helper()
	if errs.CodeOf(err) != code || err == nil {
		t.Errorf("error %v, want %s", err, code)
	}
}

// nothingLeft fails when this process has a child.
func nothingLeft(t *testing.T) {
	t.Helper()
	kids, err := proc.Children(os.Getpid())
	if err != nil || len(kids) > 0 {
		t.Errorf("%d children are left, %v", len(kids), err)
	}
}

func note(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "note.txt"), []byte("the note"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestStart takes a worker through its whole start.
func TestStart(t *testing.T) {
	dir := realDir(t)
	note(t, dir)
	r := start(t, t.Context(), dir)
	var args []string
	r.order('a', &args)
	if !slices.Equal(args, []string{"index", "--arg"}) {
		t.Errorf("arguments %q", args)
	}
	// An unsealed worker must not pass for a sealed one.
	p, err := r.Posture()
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, Check(p, r.spec), errs.PostureFailed)
	r.seal()
	if p, err = r.Posture(); err != nil {
		t.Fatal(err)
	}
	if err := Check(p, r.spec); err != nil {
		t.Error(err)
	}
	var names []string
	if r.order('l', &names); !slices.Equal(names, []string{"note.txt"}) {
		t.Errorf("the grant holds %q", names)
	}
	var text string
	if r.order('r', &text); text != "the note" {
		t.Errorf("the note reads %q", text)
	}
	r.order('w', &text)
	var attempts []Attempt
	r.order('p', &attempts)
	if len(attempts) != len(r.spec.Probes) {
		t.Errorf("%d attempts for %d probes", len(attempts), len(r.spec.Probes))
	}
	for _, a := range attempts {
		if !a.Held {
			t.Errorf("%s: errno %d", a.Name, a.Errno)
		}
	}
	if r.ids.innerUID != 0 {
		wantCode(t, r.SealedFromOutside(), errs.PostureFailed)
	}
	r.order('u', &text)
	if err := r.SealedFromOutside(); err != nil {
		t.Error(err)
	}
	if os.Geteuid() != 0 {
		_, err := r.Posture()
		wantCode(t, err, errs.PostureFailed)
	}
}

// TestProbesCanFail: outside a sandbox the probes succeed, so that they show
// something inside.
func TestProbesCanFail(t *testing.T) {
	spec, _ := workerspec.For("index")
	known := probes(spec)
	for _, p := range spec.Probes {
		if known[p.Name] == nil {
			t.Errorf("no code for probe %q", p.Name)
		}
	}
	for _, name := range []string{"open /etc/passwd", "open /proc/self/mem", "socket AF_INET", "socket AF_UNIX", "memfd_create", "make a page executable", "signal the parent", "become dumpable"} {
		a := judge(workerspec.Probe{Name: name, Errnos: []string{"EPERM", "ENOENT", "EACCES"}}, known[name]())
		if a.Errno != 0 || a.Held {
			t.Errorf("%s: %+v without a sandbox", name, a)
		}
	}
	if a := judge(workerspec.Probe{Name: "x", Errnos: []string{"EPERM"}}, unix.EACCES); a.Held {
		t.Error("another errno than the spec's was taken")
	}
}

func TestEnds(t *testing.T) {
	for _, c := range []struct {
		order byte
		want  Exit
	}{
		{'x', Exit{Code: 7}},
		{'m', Exit{Code: -1, Signal: int(unix.SIGSYS), Forbidden: true}},
		{0, Exit{Code: -1, Signal: int(unix.SIGKILL)}},
	} {
		r := start(t, t.Context(), realDir(t))
		if c.order == 0 {
			if err := errors.Join(r.Kill(), r.Kill()); err != nil {
				t.Error(err)
			}
		} else if _, err := r.conn.Write([]byte{c.order}); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Wait(t.Context()); got != c.want || err != nil {
			t.Errorf("order %q: ended %+v, %v, want %+v", c.order, got, err, c.want)
		}
		if err := r.Kill(); err != nil {
			t.Errorf("killing the dead: %v", err)
		}
		if _, err := r.Posture(); err == nil {
			t.Error("the dead have a posture")
		}
		if r.SealedFromOutside() == nil {
			t.Error("the dead are sealed")
		}
	}
	nothingLeft(t)
}

// TestConnectionEnd: a worker whose core closes the connection ends.
func TestConnectionEnd(t *testing.T) {
	r := start(t, t.Context(), realDir(t))
	r.conn.Close()
	if got, err := r.Wait(t.Context()); got != (Exit{}) || err != nil {
		t.Errorf("ended %+v, %v", got, err)
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	r := start(t, t.Context(), realDir(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.Wait(ctx)
	wantCode(t, err, errs.Cancelled)
}

// TestContextEndsStart cancels starts at many moments: none leaves anything,
// and a worker that was started does not end with the context.
func TestContextEndsStart(t *testing.T) {
	dir, db := realDir(t), realDir(t)
	before := descriptors(t)
	ended, started := 0, 0
	for i := range 40 {
		c, _, _ := config(t, dir, db)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*250*time.Microsecond)
		p, err := Start(ctx, c)
		<-ctx.Done()
		cancel()
		for _, f := range []*os.File{c.Conn, c.Stderr, c.Worker, c.Mounts[0].Dir, c.Mounts[1].Dir} {
			f.Close()
		}
		if err != nil {
			ended++
			wantCode(t, err, errs.Cancelled)
			nothingLeft(t)
			continue
		}
		started++
		if !proc.Alive(p.PID()) {
			t.Error("the end of the context ended a worker that had started")
		}
		p.Kill()
		<-p.Done()
	}
	if ended == 0 {
		t.Error("no start was ended")
	}
	t.Logf("%d ended, %d started", ended, started)
	// Two per start are the test's own: the other ends.
	if after := descriptors(t); after > before+2*40 {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	ds, err := proc.Descriptors(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return len(ds)
}

// TestStartFails: what cannot be a worker is refused, and leaves nothing.
func TestStartFails(t *testing.T) {
	dir, db := realDir(t), realDir(t)
	open := func(path string) *os.File {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	note(t, dir)
	for what, c := range map[string]struct {
		change func(*Config)
		code   errs.Code
	}{
		"not executable":   {func(c *Config) { c.Worker = open(dir + "/note.txt") }, errs.SandboxMissing},
		"not a stub":       {func(c *Config) { c.Worker = open("/bin/true") }, errs.SandboxMissing},
		"no binary":        {func(c *Config) { c.Worker = nil }, errs.Internal},
		"no connection":    {func(c *Config) { c.Conn = nil }, errs.Internal},
		"mount missing":    {func(c *Config) { c.Mounts = c.Mounts[:1] }, errs.Internal},
		"mounts swapped":   {func(c *Config) { c.Mounts[0], c.Mounts[1] = c.Mounts[1], c.Mounts[0] }, errs.Internal},
		"grant writable":   {func(c *Config) { c.Mounts[0].Write = true }, errs.Internal},
		"no directory":     {func(c *Config) { c.Mounts[1].Dir = nil }, errs.Internal},
		"not a directory":  {func(c *Config) { c.Mounts[0].Dir = open(dir + "/note.txt") }, errs.FolderNotDir},
		"unknown kind":     {func(c *Config) { c.Spec.Kind = "none" }, errs.SandboxMissing},
		"argument too big": {func(c *Config) { c.Args = []string{string(make([]byte, 80<<10))} }, errs.SandboxMissing},
		"nul in argument":  {func(c *Config) { c.Args = []string{"a\x00b"} }, errs.SandboxMissing},
	} {
		t.Run(what, func(t *testing.T) {
			cfg, _, _ := config(t, dir, db)
			c.change(&cfg)
			p, err := Start(t.Context(), cfg)
			wantCode(t, err, c.code)
			if p != nil {
				t.Error("a process")
			}
			nothingLeft(t)
		})
	}
}

// TestFolderErrors: a folder that cannot be given is named.
func TestFolderErrors(t *testing.T) {
	dir, db := realDir(t), realDir(t)
	if os.Geteuid() != 0 {
		// Root's id-mapped worker is the owner, and reads what it may.
		closed := realDir(t)
		cfg, _, _ := config(t, closed, db)
		if err := os.Chmod(closed, 0o300); err != nil {
			t.Fatal(err)
		}
		_, err := Start(t.Context(), cfg)
		wantCode(t, err, errs.FolderClosed)
		if e := errs.From(err); e.Detail != closed {
			t.Errorf("names %q", e.Detail)
		}
		// The second directory is found again by its path.
		moved := realDir(t)
		cfg, _, _ = config(t, dir, moved)
		if err := os.Rename(moved, moved+"-moved"); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(moved, 0o700); err != nil {
			t.Fatal(err)
		}
		_, err = Start(t.Context(), cfg)
		wantCode(t, err, errs.FolderChanged)
		if e := errs.From(err); e.Detail != moved {
			t.Errorf("names %q", e.Detail)
		}
	}
	// A directory that was removed is an empty one, or is refused.
	gone := realDir(t)
	cfg, _, _ := config(t, gone, db)
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), cfg)
	if err == nil {
		p.Kill()
		<-p.Done()
		t.Log("a removed directory is mounted")
	} else {
		wantCode(t, err, errs.FolderChanged)
	}
	nothingLeft(t)
}

// TestManyAtOnce starts workers side by side and one after the other; neither
// descriptors nor threads stay behind.
func TestManyAtOnce(t *testing.T) {
	dir, db := realDir(t), realDir(t)
	batch := func() {
		var wg sync.WaitGroup
		for range 8 {
			c, _, _ := config(t, dir, db)
			wg.Go(func() {
				p, err := Start(t.Context(), c)
				if err != nil {
					t.Error(err)
					return
				}
				p.Kill()
				<-p.Done()
			})
		}
		wg.Wait()
	}
	batch()
	s, err := proc.ReadStatus(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		batch()
	}
	after, err := proc.ReadStatus(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if after.Threads > s.Threads+8 {
		t.Errorf("%d threads after one batch, %d after five", s.Threads, after.Threads)
	}
	nothingLeft(t)
}

// TestCoreStaysWhereItIs: the spawning thread's change of directory is not the
// core's.
func TestCoreStaysWhereItIs(t *testing.T) {
	before, err := unix.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	start(t, t.Context(), realDir(t))
	for range 50 {
		if wd, err := unix.Getwd(); err != nil || wd != before {
			t.Fatalf("working directory %q, %v, was %q", wd, err, before)
		}
		runtime.Gosched()
	}
}

// TestPriorityIsNotInherited: a core whose person may run programs in real time, and
// before all others, starts none that may. Only a root that may raise limits can be such
// a person here.
func TestPriorityIsNotInherited(t *testing.T) {
	if privileged() {
		for _, l := range []int{unix.RLIMIT_RTPRIO, unix.RLIMIT_NICE} {
			var before unix.Rlimit
			if err := unix.Getrlimit(l, &before); err != nil {
				t.Fatal(err)
			}
			if err := unix.Setrlimit(l, &unix.Rlimit{Cur: 40, Max: 40}); errors.Is(err, unix.EPERM) {
				t.Log("root may not raise limits here: this shows what was not there before either")
				break
			} else if err != nil {
				t.Fatal(err)
			}
			defer unix.Setrlimit(l, &before)
		}
	}
	r := start(t, t.Context(), realDir(t))
	r.seal()
	pos, err := r.Posture()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Max realtime priority", "Max nice priority"} {
		if l, ok := pos.Limits[name]; !ok || l.Soft != 0 || l.Hard != 0 {
			t.Errorf("%s: %+v", name, l)
		}
	}
}

func BenchmarkStartToFirstReply(b *testing.B) {
	dir, db := realDir(b), realDir(b)
	for b.Loop() {
		c, conn, _ := config(b, dir, db)
		p, err := Start(b.Context(), c)
		if err != nil {
			b.Fatal(err)
		}
		c.Conn.Close()
		if _, err := conn.Write([]byte{'s'}); err != nil {
			b.Fatal(err)
		}
		if _, err := bufio.NewReader(conn).ReadBytes('\n'); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		p.Kill()
		<-p.Done()
		for _, f := range []*os.File{c.Stderr, conn, c.Worker, c.Mounts[0].Dir, c.Mounts[1].Dir} {
			f.Close()
		}
		b.StartTimer()
	}
}
