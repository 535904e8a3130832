// Package peer says which process is at the other end of a unix socket, by the
// kernel's word (SO_PEERCRED, unix(7)), and lets a client reach and end the core
// of its own user. It refuses a peer of any other user, root included: a socket
// that somebody else put in our place answers to nobody.
//
// For a connecting client the kernel names the process that called listen, for
// an accepting core the one that called connect.
package peer

// Peer is the process at the other end, as it was when the socket was made.
type Peer struct {
	PID int
	UID int
}

// Nobody is the error of [Dial] when no process listens at a socket: it is
// missing, or stale.
type Nobody struct{}

func (Nobody) Error() string { return "nobody listens" }
