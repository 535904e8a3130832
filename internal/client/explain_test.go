package client

import (
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/launch"
)

// FuzzExplain: whatever a dying core wrote, the error has a known code and a
// sentence.
func FuzzExplain(f *testing.F) {
	f.Add(`{"error":{"code":"no-space","message":"The disk is full: /x","hint":""}}`, 5)
	f.Add(`{"error":{"code":"made-up","message":"m"}}`, 1)
	f.Add("panic: x\n\ngoroutine 1 [running]:", 2)
	f.Add("", -1)
	f.Add(`{"error":`, 0)
	f.Fuzz(func(t *testing.T, words string, exit int) {
		e := errs.From(explain(&launch.Failed{Exit: exit, Stderr: words}))
		if !errs.Known(e.Code) || e.Message() == "" || e.Exit() == errs.ExitOK {
			t.Fatalf("%q became %v", words, e)
		}
	})
}
