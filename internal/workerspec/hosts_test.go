package workerspec

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// TestHostsSeeNoPerson: what a host sees is the system's, and what of the system
// it sees stands here, so that a longer list is seen by whoever reads a change.
func TestHostsSeeNoPerson(t *testing.T) {
	system := []string{"/usr", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
		"/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives",
		"/etc/fonts", "/etc/gtk-4.0", "/etc/localtime", "/var/cache/fontconfig"}
	for _, s := range Hosts() {
		u := s.Surroundings
		for _, name := range u.System {
			if !slices.Contains(system, name) || path.Clean(name) != name {
				t.Errorf("%s sees %s", s.Kind, name)
			}
		}
		if len(s.Mounts) > 0 || s.Grant() >= 0 {
			t.Errorf("%s is granted a directory", s.Kind)
		}
		for _, e := range append(slices.Clone(u.Empty), s.Devices...) {
			if !strings.HasPrefix(e, "/sys/") && !strings.HasPrefix(e, "/dev/") || path.Clean(e) != e {
				t.Errorf("%s has %s", s.Kind, e)
			}
		}
		for _, d := range s.Devices {
			if !slices.Contains([]string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}, d) {
				t.Errorf("%s has the device %s", s.Kind, d)
			}
		}
		for _, m := range u.Scratch {
			if m.Bytes <= 0 || m.Bytes > 1<<30 || slices.ContainsFunc(u.System, func(n string) bool { return strings.HasPrefix(m.Path+"/", n+"/") }) {
				t.Errorf("%s: scratch %+v", s.Kind, m)
			}
		}
	}
}

// TestProxy: what stands before the accessibility bus sees libraries, and neither a
// display nor a device, and has nothing to write to but its own socket's directory.
func TestProxy(t *testing.T) {
	for _, s := range Hosts() {
		u := s.Surroundings
		if u.Proxy != (s.Kind == "proxy") {
			t.Errorf("%s and the accessibility bus", s.Kind)
		}
		if !u.Proxy {
			continue
		}
		if u.Display || u.Proc || len(u.Scratch)+len(u.Empty)+len(u.EnvNames)+len(s.Devices)+len(s.Env) > 0 || s.Limits.FileSize != 0 {
			t.Errorf("%+v", s)
		}
		for _, name := range u.System {
			if !strings.Contains(name, "/lib") && name != "/etc/ld.so.cache" {
				t.Errorf("the proxy sees %s", name)
			}
		}
	}
}

// TestPicker: the one host that sees a person's files has nothing to write to
// that lasts, no network, and nothing else to do; no other sees them.
func TestPicker(t *testing.T) {
	for _, s := range Hosts() {
		if s.Surroundings.Persons != (s.Kind == "picker") {
			t.Errorf("%s and a person's files", s.Kind)
		}
		if s.Kind == "picker" && (s.Surroundings.Nests || s.Surroundings.Proc || !slices.Equal(s.Sockets, []string{"AF_UNIX"})) {
			t.Error("a picker with more than files")
		}
	}
}

// TestHostsHaveNoNetwork: neither a namespace with one, nor a socket for one.
func TestHostsHaveNoNetwork(t *testing.T) {
	for _, s := range Hosts() {
		if !s.Requires(NetNamespace) {
			t.Errorf("%s shares a network", s.Kind)
		}
		for _, f := range s.Sockets {
			// Netlink reaches the host's own namespace, in which there is nothing.
			if f != "AF_UNIX" && (f != "AF_NETLINK" || !s.Surroundings.Nests) {
				t.Errorf("%s may have sockets of %s", s.Kind, f)
			}
		}
	}
}

// TestHostEnvironment: no name of an allow-list makes a toolkit load something,
// write something, or lower a guard.
func TestHostEnvironment(t *testing.T) {
	for _, s := range Hosts() {
		names := slices.Clone(s.Surroundings.EnvNames)
		for _, e := range s.Env {
			name, _, _ := strings.Cut(e, "=")
			names = append(names, name)
		}
		for i, n := range names {
			for _, bad := range []string{"WEBKIT", "JSC_", "LD_", "GTK_MODULES", "GTK_DEBUG", "GTK_PATH", "GTK_DATA", "GDK_DEBUG", "GDK_PIXBUF",
				"G_", "GIO_MODULE", "GIO_EXTRA", "GST_", "DBUS_", "PATH", "XDG_DATA", "XDG_CONFIG", "XDG_CACHE", "FONTCONFIG", "MALLOC"} {
				if strings.HasPrefix(n, bad) {
					t.Errorf("%s may have %s in its environment", s.Kind, n)
				}
			}
			if slices.Contains(names[:i], n) {
				t.Errorf("%s has %s twice", s.Kind, n)
			}
		}
	}
}

// TestHostsAreNoWorkers: they answer no calls and no probes.
func TestHostsAreNoWorkers(t *testing.T) {
	for _, s := range Hosts() {
		if len(s.Methods)+len(s.Probes) > 0 {
			t.Errorf("%s answers", s.Kind)
		}
		if slices.ContainsFunc(All(), func(w Spec) bool { return w.Kind == s.Kind }) {
			t.Errorf("%s is a worker too", s.Kind)
		}
	}
}

// TestHostLayers: what a window goes without is what its page's own sandbox does
// not bear, or does itself.
func TestHostLayers(t *testing.T) {
	without := map[string][]Layer{"window": {SeccompStrict, NonDumpable}, "prompt": {NonDumpable}, "picker": {NonDumpable}, "proxy": {NonDumpable}}
	for _, s := range Hosts() {
		for _, l := range Layers() {
			if s.Requires(l) == slices.Contains(without[s.Kind], l) {
				t.Errorf("%s and %s", s.Kind, l)
			}
		}
		if s.Surroundings.Nests != (s.Kind == "window") {
			t.Errorf("%s makes sandboxes of its own", s.Kind)
		}
		l := s.Limits
		if l.LockedMemory != 0 || l.MessageQueues != 0 || l.OpenFiles == 0 || l.Processes == 0 || (l.FileSize == 0) != s.Surroundings.Proxy || l.Data == 0 {
			t.Errorf("%s: limits %+v", s.Kind, l)
		}
	}
	for _, n := range Nesting() {
		if !slices.Contains(Fatal(), n) {
			t.Errorf("%s is allowed to nest and is no offence otherwise", n)
		}
	}
}

func TestCallerOwnsHosts(t *testing.T) {
	for i, s := range Hosts() {
		lists := func(s Spec) [][]string {
			return [][]string{s.Surroundings.System, s.Surroundings.EnvNames, s.Surroundings.Empty, s.Env, s.Devices, s.Sockets, s.Arguments}
		}
		for _, l := range lists(s) {
			if len(l) > 0 {
				l[0] = "x"
			}
		}
		if len(s.Surroundings.Scratch) > 0 {
			s.Surroundings.Scratch[0].Path = "x"
		}
		a := Hosts()[i]
		if slices.ContainsFunc(lists(a), func(l []string) bool { return slices.Contains(l, "x") }) || slices.ContainsFunc(a.Surroundings.Scratch, func(m Scratch) bool { return m.Path == "x" }) {
			t.Errorf("%s is shared", s.Kind)
		}
	}
}
