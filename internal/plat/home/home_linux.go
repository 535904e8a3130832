package home

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

const (
	private = 0o700
	// open for others: written by group or world.
	othersWrite = 0o022
	// overflowUID owns what the user namespace does not map (user_namespaces(7)):
	// inside a container, the directories above a mount.
	overflowUID = 65534
)

func unusable(path, why string, cause error) *errs.Error {
	return errs.Wrap(errs.HomeUnusable, "home.open", cause).With(path + ": " + why)
}

func open(o Options) (*Home, error) {
	if o.RunUser == "" {
		o.RunUser = "/run/user"
	}
	if o.Temp == "" {
		o.Temp = "/tmp"
	}
	h, err := locate(o)
	if err != nil {
		return nil, err
	}
	all := []string{h.State, h.Cache, h.Config}
	if h.Dir != "" {
		all = append(all, filepath.Join(h.Dir, runName))
	}
	// What these refuse, they refuse before anything is made or changed.
	for _, dir := range all {
		if err := apart(dir); err != nil {
			return nil, err
		}
		if err := foreign(dir, h.Dir != ""); err != nil {
			return nil, err
		}
	}
	if h.Dir == "" {
		if err := ownHome(o.Env.Home); err != nil {
			return nil, err
		}
	} else if err := ensure(h.Dir); err != nil {
		return nil, err
	}
	for _, dir := range []string{h.State, h.Cache, h.Config} {
		if err := ensurePrivate(dir); err != nil {
			return nil, err
		}
	}
	// The real name, so that two spellings of one home share a core.
	if h.Dir != "" {
		if real, err := filepath.EvalSymlinks(h.Dir); err == nil {
			*h = Home{Dir: real, State: filepath.Join(real, "state"), Cache: filepath.Join(real, "cache"), Config: filepath.Join(real, "config")}
		}
	}
	if h.Runtime, err = runtimeDir(h, o); err != nil {
		return nil, err
	}
	h.Socket = filepath.Join(h.Runtime, socketName)
	return h, nil
}

// apart refuses a directory among the system's programs: tools, drivers and windows see
// all that lies there, keys and remembered permissions too. It looks through links, as
// far as the way exists.
func apart(dir string) error {
	dir = existing(dir)
	for _, system := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"} {
		if strings.HasPrefix(dir, system+"/") {
			return unusable(dir, "it is among the system's programs, which what runs in a sandbox can read", nil).
				WithHint("name a folder in another place with --home DIR")
		}
	}
	return nil
}

// ownHome refuses root at work in another user's home (sudo keeps HOME in some
// set-ups): it would leave directories there that the user cannot use.
func ownHome(dir string) error {
	if dir == "" || os.Geteuid() != 0 {
		return nil
	}
	var st unix.Stat_t
	if unix.Stat(dir, &st) == nil && st.Uid != 0 && st.Uid != overflowUID {
		return unusable(dir, "it is the home of another user", nil).
			WithHint("do not use sudo, or use `sudo -H`, or name a folder with --home DIR")
	}
	return nil
}

// existing is dir without links, as far as the way exists.
func existing(dir string) string {
	rest := ""
	for at := dir; ; at = filepath.Dir(at) {
		if real, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(real, rest)
		}
		if at == filepath.Dir(at) {
			return dir
		}
		rest = filepath.Join(filepath.Base(at), rest)
	}
}

// foreign refuses a directory that by its look is somebody else's: others may read
// it, which they never may Bailey's, and something is in it. It would be closed to
// them, as the system's /run with --home /. One called bailey in the person's XDG
// directories, which is not named, is Bailey's, unless it is a link.
func foreign(dir string, named bool) error {
	link, err := os.Lstat(dir)
	if err != nil || !named && link.Mode()&fs.ModeSymlink == 0 {
		return nil // made, or refused, where it is used
	}
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	in, err := os.ReadDir(dir)
	if err != nil {
		return explain(dir, err)
	}
	if len(in) > 0 {
		return unusable(dir, fmt.Sprintf("it is in use, and others may read it (mode %04o)", info.Mode().Perm()), nil).
			WithHint("name another folder with --home DIR; if this one is Bailey's, run `chmod 700` on it")
	}
	return nil
}

