package limits

// Files of Bailey's own state.
const (
	// StateName caps one name below a state directory (NAME_MAX is 255; the
	// rest is for the suffix of a file that is being published).
	StateName = 200
	// StateEntries caps a listing of a state directory: none of ours holds
	// more, and a planted million of files must not fill the core.
	StateEntries = 100_000
	// KeyFile caps one key file in bytes: the largest is an encoded signer of
	// less than 300 bytes.
	KeyFile = 4096
	// LockHolder is how many bytes of a lock's file are read: a process number has
	// at most ten digits.
	LockHolder = 16
)
