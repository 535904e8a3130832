package usage

import "golang.org/x/sys/unix"

// Resident returns the most resident memory that the process had so far, in bytes;
// 0 when the system does not say. What it has now only /proc tells; an engine
// holds what it has loaded, so that the two differ little.
func Resident() uint64 {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil || u.Maxrss < 0 {
		return 0
	}
	const unit = 1024 // getrusage(2): in kilobytes
	return uint64(u.Maxrss) * unit
}
