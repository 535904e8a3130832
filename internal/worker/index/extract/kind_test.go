package extract

import (
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// The macros of a manual are looked for further down than the first word of a
// text: it may begin with white space alone.
func TestWhiteSpaceBeforeMacros(t *testing.T) {
	for _, space := range []string{" ", "\n", "\t\r\n"} {
		s := strings.Repeat(space, limits.SniffMarkup) + "\n.TH X 1\nSome words.\n"
		for _, name := range []string{"README", "x", "x.unknown"} {
			d := Extract(name, s)
			check(t, d)
			if d.Format == doc.Man || len(d.Blocks) == 0 {
				t.Errorf("%s behind %q is %s with %d blocks", name, space, d.Format, len(d.Blocks))
			}
		}
	}
	if d := Extract("README", "\n\n.TH X 1\n.SH NAME\nx\n"); d.Format != doc.Man {
		t.Errorf("a manual behind two empty lines is %s", d.Format)
	}
}
