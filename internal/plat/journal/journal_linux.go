package journal

import (
	"net"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Socket is where systemd listens.
const Socket = "/run/systemd/journal/socket"

// Send writes one entry to the journal that listens on socket. It does not
// wait for the journal to store it. errs.NotSupported where nobody listens.
func Send(socket string, fields ...Field) error {
	msg, err := encode(fields)
	if err != nil {
		return err
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return errs.Wrap(errs.NotSupported, "journal.send", err)
	}
	defer c.Close()
	// A journal that is stopped lets its queue fill up, and a datagram then
	// blocks.
	if err := c.SetWriteDeadline(time.Now().Add(limits.JournalWait)); err != nil {
		return errs.Wrap(errs.NotSupported, "journal.send", err)
	}
	if _, err := c.Write(msg); err != nil {
		return errs.Wrap(errs.NotSupported, "journal.send", err)
	}
	return nil
}
