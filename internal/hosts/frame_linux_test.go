package hosts

import (
	"os/exec"
	"path/filepath"
	"testing"
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
