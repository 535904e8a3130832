package cores

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/cpu"
)

// Features names the processor's kind and abilities, for what was compiled for one
// and may be run on another.
func Features() string {
	switch runtime.GOARCH {
	case "amd64":
		return fmt.Sprintf("amd64 %+v", cpu.X86)
	case "arm64":
		return fmt.Sprintf("arm64 %+v", cpu.ARM64)
	}
	return runtime.GOARCH
}
