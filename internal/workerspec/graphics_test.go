package workerspec

import (
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestOneKindHasADriver: what a driver needs is one kind's, and the engine without
// a card is what it was.
func TestOneKindHasADriver(t *testing.T) {
	for _, s := range every() {
		if (s.Driver != nil) != (s.Kind == GraphicsKind) || (s.Class == Graphics) != (s.Kind == GraphicsKind) {
			t.Errorf("%s is %s, driver %v", s.Kind, s.Class, s.Driver)
		}
		if s.Driver == nil && !reflect.DeepEqual(s.WithDevices([]string{"/dev/dri/renderD128"}), s) {
			t.Errorf("%s is given a device", s.Kind)
		}
		for _, c := range s.Syscalls {
			if c.Name == "ioctl" && s.Class != Graphics && s.Class != Host && s.Class != Exec {
				t.Errorf("%s may command devices", s.Kind)
			}
		}
	}
	s, _ := For(GraphicsKind)
	if d := s.WithDevices([]string{"/dev/dri/renderD128"}); len(d.Devices) != 1 || len(s.Devices) != 0 {
		t.Errorf("%v %v", d.Devices, s.Devices)
	}
	if !s.FullOnly {
		t.Error("it would start where there are no namespaces")
	}
}

// TestDriverSeesNoPerson: what a driver finds is the system's, and stands here.
func TestDriverSeesNoPerson(t *testing.T) {
	system := []string{"/usr/lib", "/usr/lib64", "/usr/share/vulkan", "/usr/share/drirc.d", "/usr/share/libdrm", "/usr/share/nvidia", "/etc/vulkan", "/etc/alternatives"}
	s, _ := For(GraphicsKind)
	if !slices.Equal(s.Driver.System, system) {
		t.Errorf("%v", s.Driver.System)
	}
	for _, name := range s.Driver.System {
		if path.Clean(name) != name {
			t.Error(name)
		}
		for _, m := range s.Mounts {
			if strings.HasPrefix(m.Target+"/", name+"/") || strings.HasPrefix(name+"/", m.Target+"/") {
				t.Errorf("%s stands in %s", m.Target, name)
			}
		}
	}
}

func TestDevicePlace(t *testing.T) {
	for name, want := range map[string]bool{
		"/dev/dri/renderD128": true, "/dev/nvidia0": true, "/dev/nvidiactl": true, "/dev/nvidia-modeset": true,
		"/dev/dri/card0": false, "/dev/dri/renderD": false, "/dev/dri/renderD128/../../sda": false, "/dev/nvidia": false,
		"/dev/nvidia-uvm": false, "/dev/sda": false, "/dev/kmsg": false, "": false, "/home/you": false, "/dev/dri/renderD12345": false,
	} {
		if DevicePlace(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

// TestDriverCalls: of what an engine may not do, a driver may do this and no more.
func TestDriverCalls(t *testing.T) {
	g, _ := For(GraphicsKind)
	e, _ := For("engine")
	names := func(s Spec) (out []string) {
		for _, c := range s.Syscalls {
			out = append(out, c.Name)
		}
		return out
	}
	var more []string
	for _, n := range names(g) {
		if !slices.Contains(names(e), n) {
			more = append(more, n)
		}
	}
	slices.Sort(more)
	want := []string{"access", "faccessat", "faccessat2", "getcwd", "getdents64", "ioctl", "lstat", "mremap", "open", "openat", "poll", "ppoll", "readlink", "readlinkat", "stat", "statx", "uname"}
	if !slices.Equal(more, want) {
		t.Errorf("more than an engine: %v", more)
	}
	for _, n := range names(e) {
		if !slices.Contains(names(g), n) {
			t.Errorf("less than an engine: %s", n)
		}
	}
	rule := func(name string) Syscall {
		return g.Syscalls[slices.IndexFunc(g.Syscalls, func(c Syscall) bool { return c.Name == name })]
	}
	// Never writable and executable at once; code is never shared, and never of no
	// file when it is mapped.
	for _, alt := range append(rule("mmap").Any, rule("mprotect").Any...) {
		if !slices.ContainsFunc(alt, func(c Cond) bool { return c.Arg == 2 && c.Op == NoBits && c.Value&(protExec|protWrite) != 0 }) {
			t.Errorf("%v lets a page be both", alt)
		}
	}
	for _, alt := range rule("mmap").Any {
		exec := !slices.ContainsFunc(alt, func(c Cond) bool { return c.Arg == 2 && c.Value&protExec != 0 })
		if exec && !slices.ContainsFunc(alt, func(c Cond) bool { return c.Arg == 3 && c.Value == mapShared|mapAnonymous|mapNever }) {
			t.Errorf("%v maps code that is shared or of no file", alt)
		}
	}
	for _, alt := range rule("ioctl").Any {
		if len(alt) != 1 || alt[0].Arg != 1 || alt[0].Op != IoctlType || !slices.Contains([]uint64{'d', 'F', 'm'}, alt[0].Value) {
			t.Errorf("ioctl: %v", alt)
		}
	}
}
