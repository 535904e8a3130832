package modelfile

import (
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// OpenSource opens the file at an absolute path. Links are followed once, by
// name; what they lead to is then opened without following any, so that a link
// which is put there in between is refused, not followed.
//
// Errors: errs.Usage for what cannot be a path of a model, errs.NotFound,
// errs.ModelRefused for what is not a regular file or is empty, errs.Denied for
// what the system does not let the user read.
func OpenSource(path string) (*File, error) {
	const op = "modelfile.open"
	if !filepath.IsAbs(path) || strings.IndexByte(path, 0) >= 0 || len(path) > limits.PathBytes {
		return nil, errs.New(errs.Usage, op).With("the file's path must be absolute, of at most " + strconv.Itoa(limits.PathBytes) + " bytes and without a zero byte").WithHint("name the file by its full path")
	}
	real, err := filepath.EvalSymlinks(filepath.Clean(path))
	if err != nil {
		return nil, openError(op, err)
	}
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	at, err := unix.Openat2(unix.AT_FDCWD, real, &how)
	if err != nil {
		return nil, openError(op, err)
	}
	defer unix.Close(at)
	var st unix.Stat_t
	if err := unix.Fstat(at, &st); err != nil {
		return nil, openError(op, err)
	}
	if what := kind(st.Mode); what != "" {
		return nil, errs.New(errs.ModelRefused, op).With("it is " + what + ", not a file").WithHint("name the model's file")
	}
	if st.Size == 0 {
		// What shows the kernel's state has no size either.
		return nil, errs.New(errs.ModelRefused, op).With("the file is empty").WithHint("it was not downloaded whole; get it again")
	}
	// Now that it is known for a file: an O_PATH descriptor opened again is the
	// same file, whatever has its name by now.
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(at), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, openError(op, err)
	}
	f := &File{File: os.NewFile(uintptr(fd), filepath.Base(real)), Path: real}
	if f.Identity, err = f.Now(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func kind(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return ""
	case unix.S_IFDIR:
		return "a folder"
	case unix.S_IFIFO:
		return "a pipe"
	case unix.S_IFSOCK:
		return "a socket"
	case unix.S_IFCHR, unix.S_IFBLK:
		return "a device"
	}
	return "something else"
}

func openError(op string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
		return errs.Wrap(errs.NotFound, op, err).With("no file is at that path").WithHint("check the spelling")
	case errors.Is(err, fs.ErrPermission):
		return errs.Wrap(errs.Denied, op, err).With("the file cannot be opened").WithHint("check who owns it and its mode")
	case errors.Is(err, unix.ELOOP):
		return errs.Wrap(errs.NotFound, op, err).With("the path became a link while it was opened").WithHint("name the file that the link leads to")
	}
	return errs.Wrap(errs.NotFound, op, err).With("the file cannot be opened").WithHint("check the path, and the disk")
}

// Adopt wraps an open file of the store.
func Adopt(f *os.File) (*File, error) {
	m := &File{File: f}
	var err error
	if m.Identity, err = m.Now(); err != nil {
		return nil, err
	}
	return m, nil
}

// Now is the file's identity at this moment.
func (f *File) Now() (Identity, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return Identity{}, errs.Wrap(errs.Internal, "modelfile.stat", err)
	}
	return Identity{Device: st.Dev, Inode: st.Ino, Size: uint64(st.Size), Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano()}, nil
}

// Watcher tells of attempts to write to the files that it holds leases on. One
// process has one: the kernel's signal does not say which file it is about, so
// each lease is asked after each signal.
type Watcher struct {
	signals chan os.Signal
	done    chan struct{}
	stopped sync.WaitGroup

	mu     sync.Mutex
	leases map[*Lease]bool
}

// NewWatcher returns a Watcher. Close ends it.
func NewWatcher() *Watcher {
	// Room for one is enough: a signal that finds it full is answered by the look
	// at all leases that is still to come.
	w := &Watcher{signals: make(chan os.Signal, 1), done: make(chan struct{}), leases: map[*Lease]bool{}}
	signal.Notify(w.signals, syscall.SIGIO)
	w.stopped.Go(w.watch)
	return w
}

// Close gives all leases back, without telling of anything. Idempotent.
func (w *Watcher) Close() {
	w.mu.Lock()
	select {
	case <-w.done:
		w.mu.Unlock()
		return
	default:
	}
	close(w.done)
	var held []*Lease
	for l := range w.leases {
		held = append(held, l)
	}
	w.mu.Unlock()
	for _, l := range held {
		l.Release()
	}
	signal.Stop(w.signals)
	w.stopped.Wait()
}

// Lease is a read lease on a file.
type Lease struct {
	w      *Watcher
	file   *os.File
	broken func()
	once   sync.Once
}

// Hold takes a lease on f and calls broken, once and from another goroutine, when
// somebody opens the file for writing or truncates it; the lease is to be given
// back then, which lets that one go on. f stays the caller's and must outlive
// the lease.
//
// It returns errs.ModelChanged when somebody has the file open for writing, and
// errs.NotSupported where the file system has no leases.
func (w *Watcher) Hold(f *File, broken func()) (*Lease, error) {
	const op = "modelfile.hold"
	l := &Lease{w: w, file: f.File, broken: broken}
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.done:
		return nil, errs.New(errs.Cancelled, op)
	default:
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil, errs.Wrap(errs.ModelChanged, op, err).With("a program has it open for writing").WithHint("end that program, then try again")
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOLCK), errors.Is(err, unix.EOPNOTSUPP):
			return nil, errs.Wrap(errs.NotSupported, op, err)
		}
		return nil, errs.Wrap(errs.Internal, op, err)
	}
	w.leases[l] = true
	return l, nil
}

// Release gives the lease back. Idempotent.
func (l *Lease) Release() {
	l.once.Do(func() {
		l.w.mu.Lock()
		defer l.w.mu.Unlock()
		delete(l.w.leases, l)
		// It fails where the file was closed before, which gave it back too.
		_, _ = unix.FcntlInt(l.file.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
	})
}

func (w *Watcher) watch() {
	for {
		select {
		case <-w.done:
			return
		case <-w.signals:
		}
		for _, l := range w.breaking() {
			w.stopped.Go(l.broken)
		}
	}
}

// breaking takes out the leases that the kernel wants back. They are still held:
// whoever opened the file waits.
func (w *Watcher) breaking() []*Lease {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*Lease
	for l := range w.leases {
		// The kernel answers with what the lease has to become.
		if kind, err := unix.FcntlInt(l.file.Fd(), unix.F_GETLEASE, 0); err != nil || kind != unix.F_RDLCK {
			out = append(out, l)
			delete(w.leases, l)
		}
	}
	return out
}

// HandedOver checks a descriptor that came from another process: it has to be a
// regular file, opened for reading only. It returns the file's size.
func HandedOver(f *os.File) (uint64, error) {
	const op = "modelfile.handed-over"
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return 0, errs.Wrap(errs.Internal, op, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return 0, errs.Wrap(errs.Internal, op, err)
	}
	if flags&(unix.O_ACCMODE|unix.O_PATH) != unix.O_RDONLY || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return 0, errs.New(errs.Malformed, op).With("the descriptor is not a file opened for reading")
	}
	return uint64(st.Size), nil
}
