//go:build bailey_hostile

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func open32(path uintptr) int32

// int80 opens a file by the call gate of another architecture, past a filter
// that knows the numbers of its own only.
func int80(order) func() answer {
	b, err := unix.MmapPtr(-1, 0, nil, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_32BIT)
	if err != nil {
		return func() answer { return did(err) }
	}
	copy(unsafe.Slice((*byte)(b), 4096), "/etc/passwd\x00")
	return func() answer {
		if r := open32(uintptr(b)); r < 0 {
			return did(unix.Errno(-r))
		}
		return did(nil)
	}
}

// program is a whole ELF executable that writes text to the connection and
// ends.
func program(text string) []byte {
	code := []byte{
		0xb8, 1, 0, 0, 0, // mov eax, write
		0xbf, connFD, 0, 0, 0, // mov edi, connFD
		0xbe, 0, 0, 0, 0, // mov esi, text
		0xba, 0, 0, 0, 0, // mov edx, len
		0x0f, 0x05, // syscall
		0xb8, 60, 0, 0, 0, // mov eax, exit
		0x31, 0xff, // xor edi, edi
		0x0f, 0x05, // syscall
	}
	const base, header = 0x400000, 64 + 56
	put := func(b []byte, v uint32) {
		for i := range 4 {
			b[i] = byte(v >> (8 * i))
		}
	}
	put(code[11:], uint32(base+header+len(code)))
	put(code[16:], uint32(len(text)))
	h := make([]byte, header)
	copy(h, "\x7fELF\x02\x01\x01")
	h[16], h[18], h[20] = 2, 62, 1 // executable, x86-64, version 1
	put(h[24:], base+header)       // entry
	h[32] = 64                     // program headers at 64
	h[52], h[54], h[56] = 64, 56, 1
	p := h[64:]
	p[0], p[4] = 1, 5 // load, readable and executable
	put(p[16:], base)
	put(p[24:], base)
	size := uint32(header + len(code) + len(text))
	put(p[32:], size)
	put(p[40:], size)
	put(p[48:], 0x1000)
	return append(append(h, code...), text...)
}
