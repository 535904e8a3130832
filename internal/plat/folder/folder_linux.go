package folder

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
)

// Open opens the directory at an absolute path. Links in the path are followed
// once, by name; the result is then opened without following any, so that a
// link swapped in between is refused, not followed.
//
// Errors: errs.Usage for a path that is not absolute, errs.FolderMissing,
// errs.FolderNotDir, errs.FolderClosed, errs.FolderChanged.
func Open(path string) (*Folder, error) {
	const op = "folder.open"
	if !filepath.IsAbs(path) || strings.IndexByte(path, 0) >= 0 || len(path) > limits.PathBytes {
		return nil, errs.New(errs.Usage, op).With("the folder's path must be absolute, of at most " + strconv.Itoa(limits.PathBytes) + " bytes and without a zero byte").WithHint("name the folder by its full path")
	}
	clean := filepath.Clean(path)
	real, err := filepath.EvalSymlinks(clean)
	if errno := syscall.Errno(0); err != nil && !errors.As(err, &errno) {
		// The one failure of EvalSymlinks without an errno.
		return nil, errs.Wrap(errs.FolderMissing, op, err).WithHint("the path goes round in a circle of links")
	}
	if err != nil {
		return nil, openError(op, err)
	}
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, real, &how)
	if errors.Is(err, unix.ELOOP) {
		return nil, errs.Wrap(errs.FolderChanged, op, err)
	}
	if err != nil {
		return nil, openError(op, err)
	}
	f := &Folder{Dir: os.NewFile(uintptr(fd), real), Path: real, Renamed: real != clean}
	mounts, err := proc.Mounts(os.Getpid())
	if err != nil {
		f.Close()
		return nil, errs.Wrap(errs.FolderClosed, op, err)
	}
	// Some have no number that tells them, and a name.
	if pseudo(fd) || slices.Contains(pseudoNames(), deepest(mounts, real).Type) {
		f.Close()
		return nil, errs.New(errs.Denied, op).With("the folder holds no documents, but the system's own state").WithHint("name a folder of a disk")
	}
	f.System = system(mounts, real)
	if f.Object, err = identify(fd); err != nil {
		f.Close()
		return nil, errs.Wrap(errs.FolderClosed, op, err)
	}
	return f, nil
}

// Make makes a directory that is the person's alone, and those above it that are
// missing. One that is there stays as it is.
func Make(path string) error { return os.MkdirAll(path, 0o700) }

// pseudo reports whether a directory is of a file system that shows the
// kernel's state: reading there acts on processes and devices, and a read-only
// mount of it is not one.
func pseudo(fd int) bool {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return false
	}
	switch fs.Type {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.DEBUGFS_MAGIC,
		unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC, unix.BPF_FS_MAGIC, unix.DEVPTS_SUPER_MAGIC, unix.SELINUX_MAGIC, unix.EFIVARFS_MAGIC, unix.PSTOREFS_MAGIC:
		return true
	}
	return false
}

// system lists where, below a directory, such a file system is mounted; what is
// mounted in one of them goes with it.
func system(mounts []proc.Mountpoint, dir string) []string {
	var below []string
	for _, m := range mounts {
		if rel, ok := strings.CutPrefix(m.Point, strings.TrimSuffix(dir, "/")+"/"); ok && rel != "" && slices.Contains(pseudoNames(), m.Type) {
			below = append(below, rel)
		}
	}
	slices.Sort(below)
	var top []string
	for _, rel := range below {
		if n := len(top); n == 0 || rel != top[n-1] && !strings.HasPrefix(rel, top[n-1]+"/") {
			top = append(top, rel)
		}
	}
	return top
}

// Automounted reports whether looking at a path would have an automounter mount
// something, which may ask another machine for it. It looks at the names alone, and
// what cannot be told counts as automounted.
func Automounted(path string) bool {
	mounts, err := proc.Mounts(os.Getpid())
	return err != nil || automounted(mounts, filepath.Clean(path))
}

