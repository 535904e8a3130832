// Package passfd hands descriptors to another process: over a unix socket, with
// the bytes that name them, and what is handed over: memory that nobody can
// change any more ([Sealed]) and the reading end of a pipe ([Pipe]).
//
// It never takes descriptors in. Whoever reads the same socket by Read is given
// the bytes alone; the kernel closes what rode on them.
//
// Package window calls it.
package passfd
