package hostile

import (
	"testing"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// TestWindowsProgram (row 39, CVE-2019-5736): a window that was taken over changes the
// program that the next one is made of, which may be a file of the person's. It has no
// list of calls that it may make, so that a mount alone refuses it. Windows are refused
// to root.
func TestWindowsProgram(t *testing.T) {
	bin := attacker(t)
	full, control := "full", "without:"+string(workerspec.EmptyRoot)
	for _, u := range users(t) {
		if u.root {
			continue
		}
		var runs []run
		attacks := []string{"write own binary", "mode of own binary", "times of own binary"}
		for _, a := range attacks {
			runs = append(runs, run{a, "window", full}, run{a, "window", control})
		}
		results := launch(t, u, bin, runs)
		for _, a := range attacks {
			if got := results[run{a, "window", full}]; got.name() != "EROFS" || got.Posture != "" {
				t.Errorf("%s: %s %q, posture %q", a, got.name(), got.Got, got.Posture)
			}
			if got := results[run{a, "window", control}]; got.name() != "OK" {
				t.Errorf("%s: control run: %s %q", a, got.name(), got.Got)
			}
		}
	}
}
