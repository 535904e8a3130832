package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/visible"
)

// auditDir is where the home's log would be. Nothing is made: a verification
// changes nothing.
func (c *cli) auditDir(call *call) (string, error) {
	h, err := home.Locate(c.homeOptions(call))
	if err != nil {
		return "", err
	}
	return filepath.Join(h.State, audit.DirName), nil
}

// auditVerify works without a core and beside one. What is wrong with a log is
// its output, so that exit code 4 comes with the place and the reason.
func auditVerify(ctx context.Context, c *cli, call *call) error {
	anchors, err := parseAnchors(call.flags["anchor"])
	if err != nil {
		return err
	}
	rep, err := c.verify(ctx, call, anchors)
	if err != nil {
		return err
	}
	if c.json {
		if err := c.printJSON(rep); err != nil {
			return err
		}
	} else {
		c.printReport(rep)
	}
	if !rep.OK {
		return reported{errs.ExitIntegrity}
	}
	return nil
}

func (c *cli) verify(ctx context.Context, call *call, anchors []audit.Point) (audit.Report, error) {
	if len(call.args) == 0 {
		dir, err := c.auditDir(call)
		if err != nil {
			return audit.Report{}, err
		}
		rep, err := audit.Verify(ctx, dir, anchors...)
		return rep, noLog(dir, err)
	}
	name := call.args[0]
	info, err := os.Stat(name) // before it is opened: a pipe would wait for its writer
	switch {
	case err != nil:
		return audit.Report{}, fileError(name, err)
	case info.IsDir():
		// A log that was set aside, or a copy.
		return audit.Verify(ctx, name, anchors...)
	case len(anchors) > 0:
		return audit.Report{}, usage("--anchor is for a log, not for an export", "an export ends where its checkpoint does")
	case !info.Mode().IsRegular():
		return audit.Report{}, usage(visible.Path(name)+" is not a file", "name an export, or the directory of a log")
	}
	f, err := os.Open(name)
	if err != nil {
		return audit.Report{}, fileError(name, err)
	}
	defer f.Close()
	source := &reading{r: f}
	rep, err := audit.VerifyExport(ctx, source)
	if source.failed != nil {
		return audit.Report{}, fileError(name, source.failed)
	}
	return rep, err
}

// reading keeps the error of a file that cannot be read, so that it is told from
// one that is no export.
type reading struct {
	r      io.Reader
	failed error
}

func (r *reading) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		r.failed = err
	}
	return n, err
}

// noLog says which log it is that does not exist.
func noLog(dir string, err error) error {
	if errs.CodeOf(err) == errs.NotFound {
		return errs.Wrap(errs.NotFound, "cli.audit", err).With("no audit log in " + visible.Path(dir)).
			WithHint("the first command that asks for a grant begins it")
	}
	return err
}

// parseAnchors reads SIZE:ROOT, as a verification prints them.
func parseAnchors(values []string) ([]audit.Point, error) {
	var out []audit.Point
	for _, v := range values {
		size, root, ok := strings.Cut(v, ":")
		n, err := strconv.ParseUint(size, 10, 63)
		if hash, herr := base64.StdEncoding.DecodeString(root); !ok || err != nil || herr != nil || len(hash) != sha256.Size {
			return nil, usage("--anchor is SIZE:ROOT", "a number of records and a root, as `bailey audit verify` printed them earlier")
		}
		out = append(out, audit.Point{Size: n, Root: root})
	}
	return out, nil
}

func (c *cli) printReport(r audit.Report) {
	if r.OK {
		fmt.Fprintf(c.out, "The log is whole: %s, root %s.\n", count(r.Size, "record"), visible.Text(r.Root))
	} else {
		c.out.WriteString("The log is damaged")
		if r.FirstBad != nil {
			fmt.Fprintf(c.out, ": the first bad record is number %d", *r.FirstBad)
		}
		fmt.Fprintf(c.out, ".\n  %s\n", visible.Text(r.Reason))
		fmt.Fprintf(c.out, "  Good are %s, root %s.\n", count(r.Size, "record"), visible.Text(r.Root))
		fmt.Fprintf(c.out, "  The last checkpoint stood at %s, root %s.\n", count(r.LastCheckpoint.Size, "record"), visible.Text(r.LastCheckpoint.Root))
	}
	if r.Unfinished > 0 {
		fmt.Fprintf(c.out, "  Behind it are %d bytes that are just being written, or were when the power went.\n", r.Unfinished)
	}
	if r.OK {
		fmt.Fprintf(c.out, "  Anchor %d:%s\n", r.Size, visible.Text(r.Root))
	}
	fmt.Fprintf(c.out, "  Key %s\n", visible.Text(r.Key))
	for _, l := range visible.Wrap(visible.Text(r.Notice), c.screen.columns-2) {
		fmt.Fprintf(c.out, "  %s\n", l)
	}
}

// auditExport writes to standard output, or to a new file that is readable by
// the user alone; half a file never stays.
func auditExport(ctx context.Context, c *cli, call *call) (err error) {
	dir, err := c.auditDir(call)
	if err != nil {
		return err
	}
	if !call.has("out") {
		return exportTo(ctx, dir, c.out)
	}
	name := call.value("out")
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return errs.Wrap(errs.FolderMissing, "cli.file", err).With(visible.Path(filepath.Dir(name)))
	}
	if err != nil {
		return fileError(name, err)
	}
	err = exportTo(ctx, dir, f)
	if err == nil {
		if err = f.Sync(); err != nil {
			err = outputError(err)
		}
	}
	if cerr := f.Close(); err == nil && cerr != nil {
		err = outputError(cerr)
	}
	if err != nil {
		_ = os.Remove(name)
	}
	return err
}

func exportTo(ctx context.Context, dir string, w io.Writer) error {
	err := noLog(dir, audit.Export(ctx, dir, w))
	if err != nil && errs.CodeOf(err) == errs.Internal {
		return outputError(err)
	}
	return err
}

func auditSetAside(ctx context.Context, c *cli, call *call) error {
	dir, err := c.auditDir(call)
	if err != nil {
		return err
	}
	err = audit.SetAside(ctx, dir, func(r audit.Report) error {
		if call.has("yes") {
			return nil
		}
		return c.sure(ctx, "The log is whole: "+count(r.Size, "record")+". A new one begins empty, and no\npermission that was remembered counts any more. Put this one away?", "aside", "the log stays as it is")
	})
	if errs.CodeOf(err) == errs.CoreBusy {
		return errs.Wrap(errs.LogUnwritable, "cli.audit", err).With("a core of this home still has it open").WithHint("run `bailey stop`, then try again")
	}
	if err := noLog(dir, err); err != nil {
		return err
	}
	fmt.Fprintf(c.out, "The log was set aside below %s. The next command begins a new one, which names it.\n", visible.Path(dir))
	return nil
}

func fileError(name string, err error) error {
	show := visible.Path(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errs.Wrap(errs.NotFound, "cli.file", err).With(show).WithHint("check the spelling")
	case errors.Is(err, fs.ErrExist):
		return usage(show+" exists already", "name a new file: nothing is overwritten")
	case errors.Is(err, fs.ErrPermission):
		return errs.Wrap(errs.NotFound, "cli.file", err).With(show + " may not be opened").WithHint("check its owner and mode")
	}
	return errs.Wrap(errs.NotFound, "cli.file", err).With(show + " cannot be read").WithHint("name a file or a directory that can be")
}
