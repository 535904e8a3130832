// Package peer opens and answers the core's unix socket and says who is at the
// other end, as the kernel knows it. The core listens, clients dial; nobody
// else may call it. A peer of another user is refused before a byte is read.
package peer

// Credentials are the kernel's word on the process that connected or listens.
type Credentials struct {
	PID, UID, GID int
}
