package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func path(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// ReadStatus returns the status of a process. The error is fs.ErrNotExist when
// there is none.
func ReadStatus(pid int) (Status, error) {
	b, err := os.ReadFile(path(pid, "status"))
	if err != nil {
		return Status{}, err
	}
	return parseStatus(string(b))
}

// ReadThreadStatus returns the status of one thread of a process, by its number in
// the innermost pid namespace. The error is fs.ErrNotExist when there is none. What
// a process that has not executed yet did to itself, it may have done to one thread
// alone.
func ReadThreadStatus(pid, inner int) (Status, error) {
	threads, err := os.ReadDir(path(pid, "task"))
	if err != nil {
		return Status{}, err
	}
	for _, t := range threads {
		b, err := os.ReadFile(path(pid, "task/"+t.Name()+"/status"))
		if err != nil {
			continue // it has ended
		}
		s, err := parseStatus(string(b))
		if err != nil || s.Inner == inner {
			return s, err
		}
	}
	return Status{}, fs.ErrNotExist
}

func parseStatus(text string) (Status, error) {
	s := Status{Filters: -1}
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		if !ok {
			return s, fmt.Errorf("status: line without a colon")
		}
		value = strings.TrimSpace(value)
		var err error
		switch key {
		case "Name":
			s.Name = value
		case "PPid":
			s.Parent, err = strconv.Atoi(value)
		case "Uid":
			s.UID, err = parseIDs(value)
		case "Gid":
			s.GID, err = parseIDs(value)
		case "Groups":
			s.Groups, err = numbers(value)
		case "CapInh":
			s.Inheritable, err = strconv.ParseUint(value, 16, 64)
		case "CapPrm":
			s.Permitted, err = strconv.ParseUint(value, 16, 64)
		case "CapEff":
			s.Effective, err = strconv.ParseUint(value, 16, 64)
		case "CapBnd":
			s.Bounding, err = strconv.ParseUint(value, 16, 64)
		case "CapAmb":
			s.Ambient, err = strconv.ParseUint(value, 16, 64)
		case "NoNewPrivs":
			s.NoNewPrivs = value == "1"
		case "Seccomp":
			s.Seccomp, err = strconv.Atoi(value)
		case "Seccomp_filters":
			s.Filters, err = strconv.Atoi(value)
		case "Threads":
			s.Threads, err = strconv.Atoi(value)
		case "NSpid":
			var ids []int
			if ids, err = numbers(value); len(ids) > 0 {
				s.Inner = ids[len(ids)-1]
			}
		case "VmRSS":
			var kib uint64
			kib, err = strconv.ParseUint(strings.TrimSuffix(value, " kB"), 10, 54)
			s.RSS = kib << 10
		}
		if err != nil {
			return s, fmt.Errorf("status: %s: %w", key, err)
		}
		seen[key] = true
	}
	// What is judged must have been there: a missing line is not a zero.
	for _, k := range []string{"Uid", "Gid", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"} {
		if !seen[k] {
			return s, fmt.Errorf("status: no %s", k)
		}
	}
	return s, nil
}

func numbers(value string) ([]int, error) {
	var ns []int
	for _, f := range strings.Fields(value) {
		n, err := strconv.Atoi(f)
		if err != nil {
			return nil, err
		}
		ns = append(ns, n)
	}
	return ns, nil
}

func parseIDs(value string) (IDs, error) {
	ns, err := numbers(value)
	if err != nil || len(ns) != len(IDs{}) {
		return IDs{}, fmt.Errorf("%d ids", len(ns))
	}
	return IDs(ns), nil
}

// Namespaces returns what each of the process's namespaces is, for example
// "net" → "net:[4026531840]".
func Namespaces(pid int) (map[string]string, error) {
	m := map[string]string{}
	for _, n := range []string{"user", "mnt", "pid", "net", "ipc", "uts"} {
		l, err := os.Readlink(path(pid, "ns/"+n))
		if err != nil {
			return nil, err
		}
		m[n] = l
	}
	return m, nil
}

// Descriptors lists what the process holds open, by number.
func Descriptors(pid int) ([]Descriptor, error) {
	names, err := readNames(path(pid, "fd"))
	if err != nil {
		return nil, err
	}
	var ds []Descriptor
	for _, n := range names {
		number, err := strconv.Atoi(n)
		if err != nil {
			return nil, err
		}
		target, err := os.Readlink(path(pid, "fd/"+n))
		if errors.Is(err, fs.ErrNotExist) {
			continue // closed meanwhile
		}
		if err != nil {
			return nil, err
		}
		ds = append(ds, Descriptor{number, target})
	}
	sort.Slice(ds, func(i, j int) bool { return ds[i].Number < ds[j].Number })
	return ds, nil
}

func readNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// Cmdline returns the arguments of a process.
func Cmdline(pid int) ([]string, error) { return vector(pid, "cmdline") }

// Environ returns the environment that a process was started with.
func Environ(pid int) ([]string, error) { return vector(pid, "environ") }

func vector(pid int, name string) ([]string, error) {
	b, err := os.ReadFile(path(pid, name))
	if err != nil {
		return nil, err
	}
	b = bytes.TrimSuffix(b, []byte{0})
	if len(b) == 0 {
		return nil, nil
	}
	return strings.Split(string(b), "\x00"), nil
}

// Cwd returns the working directory of a process, as it sees it.
func Cwd(pid int) (string, error) { return os.Readlink(path(pid, "cwd")) }

// Exe returns the program of a process, as its mappings name it.
func Exe(pid int) (string, error) { return os.Readlink(path(pid, "exe")) }

// ReadOnlyExe reports whether the program of a process stands on a mount that cannot
// be written.
func ReadOnlyExe(pid int) (bool, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path(pid, "exe"), &fs); err != nil {
		return false, err
	}
	return fs.Flags&unix.ST_RDONLY != 0, nil
}

// Executable lists the mappings of a process whose pages may be executed.
func Executable(pid int) ([]Mapping, error) {
	b, err := os.ReadFile(path(pid, "maps"))
	if err != nil {
		return nil, err
	}
	return parseMaps(string(b))
}

// parseMaps reads proc_pid_maps(5): range, rights, offset, device, inode, name.
func parseMaps(text string) ([]Mapping, error) {
	const before = 5
	var ms []Mapping
	for line := range strings.Lines(text) {
		rest := strings.TrimSuffix(line, "\n")
		var f [before]string
		for i := range f {
			f[i], rest, _ = strings.Cut(strings.TrimLeft(rest, " "), " ")
		}
		if len(f[1]) != len("rwxp") || f[before-1] == "" {
			return nil, fmt.Errorf("maps: a line without rights or inode")
		}
		if f[1][2] == 'x' {
			ms = append(ms, Mapping{Rights: f[1], Name: strings.ReplaceAll(strings.TrimLeft(rest, " "), `\012`, "\n")})
		}
	}
	return ms, nil
}

// RootEntries lists the names in the root directory of a process.
func RootEntries(pid int) ([]string, error) {
	names, err := readNames(path(pid, "root/"))
	sort.Strings(names)
	return names, err
}

// Mounts lists the mounts that a process sees.
func Mounts(pid int) ([]Mountpoint, error) {
	b, err := os.ReadFile(path(pid, "mountinfo"))
	if err != nil {
		return nil, err
	}
	return parseMounts(string(b))
}

// parseMounts reads proc_pid_mountinfo(5). What stands between its fields is the
// blank alone: the kernel escapes it in a name, and nothing else that is white.
func parseMounts(text string) ([]Mountpoint, error) {
	var ms []Mountpoint
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		dash := -1
		for i, x := range f {
			if x == "-" && i >= 6 {
				dash = i
				break
			}
		}
		if dash < 0 || dash+1 >= len(f) {
			return nil, fmt.Errorf("mountinfo: a line of %d fields", len(f))
		}
		ms = append(ms, Mountpoint{Root: unescape(f[3]), Point: unescape(f[4]), Options: strings.Split(f[5], ","), Type: f[dash+1]})
	}
	return ms, nil
}

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Limits returns the resource limits of a process by the kernel's names, for
// example "Max open files".
func Limits(pid int) (map[string]Limit, error) {
	b, err := os.ReadFile(path(pid, "limits"))
	if err != nil {
		return nil, err
	}
	return parseLimits(string(b))
}

// nameWidth is the width of the first column of /proc/PID/limits.
const nameWidth = 26

func parseLimits(text string) (map[string]Limit, error) {
	m := map[string]Limit{}
	first := true
	for line := range strings.Lines(text) {
		if first {
			first = false
			continue
		}
		if len(line) <= nameWidth {
			return nil, fmt.Errorf("limits: a short line")
		}
		f := strings.Fields(line[nameWidth:])
		if len(f) < 2 {
			return nil, fmt.Errorf("limits: %d values", len(f))
		}
		var l Limit
		for i, to := range []*uint64{&l.Soft, &l.Hard} {
			if f[i] == "unlimited" {
				*to = Unlimited
				continue
			}
			v, err := strconv.ParseUint(f[i], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("limits: %w", err)
			}
			*to = v
		}
		m[strings.TrimSpace(line[:nameWidth])] = l
	}
	return m, nil
}

