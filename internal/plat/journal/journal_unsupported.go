//go:build !linux

package journal

import "github.com/bailey-run/bailey/internal/errs"

// Socket is empty where there is no systemd.
const Socket = ""

// Send refuses.
func Send(string, ...Field) error { return errs.New(errs.NotSupported, "journal.send") }
