// Package dirfd reads directories and files beneath an open directory, by
// descriptor and single name, never by path.
//
// It is for code that walks a tree which it does not trust. It refuses to
// follow links, and opening never waits, whatever the name turns out to be: a
// pipe, a device, a name swapped since it was listed. It needs only openat,
// fstat, getdents64 and read, the calls that are left at every sandbox level.
// Any package above plat may call it; there is no way to write here.
package dirfd

import "io"

// Kind is what a name stands for.
type Kind uint8

// The kinds. Unknown means that the file system did not say: open it and ask
// [Info].
const (
	Unknown Kind = iota
	Regular
	Directory
	Link
	Other
)

// Name is an entry of a directory.
type Name struct {
	// Name has no slash and is not "." or ".."; any other bytes may be in it.
	Name string
	Kind Kind
}

// Info describes what is open.
type Info struct {
	Kind   Kind
	Size   int64 // bytes
	MTime  int64 // last change of content, ns since 1970
	CTime  int64 // last change of content or metadata, ns since 1970
	Inode  uint64
	Device uint64
}

// Dir is an open directory. It is not safe for concurrent use.
type Dir struct {
	fd     int
	closed bool
}

// File is an open file. It is not safe for concurrent use.
type File struct {
	fd     int
	closed bool
}

// Failure sorts the errors of this package by what they mean to a reader.
type Failure uint8

// The failures.
const (
	FailedIO Failure = iota
	FailedGone
	FailedDenied
	FailedLink
	FailedKind
	FailedSpace // too many descriptors
)

var _ io.ReadCloser = (*File)(nil)
