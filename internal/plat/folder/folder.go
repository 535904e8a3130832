// Package folder opens the directories that a person names, once, and says
// what was opened. What is granted is the descriptor; the path is for reading
// by people, and is never resolved again to find the object.
//
// Only the core calls it. Files inside the directory are none of its business:
// the worker that is given the directory opens them.
package folder

import (
	"os"
	"path/filepath"

	"github.com/bailey-run/bailey/internal/capability"
)

// Folder is an opened directory.
type Folder struct {
	// Dir is an O_PATH descriptor of the directory: it can be mounted and
	// compared, but not read.
	Dir *os.File
	// Path is where it stood when it was opened, without links.
	Path string
	// Renamed is whether the caller's path named it by another way.
	Renamed bool
	Object  capability.Object
	// System are the directories below it, relative to it, where the kernel's own
	// state is mounted: the folder may be given, and they may not.
	System []string
}

// Real is a directory's path without links, as a [Folder] has it, or path itself
// where nobody can tell. It grants nothing: it is for words.
func Real(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return path
}

// Close gives the descriptor back.
func (f *Folder) Close() error { return f.Dir.Close() }
