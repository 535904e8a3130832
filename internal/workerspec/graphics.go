package workerspec

import (
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
)

// Driver is what stands in a worker's root besides its mounts so that the
// system's graphics driver can work, which is code that nobody here has read.
type Driver struct {
	// System are files and directories of the system that everybody may read, at
	// the same place and read-only; one that the system has not got is left out.
	System []string
}

// GraphicsKind is the kind of an engine that is given a graphics card.
const GraphicsKind = "graphics"

// graphics is an engine with a graphics card. It is a kind of its own, so that an
// engine without one keeps the sandbox that opens nothing. What it may do more is
// what a driver does with a model in its hands, as it was traced: look for itself
// among the system's libraries, turn what its compiler wrote into code, and speak
// to the device.
func graphics(arch string) Spec {
	s := engine(arch)
	s.Kind = GraphicsKind
	s.Class = Graphics
	s.FullOnly = true
	s.Mounts = append(s.Mounts, Mount{Target: "/graphics", Code: true})
	s.Driver = &Driver{System: driverFiles()}
	// A driver is told to keep nothing on disk, where it would look for a person's
	// home. The libraries of the engine stand before the system's.
	s.Env = append([]string{
		"GGML_NO_BACKTRACE=1", "LD_LIBRARY_PATH=" + strings.Join([]string{libraryDir(arch), "/engine", "/graphics", "/usr/lib/" + debian(arch), "/usr/lib64", "/usr/lib"}, ":"),
		"MESA_SHADER_CACHE_DISABLE=true", "__GL_SHADER_DISK_CACHE=0",
	}, standin()...)
	s.Syscalls = driverRuntime()
	s.Limits.OpenFiles = limits.GraphicsOpenFiles
	s.Probes = join(findsNothing(), []Probe{
		probe("open "+libraryDir(arch)+"/libc.so.6 for writing", "EACCES", "EROFS"),
		probe("create in /engine", "EACCES", "EROFS"),
		probe("create in /graphics", "EACCES", "EROFS"),
		probe("create in /usr/lib", "EACCES", "EROFS"),
	}, underLandlock(false), makesNothing(), makesCode())
	return s
}

// debian is the name of Debian's directory of libraries for a processor.
func debian(arch string) string {
	if arch == "arm64" {
		return "aarch64-linux-gnu"
	}
	return "x86_64-linux-gnu"
}

// driverFiles are where a driver and what it reads stand: libraries, the list of
// drivers, and settings for single games and cards. Debian's NVIDIA packages lead
// there by way of /etc/alternatives.
func driverFiles() []string {
	return []string{"/usr/lib", "/usr/lib64", "/usr/share/vulkan", "/usr/share/drirc.d", "/usr/share/libdrm", "/usr/share/nvidia",
		"/etc/vulkan", "/etc/alternatives"}
}

// DevicePlace reports whether a device of a graphics card may stand at a target.
func DevicePlace(target string) bool {
	number := func(s string) bool {
		return s != "" && len(s) < 4 && strings.Trim(s, "0123456789") == ""
	}
	if n, ok := strings.CutPrefix(target, "/dev/dri/renderD"); ok {
		return number(n)
	}
	if n, ok := strings.CutPrefix(target, "/dev/nvidia"); ok {
		return n == "ctl" || n == "-modeset" || number(n)
	}
	return false
}

// Types of requests of ioctl, from the kernel's drm.h and NVIDIA's own headers.
const (
	ioctlDRM     = 'd'
	ioctlNVIDIA  = 'F'
	ioctlModeset = 'm'
)

// driverRuntime is what an engine calls whose library has a graphics driver
// behind it. Memory is writable or executable and never both at once.
func driverRuntime() []Syscall {
	common := commonRuntime()
	for i, c := range common {
		switch c.Name {
		case "mprotect":
			common[i] = when("mprotect", "EACCES", []Cond{{2, NoBits, protExec}}, []Cond{{2, NoBits, protWrite}})
		case "prctl":
			// Drivers name their threads.
			common[i] = when("prctl", "EPERM", append(ownProcess(), []Cond{{0, Equal32, prSetName}})...)
		}
	}
	return join(common, connection(), readFiles(), allow(
		"mremap", "set_robust_list", "dup", "getrusage", "sysinfo", "uname", "poll", "ppoll",
	), []Syscall{
		// Private memory; a file, or a device's memory, that is shared; code of a
		// file. Only devices can be opened for writing.
		when("mmap", "EACCES",
			[]Cond{{2, NoBits, protExec}, {3, NoBits, mapShared | mapNever}},
			[]Cond{{2, NoBits, protExec}, {3, NoBits, mapAnonymous | mapNever}},
			[]Cond{{2, NoBits, protWrite}, {3, NoBits, mapShared | mapAnonymous | mapNever}}),
		when("clone", "EPERM", []Cond{{0, Equal, cloneThreadGlibc}}),
		nativeFutex(),
		when("setpriority", "EPERM", []Cond{{0, Equal32, prioProcess}, {1, Equal32, 0}, {2, Equal32, niceLowest}}),
		when("arch_prctl", "EPERM", []Cond{{0, Equal32, archReqXcompPerm}, {1, Equal, xfeatureTileData}}),
		// A filter does not see what a descriptor is of, only what is asked. That it
		// is asked of a card's device alone is Landlock's, from ABI 5 on.
		when("ioctl", "EPERM", []Cond{{1, IoctlType, ioctlDRM}}, []Cond{{1, IoctlType, ioctlNVIDIA}}, []Cond{{1, IoctlType, ioctlModeset}}),
	})
}
