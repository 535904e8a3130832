package syslibs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/workerspec"
)

const op = "syslibs.open"

// Open opens everything that spec declares as code: files from the system,
// engineDir, and for an engine with a graphics card the directory beside it that
// is called graphics. The error is errs.EngineMissing and says what is
// not there.
func Open(spec workerspec.Spec, engineDir string) (*Set, error) {
	return open(spec, engineDir, directories(runtime.GOARCH), musl(runtime.GOARCH))
}

func open(spec workerspec.Spec, engineDir string, dirs []string, musl string) (_ *Set, err error) {
	s := &Set{}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	for _, m := range spec.Mounts {
		if !m.Code {
			continue
		}
		var where string
		var f *os.File
		if m.File {
			if where, f, err = find(path.Base(m.Target), dirs); err != nil {
				return nil, missing(path.Base(m.Target), musl, err)
			}
		} else {
			// Of the same installation.
			dir := engineDir
			if name := path.Base(m.Target); name != "engine" {
				dir = filepath.Join(filepath.Dir(engineDir), name)
			}
			if where, f, err = openAt(dir, unix.O_DIRECTORY); err != nil {
				return nil, notInstalled(m.Target, dir, err)
			}
		}
		s.files = append(s.files, f)
		s.Mounts = append(s.Mounts, sandbox.Mount{Target: m.Target, Dir: f, Path: where})
	}
	return s, nil
}

// notInstalled says what of Bailey's own is not there.
func notInstalled(target, dir string, cause error) error {
	e := errs.Wrap(errs.EngineMissing, op, cause)
	if target == "/graphics" {
		return e.With("the library for graphics cards is not in " + dir).WithHint("run `make engine GPU=vulkan` and install Bailey again; models run on the processor without it")
	}
	return e.With("the engine's library is not in " + dir)
}

// missing says why a library of the system is not there.
func missing(name, musl string, cause error) error {
	e := errs.Wrap(errs.EngineMissing, op, cause).With("the system's " + name + " was not found")
	if _, err := os.Lstat(musl); err == nil {
		return e.With("this system has musl in place of glibc").
			WithHint("the engine's library is made for glibc 2.34 or later, and this system has none; everything that needs no model works")
	}
	return e.WithHint("install glibc 2.34 or later and libstdc++ (Debian: libc6, libstdc++6; Fedora: glibc, libstdc++); everything that needs no model works without it")
}

// find opens a library in the first directory that has it.
func find(name string, dirs []string) (string, *os.File, error) {
	for _, d := range dirs {
		where, f, err := openAt(filepath.Join(d, name), 0)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			continue
		}
		return where, f, err
	}
	return "", nil, unix.ENOENT
}

// openAt resolves the links of a path and opens what it leads to, as the sandbox
// needs it: the path without links is how an ordinary user's worker finds it
// again.
func openAt(name string, flags int) (string, *os.File, error) {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return "", nil, err
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, real, &unix.OpenHow{
		Flags:   uint64(unix.O_PATH | unix.O_CLOEXEC | flags),
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return "", nil, err
	}
	f := os.NewFile(uintptr(fd), real)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		f.Close()
		return "", nil, err
	}
	want := uint32(unix.S_IROTH)
	if flags&unix.O_DIRECTORY != 0 {
		want |= unix.S_IXOTH
	}
	// The worker of a root core is nobody; that of a user is the user.
	if os.Geteuid() == 0 && st.Mode&want != want {
		f.Close()
		return "", nil, fmt.Errorf("%s: not everybody may read it: %w", real, unix.EACCES)
	}
	return real, f, nil
}
