// Package desktop is what the core knows of a person's desktop: where windows
// can be shown, how the person has set it up (dark or light, size of text,
// contrast, motion), the portal that lets a folder be picked, and the way to
// the accessibility registry.
//
// All of it comes from outside: a client says where the display is, the session
// bus says the rest, and whoever answers there need not be what it says it is.
// So nothing here is believed further than its type: paths are checked before
// use, replies are bounded and decoded into the few values that are known, a
// folder that the portal names is only a claim, and without a display, a bus or
// a portal there are defaults or an error with a hint, never a wait without an
// end.
//
// Who may call it: the core. The windows and prompts never see the session bus;
// they get the values.
package desktop

import (
	"strconv"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// A Display says where a window can be shown and whom to ask about the desktop.
// It comes with a request of a client, from the client's own environment (read
// in package env), so it is a claim until [Display.Check].
type Display struct {
	// Wayland is the absolute path of the compositor's socket, "" where there is
	// none. Where it is set a window gets this socket and no X11.
	Wayland string
	// X11 is a local display of the X Window System, such as ":0".
	X11 string
	// XAuthority is the file with the cookies of X11, "" for none.
	XAuthority string
	// SessionBus is DBUS_SESSION_BUS_ADDRESS.
	SessionBus string
	// Language is the locale of messages, such as "de_DE.UTF-8".
	Language string
}

// xSocketDir is where the servers of X11 have their sockets.
const xSocketDir = "/tmp/.X11-unix"

// XSocket is the socket of the X11 display. Errors: errs.DisplayMissing for a
// display that is not of this machine, or is no display.
func (d Display) XSocket() (string, error) {
	n, err := d.xNumber()
	if err != nil {
		return "", err
	}
	return xSocketDir + "/X" + n, nil
}

// xNumber takes the forms ":N", ":N.S", "unix:N" and "unix:N.S". Any other host
// means TCP.
func (d Display) xNumber() (string, error) {
	const op = "desktop.x11"
	host, rest, ok := strings.Cut(d.X11, ":")
	if !ok {
		return "", errs.New(errs.DisplayMissing, op).With("DISPLAY is not the name of a display")
	}
	if host != "" && host != "unix" {
		return "", errs.New(errs.DisplayMissing, op).With("DISPLAY leads over a network").
			WithHint("a display of this machine is needed, such as DISPLAY=:0; over ssh use the commands on the terminal")
	}
	n, screen, hasScreen := strings.Cut(rest, ".")
	if !number(n) || hasScreen && !number(screen) {
		return "", errs.New(errs.DisplayMissing, op).With("DISPLAY is not the name of a display")
	}
	return n, nil
}

// number: decimal, without zeros in front, below [limits.XDisplays].
func number(s string) bool {
	n, err := strconv.ParseUint(s, 10, 32)
	return err == nil && n < limits.XDisplays && strconv.FormatUint(n, 10) == s
}
