package workerspec

import "github.com/bailey-run/bailey/internal/limits"

// reserved is a kind of class plain that no service uses yet: it opens nothing,
// and works on what it is handed.
func reserved(kind string, handed []Handed, more ...[]Syscall) Spec {
	return Spec{
		Kind:        kind,
		Class:       Plain,
		Program:     WorkerProgram,
		Descriptors: standard(),
		Handed:      handed,
		Syscalls:    join(append([][]Syscall{goRuntime(), connection(), readDescriptor()}, more...)...),
		Limits: Limits{
			OpenFiles: limits.StreamOpenFiles,
			FileSize:  limits.StreamFileSize,
			Processes: limits.WorkerThreads,
			Data:      limits.StreamMemory,
		},
		Methods:  workerMethods(),
		Required: Layers(),
		Probes:   join(opensNothing(), underLandlock(true), makesNothing(), makesNoCode()),
		Reserved: true,
	}
}

// file reads, writes, lists and watches the one directory that it is given, and
// keeps before-images in a journal of its own.
func file() Spec {
	s := reserved("file", []Handed{{"file", "a single file of a person's"}})
	s.Mounts = []Mount{{Target: "/grant", Write: true, Choice: true}, {Target: "/db", Write: true, Own: true}}
	s.Syscalls = join(goRuntime(), connection(locks()...), readFiles(), writeFiles(),
		allow("inotify_init1", "inotify_add_watch", "inotify_rm_watch"),
		// A directory that its owner can enter.
		[]Syscall{when("mkdirat", "EPERM", []Cond{{2, Equal32, 0o700}}, []Cond{{2, Equal32, 0o755}}, []Cond{{2, Equal32, 0o777}})})
	s.Limits.FileSize, s.Limits.Data = limits.FileFileSize, limits.FileMemory
	s.Probes = join(findsNothing(), keepsFolder(), []Probe{probe("link out of /db", "EPERM")}, underLandlock(false), makesNothing(), makesNoCode())
	return s
}

// audio takes sound from the system's audio server, over a connection that the
// core made.
func audio() Spec { return reserved("audio", []Handed{{"socket", "the audio server"}}) }

// mcp speaks MCP on both sides: to a server, and to who asked for it.
func mcp() Spec {
	pipe := func(what string) Handed { return Handed{"pipe", what} }
	return reserved("mcp", []Handed{pipe("what the server says"), pipe("to the server"), pipe("what the client says"), pipe("to the client")})
}

// gate serves a socket that the core listens on. It can make none itself, and what
// it takes from that one is all that it ever has.
func gate() Spec {
	return reserved("gate", []Handed{{"socket", "a socket that listens on the loopback"}},
		allow("accept4"), []Syscall{when("setsockopt", "EPERM", socketOptions()...)})
}

// network is the one kind with a network, which is the host's. It has nothing else:
// it connects, and neither listens nor sees a file or another process's socket.
// Which address it may connect to no filter sees: that is the kind's own work.
func network() Spec {
	s := reserved("net", nil, allow("connect"), []Syscall{
		when("sendto", "EPERM", []Cond{{3, NoBits, msgOOB}}),
		when("recvfrom", "EPERM", []Cond{{3, NoBits, msgOOB}}),
		when("socket", "EPERM", internetSockets()...),
		when("setsockopt", "EPERM", socketOptions()...),
	})
	s.Sockets = []string{"AF_INET", "AF_INET6"}
	s.Required = layersBut(NetNamespace)
	s.Probes = join(opensNothing(), underLandlock(true), connectsOnly(), makesNoProcess(), makesNoCode())
	return s
}

// layersBut are all layers but one.
func layersBut(l Layer) []Layer {
	var all []Layer
	for _, other := range Layers() {
		if other != l {
			all = append(all, other)
		}
	}
	return all
}

// internetSockets are the sockets of TCP and UDP, by every combination that
// programs ask for them in. MPTCP, which Landlock does not know, is another
// protocol.
func internetSockets() [][]Cond {
	var any [][]Cond
	for _, family := range []uint64{afInet, afInet6} {
		for _, kind := range []struct{ typ, protocol uint64 }{{sockStream, protocolTCP}, {sockDgram, protocolUDP}} {
			for _, flags := range []uint64{0, sockCloexec, sockNonblock, sockCloexec | sockNonblock} {
				for _, protocol := range []uint64{0, kind.protocol} {
					any = append(any, []Cond{{0, Equal32, family}, {1, Equal32, kind.typ | flags}, {2, Equal32, protocol}})
				}
			}
		}
	}
	return any
}

// socketOptions are those that Go's net package sets of itself. None of them brings
// code into the kernel, or changes what the socket is. Not SO_SNDBUF: what is in that
// buffer leaves after the worker's end, so its size is the kernel's own.
func socketOptions() [][]Cond {
	var any [][]Cond
	for _, o := range []struct{ level, name uint64 }{
		{solSocket, soReuseaddr}, {solSocket, soBroadcast}, {solSocket, soRcvbuf}, {solSocket, soKeepalive}, {solSocket, soLinger},
		{protocolTCP, tcpNodelay}, {protocolTCP, tcpKeepidle}, {protocolTCP, tcpKeepintvl}, {protocolTCP, tcpKeepcnt},
		{protocolIPv6, ipv6Only},
	} {
		any = append(any, []Cond{{1, Equal32, o.level}, {2, Equal32, o.name}})
	}
	return any
}

// Of the kernel's interface for sockets. A test in package sandbox compares them
// with x/sys.
const (
	afInet       = 2
	afInet6      = 10
	sockStream   = 1
	sockDgram    = 2
	sockSeqpack  = 5
	sockNonblock = 0x800
	sockCloexec  = 0x80000

	protocolTCP  = 6
	protocolUDP  = 17
	protocolIPv6 = 41

	solSocket    = 1
	soReuseaddr  = 2
	soType       = 3
	soError      = 4
	soBroadcast  = 6
	soSndbuf     = 7
	soRcvbuf     = 8
	soKeepalive  = 9
	soLinger     = 13
	tcpNodelay   = 1
	tcpKeepidle  = 4
	tcpKeepintvl = 5
	tcpKeepcnt   = 6
	ipv6Only     = 26
)
