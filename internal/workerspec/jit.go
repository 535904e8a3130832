package workerspec

import (
	"slices"

	"github.com/bailey-run/bailey/internal/limits"
)

// pdfMethods is the first number of bailey.pdf.v1.
const pdfMethods = 1201

// pdf takes the text out of one file that it is handed. Its reader is compiled to
// machine code: when the worker starts, or before, in which case the code stands
// in /cache. What it needs of that it reads, and makes executable, before it seals
// itself; after that it opens nothing and makes no code, whatever a document does.
func pdf() Spec {
	return Spec{
		Kind:        "pdf",
		Class:       JIT,
		Program:     WorkerProgram,
		Mounts:      []Mount{{Target: "/cache", Own: true, Optional: true}},
		Descriptors: standard(),
		Handed: []Handed{{"file", "the document, for reading"}, {"socket", "the index worker that it reads for"},
			{"file", "memory for the machine code, of a worker that is handed nothing else"}},
		Syscalls: join(goRuntime(), connection(), readDescriptor()),
		Limits: Limits{
			OpenFiles: limits.InspectOpenFiles,
			FileSize:  limits.PDFFileSize,
			Processes: limits.WorkerThreads,
			Data:      limits.PDFMemory,
		},
		Methods:  append(workerMethods(), pdfMethods, pdfMethods+1, pdfMethods+2),
		Required: Layers(),
		Probes: join(opensNothing(), []Probe{early("create in /cache", "EACCES", "EROFS", "ENOENT"), probe("open /cache", "EPERM")},
			underLandlock(true), makesNothing(), makesNoCode()),
	}
}

// plugin runs WASM, and scripts on top of it, with the host functions that it was
// granted, which are calls to the core. It has nothing else. What it compiles comes
// with calls, so that it makes code for as long as it lives.
func plugin() Spec {
	s := pdf()
	s.Kind, s.Mounts, s.Handed, s.Methods, s.Reserved = "plugin", nil, nil, workerMethods(), true
	s.Syscalls = join(compiling(goRuntime()), connection(), readDescriptor())
	s.Limits.FileSize, s.Limits.Data = limits.StreamFileSize, limits.PluginMemory
	s.Probes = join(opensNothing(), underLandlock(true), makesNothing(), makesCode())
	return s
}

// compiling replaces the rule for mprotect by that of a compiler at run time:
// pages that were written become code, and are never both. wazero, on amd64 and
// on arm64, maps private anonymous memory for reading and writing, writes its
// code, and calls mprotect with PROT_READ|PROT_EXEC, once for each module
// (internal/platform/mmap_linux.go and mmap_unix.go). It never maps code at once,
// and takes no page that is code back for writing.
func compiling(calls []Syscall) []Syscall {
	i := slices.IndexFunc(calls, func(c Syscall) bool { return c.Name == "mprotect" })
	calls[i] = when("mprotect", "EACCES", []Cond{{2, Equal, protRead | protWrite}}, []Cond{{2, Equal, protRead | protExec}})
	return calls
}
