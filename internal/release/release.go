// Package release names the release that a binary was built from, and the apps
// that belong to it. Processes of different releases refuse to talk to each
// other: both sides send [Version] in their first message.
package release

// version is set by the linker (-X .../internal/release.version=…).
var version = "dev"

// studio and panels are set by the linker: the SHA-256 of each app's archive, in
// hex. Empty = built without it.
var (
	studio = ""
	panels = ""
)

// Version is this binary's release, exactly as `bailey version` prints it. It
// never changes while a process runs.
func Version() string { return version }

// App is the digest of an app's archive, in hex; empty where this binary was
// built without the app.
func App(id string) string {
	switch id {
	case "studio":
		return studio
	case "panels":
		return panels
	}
	return ""
}
