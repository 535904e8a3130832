package desktop

import (
	"bufio"
	_ "embed" // the program's source
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

//go:embed testdata/taken.c
var takenSource string

// takenOver compiles what a proxy does that was taken over.
func takenOver(t *testing.T, names map[string]string) string {
	t.Helper()
	compiler, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("gcc is not installed")
	}
	program := filepath.Join(t.TempDir(), "taken")
	source := program + ".c"
	if err := os.WriteFile(source, []byte(takenSource), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-Wall", "-Wextra", "-Werror", "-o", program, source}
	for name, text := range names {
		args = append(args, "-D"+name+"="+text)
	}
	if out, err := exec.Command(compiler, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// attempts reads what became of them.
func attempts(t *testing.T, r io.Reader) map[string]string {
	t.Helper()
	got := map[string]string{}
	for s := bufio.NewScanner(r); s.Scan(); {
		name, result, _ := strings.Cut(s.Text(), " ")
		if got[name] = result; name == "end" {
			return got
		}
	}
	t.Fatalf("it ended early: %v", got)
	return nil
}

// TestProxyTakenOver: code in the place of the proxy reaches the one bus and its own
// socket, and neither the core, nor another socket, file or process of the person's.
// The control, without the sandbox, does all of it.
func TestProxyTakenOver(t *testing.T) {
	if asOrdinaryUser(t) {
		return
	}
	d := startBus(t)
	offerA11y(t, d, d.SessionBus)
	runtime, other := t.TempDir(), t.TempDir()
	listen := func(path string) {
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
	}
	listen(filepath.Join(other, "s"))
	listen(filepath.Join(runtime, "core.sock"))
	if err := os.WriteFile(filepath.Join(other, "file"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	own := t.TempDir()
	quoted := func(s string) string { return `"` + s + `"` }
	bus, _, _ := strings.Cut(strings.TrimPrefix(d.SessionBus, "unix:path="), ",")
	program := takenOver(t, map[string]string{"RUNTIME": quoted(runtime), "OTHER": quoted(other), "OWN": quoted(own), "GIVEN": quoted(workerspec.SocketsTarget),
		"BUS": quoted(workerspec.AccessibilityTarget), "BARE_BUS": quoted(bus), "PARENT": fmt.Sprint(os.Getpid())})

	was := proxyPrograms
	proxyPrograms = []string{program}
	defer func() { proxyPrograms = was }()
	p, err := StartA11yProxy(t.Context(), d, runtime, stub(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ours := map[string]bool{"listen": true, "bus": true, "end": true}
	got := attempts(t, p.conn)
	for name, result := range got {
		if (result == "0") != ours[name] {
			t.Errorf("taken over, %s: %s", name, result)
		}
	}
	if st, err := os.Stat(filepath.Join(other, "file")); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", st, err)
	}

	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	mine, theirs := os.NewFile(uintptr(pair[0]), "mine"), os.NewFile(uintptr(pair[1]), "theirs")
	defer mine.Close()
	cmd := exec.Command(program)
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	if err := shutWriting(mine); err != nil {
		t.Fatal(err)
	}
	if _, err := mine.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	control := attempts(t, mine)
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(control) != len(got) {
		t.Errorf("%d attempts, and %d without the sandbox", len(got), len(control))
	}
	for name, result := range control {
		if result != "0" {
			t.Errorf("without the sandbox, %s is refused too: %s", name, result)
		}
	}
}
