package hostile

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What `make vm-test` says: a guest has no compiler, so what the tests otherwise
// build is built before, by the same code.
var (
	built   = flag.String("built", "", "attack with the programs of this directory, and build none")
	buildIn = flag.String("build", "", "build the programs in this directory, and run no test")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *buildIn == "" {
		os.Exit(m.Run())
	}
	bin := filepath.Join(*buildIn, attackerName)
	err := buildAttacker(context.Background(), bin)
	if cc, e := exec.LookPath("cc"); err == nil && e == nil {
		err = buildPrograms(context.Background(), cc, bin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

const attackerName = "attacker"

// attacker returns the hostile binary, built where every user can execute it.
func attacker(t *testing.T) string {
	t.Helper()
	if *built != "" {
		return filepath.Join(*built, attackerName)
	}
	// Not t.TempDir, whose parents only this user may pass.
	dir, err := os.MkdirTemp("", "bailey-attacker")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	attackerSources(t)
	bin := filepath.Join(dir, attackerName)
	if err := buildAttacker(t.Context(), bin); err != nil {
		t.Fatal(err)
	}
	return bin
}

// buildAttacker builds it twice: linked to the system's libraries, as an engine
// is, and not.
func buildAttacker(ctx context.Context, bin string) error {
	for out, tags := range map[string]string{bin: "bailey_hostile", bin + "-native": "bailey_hostile,bailey_native"} {
		if err := goBuild(ctx, out, "-tags", tags, "./attacker"); err != nil {
			return err
		}
	}
	return nil
}

func goBuild(ctx context.Context, out string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", out}, args...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %v: %w\n%s", args, err, b)
	}
	return nil
}

const goSource = "testdata/goroutines.go"

// programs compiles the programs of C to where the attacker finds them. It
// returns false, and says why, where skips.txt lets them be left out.
func programs(t *testing.T, bin string) bool {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		return !mayLeaveOut(t, caseForeign, whenNotAMD64)
	}
	if *built != "" {
		if _, err := os.Stat(bin + "-goroutines"); errors.Is(err, fs.ErrNotExist) {
			return !mayLeaveOut(t, caseForeign, whenNoCompiler)
		} else if err != nil {
			t.Fatal(err)
		}
		return true
	}
	cc, err := exec.LookPath("cc")
	if errors.Is(err, exec.ErrNotFound) {
		return !mayLeaveOut(t, caseForeign, whenNoCompiler)
	}
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("programs/*.c")
	if err != nil || len(sources) == 0 {
		t.Fatalf("%d programs, %v", len(sources), err)
	}
	for _, src := range append(sources, goSource) {
		if _, err := os.ReadFile(src); err != nil { // for go's cache
			t.Fatal(err)
		}
	}
	if err := buildPrograms(t.Context(), cc, bin); err != nil {
		t.Fatal(err)
	}
	return true
}

func buildPrograms(ctx context.Context, cc, bin string) error {
	for name, flags := range map[string][]string{"call": {"-static"}, "frame": {"-static"}, "sweep": {"-static"}, "first": {"-static", "-nostdlib", "-fno-stack-protector"},
		"thread": {"-static", "-pthread"}, "linked": nil, "writable": {"-static", "-z", "execstack"}} {
		src := map[string]string{"linked": "call", "writable": "call"}[name]
		if src == "" {
			src = name
		}
		src = "programs/" + src + ".c"
		args := append([]string{"-O1", "-o", bin + "-" + name}, flags...)
		if out, err := exec.CommandContext(ctx, cc, append(args, src)...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", src, err, out)
		}
	}
	return goBuild(ctx, bin+"-goroutines", goSource)
}

// TestOrderOfEachLength: a worker begins when it is told to, however long what it
// was told before is. Of 512 bytes exactly the end of the line was left, and taken
// for the word.
func TestOrderOfEachLength(t *testing.T) {
	var runs []run
	for i := 128; i < 320; i++ {
		runs = append(runs, run{fmt.Sprintf("call %d%*s", unix.SYS_GETPID, i, ""), "index", "full"})
	}
	for r, got := range launch(t, users(t)[0], attacker(t), runs) {
		if got.name() != "OK" {
			t.Errorf("with %d blanks: %s", strings.Count(r.Attack, " ")-1, got.name())
		}
	}
}
