// Package journal writes entries to the system's own log, which the user's
// account can append to and not edit. The audit log's anchors go there.
//
// The protocol is systemd's native one: a datagram of FIELD=value lines to
// /run/systemd/journal/socket (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).
// Where there is no such socket Send returns errs.NotSupported, and the caller
// says that the log is not anchored.
//
// It refuses values with line feeds and entries over limits.JournalDatagram.
//
// Callers: internal/audit.
package journal

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Field is one field of an entry. Names are upper-case letters, digits and
// underscores and do not start with an underscore.
type Field struct{ Name, Value string }

func encode(fields []Field) ([]byte, error) {
	var b strings.Builder
	for _, f := range fields {
		if f.Name == "" || f.Name[0] == '_' || strings.Trim(f.Name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
			return nil, errs.Wrap(errs.Internal, "journal.encode", errors.New("bad field name"))
		}
		if strings.ContainsAny(f.Value, "\n\x00") {
			return nil, errs.Wrap(errs.Internal, "journal.encode", errors.New("line feed in a value"))
		}
		fmt.Fprintf(&b, "%s=%s\n", f.Name, f.Value)
	}
	if b.Len() > limits.JournalDatagram {
		return nil, errs.New(errs.TooLarge, "journal.encode")
	}
	return []byte(b.String()), nil
}