// own makes a directory private that is by its look not somebody else's.
func own(dir string) error {
	if err := foreign(dir, false); err != nil {
		return err
	}
	return ensurePrivate(dir)
}

// ensurePrivate is ensure for a directory that is Bailey's alone: one that
// others may read is closed to them.
func ensurePrivate(dir string) error {
	if err := ensure(dir); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return explain(dir, err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(dir, private); err != nil {
			return explain(dir, err)
		}
	}
	return nil
}

// ensure makes dir with mode 0700 if it is missing, with all above it, and
// checks it: a directory, ours, written by us alone and by us at all, and below
// directories that nobody else can change.
func ensure(dir string) error {
	if err := os.MkdirAll(dir, private); err != nil {
		return explain(dir, err)
	}
	if err := check(dir); err != nil {
		return err
	}
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return explain(dir, err)
	}
	return above(dir)
}

// check looks at the directory that dir leads to; above looks at the way there.
func check(dir string) error {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return explain(dir, err)
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return unusable(dir, "it is not a directory", nil)
	case int(st.Uid) != os.Geteuid():
		return unusable(dir, fmt.Sprintf("it belongs to user %d, not to you (%d)", st.Uid, os.Geteuid()), nil)
	case st.Mode&othersWrite != 0:
		return unusable(dir, fmt.Sprintf("others may write it (mode %04o)", st.Mode&0o7777), nil).
			WithHint("run `chmod go-w` on it, or name another folder with --home DIR")
	}
	return nil
}

