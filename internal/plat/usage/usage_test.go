package usage

import (
	"runtime"
	"testing"
)

// It is a number of bytes, and grows with what the process touches.
func TestResident(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("left out: this port has no workers yet")
	}
	before := Resident()
	if before < 1<<20 {
		t.Fatalf("%d bytes, less than any Go program has", before)
	}
	b := make([]byte, 4*before)
	for i := 0; i < len(b); i += 1024 {
		b[i] = 1
	}
	if after := Resident(); after < 3*before {
		t.Fatalf("%d bytes before and %d after touching %d", before, after, len(b))
	}
	runtime.KeepAlive(b)
}
