package proc

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// child starts a process that lives until the test ends.
func child(t *testing.T, attr *syscall.SysProcAttr) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.Dir = "/"
	cmd.Env = []string{"A=1", "B="}
	cmd.SysProcAttr = attr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	// Start returns when the kernel has closed the pipe of the exec, which is a
	// little before the new arguments can be seen.
	for deadline := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		if args, _ := Cmdline(cmd.Process.Pid); len(args) > 0 {
			return cmd
		}
		if time.Now().After(deadline) {
			t.Fatal("the child has no arguments")
		}
	}
}

func TestFacts(t *testing.T) {
	pid := child(t, nil).Process.Pid
	s, err := ReadStatus(pid)
	if err != nil {
		t.Fatal(err)
	}
	if s.Name != "sleep" || s.Parent != os.Getpid() || s.UID[0] != os.Getuid() || s.GID[1] != os.Getegid() || s.Threads != 1 || s.Inner != pid || s.RSS == 0 {
		t.Errorf("status %+v", s)
	}
	if args, err := Cmdline(pid); err != nil || !slices.Equal(args, []string{"sleep", "1000"}) {
		t.Errorf("arguments %q, %v", args, err)
	}
	if env, err := Environ(pid); err != nil || !slices.Equal(env, []string{"A=1", "B="}) {
		t.Errorf("environment %q, %v", env, err)
	}
	if cwd, err := Cwd(pid); err != nil || cwd != "/" {
		t.Errorf("directory %q, %v", cwd, err)
	}
	if names, err := RootEntries(pid); err != nil || !slices.Contains(names, "etc") {
		t.Errorf("root %q, %v", names, err)
	}
	ns, err := Namespaces(pid)
	ours, err2 := Namespaces(os.Getpid())
	if err != nil || err2 != nil || len(ns) != 6 || ns["net"] != ours["net"] || !strings.HasPrefix(ns["user"], "user:[") {
		t.Errorf("namespaces %v and %v, %v, %v", ns, ours, err, err2)
	}
	ls, err := Limits(pid)
	if err != nil || ls["Max open files"].Hard == 0 || ls["Max cpu time"].Soft != Unlimited {
		t.Errorf("limits %v, %v", ls, err)
	}
	ms, err := Mounts(pid)
	if err != nil || !slices.ContainsFunc(ms, func(m Mountpoint) bool { return m.Point == "/proc" && m.Type == "proc" }) {
		t.Errorf("mounts %v, %v", ms, err)
	}
	kids, err := Children(os.Getpid())
	if err != nil || !slices.Contains(kids, pid) {
		t.Errorf("children %v, %v", kids, err)
	}
	if all, err := Descendants(os.Getpid()); err != nil || !slices.Contains(all, pid) {
		t.Errorf("descendants %v, %v", all, err)
	}
}

func TestAlive(t *testing.T) {
	cmd := child(t, nil)
	pid := cmd.Process.Pid
	if !Alive(pid) {
		t.Error("a living process is dead")
	}
	cmd.Process.Kill()
	// It stays a zombie until it is waited for, which is dead too.
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PID, pid, &info, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
		t.Fatal(err)
	}
	if Alive(pid) {
		t.Error("a zombie is alive")
	}
	cmd.Wait()
	if Alive(pid) {
		t.Error("what is gone is alive")
	}
	if _, err := ReadStatus(pid); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("status of what is gone: %v", err)
	}
}

func TestDescriptors(t *testing.T) {
	name := filepath.Join(t.TempDir(), "open")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ds, err := Descriptors(os.Getpid())
	if err != nil || !slices.Contains(ds, Descriptor{int(f.Fd()), name}) {
		t.Errorf("%v in %v, %v", name, ds, err)
	}
	if !slices.IsSortedFunc(ds, func(a, b Descriptor) int { return a.Number - b.Number }) {
		t.Error("not sorted")
	}
}

