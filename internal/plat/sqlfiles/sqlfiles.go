// Package sqlfiles makes SQLite look at files by opening them, never at paths, so
// that a worker's filter can refuse every call that tells what is at a path.
//
// SQLite asks stat, access, lstat, readlink and getcwd: whether a journal is there,
// what mode a new one is to have, whether its file was moved. With [Use] the first
// two open the file and ask the descriptor; the others are not asked, because the
// name of a database is taken as it is: relative to the directory that the worker
// was born in, or absolute. A link in the place of a database's file is refused.
//
// Closing any descriptor of a file would give up the POSIX locks on it (fcntl(2)),
// so that the locks are those of open file descriptions, where the file system has
// them.
//
// A worker's main calls Use, once, before it opens a database; it changes SQLite
// for the whole process.
package sqlfiles
