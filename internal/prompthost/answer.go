package prompthost

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// ParseResult reads all that a prompt wrote until it closed the connection.
// Everything that is not exactly an answer to s is a no with an error.
func ParseResult(b []byte, s Sheet) (Result, error) {
	if len(b) == 0 {
		return Result{Word: Lost}, errs.New(errs.WorkerCrashed, "prompthost.result").With("the prompt ended without an answer")
	}
	line, ok := bytes.CutSuffix(b, []byte("\n"))
	part := strings.Split(string(line), " ")
	if !ok || len(part) != 3 || part[1] != s.Hash {
		return malformed("not an answer to this question")
	}
	switch part[0] {
	case "no":
		if !slices.Contains([]string{Denied, TimedOut, Closed, Hidden, Lost}, part[2]) {
			return malformed("a no for a reason that does not exist")
		}
		return Result{Word: part[2]}, nil
	case "yes":
		rows, ok := s.rows(part[2])
		if !ok {
			return malformed("a yes to rows that were not offered")
		}
		return Result{Yes: true, Rows: rows}, nil
	}
	return malformed("neither yes nor no")
}

func malformed(why string) (Result, error) {
	return Result{Word: Lost}, errs.New(errs.Malformed, "prompthost.result").With(why)
}

// rows reads the list of a yes: ascending, each of them one of the sheet's, and
// the fixed ones as they stood there.
func (s Sheet) rows(list string) ([]int, bool) {
	var out []int
	for _, n := range strings.Split(list, ",") {
		i, err := strconv.Atoi(n)
		if err != nil || strconv.Itoa(i) != n || len(out) > 0 && i <= out[len(out)-1] {
			return nil, false
		}
		out = append(out, i)
	}
	i := 0
	for _, g := range s.Groups {
		for _, r := range g.Rows {
			if r.Fixed && r.Ticked != slices.Contains(out, i) {
				return nil, false
			}
			i++
		}
	}
	return out, out[0] >= 0 && out[len(out)-1] < i
}

// exchange sends the sheet and reads until the other side ends.
func exchange(ctx context.Context, conn Conn, wire []byte, timeout time.Duration) ([]byte, error) {
	var line []byte
	err := within(ctx, conn, timeout, func() (err error) {
		if _, err = conn.Write(wire); err != nil {
			return err
		}
		line, err = io.ReadAll(io.LimitReader(conn, limits.PromptAnswer+1))
		if err == nil && len(line) > limits.PromptAnswer {
			return errs.New(errs.Malformed, "prompthost.exchange").With("an answer without end")
		}
		return err
	})
	return line, err
}

// within runs f with the connection's deadline at timeout and a grace, or at the
// end of ctx.
func within(ctx context.Context, conn Conn, timeout time.Duration, f func() error) error {
	const op = "prompthost.within"
	if err := ctx.Err(); err != nil {
		return errs.Wrap(errs.Cancelled, op, err)
	}
	deadline := time.Now().Add(timeout + limits.PromptGrace)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := conn.SetDeadline(deadline); err != nil {
		return errs.Wrap(errs.Internal, op, err)
	}
	// A deadline in the past wakes whoever reads.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(0, 1)) })
	defer stop()
	err := f()
	var timedOut interface{ Timeout() bool }
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), context.Canceled):
		return errs.Wrap(errs.Cancelled, op, err)
	case ctx.Err() != nil, errors.As(err, &timedOut) && timedOut.Timeout():
		return errs.Wrap(errs.Deadline, op, err)
	}
	var typed *errs.Error
	if errors.As(err, &typed) {
		return typed
	}
	return errs.Wrap(errs.WorkerCrashed, op, err)
}

func wordOf(err error) string {
	if errs.CodeOf(err) == errs.Deadline {
		return TimedOut
	}
	return Lost
}

// pick sends the sheet and reads one line and the path behind it. A picker stays
// until the connection is closed, so nothing is read beyond the path.
func pick(ctx context.Context, conn Conn, wire []byte, timeout time.Duration) (p Picked, ok bool, err error) {
	if timeout <= 0 {
		timeout = limits.PickTimeout
	}
	err = within(ctx, conn, timeout, func() error {
		if _, err := conn.Write(wire); err != nil {
			return err
		}
		line, err := readLine(conn)
		if err != nil || line == "none" {
			return err
		}
		var n int
		if p, n, err = parsePicked(line); err != nil {
			return err
		}
		path := make([]byte, n)
		if _, err := io.ReadFull(conn, path); err != nil {
			return err
		}
		p.Path, ok = string(path), true
		if path[0] != '/' || bytes.IndexByte(path, 0) >= 0 {
			return badPick()
		}
		return nil
	})
	if err != nil {
		return Picked{}, false, err
	}
	return p, ok, nil
}

func badPick() error {
	return errs.New(errs.Malformed, "prompthost.pick").With("not a folder that was picked")
}

// readLine reads byte by byte, so that nothing behind the line is taken.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) <= limits.PromptAnswer; {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
		line = append(line, b[0])
	}
	return "", badPick()
}

// parsePicked reads "picked DEV INO PATHLEN".
func parsePicked(line string) (Picked, int, error) {
	part := strings.Split(line, " ")
	if len(part) != 4 || part[0] != "picked" || !utf8.ValidString(line) {
		return Picked{}, 0, badPick()
	}
	var n [3]uint64
	for i := range n {
		v, err := strconv.ParseUint(part[i+1], 10, 64)
		if err != nil || strconv.FormatUint(v, 10) != part[i+1] {
			return Picked{}, 0, badPick()
		}
		n[i] = v
	}
	if n[2] == 0 || n[2] > limits.PickedPath {
		return Picked{}, 0, badPick()
	}
	return Picked{Dev: n[0], Ino: n[1]}, int(n[2]), nil
}
