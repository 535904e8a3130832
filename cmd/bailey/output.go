package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
func printError(w io.Writer, e *errs.Error) {
	fmt.Fprintf(w, "bailey: %s.\n", visible.Path(e.Message()))
	if h := e.HintText(); h != "" {
		fmt.Fprintf(w, "  Hint: %s\n", visible.Path(h))
	}
}

// versionJSON is `version --json`.
type versionJSON struct {
	Version string `json:"version"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}
