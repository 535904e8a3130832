// Package codecache keeps machine code that a worker compiled, for later workers,
// which execute it: one directory for each key, with one file in it, under a parent
// of Bailey's own.
//
// Code comes in through memory that the core made ([Blank]), from a worker that is
// gone by then, and is sealed before it is looked at ([Store.Put]): what was copied
// cannot have changed since. Nothing here reads it. What a worker is given of it is a
// directory to be mounted for reading. The directory is the user's own: who may
// write there may replace Bailey itself. Only the core calls it.
package codecache

import "os"

// Name is the file's name in its directory.
const Name = "code"

// Store holds the directories.
type Store struct {
	root *os.Root
	path string
}

// Dir is one of them, open.
type Dir struct {
	// Dir is an O_PATH descriptor.
	Dir  *os.File
	Path string
}

// Close gives the descriptor back.
func (d *Dir) Close() error { return d.Dir.Close() }

// Close gives the parent back.
func (s *Store) Close() error { return s.root.Close() }
