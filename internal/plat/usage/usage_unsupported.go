//go:build !linux

package usage

// Resident returns 0: this port has no workers yet.
func Resident() uint64 { return 0 }
