package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// overlayName is argv[0] of a root core that lives in a mount namespace of its
// own, in which it can mount what it likes.
const overlayName = "bailey-root-core"

// rootCore is what it saw.
type rootCore struct {
	// Names are what the worker found in each directory, or the code of the
	// error of its start.
	Names map[string][]string
	Error map[string]string
	// Notes are the notes that it could read.
	Notes map[string]string
}

// TestRootCore starts workers of a root core over directories of every kind:
// its own 0700 ones, another user's, on an overlay (which cannot be id-mapped),
// with mounts inside, and mounted into later.
func TestRootCore(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root has a worker of another id; the other tests hold for an ordinary user")
	}
	dir := realDir(t)
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), workerPath)
	cmd.Args = []string{overlayName, dir}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var got rootCore
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", got)
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"root's": "/root", "another's": "/another"} {
		note, fault := "the note", ""
		// tmpfs learned it in Linux 6.3.
		if fs.Type == unix.OVERLAYFS_SUPER_MAGIC || fs.Type == unix.TMPFS_MAGIC && got.Error[name] != "" {
			note, fault = "", string(errs.FolderClosed)+" "+dir+path
		}
		if got.Notes[name] != note || got.Error[name] != fault {
			t.Errorf("%s note reads %q, error %q; want %q, %q", name, got.Notes[name], got.Error[name], note, fault)
		}
	}
	if got.Error["closed overlay"] != string(errs.FolderClosed)+" "+dir+"/tmpfs/merged/closed" {
		t.Errorf("closed overlay: error %q", got.Error["closed overlay"])
	}
	if !slices.Equal(got.Names["open overlay"], []string{"note.txt"}) || got.Notes["open overlay"] != "permission denied" {
		t.Errorf("open overlay: %q, %q", got.Names["open overlay"], got.Notes["open overlay"])
	}
	if !slices.Equal(got.Names["mounted"], []string{"inner", "later", "note.txt"}) {
		t.Errorf("mounted: %q", got.Names["mounted"])
	}
	// What was mounted before is seen, read-only; what came later is not.
	if got.Notes["inner"] != "inner" || got.Notes["later"] != "no such file or directory" {
		t.Errorf("inner note %q, later note %q", got.Notes["inner"], got.Notes["later"])
	}
}

