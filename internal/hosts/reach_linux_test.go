package hosts

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/prompthost"
)

// loader is the system's, which a prompt may execute to be started itself.
func loader() string {
	for _, path := range []string{"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"} {
		if unix.Access(path, unix.X_OK) == nil {
			return path
		}
	}
	return "/none"
}

// buildTaken builds the prompt with code in it that tries things, and the same
// without what it gives up by itself.
func buildTaken(dir string) error {
	sources, err := filepath.Glob("../../cmd/bailey-prompt/*.c")
	if err != nil {
		return err
	}
	flags, err := exec.Command("pkg-config", "--cflags", "--libs", "gtk4", "gtk4-x11", "x11", "gio-unix-2.0").Output()
	if err != nil {
		return err
	}
	for name, more := range map[string][]string{"taken-over": nil, "unguarded": {"-DBAILEY_UNGUARDED", "-Wno-unused-function"}} {
		args := append([]string{"-std=gnu11", "-O2", "-DLOADER=\"" + loader() + "\"", "-o", filepath.Join(dir, name), "testdata/tries.c"}, more...)
		args = append(append(args, sources...), strings.Fields(string(flags))...)
		if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("gcc: %w\n%s", err, out)
		}
	}
	return nil
}

// filters waits until a process has so many filters more than this one.
func filters(t *testing.T, h *Host, more int) {
	t.Helper()
	own, err := proc.ReadStatus(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(patience); ; <-tick.C {
		s, err := proc.ReadStatus(h.PID())
		if err == nil && s.Filters == own.Filters+more {
			return
		}
		if err != nil || time.Now().After(until) {
			t.Fatalf("%d filters, want %d more than %d; %v; said %s", s.Filters, more, own.Filters, err, h.Words())
		}
	}
}

// tries has the code in a host try, and reads what became of it. A signal that comes
// before the program is loaded is lost.
func tries(t *testing.T, h *Host) map[string]string {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	got := map[string]string{}
	for until := time.Now().Add(patience); got["end"] == "" && time.Now().Before(until); <-tick.C {
		if len(got) == 0 {
			_ = unix.Kill(h.PID(), unix.SIGUSR1) // it may have ended, which shows
		}
		over := false
		select {
		case <-h.Done(): // it executed something
			over = true
		default:
		}
		for _, line := range strings.Split(h.Words(), "\n") {
			if said, ok := strings.CutPrefix(line, "tried "); ok {
				name, result, _ := strings.Cut(said, " ")
				got[name] = result
			}
		}
		if over {
			break
		}
	}
	return got
}

// onScreen starts a prompt or a picker, and returns it when it is on the screen.
func onScreen(t *testing.T, kind, name string, d desktop.Display, accessibility string) *Host {
	t.Helper()
	h, err := Start(t.Context(), kind, Options{Display: d, Program: program(t, name), Stub: program(t, "bailey-worker"), Home: os.Getenv("HOME"), Accessibility: accessibility})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		s := sheet()
		s.Timeout = time.Minute
		if kind == Picker {
			_, _, _ = prompthost.Pick(ctx, h.Conn, prompthost.Sheet{Title: "Choose", Yes: "Choose", No: "Cancel"})
		} else {
			_, _ = prompthost.Ask(ctx, h.Conn, s)
		}
	}()
	t.Cleanup(func() { cancel(); h.Kill(); <-asked; h.Conn.Close() })
	return h
}

// TestReachesNobody: from the moment on that it shows something, code in a prompt or
// a picker makes no socket, reaches none in the home, and executes nothing, also
// where the accessibility bus does not answer. The control is the same program in
// the same sandbox without the filter that it puts on itself.
func TestReachesNobody(t *testing.T) {
	needsWindows(t)
	d := display(t)
	l, err := net.Listen("unix", filepath.Join(os.Getenv("HOME"), "agent"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dead := filepath.Join(t.TempDir(), "dead")
	gone, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead})
	if err != nil {
		t.Fatal(err)
	}
	gone.SetUnlinkOnClose(false)
	gone.Close()
	for _, kind := range []string{Prompt, Picker} {
		for what, accessibility := range map[string]string{"no bus": "", "a bus that is gone": dead} {
			h := onScreen(t, kind, "taken-over", d, accessibility)
			filters(t, h, 3)
			got := tries(t, h)
			if got["end"] != "0" || got["socket"] != eperm || got["connect"] != eperm || got["pair"] != eperm || got["execute"] != eperm {
				t.Errorf("%s with %s: %v, said %s", kind, what, got, h.Words())
			}
			h.Kill()
		}
	}
	h := onScreen(t, Picker, "unguarded", d, "")
	filters(t, h, 2)
	got := tries(t, h)
	if got["socket"] != "0" || got["execute"] != "" {
		t.Errorf("without the filter: %v, said %s", got, h.Words())
	}
	// Landlock keeps it from the socket from its ABI 9 on.
	if got["connect"] != "0" && got["connect"] != strconv.Itoa(int(unix.EACCES)) {
		t.Errorf("without the filter it connects to nobody: %v", got)
	}
	t.Logf("without the filter: %v", got)
}

// TestWordsWithoutAnEnd: a host that gave its standard error to another program is
// ended all the same, and whoever ends it does not wait for that program.
func TestWordsWithoutAnEnd(t *testing.T) {
	needsWindows(t)
	h, err := Start(t.Context(), Prompt, Options{Display: display(t), Program: program(t, "taken-over"), Stub: program(t, "bailey-worker")})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Conn.Close()
	rights := make([]byte, unix.CmsgSpace(4))
	for until := time.Now().Add(patience); ; {
		// A signal that comes before the program is loaded is lost, or ends it.
		if err := unix.Kill(h.PID(), unix.SIGUSR2); err != nil || time.Now().After(until) {
			t.Fatalf("it gives nothing: %v, said %s", err, h.Words())
		}
		_ = h.Conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, n, _, _, err := h.Conn.ReadMsgUnix(make([]byte, 1), rights); err == nil && n > 0 {
			break
		}
	}
	m, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&m[0])
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	ended := make(chan struct{})
	go func() { h.Kill(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Error("whoever ends it waits for ever")
	}
}

var eperm = strconv.Itoa(int(unix.EPERM))

// TestPickerSeesNoState: in the place of Bailey's own directories a picker sees
// empty ones. The control hides nothing.
func TestPickerSeesNoState(t *testing.T) {
	needsWindows(t)
	d := display(t)
	home := os.Getenv("HOME")
	key := filepath.Join(home, ".local/state/bailey/keys/audit-log")
	if err := os.MkdirAll(filepath.Dir(key), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	hide := func(f *folder.Folder) []string {
		if f.Path == home {
			return []string{".local/state/bailey", ".cache/none"}
		}
		return nil
	}
	for what, hidden := range map[string]func(*folder.Folder) []string{"hidden": hide, "control": nil} {
		h, err := Start(t.Context(), Picker, Options{Display: d, Program: program(t, "bailey-prompt"), Stub: program(t, "bailey-worker"), Home: home, Hidden: hidden})
		if err != nil {
			t.Fatal(err)
		}
		root := "/proc/" + strconv.Itoa(h.PID()) + "/root"
		_, err = os.ReadFile(root + key)
		if (err == nil) != (hidden == nil) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := os.Stat(root + filepath.Join(home, ".local/state/bailey")); err != nil {
			t.Errorf("%s: %v", what, err)
		}
		h.Kill()
		h.Conn.Close()
	}
}
