//go:build bailey_hostile && bailey_native

package main

import (
	"errors"
	"runtime"
	"strings"
	"syscall"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// native are attacks that a process linked to the system's libraries has more of.
func native() map[string]attack {
	return map[string]attack{
		"open library":  simple(func(order) error { return open(unix.AT_FDCWD, library("libc.so.6"), unix.O_RDONLY) }),
		"write library": simple(func(o order) error { return open(unix.AT_FDCWD, o.Engine+"/lib.so", unix.O_WRONLY) }),
		"open engine":   simple(func(order) error { return open(unix.AT_FDCWD, "/engine", unix.O_RDONLY|unix.O_DIRECTORY) }),
		// The descriptor of a library that is there, kept from before the seal.
		"map library executable": func(order) func() answer {
			fd, err := unix.Open(library("libstdc++.so.6"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			if err != nil {
				return func() answer { return did(unix.EIO, err.Error()) }
			}
			return func() answer {
				_, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)
				return did(err)
			}
		},
		"dlopen": simple(func(order) error {
			// The loader's words are the thread's that it told them to.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			_, err := purego.Dlopen(library("libstdc++.so.6"), purego.RTLD_NOW)
			return loaderError(err)
		}),
		"system()": simple(func(order) error {
			var system func(string) int32
			purego.RegisterLibFunc(&system, purego.RTLD_DEFAULT, "system")
			// It has no errno of its own here; what it makes is a process.
			if status := system("exit 0"); status != 0 {
				return unix.EPERM
			}
			return nil
		}),
		"thread of C's before the seal": threadOfC,
	}
}

// threadOfC has the C library make a thread before the worker seals itself, which
// acts after.
func threadOfC(order) func() answer {
	var create func(thread *uintptr, attributes, start, argument uintptr) int32
	purego.RegisterLibFunc(&create, purego.RTLD_DEFAULT, "pthread_create")
	there, run, result := make(chan bool), make(chan bool), make(chan error)
	start := purego.NewCallback(func(uintptr) uintptr {
		there <- true
		<-run
		result <- socket(unix.AF_UNIX, unix.SOCK_STREAM, 0, nil)(order{})
		return 0
	})
	var thread uintptr
	if status := create(&thread, 0, start, 0); status != 0 {
		return func() answer { return did(unix.EIO, "no thread") }
	}
	<-there
	return func() answer { run <- true; return did(<-result) }
}

// library is the path of a library of the system's in an engine's root.
func library(name string) string {
	dir := loaderDir
	for _, e := range syscall.Environ() {
		// At level 2 it is where the system has it.
		if dirs, ok := strings.CutPrefix(e, "LD_LIBRARY_PATH="); ok {
			dir, _, _ = strings.Cut(dirs, ":")
		}
	}
	return dir + "/" + name
}

// loaderError finds the errno in the loader's words.
func loaderError(err error) error {
	if err == nil {
		return nil
	}
	for _, e := range []unix.Errno{unix.EPERM, unix.EACCES, unix.ENOENT} {
		if strings.Contains(strings.ToLower(err.Error()), e.Error()) {
			return e
		}
	}
	return errors.Join(unix.EIO, err)
}

// honestNative calls into a library that was loaded before the seal.
func honestNative(order) func() error {
	lib, err := purego.Dlopen("libm.so.6", purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return func() error { return err }
	}
	var cos func(float64) float64
	purego.RegisterLibFunc(&cos, lib, "cos")
	return func() error {
		if cos(0) != 1 {
			return errors.New("cos(0) is not 1")
		}
		return nil
	}
}
