//go:build linux && !bailey_hostile

package sandbox

import (
	"syscall"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// seam has no fields: a shipped stub cannot be told to leave out a layer. Only
// test binaries, built with the tag bailey_hostile for the control runs of
// test/hostile, have one that can.
type seam struct{}

func (seam) omits(workerspec.Layer) bool { return false }

func (seam) unwrapped() bool { return false }

func (seam) clone(*syscall.SysProcAttr) {}
