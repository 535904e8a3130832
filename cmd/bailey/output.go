package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/visible"
)

// output is standard output: buffered, and with the first error kept, so that a
// full disk is reported once at the end instead of at each line. A reader that
// went away (SIGPIPE) ends the process quietly, as for every filter.
type output struct {
	*bufio.Writer
}

func newOutput(w io.Writer) *output { return &output{bufio.NewWriter(w)} }

// outputError is the error of a write to standard output or to --out.
func outputError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errs.Wrap(errs.NoSpace, "cli.output", err)
	}
	return errs.Wrap(errs.Internal, "cli.output", err).With("the output cannot be written")
}

// printJSON prints v as one line of JSON that draws nothing but itself.
func (c *cli) printJSON(v any) error {
	b, err := encodeJSON(v)
	if err != nil {
		return err
	}
	_, err = c.out.Write(append(b, '\n'))
	return err
}

func encodeJSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, errs.Wrap(errs.Internal, "cli.json", err)
	}
	return visible.JSON(b), nil
}

// errorJSON is how every failure looks with --json.
type errorJSON struct {
	Error errorBody `json:"error"`
}

type errorBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
}

func errorObject(e *errs.Error) errorJSON {
	return errorJSON{errorBody{string(e.Code), visible.Path(e.Message()), visible.Path(e.HintText())}}
}

// printError prints a failure for a person: what is wrong, and what to do.
func (c *cli) printError(e *errs.Error) {
	c.tell("bailey: " + visible.Path(e.Message()) + ".")
	if h := e.HintText(); h != "" {
		c.tell("  Hint: " + visible.Path(h))
	}
}

// print prints a line of Bailey's own, broken between words on a terminal.
func (c *cli) print(line string) {
	for _, l := range broken(line, c.screen.columns) {
		c.out.WriteString(l + "\n")
	}
}

// tell prints one on standard error.
func (c *cli) tell(line string) {
	for _, l := range broken(line, c.screen.errColumns) {
		fmt.Fprintln(c.errOut, l)
	}
}

// broken breaks a line as [visible.Wrap] does, and indents what follows by as much
// as it is indented itself, and a bit more.
func broken(line string, columns int) []string {
	const more = 2
	indent := strings.Repeat(" ", len(line)-len(strings.TrimLeft(line, " "))+more)
	lines := wrap(line, columns-len(indent))
	if columns > 0 && visible.Width(line) <= columns {
		lines = []string{line}
	}
	for i := range lines[1:] {
		lines[i+1] = indent + lines[i+1]
	}
	return lines
}

// bound is a blank at which nothing is broken. wrap makes it one like others; it
// comes from nowhere else, because package visible lets none through.
const bound = "\u00a0"

// wrap is [visible.Wrap] that leaves a command in backquotes whole, so that it can
// be copied, where a line has room for it.
func wrap(s string, columns int) []string {
	parts := strings.Split(s, "`")
	for i := 1; i < len(parts)-1; i += 2 {
		if visible.Width(parts[i])+len("``") <= columns {
			parts[i] = strings.ReplaceAll(parts[i], " ", bound)
		}
	}
	lines := visible.Wrap(strings.Join(parts, "`"), columns)
	for i, l := range lines {
		lines[i] = strings.ReplaceAll(l, bound, " ")
	}
	return lines
}

// versionJSON is `version --json`.
type versionJSON struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}
