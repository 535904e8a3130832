package desk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// ordinary is the user that root's tests run as, account his name, home his
// directory.
const (
	ordinary = 12323
	account  = "bailey-desk"
	home     = "/home/" + account
)

// The environment of a test binary that started itself again: which of the two
// steps it is, and the directory of what was built.
const (
	stepVar = "BAILEY_DESK_STEP"
	dirVar  = "BAILEY_DESK_DIR"

	stepMount = "mount"
	stepTests = "tests"
)

// shared is what Main found out before the first test.
var shared struct {
	// dir is where build put its programs.
	dir string
	// unusable is why no test of the package can run.
	unusable string
}

// Dir is the directory that build filled; everybody may read it.
func Dir() string { return shared.dir }

// Runner is what runs at a desk: *testing.M, or the benchmark of windows.
type Runner interface{ Run() int }

// Again reports whether this process is one that Main has started: what comes
// before Main has been done.
func Again() bool { return os.Getenv(stepVar) != "" }

// Main runs a package's tests as an ordinary user, after build has put what
// they need into a directory that this user can read. build runs as who started
// the tests, in the package's directory.
func Main(m Runner, build func(dir string) error) int {
	switch os.Getenv(stepVar) {
	case stepMount:
		return mounted()
	case stepTests:
		shared.dir = os.Getenv(dirVar)
		return m.Run()
	}
	code, err := first(m, build)
	if err != nil {
		fmt.Fprintln(os.Stderr, "desk:", err)
		return 1
	}
	return code
}

func first(m Runner, build func(dir string) error) (int, error) {
	dir, err := os.MkdirTemp("/tmp", "bailey-desk-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return 0, err
	}
	shared.dir = dir
	if lacking := Lacks(); len(lacking) > 0 {
		// Each test says so; nothing has to be built for that.
		return m.Run(), nil
	}
	if build != nil {
		if err := build(dir); err != nil {
			return 0, fmt.Errorf("building: %w", err)
		}
	}
	if os.Geteuid() != 0 {
		return m.Run(), nil
	}
	code, err := again(dir)
	if errors.Is(err, unix.EPERM) {
		shared.unusable = "needs an ordinary user: start it as one, for root may not mount here and so cannot become one"
		return m.Run(), nil
	}
	return code, err
}

// again starts this binary once more in a mount namespace of its own.
func again(dir string) (int, error) {
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return 0, err
	}
	accounts, err := os.ReadFile("/etc/passwd")
	if err != nil {
		return 0, err
	}
	tmp := dir + "/tmp"
	row := fmt.Sprintf("%s:x:%d:%d::%s:/bin/false\n", account, ordinary, ordinary, home)
	if err := errors.Join(
		os.WriteFile(dir+"/desk.test", self, 0o755),
		os.WriteFile(dir+"/passwd", append(accounts, row...), 0o644),
		os.Mkdir(tmp, 0o700), os.Chown(tmp, ordinary, ordinary),
	); err != nil {
		return 0, err
	}
	cmd := exec.Command(dir+"/desk.test", os.Args[1:]...)
	cmd.Env = append(os.Environ(), stepVar+"="+stepMount, dirVar+"="+dir)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	code, err := exit(cmd)
	if err != nil {
		return 0, err
	}
	return code, collect(filepath.Join(tmp, screens))
}

