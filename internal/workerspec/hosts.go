package workerspec

import "github.com/bailey-run/bailey/internal/limits"

// The programs that are hosts.
const (
	WindowProgram = "bailey-window"
	PromptProgram = "bailey-prompt"
	// ProxyProgram is the system's.
	ProxyProgram = "xdg-dbus-proxy"
)

// Where the things of a display stand in a host's root. What is not given is not
// there.
const (
	WaylandTarget       = "/run/wayland-0"
	X11Target           = "/tmp/.X11-unix/X" // and the display's number
	XAuthorityTarget    = "/run/xauthority"
	AccessibilityTarget = "/run/at-spi"
	// SocketsTarget is the directory in which the proxy makes its one socket.
	SocketsTarget = "/run/sockets"
)

// Scratch is an empty file system in memory.
type Scratch struct {
	Path string
	// Bytes bounds what it can hold.
	Bytes int
}

// Surroundings are what stands in the root of a host, or of a tool. Its libraries
// are the system's, hundreds of files, so that it sees the system's directories,
// and no person's but those of its mounts.
type Surroundings struct {
	// System are directories and files of the system that everybody may read, at
	// the same place and read-only; one that the system has not got is left out.
	System []string
	// Scratch are what it may write: gone with it.
	Scratch []Scratch
	// Empty are directories that must exist and hold nothing.
	Empty []string
	// Proc says that it sees its own pid namespace in /proc.
	Proc bool
	// Display says that sockets of a display may be given at its start.
	Display bool
	// Proxy says that it stands before the accessibility bus: that bus's socket may
	// be given at its start, and a directory for the socket that it makes.
	Proxy bool
	// Persons says that it sees the files of the person, for reading alone. The
	// one kind that does has nothing else to do.
	Persons bool
	// EnvNames may be in its environment besides Env.
	EnvNames []string
	// Nests says that it makes sandboxes of its own inside its sandbox. The
	// filter and Landlock then leave mounts and namespaces alone, in which it has
	// nothing to mount but what it sees anyway.
	Nests bool
}

// Hosts returns the spec of every kind of host: a process that draws, or that
// speaks for one. The caller owns the result.
func Hosts() []Spec { return []Spec{window(), prompt(), picker(), proxy()} }

// hostDescriptors are the descriptors of every host.
func hostDescriptors() []Descriptor {
	d := standard()
	d[3].For = "the one connection to the core: frames, or a question"
	return d
}

// librariesOfSystem are what a program of the system's is linked to.
func librariesOfSystem() []string {
	return []string{"/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache"}
}

// libraries and data of the system that a program on GTK reads.
func systemFiles() []string {
	return []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
		"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives",
		"/etc/fonts", "/etc/gtk-4.0", "/etc/localtime", "/var/cache/fontconfig"}
}

func hostEnv(more ...string) []string {
	return append([]string{"XDG_RUNTIME_DIR=/run", "GSK_RENDERER=cairo", "GIO_USE_VFS=local", "GSETTINGS_BACKEND=memory"}, more...)
}

func displayNames() []string {
	return []string{"LANG", "GDK_BACKEND", "WAYLAND_DISPLAY", "DISPLAY", "XAUTHORITY", "AT_SPI_BUS_ADDRESS", "GTK_A11Y"}
}

// hostLayers are the layers of every host.
func hostLayers(more ...Layer) []Layer {
	return append([]Layer{UserNamespace, MountNamespace, PIDNamespace, NetNamespace, IPCNamespace, UTSNamespace, EmptyRoot,
		Landlock, NoNewPrivs, NoCapabilities, ResourceLimits, SeccompCompat, ParentDeath}, more...)
}

// window shows web content by WebKitGTK, whose own sandbox for a page stands in
// this one.
func window() Spec {
	return Spec{
		Kind:    "window",
		Class:   Host,
		Program: WindowProgram,
		Surroundings: &Surroundings{
			System:  systemFiles(),
			Scratch: []Scratch{{"/tmp", limits.WindowScratch}, {"/run", limits.HostRuntime}, {"/home", limits.HostRuntime}, {"/dev/shm", limits.WindowScratch}},
			// WebKit's sandbox shows them to the page, and drivers look into them.
			Empty:    []string{"/sys/block", "/sys/bus", "/sys/class", "/sys/dev", "/sys/devices"},
			Proc:     true,
			Display:  true,
			EnvNames: displayNames(),
			Nests:    true,
		},
		Env:         hostEnv("HOME=/home"),
		Descriptors: hostDescriptors(),
		// A page's sandbox wants a terminal; without one of its own that device opens
		// for nobody.
		Devices: append(hostDevices(), "/dev/tty"),
		// Netlink is how the sandbox of a page brings up the loopback of a network
		// namespace in which there is nothing else.
		Sockets: append([]string{"AF_UNIX", "AF_NETLINK"}, driven()...),
		Limits: Limits{
			OpenFiles: limits.WindowOpenFiles,
			FileSize:  limits.WindowScratch,
			Processes: limits.WindowThreads,
			Data:      limits.WindowMemory,
		},
		Required: hostLayers(),
	}
}

// prompt asks the person. It shows the core's words and no one else's program.
func prompt() Spec {
	s := Spec{
		Kind:    "prompt",
		Class:   Host,
		Program: PromptProgram,
		Surroundings: &Surroundings{
			System:   systemFiles(),
			Scratch:  []Scratch{{"/tmp", limits.HostRuntime}, {"/run", limits.HostRuntime}, {"/home", limits.HostRuntime}},
			Display:  true,
			EnvNames: displayNames(),
		},
		Env:         hostEnv("HOME=/home"),
		Descriptors: hostDescriptors(),
		Devices:     hostDevices(),
		Sockets:     []string{"AF_UNIX"},
		Syscalls:    toolkit(),
		Limits: Limits{
			OpenFiles: limits.PromptOpenFiles,
			FileSize:  limits.WindowScratch, // on Wayland a picture of the window is one
			Processes: limits.WorkerThreads,
			Data:      limits.PromptMemory,
		},
		Required: hostLayers(SeccompStrict),
	}
	return s
}

// picker lets the person choose a folder. It sees the person's files and can
// neither change one nor tell anybody but the core.
func picker() Spec {
	s := prompt()
	s.Kind = "picker"
	s.Surroundings.Persons = true
	s.Surroundings.EnvNames = append(s.Surroundings.EnvNames, "HOME")
	s.Env = hostEnv()
	return s
}

// proxy is the system's xdg-dbus-proxy, between hosts and the accessibility bus. It
// parses what a window sends, and a window may have been taken over: it sees the
// system's libraries, that one bus, and a directory with its own socket. It reads
// what it is to let through from its connection, and is looked at before.
func proxy() Spec {
	d := standard()
	d[2] = Descriptor{2, "/dev/null", "messages: to nobody"}
	d[3].For = "what is let through comes in; its end is the program's"
	return Spec{
		Kind:         "proxy",
		Class:        Host,
		Program:      ProxyProgram,
		Arguments:    []string{"--fd=3", "--args=3"},
		Surroundings: &Surroundings{System: librariesOfSystem(), Proxy: true},
		Descriptors:  d,
		Sockets:      []string{"AF_UNIX"},
		Syscalls:     busProxy(),
		// It writes no file.
		Limits:   Limits{OpenFiles: limits.A11yOpenFiles, Processes: limits.A11yThreads, Data: limits.A11yMemory},
		Required: hostLayers(SeccompStrict),
	}
}

func hostDevices() []string {
	return []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"}
}
