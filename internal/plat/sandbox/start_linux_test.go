package sandbox

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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

// ordinaryDir is a directory that an unprivileged id can reach.
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
	worker, err := os.Open("/proc/self/exe")
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

func TestStart(t *testing.T) {
	dir := realDir(t)
	if err := os.WriteFile(filepath.Join(dir, "note.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r := start(t, t.Context(), dir)
	var args []string
	r.order('a', &args)
	t.Log("first reply after", time.Since(began))
	r.seal()
	t.Log(args)
	p, err := r.Posture()
	if err != nil {
		t.Fatal(err)
	}
	if err := Check(p, r.spec); err != nil {
		t.Error(err)
		t.Logf("%+v", p)
	}
	var names []string
	r.order('l', &names)
	t.Log(names)
	var attempts []Attempt
	r.order('p', &attempts)
	for _, a := range attempts {
		if !a.Held {
			t.Errorf("%s: errno %d", a.Name, a.Errno)
		}
	}
	var ok string
	r.order('u', &ok)
	if err := r.SealedFromOutside(); err != nil {
		t.Error(err)
	}
}
