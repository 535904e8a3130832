// Command guest is the first process of a virtual machine of `make vm-test`. It
// makes of the kernel's first root what a program expects of a system, does what
// the plan says as root and as an ordinary user, tells it on the serial line
// (package vm has the words), and switches the machine off.
//
// It is for nothing else: started anywhere but as the first process it refuses.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/test/vm"
)

// worker is argv[1] of the process that does the work, beside the first one,
// which has to bury what others leave behind.
const worker = "work"

func main() { os.Exit(doMain(os.Args)) }

func doMain(args []string) int {
	if len(args) == 2 && args[1] == worker {
		if err := work(); err != nil {
			fmt.Println("guest:", err)
			return 1
		}
		return 0
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: this is for the first process of a virtual machine")
		return 2
	}
	if err := first(); err != nil {
		fmt.Println("guest:", err)
	}
	unix.Sync()
	fmt.Println("guest:", unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF))
	return 1
}

// first prepares the machine, has the work done, and takes in the orphans.
func first() error {
	if err := prepare(); err != nil {
		return err
	}
	pid, err := syscall.ForkExec("/init", []string{"init", worker}, &syscall.ProcAttr{
		Env: []string{}, Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return err
	}
	for {
		var status unix.WaitStatus
		switch ended, err := unix.Wait4(-1, &status, 0, nil); {
		case err == unix.EINTR:
		case err != nil:
			return err
		case ended == pid:
			return nil
		}
	}
}

// prepare turns the archive, which cannot be pivoted away from, into a root that
// can, and mounts what a system has.
func prepare() error {
	const moved = "/root-of-all"
	if err := errors.Join(os.Mkdir(moved, 0o755), unix.Mount("/", moved, "", unix.MS_BIND, ""), os.Chdir(moved),
		unix.Mount(".", "/", "", unix.MS_MOVE, ""), unix.Chroot("."), os.Chdir("/"), os.Remove(moved)); err != nil {
		return fmt.Errorf("root: %w", err)
	}
	for _, m := range []struct {
		kind, at, options string
		flags             uintptr
	}{
		{"proc", "/proc", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"sysfs", "/sys", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"securityfs", "/sys/kernel/security", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"cgroup2", "/sys/fs/cgroup", "", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"devtmpfs", "/dev", "", unix.MS_NOSUID},
		{"devpts", "/dev/pts", "mode=0620,ptmxmode=0666", unix.MS_NOSUID | unix.MS_NOEXEC},
		{"tmpfs", "/dev/shm", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
		{"tmpfs", "/run", "mode=0755", unix.MS_NOSUID | unix.MS_NODEV},
		{"tmpfs", "/tmp", "mode=1777", unix.MS_NOSUID | unix.MS_NODEV},
		{"tmpfs", "/home", "mode=0755", unix.MS_NOSUID | unix.MS_NODEV},
	} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, m.flags, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	// Systems share their mounts between namespaces, which systemd sees to.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return err
	}
	// The kernel's first root is everybody's.
	if err := os.Chmod("/", 0o755); err != nil {
		return err
	}
	// A kernel of its own gives /dev/null and the like to everybody.
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty", "ptmx"} {
		if err := os.Chmod("/dev/"+name, 0o666); err != nil {
			return err
		}
	}
	for _, d := range []string{"/etc", "/root", "/home/ordinary", "/run/user", "/run/user/1000"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nordinary:x:1000:1000:an ordinary user:/home/ordinary:/bin/sh\n",
		"/etc/group":  "root:x:0:\nordinary:x:1000:\n",
		"/etc/hosts":  "127.0.0.1 localhost\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, d := range []string{"/home/ordinary", "/run/user/1000"} {
		if err := errors.Join(os.Chown(d, vm.OrdinaryID, vm.OrdinaryID), os.Chmod(d, 0o700)); err != nil {
			return err
		}
	}
	// Off in Debian since Linux 6.2: whoever types into a terminal there is to be
	// stopped by a worker's filter and not by a setting.
	if err := os.WriteFile("/proc/sys/dev/tty/legacy_tiocsti", []byte("1"), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(unix.Sethostname([]byte("guest")), loopback(), delegate())
}

// loopback switches the network on that a machine has to itself.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// controllers are what systemd delegates to a person who logs in.
const controllers = "+memory +pids +cpu"

// delegate makes groups for those of each user.
func delegate() error {
	const top = "/sys/fs/cgroup"
	if err := os.WriteFile(top+"/cgroup.subtree_control", []byte(controllers), 0); err != nil {
		return fmt.Errorf("cgroup: %w", err)
	}
	for _, u := range []string{vm.Root, vm.Ordinary} {
		if err := os.Mkdir(top+"/"+u, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(top+"/"+u+"/cgroup.subtree_control", []byte(controllers), 0); err != nil {
			return fmt.Errorf("cgroup: %w", err)
		}
	}
	return nil
}

// newGroup makes a group for one run and delegates it to the user. It is a new one
// each time: nobody can be born in a group that a core of an earlier run, which
// may live a little longer, has divided.
func newGroup(user string) (*os.File, error) {
	dir, err := os.MkdirTemp("/sys/fs/cgroup/"+user, "run-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	if user != vm.Root {
		for _, name := range []string{"", "/cgroup.procs", "/cgroup.threads", "/cgroup.subtree_control"} {
			if err := os.Chown(dir+name, vm.OrdinaryID, vm.OrdinaryID); err != nil {
				return nil, err
			}
		}
	}
	return os.Open(dir)
}

func work() error {
	b, err := os.ReadFile(vm.PlanFile)
	if err != nil {
		return err
	}
	var p vm.Plan
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return err
	}
	say("kernel %s", unix.ByteSliceToString(name.Release[:]))
	abi, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e != 0 {
		return fmt.Errorf("landlock: %w", e)
	}
	say("landlock %d", abi)
	for _, r := range p.Runs {
		say("begin %s %s", r.Suite, r.User)
		code, err := run(r)
		if err != nil {
			say("out guest: %v", err)
		}
		say("end %s %s %d", r.Suite, r.User, code)
	}
	say("done")
	return nil
}

func say(format string, a ...any) { fmt.Printf(vm.Mark+format+"\n", a...) }

// namespaceLimit is how many user namespaces the machine lets be made.
const namespaceLimit = "/proc/sys/user/max_user_namespaces"

// run does one run of the plan and returns its exit status; -1 when it was ended.
func run(r vm.Run) (code int, err error) {
	cmd := exec.Command(r.Argv[0], r.Argv[1:]...)
	cmd.Dir = r.Dir
	cmd.Env = []string{"PATH=/usr/bin", "TMPDIR=/tmp", "HOME=/root", "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if r.User != vm.Root {
		cmd.Env = append(cmd.Env[:2], "HOME=/home/ordinary", "XDG_RUNTIME_DIR=/run/user/1000", "LANG=C.UTF-8")
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: vm.OrdinaryID, Gid: vm.OrdinaryID}
	}
	if r.User == vm.Without {
		was, err := os.ReadFile(namespaceLimit)
		if err != nil {
			return -1, err
		}
		if err := os.WriteFile(namespaceLimit, []byte("0"), 0); err != nil {
			return -1, err
		}
		defer func() { err = errors.Join(err, os.WriteFile(namespaceLimit, was, 0)) }()
	}
	group := vm.Ordinary
	if r.User == vm.Root {
		group = vm.Root
	}
	dir, err := newGroup(group)
	if err != nil {
		return -1, err
	}
	defer dir.Close()
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(r.Seconds)*time.Second)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		say("out guest: %d seconds are over", r.Seconds)
		unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
	})
	defer stop()
	read, write, err := os.Pipe()
	if err != nil {
		return -1, err
	}
	defer read.Close()
	cmd.Stdout, cmd.Stderr = write, write
	err = cmd.Start()
	write.Close()
	if err != nil {
		return -1, err
	}
	// Something that the program left behind may hold the pipe.
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		read.SetReadDeadline(time.Now().Add(afterwards))
		ended <- err
	}()
	lines := bufio.NewReader(read)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			say("out %s", strings.TrimRight(line, "\n"))
		}
		if err != nil {
			if err != io.EOF && !errors.Is(err, os.ErrDeadlineExceeded) {
				say("out guest: %v", err)
			}
			break
		}
	}
	err = <-ended
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	if err != nil {
		return -1, err
	}
	return 0, nil
}

// afterwards is how long what a program wrote is read after its end.
const afterwards = 2 * time.Second
