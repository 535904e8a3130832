package walk

import (
	"context"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

type walker struct {
	ctx     context.Context
	opt     Options
	visit   func(*Entry) error
	skipped func(doc.Skipped)
	count   Count
	listed  int
	steps   int // of matching ignore rules, that are left
	entry   Entry
}

func (w *walker) skip(path string, r doc.Reason) {
	if w.skipped != nil {
		w.skipped(doc.Skip(path, r))
	}
}

func (w *walker) root(root *dirfd.Dir) error {
	const op = "walk.root"
	names, more, err := root.List(limits.WalkNames)
	if err != nil {
		if dirfd.FailureOf(err) == dirfd.FailedGone {
			return errs.Wrap(errs.FolderMissing, op, err)
		}
		return errs.Wrap(errs.FolderClosed, op, err)
	}
	if more {
		w.skip(".", doc.TooMany)
	}
	return w.dir(root, "", names, 1, nil)
}

// dir reads the directory at path ("" or ending in a slash).
func (w *walker) dir(d *dirfd.Dir, path string, names []dirfd.Name, depth int, above *rules) error {
	w.count.Dirs++
	slices.SortFunc(names, func(a, b dirfd.Name) int { return strings.Compare(a.Name, b.Name) })
	here := w.rules(d, path, names, above)
	var dirs []dirfd.Name
	for _, n := range names {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if n.Kind == dirfd.Directory {
			dirs = append(dirs, n)
			continue
		}
		isDir, err := w.file(d, path, n, here)
		if err != nil {
			return err
		}
		if isDir {
			dirs = append(dirs, n)
		}
	}
	for _, n := range dirs {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.sub(d, path, n, names, depth, here); err != nil {
			return err
		}
	}
	return nil
}

// file visits one name that is not known to be a directory; isDir reports that
// it is one.
func (w *walker) file(d *dirfd.Dir, path string, n dirfd.Name, here *rules) (isDir bool, err error) {
	full := path + n.Name
	if n.Kind == dirfd.Unknown {
		// Whether it is a directory must be known before rules are asked.
		f, err := d.File(n.Name)
		if err != nil {
			w.skip(full, reasonOf(err))
			return false, nil
		}
		info, err := f.Info()
		f.Close()
		if err != nil {
			w.skip(full, reasonOf(err))
			return false, nil
		}
		if info.Kind == dirfd.Directory {
			return true, nil
		}
		n.Kind = info.Kind
	}
	switch r := w.judgeFile(full, n, here); r {
	case doc.Read:
	case doc.Ignored:
		w.count.Ignored++
		if w.listed < limits.WalkListed {
			w.listed++
			w.skip(full, r)
		}
		return false, nil
	default:
		w.skip(full, r)
		return false, nil
	}
	f, err := d.File(n.Name)
	if err != nil {
		w.skip(full, reasonOf(err))
		return false, nil
	}
	defer f.Close()
	info, err := f.Info()
	switch {
	case err != nil:
		w.skip(full, reasonOf(err))
		return false, nil
	case info.Kind == dirfd.Directory:
		// It was something else when the directory was listed.
		w.skip(full, doc.Changed)
		return false, nil
	case info.Kind != dirfd.Regular:
		w.skip(full, doc.Special)
		return false, nil
	case info.Size > largest(n.Name):
		w.skip(full, doc.TooLarge)
		return false, nil
	case info.Size == 0:
		w.skip(full, doc.Empty)
		return false, nil
	}
	w.count.Files++
	w.count.Bytes += info.Size
	w.entry = Entry{Path: full, Name: n.Name, Info: info, file: f}
	err = w.visit(&w.entry)
	w.entry.file = nil
	return false, err
}

// judgeFile decides by name and kind alone, before anything is opened.
func (w *walker) judgeFile(full string, n dirfd.Name, here *rules) doc.Reason {
	switch {
	case n.Kind == dirfd.Link:
		return doc.Link
	case n.Kind == dirfd.Other:
		return doc.Special
	case len(full) > limits.WalkPath:
		return doc.TooDeep
	case secretFile(n.Name):
		return doc.Secret
	}
	switch w.match(here, full, false) {
	case exclude:
		return doc.Ignored
	case include:
		return doc.Read // even hidden, or with a name that says binary
	}
	switch {
	case strings.HasPrefix(n.Name, ".") && !w.opt.Hidden:
		return doc.Hidden
	case binaryName(n.Name):
		return doc.Binary
	}
	return doc.Read
}

func (w *walker) sub(d *dirfd.Dir, path string, n dirfd.Name, siblings []dirfd.Name, depth int, here *rules) error {
	full := path + n.Name
	r, wanted := w.judgeDir(full, n.Name, siblings, depth, here)
	if r != doc.Read {
		w.skip(full, r)
		return nil
	}
	sub, err := d.Dir(n.Name)
	if err != nil {
		w.skip(full, reasonOf(err))
		return nil
	}
	defer sub.Close()
	names, more, err := sub.List(limits.WalkNames)
	if err != nil {
		w.skip(full, reasonOf(err))
		return nil
	}
	if !wanted && generatedBy(names) {
		w.skip(full, doc.Generated)
		return nil
	}
	if more {
		w.skip(full, doc.TooMany)
	}
	return w.dir(sub, full+"/", names, depth+1, here)
}

// judgeDir decides by name before the directory is opened; wanted says that an
// ignore file asks for it.
func (w *walker) judgeDir(full, name string, siblings []dirfd.Name, depth int, here *rules) (r doc.Reason, wanted bool) {
	switch {
	case depth >= limits.WalkDepth || len(full) >= limits.WalkPath:
		return doc.TooDeep, false
	case secretDir(name):
		return doc.Secret, false
	case name == ".git":
		return doc.Hidden, false
	}
	switch w.match(here, full, true) {
	case exclude:
		return doc.Ignored, false
	case include:
		return doc.Read, true
	}
	switch {
	case strings.HasPrefix(name, ".") && !w.opt.Hidden:
		return doc.Hidden, false
	case generatedDir(name, siblings):
		return doc.Generated, false
	}
	return doc.Read, false
}

func reasonOf(err error) doc.Reason {
	switch dirfd.FailureOf(err) {
	case dirfd.FailedGone:
		return doc.Vanished
	case dirfd.FailedDenied:
		return doc.Unreadable
	case dirfd.FailedLink:
		return doc.Link
	case dirfd.FailedKind:
		return doc.Special
	case dirfd.FailedSpace:
		return doc.TooDeep
	}
	return doc.IOError
}
