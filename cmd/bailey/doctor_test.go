package main

import (
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
)

// What there is of a card is said, and that it is not used; it is no fault.
func TestDoctorGraphics(t *testing.T) {
	for _, c := range []struct {
		node, reason, want string
	}{
		{"/dev/dri/renderD128", "", "/dev/dri/renderD128, not used in this release: models run on the processor"},
		{"", "this system has none", "not usable: this system has none; models run on the processor"},
	} {
		d := &doctorJSON{OK: true}
		doctorGraphics(d, func() (string, error) {
			if c.node == "" {
				return "", errs.New(errs.NotSupported, "test").With(c.reason)
			}
			return c.node, nil
		})
		if len(d.Checks) != 1 || !d.OK || !d.Checks[0].OK || d.Checks[0].Detail != c.want {
			t.Errorf("%+v", d)
		}
	}
}
