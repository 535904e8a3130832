// Command runtests is what `make test` runs: go test, with each package's
// closing line as it comes, the whole output of what failed, every test that
// was left out with its reason, and a last line that counts.
//
// It fails when a test failed or did not build, and also when no test ran: a
// pattern that matches nothing must not look like a success.
//
//	go run ./tools/runtests [-full] [-race] PACKAGES
//
// Without -full the tests run with -short. Results are never taken from go's
// cache, which does not see what a test's child processes read.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"time"
)

func main() { os.Exit(doMain()) }

func doMain() int {
	full := flag.Bool("full", false, "run the slow tests too")
	race := flag.Bool("race", false, "run under the race detector")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "runtests: name the packages, for example ./...")
		return 2
	}
	// A test that hangs ends some time; what a slow or a busy machine needs is no
	// failure. Every attempt in every kind of worker, layer after layer, is one package.
	// `make lint` vets, once for all; here it would look at the standard library too.
	args := []string{"test", "-json", "-count=1", "-timeout=2h", "-vet=off"}
	if !*full {
		args = append(args, "-short")
	}
	if *race {
		args = append(args, "-race")
	}
	args = append(args, flag.Args()...)
	who := "an ordinary user: tests that need root are left out and named below"
	if os.Geteuid() == 0 {
		who = "root"
	}
	fmt.Printf("runtests: go test %v as %s\n", flag.Args(), who)

	began := time.Now()
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		fmt.Fprintln(os.Stderr, "runtests:", err)
		return 1
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "runtests:", err)
		return 1
	}
	s := newSummary(os.Stdout)
	if err := s.read(out); err != nil {
		fmt.Fprintln(os.Stderr, "runtests:", err)
	}
	err = cmd.Wait()
	if !s.close(err == nil, time.Since(began)) {
		return 1
	}
	return 0
}
