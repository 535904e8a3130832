//go:build !automation

package workerspec

// driven are the address families that a window needs besides so that a test can
// drive it. No release has any.
func driven() []string { return nil }
