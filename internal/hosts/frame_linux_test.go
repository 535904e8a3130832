package hosts

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// TestFrameCode builds the window's code that reads bytes with the sanitizers,
// and runs its own tests and a few hundred thousand inputs through it.
func TestFrameCode(t *testing.T) {
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler is installed")
	}
	source, err := filepath.Abs("../../cmd/bailey-window")
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "frame_test")
	build := exec.Command(cc, "-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", "-fsanitize=address,undefined",
		"-fno-sanitize-recover=all", "-o", out, filepath.Join(source, "frame.c"), filepath.Join(source, "frame_test.c"))
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if text, err := exec.CommandContext(t.Context(), out).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, text)
	}
}

// TestReleaseCannotBeDriven: what lets a test drive a window is in no release.
// The control is the window that is built for tests.
func TestReleaseCannotBeDriven(t *testing.T) {
	if programs == "" {
		t.Skip("WebKitGTK is not installed")
	}
	words := []string{"INSPECTOR_SERVER", "automation", "console_messages_to_stdout"}
	has := func(name string) (n int) {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range words {
			if bytes.Contains(b, []byte(w)) {
				n++
			}
		}
		return n
	}
	if n := has(filepath.Join(programs, "bailey-window")); n != 0 {
		t.Errorf("the window has %d of %q in it", n, words)
	}
	cmd := exec.Command("make", "--no-print-directory", "automation")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if n := has("../../build/automation/bailey-window"); n != len(words) {
		t.Errorf("the window for tests has %d of %q: this test shows nothing", n, words)
	}
	spec, _ := workerspec.For(Window)
	if slices.Contains(spec.Sockets, "AF_INET") {
		t.Error("a window may have sockets of the internet")
	}
}
