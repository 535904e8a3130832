// Package launch starts the core for a client: detached from the client's
// terminal, session, directory and descriptors, and with an environment that
// the caller wrote. It refuses a program that is not named by an absolute path:
// nothing is ever looked up in PATH.
//
// The started program is told `--ready-fd 3` by its caller. It writes
// one line to that descriptor when it serves ("ready"), or when it leaves the
// place to another that does already ("taken"), and closes it. If it fails
// it ends without a line, and what it said last is in [Failed.Stderr].
package launch

import "fmt"

// Command is a program to start.
type Command struct {
	// Path is absolute.
	Path string
	// Args follow the program's own name.
	Args []string
	// Env is all that it gets, as NAME=value.
	Env []string
}

// Outcome is what a started program said.
type Outcome int

const (
	// Ready: it serves.
	Ready Outcome = iota + 1
	// Taken: another one serves, or is about to.
	Taken
)

// Failed is the error of a program that ended before it was ready.
type Failed struct {
	// Exit is its exit code, -1 if a signal ended it.
	Exit int
	// Stderr is the beginning of what it wrote, at most [limits.CoreStderr]
	// bytes.
	Stderr string
}

func (f *Failed) Error() string { return fmt.Sprintf("ended with code %d before it was ready", f.Exit) }
