package hosts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/internal/plat/sandbox"
)

const (
	// asUser begins argv[0] of the run as an ordinary user; the directory with
	// the programs follows.
	asUser = "hosts-as-user:"
	// ordinaryID is the user that these tests become when they are root: windows
	// are refused to root. A bus refuses one whom the system does not know.
	ordinaryID = 65534
)

// programs is where the hosts are, "" where they cannot be built.
var programs string

func TestMain(m *testing.M) {
	if stub, err := sandbox.Stub(os.Args); stub {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if dir, ok := strings.CutPrefix(os.Args[0], asUser); ok {
		programs = dir
		os.Exit(m.Run())
	}
	dir, err := os.MkdirTemp("", "bailey-hosts")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	programs, err = build(dir)
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// build builds the hosts, and the stub without the race detector, which needs a
// loader. Where WebKitGTK is missing it returns no directory.
func build(dir string) (string, error) {
	if exec.Command("pkg-config", "--exists", "webkitgtk-6.0", "gtk4").Run() != nil {
		return "", nil
	}
	for _, c := range []*exec.Cmd{
		exec.Command("make", "--no-print-directory", "BIN="+dir, "windows"),
		exec.Command("go", "build", "-o", filepath.Join(dir, "bailey-worker"), "./cmd/bailey-worker"),
	} {
		c.Dir = "../.."
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %w: %s", c.Args, err, out)
		}
	}
	return dir, buildTaken(dir)
}

// TestAsOrdinaryUser runs the other tests as one.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the other tests run as an ordinary user anyway")
	}
	tmp, err := os.MkdirTemp("", "bailey-hosts-user")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	if err := os.Chown(tmp, ordinaryID, ordinaryID); err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(programs, "hosts.test")
	if programs == "" {
		t.Skip("WebKitGTK is not installed")
	}
	b, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(self, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	// What reads the source tree is the same for everyone.
	args := []string{asUser + programs, "-test.run=^Test", "-test.skip=^Test(FrameCode|Release)", "-test.timeout=10m"}
	if testing.Verbose() {
		args = append(args, "-test.v")
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Args = args
	cmd.Dir = tmp
	cmd.Env = []string{"TMPDIR=" + tmp, "HOME=" + tmp, "PATH=/usr/bin:/bin", "BAILEY_SHOTS=" + os.Getenv("BAILEY_SHOTS")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	} else if testing.Verbose() {
		t.Logf("%s", out)
	}
}
