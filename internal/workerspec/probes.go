package workerspec

import "slices"

// What a worker must be refused, in parts. No probe may be answered by the
// worker's death.

// findsNothing is for workers that may open what is in their root.
func findsNothing() []Probe {
	return []Probe{
		probe("open /etc/passwd", "ENOENT"),
		probe("open /proc/self/mem", "ENOENT"),
		probe("create in /", "EACCES", "EROFS"),
	}
}

// opensNothing is for workers that may open nothing at all. That there is
// nothing either is tried before the filter that says so.
func opensNothing() []Probe {
	return []Probe{
		early("open /etc/passwd before the seal", "ENOENT"),
		early("open /proc/self/mem before the seal", "ENOENT"),
		early("create in / before the seal", "EACCES", "EROFS"),
		probe("open /etc/passwd", "EPERM"),
		probe("open /proc/self/mem", "EPERM"),
		probe("create in /", "EPERM"),
	}
}

// opensNoLibrary: what an engine is made of cannot be opened again, and never
// for writing.
func opensNoLibrary(arch string) []Probe {
	switch arch {
	case "arm64":
		return append(libraryProbes(), early("open /lib/libc.so.6 for writing", "EACCES", "EROFS"), probe("open /lib/libc.so.6", "EPERM"))
	}
	return append(libraryProbes(), early("open /lib64/libc.so.6 for writing", "EACCES", "EROFS"), probe("open /lib64/libc.so.6", "EPERM"))
}

func libraryProbes() []Probe {
	return []Probe{
		early("create in /engine", "EACCES", "EROFS"),
		probe("open /engine", "EPERM"),
	}
}

// keepsGrant: the person's directory is for reading.
func keepsGrant() []Probe {
	return []Probe{
		probe("open /grant/../etc", "ENOENT"),
		probe("open /grant for writing", "EACCES", "EROFS"),
		probe("create in /grant", "EACCES", "EROFS"),
		probe("link out of /grant", "EPERM"),
		probe("chmod /grant", "EPERM"),
		probe("lock /grant", "EPERM"),
	}
}

// keepsData: files may be made in the worker's own directory, and no more.
func keepsData() []Probe {
	return []Probe{
		probe("make a directory in /db", "EPERM"),
		probe("link out of /db", "EPERM"),
	}
}

// underLandlock is what mounts and filters let pass and Landlock alone refuses.
func underLandlock(beforeSeal bool) []Probe {
	p := probe("list /", "EACCES")
	p.Early = beforeSeal
	return []Probe{p}
}

// makesCode is for what compiles at run time: a page is written or executed,
// never both.
func makesCode() []Probe {
	return []Probe{probe("make a page writable and executable", "EACCES"), probe("map a page executable", "EACCES")}
}

// makesNoCode is for what never does.
func makesNoCode() []Probe { return []Probe{probe("make a page executable", "EACCES")} }

// keepsFolder: of a person's directory that may be written to, the mode, the locks
// and what lies beside it stay out of reach.
func keepsFolder() []Probe {
	return []Probe{
		probe("open /grant/../etc", "ENOENT"),
		probe("link out of /grant", "EPERM"),
		probe("chmod /grant", "EPERM"),
		probe("lock /grant", "EPERM"),
	}
}

// makesNothing is for every worker without devices and sockets.
func makesNothing() []Probe { return join(makesNoSocket(), makesNoProcess()) }

func makesNoSocket() []Probe {
	return []Probe{
		probe("socket AF_INET", "EPERM"),
		probe("socket MPTCP", "EPERM"),
		probe("socket AF_UNIX", "EPERM"),
		probe("socket AF_NETLINK", "EPERM"),
	}
}

// connectsOnly is for the kind that has a network.
func connectsOnly() []Probe {
	return []Probe{
		probe("socket MPTCP", "EPERM"),
		probe("socket AF_UNIX", "EPERM"),
		probe("socket AF_NETLINK", "EPERM"),
		probe("raw socket", "EPERM"),
		probe("bind a port", "EPERM"),
		probe("listen", "EPERM"),
	}
}

// makesNoProcess is for every worker that executes nothing.
func makesNoProcess() []Probe {
	return []Probe{
		probe("chdir /", "EPERM"),
		probe("fork", "EPERM"),
		probe("clone new user namespace", "EPERM"),
		probe("clone3", "ENOSYS"),
		probe("execve", "EPERM"),
		probe("memfd_create", "EPERM"),
		probe("map writable and executable", "EACCES"),
		probe("map memory that is shared", "EACCES"),
		probe("map a stack that grows", "EACCES"),
		probe("io_uring_setup", "ENOSYS"),
		probe("signal the parent", "EPERM"),
		probe("clear parent-death signal", "EPERM"),
		probe("become dumpable", "EPERM"),
		probe("set the user id", "EPERM"),
		probe("install a seccomp listener", "EPERM"),
		probe("push input to a terminal", "EPERM"),
		probe("unknown call 600", "ENOSYS"),
	}
}

func probe(name string, errnos ...string) Probe {
	return Probe{Name: name, Errnos: slices.Clone(errnos)}
}

func early(name string, errnos ...string) Probe {
	p := probe(name, errnos...)
	p.Early = true
	return p
}
