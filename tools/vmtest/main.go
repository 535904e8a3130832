// Command vmtest runs the suites of the sandbox on other kernels, in virtual
// machines under qemu, and has `bailey doctor` say what it sees there.
//
//	vmtest [-bin bin] [-release VERSION] [-cache build/vm] [-kernels "6.1 6.12 7"]
//
// A kernel is named by its series; the newest of it that Debian has is found at
// run time, by apt with directories of its own (nothing is installed, and the
// machine's own sources stay as they are), its signature checked by the machine's
// Debian keyring. Only the kernel's file is used: its modules are not, so what
// Debian builds as a module is not there.
//
// It ends with 0 when every case passed on every kernel, with 1 when one did not
// or too few were run, with 2 for a wrong flag, and with 5 when a machine could
// not be had at all: then nothing was tested, and one line says why.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bailey-run/bailey/test/vm"
)

const (
	failed = 1
	usage  = 2
	notRun = 5
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(doMain(ctx, os.Args[1:], os.Stdout))
}

func doMain(ctx context.Context, args []string, say io.Writer) int {
	fs := flag.NewFlagSet("vmtest", flag.ContinueOnError)
	fs.SetOutput(say)
	bin := fs.String("bin", "bin", "where make build put the programs")
	release := fs.String("release", "dev", "what make build said the release is, which programs that talk to each other have to agree on")
	cache := fs.String("cache", "build/vm", "where kernels and what the guests said are kept")
	kernels := fs.String("kernels", "", "the series of kernels, separated by spaces; all of "+strings.Join(allSeries(), ", ")+" when there is none")
	if fs.Parse(args) != nil || fs.NArg() != 0 {
		return usage
	}
	which := strings.Fields(*kernels)
	if len(which) == 0 {
		which = allSeries()
	}
	for _, k := range which {
		if !isSeries(k) {
			fmt.Fprintf(say, "vm-test: %q is no series of kernels; 6.1 is one\n", k)
			return usage
		}
	}
	left := func(err error) int {
		fmt.Fprintln(say, "vm-test: not run:", err)
		return notRun
	}
	if err := able(); err != nil {
		return left(err)
	}
	if err := os.MkdirAll(*cache, 0o755); err != nil {
		return left(err)
	}
	a, err := apt{dir: filepath.Join(*cache, "apt"), run: output}.absolute()
	if err != nil {
		return left(err)
	}
	found, err := fetch(ctx, a, *cache, which, say)
	if err != nil {
		return left(err)
	}
	stage, err := filepath.Abs(filepath.Join(*cache, "stage"))
	if err == nil {
		err = build(ctx, stage, *release)
	}
	if err != nil {
		fmt.Fprintln(say, "vm-test:", err)
		return failed
	}
	for _, k := range found {
		if k.Series != profiled {
			continue
		}
		if err := a.parser(ctx, apparmorDir(stage)); err != nil {
			return left(err)
		}
	}
	worst := 0
	var rows []row
	for _, k := range found {
		fmt.Fprintf(say, "vm-test: %s %s, sha256 %s\n", k.Package, k.Version, k.SHA256)
		began := time.Now()
		rep, err := machines(ctx, k, stage, *cache, *bin, say)
		if err != nil {
			fmt.Fprintf(say, "vm-test: %s: %v\n", k.Series, err)
			worst = failed
		}
		faults := judge(k, rep)
		for _, f := range faults {
			fmt.Fprintf(say, "vm-test: %s: %s\n", k.Series, f)
			worst = failed
		}
		if err := saveDoctor(filepath.Join(*cache, "doctor-"+k.Series+".txt"), rep); err != nil {
			fmt.Fprintln(say, "vm-test:", err)
			worst = failed
		}
		rows = append(rows, table(rep)...)
		fmt.Fprintf(say, "vm-test: %s: %d seconds\n", k.Series, int(time.Since(began).Seconds()))
	}
	fmt.Fprint(say, "\n", format(rows))
	if worst == 0 {
		fmt.Fprintln(say, "vm-test: passed")
	} else {
		fmt.Fprintf(say, "vm-test: failed; what the guests said stands in %s\n", *cache)
	}
	return worst
}

// machines has the guests of a kernel do their plans, all at once, and puts together
// what they said.
func machines(ctx context.Context, k kernel, stage, cache, bin string, say io.Writer) (vm.Report, error) {
	plans := plans(k)
	reports, errs := make([]vm.Report, len(plans)), make([]error, len(plans))
	var wg sync.WaitGroup
	for i, p := range plans {
		wg.Go(func() {
			name := fmt.Sprintf("%s-%d", k.Series, i+1)
			image := filepath.Join(cache, "root-"+name+".cpio")
			defer os.Remove(image)
			if errs[i] = pack(image, stage, bin, p); errs[i] == nil {
				reports[i], errs[i] = boot(ctx, k, image, filepath.Join(cache, "console-"+name+".txt"), say)
			}
		})
	}
	wg.Wait()
	whole := reports[0]
	for _, r := range reports[1:] {
		whole.Results = append(whole.Results, r.Results...)
		whole.Done = whole.Done && r.Done
	}
	return whole, errors.Join(errs...)
}

// emulator is the program that runs a guest.
const emulator = "qemu-system-x86_64"

// able says why this machine cannot run a guest.
func able() error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return errors.New("the guests are made of this system's programs, and are for Linux on amd64")
	}
	for _, name := range []string{emulator, "bwrap", "apt-get", "apt-cache", "dpkg-deb"} {
		if _, err := exec.LookPath(name); err != nil {
			return fmt.Errorf("there is no %s here (packaging/debian/vm.txt has what is needed, from Debian)", name)
		}
	}
	return nil
}

// output runs a program and returns what it wrote.
func output(ctx context.Context, dir string, argv ...string) (string, error) {
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Dir = dir
	c.Env = append(os.Environ(), "LC_ALL=C")
	var said strings.Builder
	c.Stderr = &said
	out, err := c.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", filepath.Base(argv[0]), err, lastLine(said.String()))
	}
	return string(out), err
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// saveDoctor keeps what the doctor said to each user.
func saveDoctor(name string, rep vm.Report) error {
	var b strings.Builder
	for _, r := range rep.Results {
		if r.Suite == doctor {
			fmt.Fprintf(&b, "== %s, as %s ==\n%s\n\n", rep.Kernel, r.User, strings.Join(r.Output, "\n"))
		}
	}
	return os.WriteFile(name, []byte(b.String()), 0o644)
}
