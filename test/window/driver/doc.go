// Package driver asks a page in a real window by WebDriver: which elements are
// there, where they are, and what a script says. Keys and clicks go another way,
// by the X server (test/window/desk), as a person's do.
//
// WebKit's driver reaches a window over TCP on the loopback. A window of Bailey
// has a network namespace of its own with the loopback down, so the driver runs in
// there: enter/enter.c joins the namespaces, brings the loopback up, starts the driver,
// and makes the sockets by which this process speaks to it. Only a window that
// was built with automation listens; no release does.
package driver
