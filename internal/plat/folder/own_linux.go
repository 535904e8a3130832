package folder

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/limits"
)

// Within reports whether the folder is the directory at path or one of those
// that Bailey makes in it, whatever name it was opened by: a bind mount gives
// one directory a second name.
func (f *Folder) Within(path string) bool {
	var st unix.Stat_t
	if unix.Fstat(int(f.Dir.Fd()), &st) != nil {
		return false
	}
	return within(&st, path, limits.OwnLevels)
}

// Is reports whether the folder is the directory at path, whatever name it was opened
// by.
func (f *Folder) Is(path string) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Dir.Fd()), &st) == nil && within(&st, path, 0)
}

func within(want *unix.Stat_t, path string, levels int) bool {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return false
	}
	if same(want, &st) {
		return true
	}
	if levels == 0 {
		return false
	}
	entries, _ := os.ReadDir(path) // what cannot be listed cannot be granted either
	for _, e := range entries {
		if e.IsDir() && within(want, filepath.Join(path, e.Name()), levels-1) {
			return true
		}
	}
	return false
}

// Find returns the name, relative to the folder, of the directory that is at an
// absolute path. It tries the ends of the path, so it finds the directory where
// the folder is one of those above it, also by the name of a bind mount.
func (f *Folder) Find(path string) (rel string, found bool) {
	var want, st unix.Stat_t
	if unix.Lstat(path, &want) != nil {
		return "", false
	}
	for i := len(path); i > 0; {
		i = strings.LastIndexByte(path[:i], '/')
		if i < 0 {
			break
		}
		rel = path[i+1:]
		if rel != "" && unix.Fstatat(int(f.Dir.Fd()), rel, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && same(&want, &st) {
			return rel, true
		}
	}
	return "", false
}

func same(a, b *unix.Stat_t) bool { return a.Dev == b.Dev && a.Ino == b.Ino }
