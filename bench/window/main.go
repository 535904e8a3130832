// window measures Bailey's windows and prompts as they are shipped, on a screen
// of its own and as an ordinary user, beside the least that a host on the same
// web engine is (bench/webview-floor), beside the least that two hops of a socket
// are (bench/hop-floor), and beside Wails' smallest app (bench/wails).
//
// What takes turns with its peer: paint, pss, calls. In the other measures the
// peer is a figure of the same run.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/bench/rows"
	"github.com/bailey-run/bailey/test/window/desk"
)

// options are the command line.
type options struct {
	bin, out string
	only     string
	rounds   int
	quick    bool
	shared   bool
}

func (o options) wants(name string) bool {
	return o.only == "" || slices.Contains(strings.Split(o.only, ","), name)
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("window", flag.ContinueOnError)
	f.StringVar(&o.bin, "bin", "../../bin", "where make build put the programs")
	f.StringVar(&o.out, "o", "", "write the rows and all measurements to this JSON `file`")
	f.StringVar(&o.only, "only", "", "measure these alone: paint,pss,calls,stream,flat,prompt,chat,many,size")
	f.IntVar(&o.rounds, "rounds", 10, "turns of what is measured by turns")
	f.BoolVar(&o.quick, "quick", false, "a few minutes instead of a quarter of an hour")
	f.BoolVar(&o.shared, "shared", false, "use the system's own files of the libraries, whoever else has them open")
	// What a test binary is started again with.
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "-test.") })
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected %q", f.Arg(0))
	}
	return o, nil
}

func main() {
	o, err := parse(os.Args[1:])
	if err == nil {
		err = start(o)
	}
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "window:", err)
		}
		os.Exit(1)
	}
}

// runner is what runs at the desk, as an ordinary user.
type runner struct{ o options }

// Run implements desk.Runner.
func (r runner) Run() int {
	p, err := measure(r.o)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "window:", err)
		return 1
	}
	return 0
}

// errFailed is said by whoever failed.
var errFailed = errors.New("no figures")

// start is the first process: it builds, has an ordinary user measure, and writes
// what comes back.
func start(o options) error {
	if desk.Again() {
		if code := desk.Main(runner{o}, nil); code != 0 {
			os.Exit(code)
		}
		return nil
	}
	if l := desk.Lacks(); len(l) > 0 {
		return fmt.Errorf("needs what a window is shown with: apt-get install %s", strings.Join(l, " "))
	}
	machine := rows.Machine()
	// The figures come by the standard output of whoever measures.
	stdout := os.Stdout
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	var got bytes.Buffer
	came := make(chan error, 1)
	go func() {
		_, err := io.Copy(&got, r)
		came <- err
	}()
	os.Stdout = w
	code := desk.Main(runner{o}, func(dir string) error { return build(dir, o) })
	os.Stdout = stdout
	if err := errors.Join(w.Close(), <-came); err != nil {
		return err
	}
	if code != 0 {
		return errFailed
	}
	var p rows.Part
	if err := json.Unmarshal(got.Bytes(), &p); err != nil {
		return fmt.Errorf("%w in %.200q", err, got.Bytes())
	}
	if err := rows.Write(stdout, o.out, machine, p); err != nil {
		return err
	}
	for k := range p.Notes {
		if strings.HasPrefix(k, "failed: ") {
			return errFailed
		}
	}
	return nil
}
