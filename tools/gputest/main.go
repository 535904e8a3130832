// Command gputest runs the tests that want a graphics card: of the library, of the
// programs in their sandbox, and of attacks from inside it.
//
//	gputest [-software]
//
// Without a card that can be used, or without the libraries, it says in one line
// what is missing and ends with 2: nothing was tested. With -software the tests
// run on Mesa's lavapipe, which is the same interface on the processor, and the
// command says so: it tells of the code and nothing of a card, its driver or its
// speed. It ends with 1 when a test fails.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/graphics"
)

const (
	libraryDir = "build/graphics"
	library    = "libggml-vulkan.so"
	notRun     = 2
)

// tests are what is run: the library by itself, the programs in the sandbox, and
// what somebody tries who has taken that engine over.
func tests() [][]string {
	return [][]string{
		{"./internal/worker/engine/llama", "-run", "^Test(No)?Graphics"},
		{"./test/graphics"},
		{"./test/hostile", "-run", "^TestEscapes$/./^graphics$"},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	software := flag.Bool("software", false, "run on Mesa's lavapipe, without a card")
	flag.Parse()
	os.Exit(run(ctx, os.Stdout, machine{find: graphics.Find, drivers: "/usr/share/vulkan/icd.d", dir: libraryDir, test: test}, *software))
}

// machine is what the command looks at.
type machine struct {
	find func() (string, error)
	// drivers is where the system names its drivers, dir where the library is.
	drivers, dir string
	// test runs the tests with more in their environment.
	test func(ctx context.Context, say io.Writer, env []string) error
}

func run(ctx context.Context, say io.Writer, m machine, software bool) int {
	left := func(format string, a ...any) int {
		fmt.Fprintf(say, "gpu-test: not run: "+format+"\n", a...)
		return notRun
	}
	var env []string
	if software {
		found, err := filepath.Glob(filepath.Join(m.drivers, "lvp_icd*.json"))
		if err != nil || len(found) == 0 {
			return left("no lavapipe here (Debian: mesa-vulkan-drivers)")
		}
		// More threads than one spend their time on waiting for each other in what
		// these models are.
		env = append(env, "VK_ICD_FILENAMES="+found[0], "GGML_VK_VISIBLE_DEVICES=0", "LP_NUM_THREADS=1", "BAILEY_GRAPHICS_SLOW=1", "BAILEY_GRAPHICS_TAGS=bailey_lavapipe")
		fmt.Fprintln(say, "gpu-test: on lavapipe: Vulkan on the processor, no graphics card")
	} else {
		node, err := m.find()
		if err != nil {
			return left("no graphics card here: %s", errs.From(err).Detail)
		}
		fmt.Fprintln(say, "gpu-test: on", node)
	}
	if _, err := os.Stat(filepath.Join(m.dir, library)); err != nil {
		return left("the library for graphics cards is not there: `make engine GPU=vulkan` fetches it")
	}
	dir, err := filepath.Abs(m.dir)
	if err != nil {
		return left("%v", err)
	}
	// A driver keeps what it has compiled; in the person's own cache otherwise.
	env = append(env, "BAILEY_GRAPHICS="+dir, "MESA_SHADER_CACHE_DIR="+dir+"-cache", "__GL_SHADER_DISK_CACHE_PATH="+dir+"-cache")
	var out bytes.Buffer
	err = m.test(ctx, io.MultiWriter(say, &out), env)
	switch {
	case err != nil:
		fmt.Fprintln(say, "gpu-test: failed:", err)
		return 1
	case !bytes.Contains(out.Bytes(), []byte("--- PASS: TestGraphicsWrites")) || !bytes.Contains(out.Bytes(), []byte("--- PASS: TestChat")):
		return left("the tests were left out; they say why")
	}
	return 0
}

func test(ctx context.Context, say io.Writer, env []string) error {
	for _, t := range tests() {
		c := exec.CommandContext(ctx, "go", append([]string{"test", "-count=1", "-v", "-timeout=30m"}, t...)...)
		c.Env = append(os.Environ(), env...)
		c.Stdout, c.Stderr = say, say
		if err := c.Run(); err != nil {
			return err
		}
	}
	return nil
}
