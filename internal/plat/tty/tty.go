// Package tty talks to the person at a terminal: how wide it is, what was typed,
// and that nothing typed before a question was shown counts as its answer.
//
// [Open] takes a terminal only if the program's input and error output are both
// that one terminal and the program is in its foreground. /dev/tty is not
// opened on purpose: a command whose input was redirected belongs to a script, and
// `</dev/null` has to be a way to say "never ask" that scripts can rely on; a
// job in the background would stop, or take a line meant for the shell.
//
// Only package main of the command line calls it.
package tty

import "os"

// Terminal is a terminal at which a person can be asked.
type Terminal struct{ in, out *os.File }