// mounted gives the ordinary user a name and becomes him.
func mounted() int {
	// The parent's death has to end the child, and it follows the thread.
	runtime.LockOSThread()
	dir := os.Getenv(dirVar)
	if err := unix.Mount(dir+"/passwd", "/etc/passwd", "", unix.MS_BIND, ""); err != nil {
		fmt.Fprintln(os.Stderr, "desk: the table of accounts:", err)
		return 1
	}
	// His home lies where homes are: a window's /tmp is one of its own. It is gone
	// with the namespace, and so is nothing else of /home.
	if err := errors.Join(unix.Mount("homes", "/home", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"),
		os.Mkdir(home, 0o700), os.Chown(home, ordinary, ordinary), socketDir()); err != nil {
		fmt.Fprintln(os.Stderr, "desk:", err)
		return 1
	}
	tmp := dir + "/tmp"
	cmd := exec.Command(dir+"/desk.test", os.Args[1:]...)
	cmd.Args = append(cmd.Args, "-test.testlogfile=", "-test.coverprofile=", "-test.gocoverdir=")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + tmp, stepVar + "=" + stepTests, dirVar + "=" + dir}
	for _, name := range passed() {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: ordinary, Gid: ordinary}, Pdeathsig: syscall.SIGKILL,
	}
	code, err := exit(cmd)
	if err != nil {
		fmt.Fprintln(os.Stderr, "desk: as an ordinary user:", err)
		return 1
	}
	return code
}

// passed are the variables by which make tells tests how long to go on and where
// models are.
func passed() []string { return []string{"SOAK", "SOAK_DATA", "BAILEY_MODELS"} }

func exit(cmd *exec.Cmd) (int, error) {
	err := cmd.Run()
	var e *exec.ExitError
	if errors.As(err, &e) {
		return max(e.ExitCode(), 1), nil
	}
	return 0, err
}

// root finds the repository above a directory.
func root() (string, error) {
	dir, err := os.Getwd()
	for err == nil && dir != "/" {
		if _, gone := os.Stat(filepath.Join(dir, "go.mod")); gone == nil {
			return dir, nil
		}
		dir = filepath.Dir(dir)
	}
	return "", errors.Join(err, errors.New("no repository above this directory"))
}

// screens is where pictures lie until the tests are over, and below build
// afterwards.
const screens = "screens"

// collect copies the pictures of the ordinary user into build/screens.
func collect(from string) error {
	shots, err := filepath.Glob(filepath.Join(from, "*.png"))
	if err != nil || len(shots) == 0 {
		return err
	}
	top, err := root()
	if err != nil {
		return err
	}
	to := filepath.Join(top, "build", screens)
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, s := range shots {
		b, err := os.ReadFile(s)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(s)), b, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// screenDir is where this process may leave pictures.
func screenDir() (string, error) {
	dir := filepath.Join(os.TempDir(), screens)
	if os.Getenv(stepVar) == "" {
		top, err := root()
		if err != nil {
			return "", err
		}
		dir = filepath.Join(top, "build", screens)
	}
	return dir, os.MkdirAll(dir, 0o755)
}

// socketDir makes the directory in which X servers have their sockets, as the
// system's start does where there is one. It is everybody's.
func socketDir() error {
	const dir = "/tmp/.X11-unix"
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, 0o777|os.ModeSticky)
}

// Need leaves the test out where the machine lacks what windows need.
func Need(t testing.TB) {
	t.Helper()
	if shared.unusable != "" {
		t.Skip(shared.unusable)
	}
	if l := Lacks(); len(l) > 0 {
		t.Skipf("needs what a window is shown with: apt-get install %s", strings.Join(l, " "))
	}
}

// Lacks names the packages that are missing, as Debian calls them.
func Lacks() []string {
	var out []string
	for _, n := range []struct{ file, pkg string }{
		{"/usr/bin/Xvfb", "xvfb"},
		{"/usr/bin/openbox", "openbox"},
		{"/usr/bin/dbus-daemon", "dbus"},
		{"/usr/bin/xdg-dbus-proxy", "xdg-dbus-proxy"},
		{"/usr/bin/bwrap", "bubblewrap"},
		{"/usr/bin/gcc", "gcc"},
		{"/usr/include/webkitgtk-6.0/webkit/webkit.h", "libwebkitgtk-6.0-dev"},
		{"/usr/bin/WebKitWebDriver", "webkit2gtk-driver"},
		{a11yLauncher, "at-spi2-core"},
	} {
		if _, err := os.Stat(n.file); err != nil {
			out = append(out, n.pkg)
		}
	}
	return out
}
