package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/bailey-run/bailey/internal/limits"
)

// What a program is refused for. The texts go to the person who runs it.
var (
	errScript   = errors.New("it is a script, and its interpreter is not in the sandbox")
	errNoELF    = errors.New("it is no program that this machine's processor runs (ELF, 64 bits)")
	errLinked   = errors.New("it is linked to libraries, and there are none in the sandbox")
	errWritable = errors.New("it asks for memory that is writable and executable at once")
)

// checkProgram refuses a program that could not run where there is no loader, or
// that would have what no worker has: memory that is both writable and
// executable: a segment that says so, one of code that is larger than its part of the
// file, and a stack of code, which can always be written. It reads what the kernel will read, in the kernel's way (ELF-64
// Object File Format, version 1.5; fs/binfmt_elf.c). It is called by a stub,
// whose privileges are gone: the core parses no program.
func checkProgram(r io.ReaderAt) error {
	const (
		headerSize, entrySize  = 64, 56
		load, interp, gnuStack = 1, 3, 0x6474e551
		execute, write         = 1, 2
	)
	h := make([]byte, headerSize)
	n, err := r.ReadAt(h, 0)
	if n >= 2 && h[0] == '#' && h[1] == '!' {
		return errScript
	}
	if n < headerSize {
		if err != nil && err != io.EOF {
			return err
		}
		return errNoELF
	}
	machine, ok := map[string]uint16{"amd64": 62, "arm64": 183}[runtime.GOARCH]
	le := binary.LittleEndian
	// Class 64, little-endian, executable or position-independent.
	if string(h[:4]) != "\x7fELF" || h[4] != 2 || h[5] != 1 || !ok || le.Uint16(h[18:]) != machine || le.Uint16(h[16:]) != 2 && le.Uint16(h[16:]) != 3 {
		return errNoELF
	}
	at, size, count := le.Uint64(h[32:]), le.Uint16(h[54:]), le.Uint16(h[56:])
	if size != entrySize || count == 0 || int(count)*entrySize > limits.ProgramHeaders || at > limits.ProgramBytes {
		return errNoELF
	}
	table := make([]byte, int(count)*entrySize)
	if _, err := r.ReadAt(table, int64(at)); err != nil {
		return fmt.Errorf("%w: its table of segments is cut off", errNoELF)
	}
	loads := false
	for p := table; len(p) > 0; p = p[entrySize:] {
		kind, flags := le.Uint32(p), le.Uint32(p[4:])
		switch {
		case kind == interp:
			return errLinked
		case kind == load && flags&(write|execute) == write|execute, kind == gnuStack && flags&execute != 0:
			return errWritable
		// What is beyond a segment's part of the file the kernel fills with memory that
		// can be written, whatever the segment says of itself.
		case kind == load && flags&execute != 0 && le.Uint64(p[40:]) > le.Uint64(p[32:]):
			return errWritable
		}
		loads = loads || kind == load
	}
	if !loads {
		return errNoELF
	}
	return nil
}
