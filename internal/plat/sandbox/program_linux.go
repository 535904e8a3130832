package sandbox

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// TakeProgram copies a program, from a descriptor that a person's command opened
// for reading, to memory that is sealed against every change: what was hashed is
// what is executed, whoever writes to the file meanwhile. The copy may be
// executed and not be read again, so that a process that is made of it is
// non-dumpable from its first instruction, as a worker is at its work; unless it
// is made for a kind that may execute programs, to which a script would be of no
// use then. f stays the caller's.
//
// Errors: errs.ProgramRefused, errs.NoSpace when there is no memory for it,
// errs.SandboxMissing where the system executes nothing from memory, and the end
// of ctx.
func TakeProgram(ctx context.Context, f *os.File, spec workerspec.Spec) (_ *Program, err error) {
	const op = "sandbox.program"
	refused := func(why string) *errs.Error { return errs.New(errs.ProgramRefused, op).With(why) }
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, errs.Wrap(errs.Internal, op, err)
	}
	var st unix.Stat_t
	var fs unix.Statfs_t
	flags := 0
	if cerr := raw.Control(func(fd uintptr) {
		err = errors.Join(unix.Fstat(int(fd), &st), unix.Fstatfs(int(fd), &fs))
		if err == nil {
			flags, err = unix.FcntlInt(fd, unix.F_GETFL, 0)
		}
	}); cerr != nil || err != nil {
		return nil, errs.Wrap(errs.Internal, op, errors.Join(cerr, err))
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG || flags&unix.O_PATH != 0 || flags&unix.O_ACCMODE == unix.O_WRONLY:
		return nil, refused("it is no file that can be read")
	case st.Mode&0o111 == 0:
		return nil, refused("nobody may execute the file").WithHint("make it executable: chmod +x")
	case fs.Flags&unix.MS_NOEXEC != 0:
		return nil, refused("it is on a file system from which nothing may be executed (noexec)").WithHint("copy it to another place")
	case st.Size > limits.ProgramBytes:
		return nil, refused("it is too large").WithHint("a program may have 128 MiB; `strip` makes most smaller")
	}
	fd, err := memory("program")
	if err != nil {
		return nil, errs.Wrap(errs.SandboxMissing, op, err).With("it executes nothing from memory").
			WithHint("an administrator can allow it: `sysctl -w vm.memfd_noexec=1`; the kind tool runs the system's programs without it")
	}
	p := &Program{File: os.NewFile(uintptr(fd), "program")}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	h := sha256.New()
	// One byte more than it may have: a file that grows meanwhile ends here.
	src := &untilEnd{ctx, io.NewSectionReader(f, 0, limits.ProgramBytes+1)}
	if p.Size, err = io.Copy(io.MultiWriter(p.File, h), src); err != nil {
		if ctx.Err() != nil {
			return nil, errs.Wrap(errs.Cancelled, op, ctx.Err())
		}
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOMEM) {
			return nil, errs.Wrap(errs.NoSpace, op, err).With("no memory for a copy of the program")
		}
		return nil, errs.Wrap(errs.ProgramRefused, op, err).With("it cannot be read")
	}
	if p.Size > limits.ProgramBytes {
		return nil, refused("it is too large")
	}
	h.Sum(p.Digest[:0])
	// Executed by others than its owner, the worker's id of a root core.
	mode := uint32(0o111)
	if spec.Class == workerspec.Exec {
		mode = 0o555
	}
	if err := unix.Fchmod(fd, mode); err != nil {
		return nil, errs.Wrap(errs.Internal, op, err)
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return nil, errs.Wrap(errs.Internal, op, err)
	}
	return p, nil
}

