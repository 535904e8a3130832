// Package release names the release that a binary was built from. Processes of
// different releases refuse to talk to each other: both sides send [Version]
// in their first message.
package release

// version is set by the linker (-X .../internal/release.version=…).
var version = "dev"

// Version is this binary's release, exactly as `bailey version` prints it. It
// never changes while a process runs.
func Version() string { return version }
