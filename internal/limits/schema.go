package limits

const (
	// MessageMax is the largest size limit, in bytes, that a method may declare
	// for one encoded message: a frame of 1 MiB less room for its header and for
	// the names of descriptors that ride on it.
	MessageMax = 1<<20 - 4<<10

	// HandleBytes is the size of a grant's handle: 128 random bits cannot be
	// guessed by a peer that may try a billion times a second for a century.
	HandleBytes = 16
)