// SystemProgram hashes a program that is executed by its path, because the sandbox
// sees it there too. f, which a person's command opened, has to be what is at the
// path. still says later that it is so yet, and that nobody wrote to it since: once
// it was executed, that what was hashed is what was. Errors as of [TakeProgram].
func SystemProgram(ctx context.Context, f *os.File, path string) (sum [sha256.Size]byte, size int64, still func() error, err error) {
	const op = "sandbox.system-program"
	ours, err := standsAt(f, path)
	if err != nil {
		return sum, 0, nil, err
	}
	if ours.Mode&unix.S_IFMT != unix.S_IFREG || ours.Mode&0o111 == 0 {
		return sum, 0, nil, errs.New(errs.ProgramRefused, op).With("nobody may execute the file").WithHint("make it executable: chmod +x")
	}
	h := sha256.New()
	if size, err = io.Copy(h, &untilEnd{ctx, io.NewSectionReader(f, 0, ours.Size)}); err != nil {
		if ctx.Err() != nil {
			return sum, 0, nil, errs.Wrap(errs.Cancelled, op, ctx.Err())
		}
		return sum, 0, nil, errs.Wrap(errs.ProgramRefused, op, err).With("it cannot be read")
	}
	h.Sum(sum[:0])
	return sum, size, func() error {
		now, err := standsAt(f, path)
		if err == nil && (now.Ctim != ours.Ctim || now.Mtim != ours.Mtim || now.Size != ours.Size) {
			err = errs.New(errs.ProgramRefused, op).With("somebody changed it while it was started").WithHint("run it again")
		}
		return err
	}, nil
}

// CheckPlace refuses a program that is not what stands at its path: that is what is
// asked about, granted and recorded. Errors: errs.ProgramRefused.
func CheckPlace(f *os.File, path string) error {
	_, err := standsAt(f, path)
	return err
}

func standsAt(f *os.File, path string) (ours unix.Stat_t, err error) {
	const op = "sandbox.stands-at"
	var theirs unix.Stat_t
	raw, err := f.SyscallConn()
	if err != nil {
		return ours, errs.Wrap(errs.Internal, op, err)
	}
	if cerr := raw.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &theirs) }); cerr != nil || err != nil {
		return ours, errs.Wrap(errs.Internal, op, errors.Join(cerr, err))
	}
	if err := unix.Stat(path, &ours); err != nil || ours.Dev != theirs.Dev || ours.Ino != theirs.Ino {
		return ours, errs.Wrap(errs.ProgramRefused, op, err).With("it is not what stands at its path")
	}
	return ours, nil
}

// memory makes a file in memory that may be executed. Kernels from 6.3 on want
// that said; older ones do not know the flag.
func memory(name string) (int, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(name, flags|unix.MFD_EXEC)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate(name, flags)
	}
	return fd, err
}

// untilEnd ends a copy with its context.
type untilEnd struct {
	ctx context.Context
	r   io.Reader
}

func (u *untilEnd) Read(b []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, u.ctx.Err()
	}
	return u.r.Read(b)
}

// CheckStreams refuses what a foreign program must not be handed as its standard
// input, output and error: anything but a pipe that has no name, in the right
// direction. A terminal could be typed into, a socket brings descriptors in, a
// file or a named pipe can be reached by its place.
func CheckStreams(stdin, stdout, stderr *os.File) error {
	for i, f := range []*os.File{stdin, stdout, stderr} {
		want := unix.O_WRONLY
		if i == 0 {
			want = unix.O_RDONLY
		}
		raw, err := f.SyscallConn()
		if err != nil {
			return errs.Wrap(errs.Malformed, "sandbox.streams", err)
		}
		ok := false
		err = raw.Control(func(fd uintptr) {
			var fs unix.Statfs_t
			flags, ferr := unix.FcntlInt(fd, unix.F_GETFL, 0)
			ok = ferr == nil && unix.Fstatfs(int(fd), &fs) == nil && fs.Type == unix.PIPEFS_MAGIC &&
				flags&(unix.O_ACCMODE|unix.O_PATH|unix.O_ASYNC) == want
		})
		if err != nil || !ok {
			return errs.Wrap(errs.Malformed, "sandbox.streams", err).With("a stream is no pipe")
		}
	}
	return nil
}