// TestReadable looks at a process whose binary it may not read: the kernel
// makes that non-dumpable.
func TestReadable(t *testing.T) {
	dir, err := os.MkdirTemp("", "bailey-proc")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(sleep)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var attr *syscall.SysProcAttr
	if os.Geteuid() == 0 {
		attr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 20001, Gid: 20001}}
	}
	for mode, want := range map[os.FileMode]bool{0o555: true, 0o111: false} {
		name := filepath.Join(dir, mode.String())
		if err := errors.Join(os.WriteFile(name, b, 0o755), os.Chmod(name, mode)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(name, "1000")
		cmd.SysProcAttr = attr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if got, err := Readable(cmd.Process.Pid); err != nil || got != want {
			t.Errorf("mode %v: readable %v, %v", mode, got, err)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
}

func TestMaps(t *testing.T) {
	if ok, err := Maps("uid_map", os.Getuid()); err != nil || !ok {
		t.Errorf("own id: %v, %v", ok, err)
	}
	if ok, err := Maps("gid_map", 1<<40); err != nil || ok {
		t.Errorf("an id that cannot be: %v, %v", ok, err)
	}
	if _, err := Maps("none", 0); err == nil {
		t.Error("no such map")
	}
}

func TestListeners(t *testing.T) {
	has := func(network string) int {
		t.Helper()
		ls, err := Listeners(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, l := range ls {
			if l.Network == network {
				n++
			}
		}
		return n
	}
	if n := has("tcp") + has("udp") + has("unix"); n != 0 {
		t.Errorf("%d listeners before any", n)
	}
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	ul, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer ul.Close()
	// A connected pair listens to nobody.
	c, err := net.Dial("tcp4", tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if has("tcp") != 1 || has("udp") != 1 || has("unix") != 1 {
		ls, _ := Listeners(os.Getpid())
		t.Errorf("listeners %v", ls)
	}
}

const goodStatus = "Name:\tx\nPPid:\t1\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t9 10 \nNSpid:\t77\t1\nVmRSS:\t  12 kB\nThreads:\t3\n" +
	"CapInh:\t0000000000000001\nCapPrm:\t0000000000000002\nCapEff:\t0000000000000003\nCapBnd:\t0000000000000004\nCapAmb:\t0000000000000005\n" +
	"NoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t2\n"

func TestParseStatus(t *testing.T) {
	s, err := parseStatus(goodStatus)
	if err != nil {
		t.Fatal(err)
	}
	if s.UID != (IDs{1, 2, 3, 4}) || s.GID != (IDs{5, 6, 7, 8}) || !slices.Equal(s.Groups, []int{9, 10}) || s.Inner != 1 || s.RSS != 12<<10 ||
		s.Inheritable != 1 || s.Permitted != 2 || s.Effective != 3 || s.Bounding != 4 || s.Ambient != 5 ||
		!s.NoNewPrivs || s.Seccomp != 2 || s.Filters != 2 || s.Threads != 3 {
		t.Errorf("%+v", s)
	}
	// A line that is missing is not a zero.
	for line := range strings.Lines(goodStatus) {
		key, _, _ := strings.Cut(line, ":")
		_, err := parseStatus(strings.Replace(goodStatus, line, "", 1))
		if optional := slices.Contains([]string{"Name", "PPid", "Groups", "NSpid", "VmRSS", "Threads", "Seccomp_filters"}, key); (err == nil) != optional {
			t.Errorf("without %s: %v", key, err)
		}
	}
	if s, _ := parseStatus(strings.Replace(goodStatus, "Seccomp_filters:\t2\n", "", 1)); s.Filters != -1 {
		t.Errorf("%d filters where the kernel does not say", s.Filters)
	}
	for _, bad := range []string{"no colon", "Uid:\t1\t2\t3\n", "CapEff:\tzz\n", "Seccomp:\tx\n", "VmRSS:\t-1 kB\n"} {
		if _, err := parseStatus(goodStatus + bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestParseMounts(t *testing.T) {
	ms, err := parseMounts("36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n")
	if err != nil || len(ms) != 1 || ms[0].Root != "/mnt1" || ms[0].Point != "/mnt 2" || ms[0].Type != "ext3" || !ms[0].Has("noatime") || ms[0].Has("ro") {
		t.Errorf("%+v, %v", ms, err)
	}
	// A name may hold what is white elsewhere, and no options of its own.
	ms, err = parseMounts("36 35 0:5 / /a\u00a0ro,noexec\r\fb\u2003/p rw - proc proc rw\n")
	if err != nil || len(ms) != 1 || ms[0].Point != "/a\u00a0ro,noexec\r\fb\u2003/p" || ms[0].Type != "proc" || ms[0].Has("ro") {
		t.Errorf("%+v, %v", ms, err)
	}
	for _, bad := range []string{"1 2 3\n", "36 35 98:0 / / rw master:1 ext3\n", "36 35 98:0 / / rw -\n"} {
		if _, err := parseMounts(bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestParseMaps(t *testing.T) {
	const text = "00400000-0069c000 r-xp 00000000 fe:00 10293620                           /opt/a b\\012c/worker (deleted)\n" +
		"0069c000-0079c000 r--p 0029c000 fe:00 10293620                           /opt/worker\n" +
		"7f2090c16000-7f2090d4e000 rwxp 00000000 00:00 0 \n" +
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n"
	want := []Mapping{{"r-xp", "/opt/a b\nc/worker (deleted)"}, {"rwxp", ""}, {"--xp", "[vsyscall]"}}
	if ms, err := parseMaps(text); err != nil || !slices.Equal(ms, want) {
		t.Errorf("%q, %v", ms, err)
	}
	for _, bad := range []string{"x\n", "00-11 r-x 0 0:0 0\n", "00-11 r-xp 0 0:0\n"} {
		if _, err := parseMaps(bad); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
	// This process is a program with code, all of it of files or the kernel's.
	exe, err := Exe(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	ms, err := Executable(os.Getpid())
	if err != nil || !slices.ContainsFunc(ms, func(m Mapping) bool { return m.Name == exe && m.Rights == "r-xp" }) {
		t.Errorf("%q without %q, %v", ms, exe, err)
	}
}

func FuzzParsers(f *testing.F) {
	f.Add("00400000-0069c000 r-xp 00000000 fe:00 10293620                           /opt/worker\n")
	f.Add(goodStatus)
	f.Add("36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw\n")
	f.Add("Limit                     Soft Limit           Hard Limit           Units\nMax cpu time              unlimited            unlimited            seconds\n")
	f.Add("  0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77 1\n")
	f.Add("0000: 00000002 00000000 00010000 0001 01 77 /run/x y\n")
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseStatus(text); err == nil && s.Seccomp == 2 && !strings.Contains(text, "Seccomp:") {
			t.Error("seccomp out of nothing")
		}
		if ms, err := parseMounts(text); err == nil && len(ms) > strings.Count(text, "\n")+1 {
			t.Error("more mounts than lines")
		}
		_, _ = parseLimits(text)
		_, _ = parseMaps(text)
		for _, n := range []string{"tcp", "udp", "unix"} {
			for _, l := range parseSockets(n, text, map[string]bool{"77": true}) {
				if l.Network != n {
					t.Error("another network")
				}
			}
		}
	})
}

// TestReadThreadStatus: what one thread did to itself is seen of that one, and not of
// its process.
func TestReadThreadStatus(t *testing.T) {
	type seen struct {
		thread, process Status
		err             error
	}
	c := make(chan seen)
	go func() {
		// It ends with this goroutine: what it did to itself is not taken back.
		runtime.LockOSThread()
		var s seen
		s.err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		if s.err == nil && unix.Gettid() != unix.Getpid() {
			s.process, s.err = ReadStatus(os.Getpid())
		}
		if s.err == nil {
			s.thread, s.err = ReadThreadStatus(os.Getpid(), unix.Gettid())
		}
		c <- s
	}()
	s := <-c
	if s.err != nil || !s.thread.NoNewPrivs || s.process.NoNewPrivs {
		t.Errorf("thread %t, process %t, %v", s.thread.NoNewPrivs, s.process.NoNewPrivs, s.err)
	}
	if _, err := ReadThreadStatus(os.Getpid(), 1<<30); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
