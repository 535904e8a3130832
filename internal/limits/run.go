package limits

import "time"

// Limits of `bailey sandbox run`, which runs anyone's program in the sandbox of a
// kind.
const (
	// ProgramBytes is the largest program, bytes. It is copied to memory, so that
	// nobody changes what was hashed; a static program of Go has 5 to 60 MiB.
	ProgramBytes = 128 << 20
	// ProgramHeaders is the kernel's own bound of a program's table of segments,
	// bytes (fs/binfmt_elf.c, load_elf_phdrs).
	ProgramHeaders = 64 << 10
	// ProgramArgs is how many arguments a program may be given, its name included.
	ProgramArgs = 512
	// ProgramArgBytes bounds them all together, bytes: they go to the stub in one
	// message (SandboxMessage), in base64, beside the paths of folders.
	ProgramArgBytes = 24 << 10
	// ProgramDescriptors is up to which number descriptors are looked at before a
	// program starts: none but those that it is told of may stay open.
	ProgramDescriptors = 1024
	// ProgramArgsShown is how much of them stands in the log, bytes: beside a path in
	// one detail (AuditDetail), every byte of either escaped.
	ProgramArgsShown = 2 << 10
	// ProgramDrain is how long the rest of a program's output is waited for when the
	// command was told to end: the program is gone, but nobody may be reading.
	ProgramDrain = time.Second
	// ProgramRuns is how many programs may run at once for all clients: with
	// ProgramBytes it bounds the memory of the copies to 1 GiB.
	ProgramRuns = 8
)
