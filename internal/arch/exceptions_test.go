package arch

// exception lets one offence through, with the reason. path is a file or a
// directory; what is a part of the violation's text.
type exception struct{ rule, path, what, reason string }

func exceptions() []exception {
	return []exception{
		{"system", "internal/clock", "golang.org/x/sys/unix", "the boot clock has no other way in, and a leaf may not import plat"},
		{"system", "internal/supervise", "imports os", "it owns the pipes and process descriptors of the workers that it starts"},
		{"system", "internal/hosts", "imports os", "it owns the pipes of the hosts that it starts, and is handed their programs open"},
		{"system", "internal/hosts", "imports net", "a host's one connection is a stream of a socketpair, on which descriptors ride"},
		{"system", "internal/hosts", "imports golang.org/x/sys/unix", "the pair has to be made in one call with its flags, and what a host is given is opened by O_PATH without links"},
		{"system", "internal/service/sandbox", "imports os", "a program and its streams come with the call as open files, which it checks, hands on and closes"},
		{"system", "internal/window", "imports os", "the ends of pipes that pages read are open files"},
		{"system", "internal/window", "imports net", "a host's one connection is a stream of a socketpair, on which descriptors ride"},
		{"system", "internal/core/core.go", "imports os", "it hands the worker's binary, opened once, to each start"},
		{"system", "internal/workerkit/run.go", "imports os", "a worker's words go to the standard error that it was born with"},
		{"system", "internal/workerkit/peer.go", "imports os", "the end of a socket that the core made comes as an open file"},
		{"system", "internal/core/core.go", "imports net", "it accepts on the one listening socket, which plat/peer made"},
		{"system", "internal/worker/index/store/store.go", "imports os", "it removes its own damaged database from the directory that is the worker's alone"},
		{"system", "internal/worker/store/files.go", "imports os", "it sets its own damaged database aside, and overwrites what was erased, in the directory that is the worker's alone"},
		{"system", "internal/worker/engine", "imports os", "a model comes to an engine as an open file, and llama reads the directory of its libraries before the seal"},
		{"state", "internal/worker/pdf/pdfium/module_unsafe.go", "pdfiumModule", "it is go-pdfium's, by its name in there, and nobody writes it"},
		{"numbers", "internal/worker/index/language/words.go", "a size without a name", "its shifts are bits, one for each language"},
		{"numbers", "internal/auditlog/record.go", "number 9999", "the last year that RFC 3339 can write"},
		{"numbers", "internal/plat/sandbox/filter.go", "number 4095", "the kernel's BPF_MAXINSNS less one, cited beside it"},
	}
}
