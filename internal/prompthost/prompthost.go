// Package prompthost is the core's side of the wire to bailey-prompt: it writes
// the sheet that is drawn, reads the one line that comes back, and keeps the
// time that a person has. All that is read on the sheet was worded by
// internal/consent/prompt; here are bytes only.
//
// A sheet is a run of fields: one byte of tag, the length of the text as
// little-endian uint32, the text in UTF-8 without NUL. It ends with tag 0 of
// length 0. The tags are those of [Sheet]'s fields, in fields.go. What comes
// back is one line and then the end of the connection:
//
//	yes HASH 0,2        rows 0 and 2 are allowed, counted over all groups
//	no HASH WORD        WORD is denied, timeout, closed, hidden or lost
//
// Everything else is no: another hash, a row that was not offered, one byte too
// many, silence, an end without a line. A picker answers with a path instead,
// see [Pick].
//
// It refuses (an error before anything is sent) a sheet that bailey-prompt would
// refuse. It starts and kills nothing. The core calls it to ask, and the command
// only for a notice, which asks nothing.
package prompthost

import (
	"context"
	"io"
	"time"
)

// Sheet is everything that a prompt shows, in the person's language. Names that
// somebody else chose have been through package visible.
type Sheet struct {
	// Title is the window's; Heading says who asks for what.
	Title, Heading string
	Groups         []Group
	// Denies says what is not allowed by a yes, and Stop how to end it.
	Denies, Stop []string
	// Words are the app's own, apart from Bailey's.
	Words []Words
	// Yes and No are the labels of the buttons. A sheet without Yes is a notice:
	// Denies and Stop are its paragraphs, No closes it, and every answer is a no. It
	// has no groups, no words, no wait and no warning.
	Yes, No string
	// Inert is how long nothing counts after the window was shown, got the focus
	// or changed its size; Timeout is how long a person has.
	Inert, Timeout time.Duration
	// Hash is the action hash in hex, 64 digits.
	Hash string
	// NeverEnter: Enter never says yes, for uploads, starts of programs and
	// deletions.
	NeverEnter bool
	// Unread says that there is more below; Wait that an answer does not count
	// yet; Warning, if not empty, what this display cannot promise.
	Unread, Wait, Warning string
	Look
}

// Look is how the desktop wants its windows.
type Look struct {
	// Scheme is "dark", "light" or "" where it is not known.
	Scheme string
	// Scale is the size of text in thousandths; 0 is 1000.
	Scale uint32
	// Language is a BCP 47 tag; "" is "en".
	Language                    string
	HighContrast, ReducedMotion bool
}

// Group is a heading and the rows below it.
type Group struct {
	Heading string
	Rows    []Row
}

// Row is one grant.
type Row struct {
	Ticked bool
	// Fixed rows cannot be ticked or unticked by the person.
	Fixed bool
	// Object is what it is about, shown whole: a path, a model.
	Object  string
	Details []string
}

// Words are what an app says of itself, behind a label that says so.
type Words struct{ Label, Text string }

// Result is an answer. The zero value is no.
type Result struct {
	Yes bool
	// Rows that were allowed, ascending, counted from 0 over all groups. Never
	// empty with a yes.
	Rows []int
	// Word says why not: denied, timeout, closed, hidden or lost.
	Word string
}

// The words of a no.
const (
	// Denied: the person said no.
	Denied = "denied"
	// TimedOut: nobody answered in time.
	TimedOut = "timeout"
	// Closed: the window was closed, or the prompt was told to end.
	Closed = "closed"
	// Hidden: the desktop did not show the window.
	Hidden = "hidden"
	// Lost: the prompt, its display or the caller is gone.
	Lost = "lost"
)

// Conn is the core's end of the connection, a *net.UnixConn.
type Conn interface {
	io.ReadWriter
	SetDeadline(time.Time) error
}

// Ask shows s and waits for the answer, until s.Timeout and a grace for the
// process itself are over or ctx ends. Whatever goes wrong the result is a no,
// and the error says what it was; a no of a person has no error. The caller
// kills the process afterwards in any case.
func Ask(ctx context.Context, conn Conn, s Sheet) (Result, error) {
	wire, err := s.Encode()
	if err != nil {
		return Result{Word: Lost}, err
	}
	line, err := exchange(ctx, conn, wire, s.Timeout)
	if err != nil {
		return Result{Word: wordOf(err)}, err
	}
	return ParseResult(line, s)
}

// Picked is the folder that a person chose in a picker. Nobody believes it: the
// core opens Path itself and refuses where device or inode differ. The picker
// holds its own descriptor until the connection is closed, so that the inode
// cannot have become another file's meanwhile.
type Picked struct {
	Dev, Ino uint64
	Path     string
}

// Pick lets a person choose a folder. ok is false where none was chosen. The
// connection has to stay open until the folder has been opened and compared.
func Pick(ctx context.Context, conn Conn, s Sheet) (p Picked, ok bool, err error) {
	wire, err := s.encodePicker()
	if err != nil {
		return Picked{}, false, err
	}
	return pick(ctx, conn, wire, s.Timeout)
}
