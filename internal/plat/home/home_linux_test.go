package home_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/env"
	"github.com/bailey-run/bailey/internal/plat/home"
)

// world is a machine of its own: a home, a runtime directory and a /tmp.
type world struct {
	dir, home, run, temp string
	o                    home.Options
}

func newWorld(t *testing.T) world {
	t.Helper()
	// t.TempDir's name holds the test's, which would be too long for sockets.
	dir, err := os.MkdirTemp("/tmp", "bh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	w := world{dir: dir, home: dir + "/h", run: dir + "/run", temp: dir + "/tmp"}
	for _, d := range []string{w.home, w.run, w.run + "/" + uid(), w.temp} {
		mkdir(t, d, 0o700)
	}
	if err := os.Chmod(w.temp, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	w.o = home.Options{Env: env.Env{Home: w.home, RuntimeDir: w.run + "/" + uid()}, RunUser: w.run, Temp: w.temp}
	return w
}

// TestAmongPrograms: nothing of Bailey's is made where tools and windows see
// everything, by whatever name.
func TestAmongPrograms(t *testing.T) {
	w := newWorld(t)
	if err := os.Symlink("/usr/lib", w.dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for _, o := range []home.Options{
		{Dir: "/usr/lib/bailey-no-such"},
		{Dir: "/usr/../lib64/bailey-no-such"},
		{Env: env.Env{Home: w.home, StateHome: "/usr/lib/bailey-no-such"}},
		{Env: env.Env{Home: w.home, CacheHome: "/usr/lib/bailey-no-such"}},
	} {
		o.RunUser, o.Temp = w.run, w.temp
		if _, err := home.Open(o); errs.CodeOf(err) != errs.HomeUnusable || !strings.Contains(err.Error(), "among the system's programs") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if _, err := os.Lstat("/usr/lib/bailey-no-such"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("something was made there:", err)
	}
	if err := errors.Join(os.Mkdir(w.dir+"/own", 0o700), os.Symlink("/usr/lib", w.dir+"/own/state")); err != nil {
		t.Fatal(err)
	}
	// Through links, of the home and in it, and before anything is made.
	for _, dir := range []string{w.dir + "/link/bailey-no-such", w.dir + "/own"} {
		if _, err := home.Open(home.Options{Dir: dir, RunUser: w.run, Temp: w.temp}); errs.CodeOf(err) != errs.HomeUnusable || !strings.Contains(err.Error(), "among the system's programs") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	for _, made := range []string{"/usr/lib/bailey-no-such", "/usr/lib/runtime-dir", w.dir + "/own/cache"} {
		if _, err := os.Lstat(made); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was made: %v", made, err)
		}
	}
	if info, err := os.Stat("/usr/lib"); err != nil || info.Mode().Perm()&0o055 != 0o055 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func uid() string { return strconv.Itoa(os.Geteuid()) }

func mkdir(t *testing.T, dir string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
}

func mustOpen(t *testing.T, o home.Options) *home.Home {
	t.Helper()
	h, err := home.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{h.State, h.Cache, h.Config, h.Runtime} {
		info, err := os.Lstat(d)
		if err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: %v %v, want a directory of mode 0700", d, info.Mode(), err)
		}
	}
	if len(h.Socket) > limits.SocketName || filepath.Dir(h.Socket) != h.Runtime {
		t.Errorf("socket %s", h.Socket)
	}
	return h
}

func TestXDG(t *testing.T) {
	w := newWorld(t)
	h := mustOpen(t, w.o)
	want := home.Home{
		State: w.home + "/.local/state/bailey", Cache: w.home + "/.cache/bailey", Config: w.home + "/.config/bailey",
	}
	want.Runtime = w.run + "/" + uid() + "/bailey/" + filepath.Base(h.Runtime)
	want.Socket = want.Runtime + "/core.sock"
	if *h != want || len(filepath.Base(h.Runtime)) != 16 {
		t.Errorf("got %+v, want %+v", *h, want)
	}
	w = newWorld(t)
	w.o.Env.StateHome, w.o.Env.CacheHome, w.o.Env.ConfigHome = w.dir+"/s", w.dir+"/c", w.dir+"/o"
	h = mustOpen(t, w.o)
	if h.State != w.dir+"/s/bailey" || h.Cache != w.dir+"/c/bailey" || h.Config != w.dir+"/o/bailey" {
		t.Errorf("got %+v", *h)
	}
	// Another state is another home with another core, in the same session.
	w.o.Env.StateHome = w.dir + "/s2"
	if other := mustOpen(t, w.o); other.Socket == h.Socket {
		t.Errorf("two homes share %s", h.Socket)
	}
}

func TestOneFolder(t *testing.T) {
	w := newWorld(t)
	w.o.Dir = w.dir + "/all"
	h := mustOpen(t, w.o)
	if h.State != w.o.Dir+"/state" || h.Socket != w.o.Dir+"/run/core.sock" {
		t.Errorf("got %+v", *h)
	}
	// Another spelling is the same home, so that it has the same core.
	if err := os.Symlink(w.o.Dir, w.dir+"/link"); err != nil {
		t.Fatal(err)
	}
	w.o.Dir = w.dir + "/link"
	if again := mustOpen(t, w.o); *again != *h {
		t.Errorf("by a link %+v, by its name %+v", *again, *h)
	}
}

// A name that does not fit a socket's: a short directory of ours instead.
func TestLongHome(t *testing.T) {
	for _, bare := range []bool{false, true} {
		w := newWorld(t)
		if bare {
			w.o.Env.RuntimeDir, w.o.RunUser = "", w.dir+"/none"
		}
		w.o.Dir = w.dir + "/" + strings.Repeat("long/", 25)
		a := mustOpen(t, w.o)
		w.o.Dir = w.dir + "/" + strings.Repeat("long/", 26)
		b := mustOpen(t, w.o)
		base := w.run + "/" + uid() + "/bailey"
		if bare {
			base = w.temp + "/bailey-" + uid()
		}
		if filepath.Dir(a.Runtime) != base || a.Runtime == b.Runtime {
			t.Errorf("runtime directories %s and %s", a.Runtime, b.Runtime)
		}
		w.o.Dir = w.dir + "/" + strings.Repeat("long/", 25)
		if again := mustOpen(t, w.o); *again != *a {
			t.Errorf("the second time %+v, the first time %+v", *again, *a)
		}
	}
}

func TestNoRuntimeDir(t *testing.T) {
	w := newWorld(t)
	w.o.Env.RuntimeDir = ""
	if h := mustOpen(t, w.o); filepath.Dir(h.Runtime) != w.run+"/"+uid()+"/bailey" {
		t.Errorf("with /run/user: %s", h.Runtime)
	}
	w = newWorld(t)
	w.o.Env.RuntimeDir, w.o.RunUser = "", w.dir+"/none"
	if h := mustOpen(t, w.o); filepath.Dir(h.Runtime) != w.temp+"/bailey-"+uid() {
		t.Errorf("without: %s", h.Runtime)
	}
	// A directory that others may enter is passed over, as after `su`.
	w = newWorld(t)
	w.o.RunUser = w.dir + "/none"
	mkdir(t, w.o.Env.RuntimeDir, 0o755)
	if h := mustOpen(t, w.o); filepath.Dir(h.Runtime) != w.temp+"/bailey-"+uid() {
		t.Errorf("with an open one: %s", h.Runtime)
	}
	// A link there, to what others use.
	w = newWorld(t)
	w.o.RunUser = w.dir + "/none"
	mkdir(t, w.dir+"/used/in", 0o755)
	mkdir(t, w.dir+"/used", 0o755)
	if err := errors.Join(os.MkdirAll(w.o.Env.RuntimeDir, 0o700), os.Symlink(w.dir+"/used", w.o.Env.RuntimeDir+"/bailey")); err != nil {
		t.Fatal(err)
	}
	if h := mustOpen(t, w.o); filepath.Dir(h.Runtime) != w.temp+"/bailey-"+uid() {
		t.Errorf("behind a link: %s", h.Runtime)
	}
	if info, err := os.Stat(w.dir + "/used"); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	// One so long that no socket fits.
	w = newWorld(t)
	w.o.RunUser = w.dir + "/none"
	w.o.Env.RuntimeDir = w.dir + strings.Repeat("/long", 25)
	mkdir(t, w.o.Env.RuntimeDir, 0o700)
	if h := mustOpen(t, w.o); filepath.Dir(h.Runtime) != w.temp+"/bailey-"+uid() {
		t.Errorf("with a long one: %s", h.Runtime)
	}
}

// A job without XDG_RUNTIME_DIR meets the core of a desktop session.
func TestOneRuntimeDirPerHome(t *testing.T) {
	w := newWorld(t)
	first := mustOpen(t, w.o)
	w.o.Env.RuntimeDir, w.o.RunUser = "", w.dir+"/none"
	if h := mustOpen(t, w.o); h.Socket != first.Socket {
		t.Errorf("%s and %s", h.Socket, first.Socket)
	}
	// A choice that is gone, or that is none, is made anew.
	if err := os.RemoveAll(first.Runtime); err != nil {
		t.Fatal(err)
	}
	if h := mustOpen(t, w.o); filepath.Dir(h.Runtime) != w.temp+"/bailey-"+uid() {
		t.Errorf("after it is gone: %s", h.Runtime)
	}
	mkdir(t, w.dir+"/else", 0o700)
	for _, bad := range []string{w.dir + "/else\n", "relative\n", "", "/" + strings.Repeat("x", 200) + "\n", w.temp + "/bailey-" + uid()} {
		if err := os.WriteFile(first.State+"/runtime-dir", []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if h := mustOpen(t, w.o); filepath.Dir(h.Runtime) != w.temp+"/bailey-"+uid() {
			t.Errorf("after %q: %s", bad, h.Runtime)
		}
	}
}

func TestOpenAtOnce(t *testing.T) {
	w := newWorld(t)
	var all sync.WaitGroup
	got := make([]*home.Home, 16)
	for i := range got {
		all.Go(func() { got[i], _ = home.Open(w.o) })
	}
	all.Wait()
	for _, h := range got {
		if h == nil || *h != *got[0] {
			t.Fatalf("%+v and %+v", h, got[0])
		}
	}
}

// refused: the code, the path and a hint; and nothing was made.
func refused(t *testing.T, o home.Options, path string) {
	t.Helper()
	_, err := home.Open(o)
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != errs.HomeUnusable || !strings.Contains(e.Message(), path) || e.HintText() == "" {
		t.Errorf("%s: got %v", path, err)
	}
}

func TestRefusals(t *testing.T) {
	w := newWorld(t)
	w.o.Env.Home = ""
	refused(t, w.o, "HOME")

	w = newWorld(t)
	w.o.Dir = w.dir + "/open"
	mkdir(t, w.o.Dir, 0o777)
	refused(t, w.o, w.o.Dir)
	mkdir(t, w.o.Dir, 0o770)
	refused(t, w.o, w.o.Dir)
	// The control: readable by others is no danger, what is below is closed.
	mkdir(t, w.o.Dir, 0o755)
	mkdir(t, w.o.Dir+"/state", 0o755)
	mustOpen(t, w.o)

	// A directory of Bailey's name is closed where it stands, but what a link leads to
	// is another's.
	xdg := newWorld(t)
	xdg.o.Env.ConfigHome = xdg.dir + "/xdg"
	mkdir(t, xdg.dir+"/xdg/bailey/lock", 0o755)
	mkdir(t, xdg.dir+"/xdg/bailey", 0o755)
	mustOpen(t, xdg.o)
	xdg.o.Env.ConfigHome = xdg.dir + "/links"
	mkdir(t, xdg.dir+"/links", 0o755)
	mkdir(t, xdg.dir+"/xdg/bailey", 0o755)
	if err := os.Symlink(xdg.dir+"/xdg/bailey", xdg.dir+"/links/bailey"); err != nil {
		t.Fatal(err)
	}
	refused(t, xdg.o, xdg.dir+"/links/bailey")

	// What somebody else uses keeps its mode, and nothing is made beside it.
	for _, name := range []string{"state", "cache", "config", "run"} {
		w.o.Dir = w.dir + "/used-" + name
		mkdir(t, w.o.Dir, 0o755)
		mkdir(t, w.o.Dir+"/"+name, 0o755)
		mkdir(t, w.o.Dir+"/"+name+"/lock", 0o755)
		refused(t, w.o, w.o.Dir+"/"+name)
		info, err := os.Stat(w.o.Dir + "/" + name)
		if err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
		if in, err := os.ReadDir(w.o.Dir); err != nil || len(in) != 1 {
			t.Errorf("%s: %v, %v", name, in, err)
		}
	}

	w.o.Dir = w.dir + "/file"
	if err := os.WriteFile(w.o.Dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, w.o, w.o.Dir)

	// Below a directory where everyone may replace it.
	mkdir(t, w.dir+"/all", 0o777)
	w.o.Dir = w.dir + "/all/h"
	refused(t, w.o, w.dir+"/all")
	mkdir(t, w.dir+"/all", 0o777|fs.ModeSticky)
	mustOpen(t, w.o)
}

// A home that is named through links is as safe as every link and directory on
// the way, whatever the real path is.
func TestLinksOnTheWay(t *testing.T) {
	w := newWorld(t)
	mkdir(t, w.dir+"/real", 0o700)
	link := func(target, name string) string {
		t.Helper()
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	w.o.Dir = link("real", w.dir+"/two") + "/"
	w.o.Dir = link(w.dir+"/h/../two", w.dir+"/one") + "/home"
	if h := mustOpen(t, w.o); h.Dir != w.dir+"/real/home" {
		t.Errorf("got %s", h.Dir)
	}
	w.o.Dir = link(w.dir+"/real", w.temp+"/ours") // sticky: nobody else can replace it
	mustOpen(t, w.o)
	// Everyone may put another link in its place.
	mkdir(t, w.dir+"/all", 0o777)
	w.o.Dir = link(w.dir+"/real", w.dir+"/all/link")
	refused(t, w.o, w.dir+"/all above it")
	// Also by way of a link of ours, and for a directory below.
	w.o.Dir = link(w.dir+"/all/link", w.dir+"/far") + "/home"
	refused(t, w.o, w.dir+"/all above it")
	link("loop", w.dir+"/loop")
	w.o.Dir = w.dir + "/loop"
	refused(t, w.o, w.o.Dir)
}

// Somebody was in /tmp before us: a link, a file, an open directory.
func TestHostileTemp(t *testing.T) {
	for name, plant := range map[string]func(path string) error{
		"link": func(p string) error { return os.Symlink("/etc", p) },
		"file": func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"open": func(p string) error { return errors.Join(os.Mkdir(p, 0o700), os.Chmod(p, 0o777)) },
	} {
		w := newWorld(t)
		w.o.Env.RuntimeDir, w.o.RunUser = "", w.dir+"/none"
		path := w.temp + "/bailey-" + uid()
		if err := plant(path); err != nil {
			t.Fatal(err)
		}
		refused(t, w.o, path)
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(name, err)
		}
		mustOpen(t, w.o)
	}
}

// What belongs to another user needs root to be set up.
func TestOtherOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to change owners")
	}
	const other = 12345
	w := newWorld(t)
	w.o.Dir = w.dir + "/theirs"
	mkdir(t, w.o.Dir, 0o700)
	if err := os.Chown(w.o.Dir, other, other); err != nil {
		t.Fatal(err)
	}
	refused(t, w.o, w.o.Dir)
	// Ours, but below theirs: they could put another in its place.
	w.o.Dir += "/ours"
	refused(t, w.o, w.dir+"/theirs")

	// Ours, but named through a link in theirs, or one of theirs in /tmp.
	for _, in := range []string{w.dir + "/theirs", w.temp} {
		link := in + "/link"
		if err := errors.Join(os.MkdirAll(w.dir+"/real", 0o700), os.Symlink(w.dir+"/real", link)); err != nil {
			t.Fatal(err)
		}
		w.o.Dir = link
		if in == w.temp {
			mustOpen(t, w.o) // the control: it is root's still
			if err := os.Lchown(link, other, other); err != nil {
				t.Fatal(err)
			}
		}
		refused(t, w.o, in)
	}

	w = newWorld(t)
	if err := os.Chown(w.home, other, other); err != nil {
		t.Fatal(err)
	}
	refused(t, w.o, w.home) // root in a user's home

	w = newWorld(t)
	w.o.Env.RuntimeDir, w.o.RunUser = "", w.dir+"/none"
	path := w.temp + "/bailey-" + uid()
	mkdir(t, path, 0o700)
	if err := os.Chown(path, other, other); err != nil {
		t.Fatal(err)
	}
	refused(t, w.o, path)
}

// A read-only home, and one that may not be written, each say so. The first
// needs a mount of its own and so root; an ordinary user sees the second.
func TestReadOnly(t *testing.T) {
	w := newWorld(t)
	if os.Geteuid() != 0 {
		mkdir(t, w.home, 0o500)
		refused(t, w.o, w.home)
		return
	}
	mkdir(t, w.dir+"/ro", 0o700)
	if err := syscall.Mount("none", w.dir+"/ro", "tmpfs", syscall.MS_RDONLY, ""); err != nil {
		if errors.Is(err, syscall.EPERM) {
			t.Skip("root without the right to mount: a container")
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(w.dir+"/ro", syscall.MNT_DETACH) })
	w.o.Env.Home = w.dir + "/ro"
	refused(t, w.o, w.dir+"/ro")
	_, err := home.Open(w.o)
	if !strings.Contains(errs.From(err).Message(), "read-only") {
		t.Errorf("got %v", err)
	}
}

// Locate makes nothing: it is for reports.
func TestLocate(t *testing.T) {
	w := newWorld(t)
	h, err := home.Locate(w.o)
	if err != nil || h.State != w.home+"/.local/state/bailey" {
		t.Fatalf("%+v %v", h, err)
	}
	if left, _ := os.ReadDir(w.home); len(left) != 0 {
		t.Errorf("it made %v", left)
	}
	w.o.Dir = "relative"
	if h, err = home.Locate(w.o); err != nil || !filepath.IsAbs(h.State) {
		t.Fatalf("%+v %v", h, err)
	}
}

// An ordinary user's view of another's directory, with a real other user.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Getenv("HOME_TEST_DIR") != "" {
		_, err := home.Open(home.Options{Dir: os.Getenv("HOME_TEST_DIR")})
		if errs.CodeOf(err) != errs.HomeUnusable {
			t.Fatalf("got %v", err)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be a second user")
	}
	dir, err := os.MkdirTemp("/tmp", "bh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(dir+"/test", exe, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	mkdir(t, dir+"/h", 0o700)
	cmd := exec.Command(dir+"/test", "-test.run=TestAsOrdinaryUser$")
	cmd.Env = []string{"HOME_TEST_DIR=" + dir + "/h"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
