// Package syslibs finds the files that an engine is made of besides its own
// program: the system's C library with its loader, and Bailey's directory of
// inference libraries. It opens them as mounts for package sandbox, under the
// names that the worker's spec declares.
//
// It looks in a committed list of directories and nowhere else: no environment,
// no /etc/ld.so.conf, no cache of the loader, so that what an engine runs does
// not hang on what a user's settings say. For a root core, whose workers are
// nobody, it refuses a file that not everybody may read. Package supervise calls
// it, for each start anew: the system's libraries may be updated while the core
// runs.
package syslibs

import (
	"os"

	"github.com/bailey-run/bailey/internal/plat/sandbox"
)

// Set is an engine's files, open. Close it once the engine was started.
type Set struct {
	Mounts []sandbox.Mount
	files  []*os.File
}

// Close gives the descriptors back.
func (s *Set) Close() {
	for _, f := range s.files {
		f.Close()
	}
	s.files = nil
}

// directories are where distributions keep the libraries of a processor, most
// specific first: Debian and Ubuntu, Fedora and openSUSE, Arch and others.
func directories(arch string) []string {
	debian := map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}[arch]
	return []string{
		"/usr/lib/" + debian, "/lib/" + debian,
		"/usr/lib64", "/lib64",
		"/usr/lib", "/lib",
	}
}

// musl is the loader of systems without glibc, for which the libraries were not
// made.
func musl(arch string) string {
	return "/lib/ld-musl-" + map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[arch] + ".so.1"
}
