// Package passfd hands descriptors to another process: over a unix socket, with
// the bytes that name them, and what is handed over: memory that nobody can
// change any more ([Blob]) and the reading end of a pipe ([Pipe]).
//
// It never takes descriptors in. Whoever reads the same socket by Read is given
// the bytes alone; the kernel closes what rode on them.
//
// Packages window and apps call it.
package passfd

import "os"

// Blob is memory that was filled once and is sealed against every change. It
// has no name in the file system.
type Blob struct {
	file *os.File
}

// Close gives the memory back, once those who were handed it have closed it too.
func (b *Blob) Close() error { return b.file.Close() }
