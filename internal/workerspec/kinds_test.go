package workerspec

import (
	"slices"
	"testing"
)

// neverOf are those of never for a kind. A tool's programs may do to each other,
// and to the folder they are given, what processes and their files do; a gate takes
// connections, and net makes them.
func neverOf(s Spec) []string {
	own := map[string][]string{
		"net": {"connect"}, "gate": {"accept4"}, "file": {"inotify_init1"},
		"tool": {"kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal", "fork", "vfork",
			"chown", "fchown", "fchownat", "utimensat", "setxattr", "fsetxattr", "link", "linkat", "symlink", "symlinkat", "memfd_create",
			"inotify_init1", "mkdir", "mkdirat", "rmdir", "umask", "flock", "mprotect", "pkey_mprotect",
			// Of each other, which a pid namespace bounds.
			"futex", "clock_gettime", "clock_getres", "clock_nanosleep", "sched_getaffinity"},
	}
	return slices.DeleteFunc(never(), func(n string) bool { return slices.Contains(own[s.Kind], n) })
}

// calls are the names that a kind's list has.
func calls(s Spec) []string {
	var names []string
	for _, c := range s.Syscalls {
		names = append(names, c.Name)
	}
	return names
}

// TestNetworkOrFiles: what has a network sees no file of anybody's, opens none,
// and can be told no name of a socket's; what sees files has no network.
func TestNetworkOrFiles(t *testing.T) {
	for _, s := range All() {
		if s.Requires(NetNamespace) {
			if slices.ContainsFunc(s.Sockets, func(f string) bool { return f != "AF_UNIX" }) {
				t.Errorf("%s has sockets of a network", s.Kind)
			}
			for _, n := range []string{"socket", "bind", "listen", "connect", "accept"} {
				if slices.Contains(calls(s), n) {
					t.Errorf("%s may call %s", s.Kind, n)
				}
			}
			if (s.Kind == "gate") != slices.Contains(calls(s), "accept4") {
				t.Errorf("%s takes connections, or does not", s.Kind)
			}
			continue
		}
		if s.Kind != "net" || len(s.Mounts) > 0 || len(s.Devices) > 0 || s.Surroundings != nil || s.Driver != nil || len(s.Handed) > 0 {
			t.Errorf("%s has the host's network, and something else besides", s.Kind)
		}
		for _, n := range []string{"open", "openat", "creat", "bind", "listen", "accept", "accept4", "socketpair", "memfd_create"} {
			if slices.Contains(calls(s), n) {
				t.Errorf("%s has a network and may call %s", s.Kind, n)
			}
		}
		i := slices.IndexFunc(s.Syscalls, func(c Syscall) bool { return c.Name == "socket" })
		for _, alt := range s.Syscalls[i].Any {
			if len(alt) != 3 || alt[0].Value != afInet && alt[0].Value != afInet6 || alt[0].Op != Equal32 || alt[1].Op != Equal32 || alt[2].Op != Equal32 ||
				!slices.Contains([]uint64{0, protocolTCP, protocolUDP}, alt[2].Value) {
				t.Errorf("%s: socket with %+v", s.Kind, alt)
			}
			if typ := alt[1].Value &^ (sockCloexec | sockNonblock); typ != sockStream && typ != sockDgram {
				t.Errorf("%s: socket with %+v", s.Kind, alt)
			}
		}
	}
}

// TestToolReachesNobody: whatever else a tool's programs call, no call of theirs
// takes a name of a socket's, or makes a file that runs as somebody.
func TestToolReachesNobody(t *testing.T) {
	s, _ := For("tool")
	for _, n := range []string{"socket", "connect", "bind", "listen", "accept", "accept4", "ptrace", "process_vm_readv", "pidfd_open", "pidfd_getfd", "seccomp",
		"setuid", "setresuid", "setgroups", "capset", "shmget", "msgget", "semget", "mq_open", "mknod", "mknodat", "unshare", "setns", "mount"} {
		if slices.Contains(calls(s), n) {
			t.Errorf("it may call %s", n)
		}
	}
	for _, c := range s.Syscalls {
		for _, mode := range []struct {
			name string
			arg  int
		}{{"chmod", 1}, {"fchmod", 1}, {"fchmodat", 2}, {"fchmodat2", 2}, {"open", 2}, {"openat", 3}, {"creat", 1}} {
			if c.Name == mode.name && !slices.ContainsFunc(c.Any[0], func(x Cond) bool { return x.Arg == mode.arg && x.Op == NoBits && x.Value == setIDs }) {
				t.Errorf("%s may set ids", c.Name)
			}
		}
		if c.Name == "socketpair" {
			for _, alt := range c.Any {
				if typ := alt[1].Value &^ (sockCloexec | sockNonblock); alt[0].Value != afUnix || typ == sockDgram {
					t.Errorf("pairs of %+v", alt)
				}
			}
		}
	}
	if s.Surroundings.Persons || !s.Surroundings.Proc {
		t.Errorf("%+v", s.Surroundings)
	}
}
