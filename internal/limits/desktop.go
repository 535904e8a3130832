package limits

import "time"

// Limits of what the core takes from a person's desktop: the session bus and
// its portals, the X server's cookies, the accessibility bus.
const (
	// BusMessage is the largest message of the bus that is read, bytes, header
	// included. The largest that is asked for, all settings of a GNOME desktop,
	// is some 10 kB; the bus itself lets 128 MB through.
	BusMessage = 256 << 10
	// BusValues bounds the values of one message: an empty array takes 4 bytes
	// in the message and 40 here.
	BusValues = 8192
	// BusDepth is how deep arrays, structures and variants may nest. What is
	// asked for has 4 levels; the specification allows 64.
	BusDepth = 16
	// BusSignature is the specification's own limit, bytes.
	BusSignature = 255
	// BusName is the specification's limit of names of interfaces, members,
	// errors and of connections, bytes.
	BusName = 255
	// BusPath is the longest path of an object that is sent or believed, bytes.
	BusPath = 1024
	// BusAuthLine is the longest line of the authentication, bytes; the one that
	// matters has 36.
	BusAuthLine = 512
	// BusAddresses bounds the addresses of one bus: it has one, two at most.
	BusAddresses = 8
	// BusErrorText is what is kept of the words of an error, bytes, for logs.
	BusErrorText = 256
	// BusReply is how long the bus, the settings and the accessibility bus may
	// take; they answer in a millisecond when they run, and their start takes
	// some hundred. A window opens with defaults rather than later.
	BusReply = 2 * time.Second
	// SettingsPace is how long the settings are left alone after they were read
	// again: a person who moves a slider makes 60 changes a second.
	SettingsPace = 50 * time.Millisecond
	// PortalStart is how long the portal may take to take a request on; it is
	// started by the first one, and draws its dialog with a library that may be
	// cold. How long the person then takes is not limited here.
	PortalStart = 10 * time.Second
	// PortalURI is the longest URI of a folder that is read from the portal, bytes:
	// a path of PATH_MAX with each byte escaped.
	PortalURI = len("file://") + 3*4096
	// PickerTitle is the longest title that the portal is given, bytes.
	PickerTitle = 256
	// TextScaleLeast and TextScaleMost bound the size of text, thousandths:
	// desktops offer 500 to 3000.
	TextScaleLeast = 500
	TextScaleMost  = 3000
	// TextScaleUnit is the size of text that nobody changed, thousandths.
	TextScaleUnit = 1000

	// DisplayDial is how long a display server may take to accept a connection.
	DisplayDial = 2 * time.Second
	// SocketPath is the longest path of a unix socket, bytes: sun_path without
	// its terminator.
	SocketPath = 107
	// XDisplays is above all numbers of displays: 6000 and the number made a
	// TCP port once.
	XDisplays = 59536
	// XAuthorityFile is the largest file of X11 cookies that is read, bytes; an
	// entry takes 50.
	XAuthorityFile = 64 << 10
	// XAuthorityEntries bounds the entries that are looked at.
	XAuthorityEntries = 1024

	// A11yStart is how long the proxy of the accessibility bus may take until it
	// listens: it is one exec.
	A11yStart = 5 * time.Second
	// A11yOpenFiles is what that proxy may have open: two for each of a window's
	// connections, of which a window and its web process have three.
	A11yOpenFiles = 64
	// A11yThreads: GLib has ten at most for names and addresses, and a few more.
	A11yThreads = 64
	// A11yMemory is the most memory that it may have, bytes, the stacks of its
	// threads among it; it takes 10 MB.
	A11yMemory = 512 << 20
)
