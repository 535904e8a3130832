package memory

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Available is what the machine can give without swapping, in bytes: MemAvailable
// of /proc/meminfo, or what is left of the limit of a control group that this
// process is in, where that is less.
func Available() (uint64, error) { return available("/") }

func available(root string) (uint64, error) {
	const op = "memory.available"
	info, err := read(filepath.Join(root, "proc/meminfo"))
	if err != nil {
		return 0, errs.Wrap(errs.Internal, op, err)
	}
	kib, ok := field(info, "MemAvailable:")
	if !ok {
		return 0, errs.New(errs.NotSupported, op).With("the system does not tell how much memory is available")
	}
	free := kib << 10
	if left, ok := group(root); ok {
		free = min(free, left)
	}
	return free, nil
}

// read returns a file of /proc or of a control group.
func read(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limits.MemoryFile))
	return string(b), err
}

// field returns the number behind a name at the beginning of a line.
func field(text, name string) (uint64, bool) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			fields := strings.Fields(rest)
			if len(fields) == 0 {
				return 0, false
			}
			n, err := strconv.ParseUint(fields[0], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// group returns what the tightest control group on the way up leaves, with
// version 2 of control groups and, where it has the controller, version 1.
// Pages of files can be dropped, so they are not counted as taken.
func group(root string) (uint64, bool) {
	text, err := read(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return 0, false
	}
	left, found := uint64(0), false
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		v := version2(root)
		if parts[0] != "0" {
			if !strings.Contains(","+parts[1]+",", ",memory,") {
				continue
			}
			v = version1(root)
		}
		// A path that leads out is one of another namespace: only the root is seen.
		for path := filepath.Clean("/" + parts[2]); ; path = filepath.Dir(path) {
			if n, ok := v.left(path); ok && (!found || n < left) {
				left, found = n, true
			}
			if path == "/" {
				break
			}
		}
	}
	return left, found
}

// files are where a version of control groups keeps its numbers.
type files struct {
	dir, limit, usage, stat string
	// cache names the line of stat with pages of files that can be dropped.
	cache string
}

func version2(root string) files {
	return files{filepath.Join(root, "sys/fs/cgroup"), "memory.max", "memory.current", "memory.stat", "inactive_file "}
}

func version1(root string) files {
	return files{filepath.Join(root, "sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat", "total_inactive_file "}
}

func (v files) left(path string) (uint64, bool) {
	number := func(name string) (uint64, bool) {
		s, err := read(filepath.Join(v.dir, path, name))
		if err != nil {
			return 0, false
		}
		// "max" is no limit, and no number.
		n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 64)
		return n, err == nil
	}
	limit, ok1 := number(v.limit)
	used, ok2 := number(v.usage)
	if !ok1 || !ok2 {
		return 0, false
	}
	if s, err := read(filepath.Join(v.dir, path, v.stat)); err == nil {
		if cache, ok := field(s, v.cache); ok {
			used -= min(used, cache)
		}
	}
	return limit - min(limit, used), true
}