func automounted(mounts []proc.Mountpoint, path string) bool {
	return deepest(mounts, path).Type == "autofs"
}

// deepest is the mount that a path lies in.
func deepest(mounts []proc.Mountpoint, path string) proc.Mountpoint {
	deepest := proc.Mountpoint{}
	for _, m := range mounts {
		inside := m.Point == "/" || path == m.Point || strings.HasPrefix(path, m.Point+"/")
		// Of those at one place the last lies on top.
		if inside && len(m.Point) >= len(deepest.Point) {
			deepest = m
		}
	}
	return deepest
}

// pseudoNames are the names of such file systems, of those too that stand in
// others as a rule.
func pseudoNames() []string {
	return []string{"proc", "sysfs", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "bpf", "devpts", "selinuxfs", "efivarfs", "pstore",
		"mqueue", "configfs", "fusectl", "binfmt_misc", "smackfs", "resctrl", "nfsd", "rpc_pipefs", "hugetlbfs"}
}

func openError(op string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return errs.Wrap(errs.FolderMissing, op, err)
	case errors.Is(err, unix.ENOTDIR):
		return errs.Wrap(errs.FolderNotDir, op, err)
	case errors.Is(err, unix.ENAMETOOLONG):
		return errs.Wrap(errs.Usage, op, err).With("the path is too long")
	}
	return errs.Wrap(errs.FolderClosed, op, err)
}

func identify(fd int) (capability.Object, error) {
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS|unix.STATX_BTIME, &st); err != nil {
		return capability.Object{}, err
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return capability.Object{}, err
	}
	h, _, err := unix.NameToHandleAt(fd, "", unix.AT_EMPTY_PATH)
	if err != nil {
		return identity(&st, &fs, nil), nil
	}
	return identity(&st, &fs, h.Bytes()), nil
}

// identity is what the file system says a directory is. What outlives a restart is its
// time of birth and the file handle, where there are handles. By inode number and
// handle alone the roots of two media are the same where they are of one kind, and by
// the file system's number too where that is the device's (squashfs, vfat). Where no
// time of birth is told, or no number (FUSE, NFS), nothing is said to outlive one.
func identity(st *unix.Statx_t, fs *unix.Statfs_t, handle []byte) capability.Object {
	o := capability.Object{Device: unix.Mkdev(st.Dev_major, st.Dev_minor), Inode: st.Ino}
	for i, v := range fs.Fsid.Val {
		for b := range 4 {
			o.FS[4*i+b] = byte(uint32(v) >> (8 * b))
		}
	}
	if fs.Fsid == (unix.Fsid{}) || st.Mask&unix.STATX_BTIME == 0 || st.Btime.Sec == 0 && st.Btime.Nsec == 0 {
		return o
	}
	var born [12]byte
	for i := range 8 {
		born[i] = byte(uint64(st.Btime.Sec) >> (8 * i))
	}
	for i := range 4 {
		born[8+i] = byte(st.Btime.Nsec >> (8 * i))
	}
	o.FileHandle = "born:" + hex.EncodeToString(born[:])
	if len(handle) > 0 {
		o.FileHandle += ";handle:" + hex.EncodeToString(handle)
	}
	return o
}

// Same reports whether two identities are one directory, across restarts. An
// identity of which nothing outlives one is never the same as another: such a
// directory cannot be remembered.
func Same(a, b capability.Object) bool {
	return a.FileHandle != "" && a.FileHandle == b.FileHandle && a.FS == b.FS && a.Inode == b.Inode
}

// Still reports whether what was opened a while ago, by this process, is what is at
// the same path now. Where nothing of its identity outlives a restart, device and
// inode have to do: a directory that was deleted and made anew in between may then
// pass for the old one, and a person is asked about it all the same.
func Still(then, now capability.Object) bool {
	if then.FileHandle == "" && now.FileHandle == "" {
		return then == now
	}
	return Same(then, now)
}
