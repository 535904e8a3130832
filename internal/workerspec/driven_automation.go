//go:build automation

package workerspec

// driven lets the window for tests listen on the loopback of its own network
// namespace, which is how WebKit's driver reaches it.
func driven() []string { return []string{"AF_INET"} }