// above refuses a directory that somebody else could replace. It walks dir as
// it is named, through every link on the way: each directory that a name is
// looked up in, and each link, must be ours or the system's, and no directory may
// be written by everyone unless it is sticky. Group-writable parents are left
// alone: with a umask of 002 and a group for each user they are normal.
func above(dir string) error {
	at, rest, links := "/", strings.Split(dir, "/"), 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			// at has no link in it, so this is what the kernel does.
			at = filepath.Dir(at)
			continue
		}
		if err := safeIn(dir, at); err != nil {
			return err
		}
		next := filepath.Join(at, part)
		var st unix.Stat_t
		if err := unix.Lstat(next, &st); err != nil {
			return explain(next, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFLNK {
			at = next
			continue
		}
		if !trusted(st.Uid) {
			return unusable(dir, fmt.Sprintf("the link %s on the way to it belongs to user %d, who could turn it elsewhere", next, st.Uid), nil)
		}
		if links++; links > limits.Links {
			return explain(next, syscall.ELOOP)
		}
		target, err := os.Readlink(next)
		if err != nil {
			return explain(next, err)
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return nil
}

// safeIn refuses a directory on the way to dir whose entries others can replace.
func safeIn(dir, on string) error {
	var st unix.Stat_t
	if err := unix.Lstat(on, &st); err != nil {
		return explain(on, err)
	}
	if !trusted(st.Uid) {
		return unusable(dir, fmt.Sprintf("%s above it belongs to user %d, who could replace it", on, st.Uid), nil)
	}
	if st.Mode&0o002 != 0 && st.Mode&unix.S_ISVTX == 0 {
		return unusable(dir, fmt.Sprintf("%s above it can be written by everyone (mode %04o)", on, st.Mode&0o7777), nil)
	}
	return nil
}

// trusted says whose directories and links may lead to a home: ours and the
// system's.
func trusted(uid uint32) bool {
	return int(uid) == os.Geteuid() || uid == 0 || uid == overflowUID
}

func explain(path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		path = pe.Path
	}
	switch {
	case errors.Is(err, syscall.EROFS):
		return unusable(path, "the file system is read-only", err).WithHint("name a folder that can be written with --home DIR")
	case errors.Is(err, fs.ErrPermission):
		return unusable(path, "you may not write there", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return errs.Wrap(errs.NoSpace, "home.open", err).With(path)
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		return unusable(path, "a part of it is not a directory", err)
	case errors.Is(err, syscall.ENAMETOOLONG):
		return unusable(path, "the name is too long", err)
	case errors.Is(err, syscall.ELOOP):
		return unusable(path, "too many links", err)
	}
	return unusable(path, "it cannot be used", err)
}

// runtimeDir returns the home's runtime directory: the one that was chosen
// before if it is still good, else a new choice, which is written down.
func runtimeDir(h *Home, o Options) (string, error) {
	file := filepath.Join(h.State, choiceName)
	if chosen, ok := readChoice(file); ok && usable(chosen, h) {
		return chosen, nil
	}
	dir, err := chooseRuntime(h, o)
	if err != nil {
		return "", err
	}
	if err := writeChoice(file, dir); err != nil {
		return "", explain(file, err)
	}
	return dir, nil
}

// usable reports whether a directory chosen earlier can go on being used. Its
// name must be one that chooseRuntime gives for this home: the file is a memory,
// not a setting.
func usable(dir string, h *Home) bool {
	if !filepath.IsAbs(dir) || !fits(dir) || apart(dir) != nil {
		return false
	}
	if filepath.Base(dir) != key(h) && (h.Dir == "" || dir != filepath.Join(h.Dir, runName)) {
		return false
	}
	return private0700(dir) == nil && above(dir) == nil
}

func fits(dir string) bool { return len(dir)+1+len(socketName) <= limits.SocketName }

// key names a home in a directory that other homes of the user share: HOME and
// XDG_STATE_HOME may change while XDG_RUNTIME_DIR stays.
func key(h *Home) string {
	real, err := filepath.EvalSymlinks(h.State)
	if err != nil {
		real = h.State
	}
	sum := sha256.Sum256([]byte(real))
	return hex.EncodeToString(sum[:8])
}

func chooseRuntime(h *Home, o Options) (string, error) {
	if h.Dir != "" {
		if dir := filepath.Join(h.Dir, runName); fits(dir) {
			return dir, ensurePrivate(dir)
		}
	}
	uid := strconv.Itoa(os.Geteuid())
	for _, base := range []string{o.Env.RuntimeDir, filepath.Join(o.RunUser, uid)} {
		dir := filepath.Join(base, appName, key(h))
		if base == "" || !fits(dir) || apart(dir) != nil {
			continue
		}
		// A base that is missing, or left over from `su`, is passed over, as the
		// specification advises; one that is right but cannot be used is too.
		if private0700(base) == nil && own(filepath.Dir(dir)) == nil && own(dir) == nil {
			return dir, nil
		}
	}
	// /tmp, never TMPDIR: two shells of one user must meet.
	dir := filepath.Join(o.Temp, appName+"-"+uid)
	for _, d := range []string{dir, filepath.Join(dir, key(h))} {
		if err := makeInTemp(d); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, key(h)), nil
}

// makeInTemp makes a directory where others could have put something first:
// what stands there must be a directory of ours and no link.
func makeInTemp(dir string) error {
	if err := os.Mkdir(dir, private); err != nil && !errors.Is(err, fs.ErrExist) {
		return explain(dir, err)
	}
	return private0700(dir)
}

// private0700 checks a directory without following a link.
func private0700(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return explain(dir, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid() || st.Mode&0o077 != 0 {
		return unusable(dir, fmt.Sprintf("it is not a directory of yours with mode 0700 (user %d, mode %06o)", st.Uid, st.Mode), nil).
			WithHint("remove it, or set XDG_RUNTIME_DIR to a directory of yours")
	}
	return nil
}

func readChoice(file string) (string, bool) {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", false
	}
	defer f.Close()
	buf := make([]byte, limits.SocketName+1)
	n, _ := f.Read(buf)
	line, rest, ok := strings.Cut(string(buf[:n]), "\n")
	return line, ok && rest == ""
}

// writeChoice replaces the file in one step. Whoever comes second wins and the
// first has opened the same home in the same millisecond with another
// environment; its core would then be found by the lock.
func writeChoice(file, dir string) error {
	tmp, err := os.CreateTemp(filepath.Dir(file), choiceName+".*")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(dir + "\n")
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}