// Children returns the direct children of a process, of all its threads.
func Children(pid int) ([]int, error) {
	tasks, err := readNames(path(pid, "task"))
	if err != nil {
		return nil, err
	}
	var all []int
	for _, t := range tasks {
		b, err := os.ReadFile(path(pid, "task/"+t+"/children"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ns, err := numbers(string(b))
		if err != nil {
			return nil, err
		}
		all = append(all, ns...)
	}
	sort.Ints(all)
	return all, nil
}

// Descendants returns the children of a process, theirs, and so on.
func Descendants(pid int) ([]int, error) {
	all, err := Children(pid)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(all); i++ {
		more, err := Children(all[i])
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// Alive reports whether a process exists and is not a zombie.
func Alive(pid int) bool {
	b, err := os.ReadFile(path(pid, "stat"))
	if err != nil {
		return false
	}
	// The name in parentheses may hold anything; the state follows the last.
	i := bytes.LastIndexByte(b, ')')
	return i >= 0 && i+2 < len(b) && b[i+2] != 'Z' && b[i+2] != 'X'
}

// Readable reports whether a process can be read from outside by the ordinary
// user that owns it: whether its /proc/PID/fd belongs to its own id, or opens.
// The kernel gives that directory of a non-dumpable process to the id that its
// user namespace maps as 0.
func Readable(pid int) (bool, error) {
	dir := path(pid, "fd")
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return false, err
	}
	s, err := ReadStatus(pid)
	if err != nil {
		return false, err
	}
	if int(st.Uid) == s.UID[1] {
		return true, nil
	}
	if os.Geteuid() == 0 {
		return false, nil // opens whatever it is
	}
	d, err := os.Open(dir)
	if err == nil {
		d.Close()
		return true, nil
	}
	if errors.Is(err, fs.ErrPermission) {
		return false, nil
	}
	return false, err
}

// Maps reports whether the caller's user namespace maps id; file is "uid_map"
// or "gid_map".
func Maps(file string, id int) (bool, error) {
	b, err := os.ReadFile("/proc/self/" + file)
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(b)) {
		f, err := numbers(line)
		if err != nil || len(f) != 3 {
			return false, fmt.Errorf("%s: %q", file, line)
		}
		if id >= f[0] && id-f[0] < f[2] {
			return true, nil
		}
	}
	return false, nil
}

// Listeners returns the sockets of a process that wait for a peer, of the
// process's own network namespace.
func Listeners(pid int) ([]Listener, error) {
	ds, err := Descriptors(pid)
	if err != nil {
		return nil, err
	}
	inodes := map[string]bool{}
	for _, d := range ds {
		if n, ok := strings.CutPrefix(d.Target, "socket:["); ok {
			inodes[strings.TrimSuffix(n, "]")] = true
		}
	}
	var ls []Listener
	for _, network := range []string{"tcp", "tcp6", "udp", "udp6", "unix"} {
		b, err := os.ReadFile(path(pid, filepath.Join("net", network)))
		if errors.Is(err, fs.ErrNotExist) {
			continue // no IPv6
		}
		if err != nil {
			return nil, err
		}
		ls = append(ls, parseSockets(network, string(b), inodes)...)
	}
	return ls, nil
}

// parseSockets finds the waiting sockets among inodes in a table of
// /proc/net.
func parseSockets(network, text string, inodes map[string]bool) []Listener {
	var ls []Listener
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch network {
		case "unix":
			// Num RefCount Protocol Flags Type St Inode Path
			const accepting = 0x10000 // __SO_ACCEPTCON
			if len(f) < 7 || !inodes[f[6]] {
				continue
			}
			if flags, err := strconv.ParseUint(f[3], 16, 64); err == nil && flags&accepting != 0 {
				ls = append(ls, Listener{network, strings.Join(f[7:], " ")})
			}
		default:
			// sl local remote st queues timer retrnsmt uid timeout inode
			if len(f) < 10 || !inodes[f[9]] {
				continue
			}
			const listen, unconnected = "0A", "07" // TCP_LISTEN, and TCP_CLOSE for a UDP socket without a peer
			if f[3] == listen || strings.HasPrefix(network, "udp") && f[3] == unconnected {
				ls = append(ls, Listener{network, f[1]})
			}
		}
	}
	return ls
}
