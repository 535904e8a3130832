// Command bailey is Bailey's command line. It is a client of the core like any
// other: it opens no document, starts no worker and grants nothing; it asks the
// person at the terminal what the core wants to know, and prints what the core
// streams. Everything it prints that was written by somebody else has been
// through package visible.
//
// docs/cli.md, the help texts and the shell completion are made from the one
// table in verbs.go.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/env"
	"github.com/bailey-run/bailey/internal/plat/tty"
)

func main() { os.Exit(doMain(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, env.Read())) }

// doMain runs one command and returns its exit code.
//
// The first Ctrl-C, Ctrl-\, SIGTERM or SIGHUP ends the work in order; a second one ends
// the process by the signal's own action. A command that is stuck where no
// context reaches it (a pipe that nobody reads) is left behind after
// [limits.Interrupt]: the process ends, and with its connection the task.
func doMain(args []string, in, out, errOut *os.File, e env.Env) int {
	var ends []os.Signal
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP} {
		// What was ignored at the start stays so: nohup, and jobs of a script.
		if !signal.Ignored(s) {
			ends = append(ends, s)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	defer stop()
	defer context.AfterFunc(ctx, stop)()
	c := &cli{in: in, out: newOutput(out), errOut: errOut, env: e, screen: screenOf(out, errOut, e)}
	done := make(chan int, 1)
	go func() { done <- c.run(ctx, args) }()
	select {
	case code := <-done:
		return code
	case <-ctx.Done():
	}
	t := time.NewTimer(limits.Interrupt)
	defer t.Stop()
	select {
	case code := <-done:
		return code
	case <-t.C:
		c.restoreNow()
		return errs.ExitFailed
	}
}

// cli is one run of the command.
type cli struct {
	in     *os.File
	out    *output
	errOut io.Writer
	env    env.Env
	screen screen
	// restore puts a terminal back that is in another mode.
	restore atomic.Pointer[func()]
	// json is set as soon as --json is seen, so that errors come in that form.
	json bool
}

// atEnd notes how a terminal is put back, should the command be left behind where
// it is stuck, and returns what does so in order.
func (c *cli) atEnd(restore func()) func() {
	c.restore.Store(&restore)
	return c.restoreNow
}

func (c *cli) restoreNow() {
	if restore := c.restore.Swap(nil); restore != nil {
		(*restore)()
	}
}

// screen is what is known of the terminal, if there is one.
type screen struct {
	// columns is the width to wrap text at; 0 = do not wrap. errColumns is that of
	// standard error, and wide is all of the terminal, for tables.
	columns, errColumns, wide int
	// bold allows emphasis on standard output.
	bold bool
	// redraw allows a progress line on standard error, so many columns wide.
	redraw int
	// errFile is standard error, where a question is shown.
	errFile *os.File
	// together says that standard output and standard error lead to one place.
	together bool
}

func screenOf(out, errOut *os.File, e env.Env) screen {
	s := screen{errFile: errOut, together: samePlace(out, errOut)}
	if tty.Is(out) {
		s.columns = limits.LineWidth
		if c, _, ok := tty.Size(out); ok {
			s.columns, s.wide = min(c, limits.LineWidth), c
		}
		s.bold = !e.NoColor && e.Term != "dumb" && e.Term != ""
	}
	if c, _, ok := tty.Size(errOut); ok {
		s.errColumns = min(c, limits.LineWidth)
		if e.Term != "dumb" && e.Term != "" {
			s.redraw = c
		}
	}
	return s
}

// samePlace reports whether two files are one pipe, file or terminal. Nobody has
// two terminals for one command.
func samePlace(a, b *os.File) bool {
	if tty.Is(a) && tty.Is(b) {
		return true
	}
	x, errX := a.Stat()
	y, errY := b.Stat()
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// run parses and runs args, prints the error if there is one, and returns the
// exit code.
func (c *cli) run(ctx context.Context, args []string) int {
	call, err := parse(verbs(), args)
	if call != nil {
		c.json = call.has("json")
	}
	if err == nil {
		if call.help {
			err = c.printHelp(call.verb)
		} else {
			err = call.verb.run(ctx, c, call)
		}
	}
	if ferr := c.out.Flush(); err == nil && ferr != nil {
		err = outputError(ferr)
	}
	if err == nil {
		return errs.ExitOK
	}
	if ctx.Err() != nil && errs.CodeOf(err) != errs.Cancelled {
		err = errs.Wrap(errs.Cancelled, "cli", err)
	}
	return c.fail(err)
}

// fail reports err on standard error, or with --json as one object on standard
// output, and returns its exit code.
func (c *cli) fail(err error) int {
	var said reported
	if errors.As(err, &said) {
		return said.exit
	}
	e := errs.From(err)
	if c.json {
		if perr := c.printJSON(errorObject(e)); perr == nil && c.out.Flush() == nil {
			return e.Exit()
		}
	}
	c.printError(e)
	return e.Exit()
}

// reported is the error of a command whose output says already what is wrong,
// as `audit verify` and `doctor` do.
type reported struct{ exit int }

func (reported) Error() string { return "reported" }
