//go:build linux

package sandbox

import (
	"encoding/binary"
	"runtime"
	"runtime/debug"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// executeForeign seals the calling thread, and executes the program from the
// one address that may.
func executeForeign(spec workerspec.Spec, argv, env []string) error {
	if runtime.GOARCH != "amd64" {
		return unix.ENOSYS
	}
	// What the kernel reads must stay where it is, and nothing may want a call
	// that the filter refuses.
	debug.SetGCPercent(-1)
	empty, err := unix.BytePtrFromString("")
	if err != nil {
		return err
	}
	argp, err := pointers(argv)
	if err != nil {
		return err
	}
	envp, err := pointers(env)
	if err != nil {
		return err
	}
	page, err := randomPage()
	if err != nil {
		return err
	}
	size := uintptr(unix.Getpagesize())
	at, _, e := unix.Syscall6(unix.SYS_MMAP, page, size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_FIXED_NOREPLACE, ^uintptr(0), 0)
	if e != 0 {
		return e
	}
	result, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	var code []byte
	load := func(opcode []byte, v uintptr) {
		code = binary.LittleEndian.AppendUint64(append(code, opcode...), uint64(v))
	}
	load([]byte{0x48, 0xb8}, unix.SYS_EXECVEAT)                   // movabs rax
	load([]byte{0x48, 0xbf}, binaryFD)                            // movabs rdi
	load([]byte{0x48, 0xbe}, uintptr(unsafe.Pointer(empty)))      // movabs rsi
	load([]byte{0x48, 0xba}, uintptr(unsafe.Pointer(&argp[0])))   // movabs rdx
	load([]byte{0x49, 0xba}, uintptr(unsafe.Pointer(&envp[0])))   // movabs r10
	load([]byte{0x49, 0xb8}, unix.AT_EMPTY_PATH)                  // movabs r8
	code = append(code, 0x0f, 0x05)                               // syscall
	address := uint64(at) + uint64(len(code))                     // what the kernel sees
	load([]byte{0x48, 0xb9}, uintptr(unsafe.Pointer(&result[0]))) // movabs rcx
	code = append(code, 0x48, 0x89, 0x01, 0xc3)                   // mov [rcx], rax; ret
	copy(unsafe.Slice((*byte)(unsafe.Add(nil, at)), int(size)), code)
	if _, _, e := unix.Syscall(unix.SYS_MPROTECT, at, size, unix.PROT_READ|unix.PROT_EXEC); e != 0 {
		return e
	}
	prog, err := foreignFilter(spec, native(), uint32(unix.Getpid()), address)
	if err != nil {
		return err
	}
	if err := seccompFilter(program(prog), 0); err != nil {
		return err
	}
	// A func value is a pointer to a pointer to code.
	entry := &at
	(*(*func())(unsafe.Pointer(&entry)))()
	runtime.KeepAlive(argp)
	runtime.KeepAlive(envp)
	runtime.KeepAlive(empty)
	return unix.Errno(-int64(binary.LittleEndian.Uint64(result)))
}
