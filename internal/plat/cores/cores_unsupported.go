//go:build !linux

package cores

import "runtime"

func usable() int { return runtime.NumCPU() }
