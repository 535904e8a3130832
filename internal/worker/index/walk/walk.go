// Package walk reads a granted directory: every file once, in a fixed order, by
// descriptor and single name, and says why what is not read is not.
//
// It refuses to follow links, to open what is not a file, to go below
// [limits.WalkDepth], and to read keys and password stores. It obeys .gitignore,
// .ignore and .baileyignore at every level as git does, but for such a file that
// costs too much, which it names and does not obey. The index worker calls
// it on the directory that is mounted for it; all names in there are hostile.
package walk

import (
	"context"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/dirfd"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// Options change what is read.
type Options struct {
	// Hidden reads names that begin with a dot too.
	Hidden bool
}

// Entry is a file to be read. It is open, and its fields hold, while visit runs
// and not after.
type Entry struct {
	// Path is relative to the root with slashes between; its bytes are those
	// of the file system and need not be UTF-8.
	Path string
	// Name is the last part of Path.
	Name string
	dirfd.Info
	file *dirfd.File
}

// Read implements io.Reader.
func (e *Entry) Read(p []byte) (int, error) { return e.file.Read(p) }

// File is the open file, which stays the walk's.
func (e *Entry) File() *dirfd.File { return e.file }

// PDF reports whether a name is that of a PDF, which may be larger than a text: it is
// read by pieces.
func PDF(name string) bool { return extension(strings.ToLower(name)) == "pdf" }

func largest(name string) int64 {
	if PDF(name) {
		return limits.PDFFile
	}
	return limits.TextFile
}

// Count is what a walk came by.
type Count struct {
	Files   int64 // given to visit
	Bytes   int64 // their sizes together
	Dirs    int64 // directories listed
	Ignored int64 // files that ignore files exclude, outside ignored directories
}

// Walk calls visit for each file below root in a fixed order: a directory's own
// files by name, then its directories. It calls skip, when it is not nil, for
// all that is not given to visit. It does not close root, and root can be
// walked once: open it again for the next walk.
//
// Walk ends early with ctx's error or the first error of visit. A failure
// inside the tree is a Skipped, not an error; only when root itself cannot be
// listed is that an *errs.Error (errs.FolderClosed, errs.FolderMissing).
func Walk(ctx context.Context, root *dirfd.Dir, opt Options, visit func(*Entry) error, skip func(doc.Skipped)) (Count, error) {
	w := &walker{ctx: ctx, opt: opt, visit: visit, skipped: skip, steps: limits.WalkIgnoreBurst}
	err := w.root(root)
	return w.count, err
}
