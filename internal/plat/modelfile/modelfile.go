// Package modelfile opens the files of models: the one that a person names,
// once, as what it is and nothing else; and those of the store, whose identity
// says whether the bytes are those that were hashed, and which can be watched.
//
// [OpenSource] opens regular files only, and touches nothing else: a device is
// not opened to find out that it is one. A [Watcher] holds read leases (fcntl(2),
// F_SETLEASE): while one holds, nobody has the file open for writing, and whoever
// tries to open it so is held up by the kernel until the lease is given back,
// at most /proc/sys/fs/lease-break-time. So what is told of an attempt can end
// its use before one byte is changed.
//
// It reads no content. Package models calls it, and the inspect worker for
// [HandedOver].
package modelfile

import "os"

// File is an open regular file, for reading.
type File struct {
	*os.File
	// Path is its real path; empty for a file of the store.
	Path string
	// Identity is what it was when it was opened.
	Identity Identity
}

// Identity tells whether a file is the same and was not written since: any write
// sets Ctime, and nothing but the system's clock can set it back. Times are
// nanoseconds.
type Identity struct {
	Device uint64 `json:"device"`
	Inode  uint64 `json:"inode"`
	Size   uint64 `json:"size"`
	Mtime  int64  `json:"mtime"`
	Ctime  int64  `json:"ctime"`
}