func onOverlay(dir string) int {
	got := rootCore{map[string][]string{}, map[string]string{}, map[string]string{}}
	if err := got.run(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := json.NewEncoder(os.Stdout).Encode(got); err != nil {
		return 1
	}
	return 0
}

func (g *rootCore) run(dir string) error {
	must := []error{unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")}
	do := func(err error) { must = append(must, err) }
	for _, d := range []string{"root", "another", "tmpfs"} {
		do(os.Mkdir(filepath.Join(dir, d), 0o700))
	}
	// What overlays and mounts need, whatever dir is on.
	tmp := filepath.Join(dir, "tmpfs")
	do(unix.Mount("tmpfs", tmp, "tmpfs", 0, ""))
	for _, d := range []string{"lower", "lower/closed", "lower/open", "upper", "work", "merged", "mounted", "mounted/inner", "mounted/later"} {
		do(os.Mkdir(filepath.Join(tmp, d), 0o700))
	}
	for _, d := range []string{"root", "another", "tmpfs/lower/closed", "tmpfs/lower/open", "tmpfs/mounted"} {
		do(os.WriteFile(filepath.Join(dir, d, "note.txt"), []byte("the note"), 0o600))
	}
	do(os.Chmod(tmp+"/mounted", 0o755))
	do(os.Chown(filepath.Join(dir, "another"), 12345, 12345))
	do(os.Chown(filepath.Join(dir, "another/note.txt"), 12345, 12345))
	do(os.Chmod(tmp+"/lower/open", 0o755))
	do(unix.Mount("overlay", tmp+"/merged", "overlay", 0, "lowerdir="+tmp+"/lower,upperdir="+tmp+"/upper,workdir="+tmp+"/work"))
	do(unix.Mount("tmpfs", tmp+"/mounted/inner", "tmpfs", 0, "mode=0755"))
	do(os.WriteFile(tmp+"/mounted/inner/note.txt", []byte("inner"), 0o644))
	if err := errors.Join(must...); err != nil {
		return err
	}
	for name, path := range map[string]string{"root's": "root", "another's": "another", "closed overlay": "tmpfs/merged/closed", "open overlay": "tmpfs/merged/open"} {
		w, err := startPlain(dir, filepath.Join(dir, path))
		if err != nil {
			g.Error[name] = string(errs.CodeOf(err)) + " " + errs.From(err).Detail
			continue
		}
		if g.Names[name], err = w.list("/grant"); err != nil {
			return err
		}
		g.Notes[name] = w.read("/grant/note.txt")
		w.end()
	}
	return g.mounted(dir, tmp)
}

// mounted looks at mounts inside the grant.
func (g *rootCore) mounted(dir, tmp string) error {
	// As systemd makes the whole tree.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return err
	}
	w, err := startPlain(dir, tmp+"/mounted")
	if err != nil {
		return err
	}
	defer w.end()
	if err := errors.Join(unix.Mount("tmpfs", tmp+"/mounted/later", "tmpfs", 0, ""),
		os.WriteFile(tmp+"/mounted/later/note.txt", []byte("later"), 0o644)); err != nil {
		return err
	}
	if g.Names["mounted"], err = w.list("/grant"); err != nil {
		return err
	}
	slices.Sort(g.Names["mounted"])
	g.Notes["inner"], g.Notes["later"] = w.read("/grant/inner/note.txt"), w.read("/grant/later/note.txt")
	p, err := w.Posture()
	if err != nil {
		return err
	}
	spec, _ := workerspec.For("index")
	if bad := checkRoot(p, spec); len(bad) > 0 {
		return errors.New(strings.Join(bad, "; "))
	}
	return nil
}

// plain is a worker without a test around it.
type plain struct {
	*Process
	conn *os.File
	dec  *json.Decoder
}

func startPlain(dir, grant string) (*plain, error) {
	db, err := os.MkdirTemp(dir, "db")
	if err != nil {
		return nil, err
	}
	spec, _ := workerspec.For("index")
	c := Config{Spec: spec}
	for i, path := range []string{grant, db} {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		f := os.NewFile(uintptr(fd), path)
		defer f.Close()
		c.Mounts = append(c.Mounts, Mount{Target: spec.Mounts[i].Target, Dir: f, Path: path, Write: spec.Mounts[i].Write})
	}
	return startConfig(c)
}

// startConfig starts a worker that has its spec and mounts.
func startConfig(c Config) (*plain, error) { return startConfigBy(Start, c) }

// starter is Start, or a part of it.
type starter func(context.Context, Config) (*Process, error)

func startConfigBy(start starter, c Config) (*plain, error) {
	worker, err := os.Open(workerPath)
	if err != nil {
		return nil, err
	}
	defer worker.Close()
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	conn, theirs := os.NewFile(uintptr(p[0]), "core"), os.NewFile(uintptr(p[1]), "worker")
	defer theirs.Close()
	c.Worker, c.Conn, c.Stderr = worker, theirs, os.Stderr
	pr, err := start(context.Background(), c)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return &plain{pr, conn, json.NewDecoder(conn)}, nil
}

func (w *plain) end() {
	w.conn.Close()
	w.Kill()
	<-w.Done()
}

// order sends an order that takes nothing.
func (w *plain) order(o byte, answer any) error {
	if _, err := w.conn.Write([]byte{o}); err != nil {
		return err
	}
	return w.dec.Decode(answer)
}

// ask sends an order with a path.
func (w *plain) ask(order byte, path string, answer any) error {
	if _, err := w.conn.Write(append([]byte{order, byte(len(path))}, path...)); err != nil {
		return err
	}
	return w.dec.Decode(answer)
}

func (w *plain) list(path string) (names []string, err error) {
	err = w.ask('L', path, &names)
	return names, err
}

func (w *plain) read(path string) string {
	var text string
	if err := w.ask('R', path, &text); err != nil {
		return err.Error()
	}
	return text
}
