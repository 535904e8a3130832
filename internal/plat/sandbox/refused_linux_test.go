package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/testkit/lookin"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// refusedName is argv[0] of a core on a system that refuses namespaces.
const refusedName = "bailey-refused-core"

// TestNamespacesRefused starts a worker of every kind where no user namespace can
// be made: it is at level 2, and answers as its spec there says, or nothing runs,
// and the person is told what to do.
func TestNamespacesRefused(t *testing.T) {
	abi, err := landlockABI()
	if err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Geteuid(), os.Getegid()
	var become *syscall.Credential
	if uid == 0 {
		uid, gid = ordinaryID, ordinaryID
		become = &syscall.Credential{Uid: 1000, Gid: 1000, NoSetGroups: true}
	}
	for way, attr := range map[string]*syscall.SysProcAttr{
		// In a user namespace of its own, whose limit is its own to set.
		refusedLimit: {
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: uid, Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: gid, Size: 1}},
			Credential:  become,
			AmbientCaps: []uintptr{unix.CAP_SYS_RESOURCE},
		},
		// As in Docker, and as a profile of AppArmor's without its rule does.
		refusedFilter:  {},
		refusedProfile: {},
		// As Docker's root.
		refusedContainer: {},
	} {
		if way == refusedContainer && os.Geteuid() != 0 {
			continue // there is nothing that an ordinary user could lack
		}
		t.Run(way, func(t *testing.T) {
			dir := realDir(t)
			// Root's workers are somebody else.
			if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o777)); err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			cmd := exec.CommandContext(t.Context(), workerPath)
			cmd.Args = []string{refusedName, way, dir}
			cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = &stdout, &stderr, attr
			err := make(chan error)
			go func() {
				// The thread ends with the powers that it has given up.
				runtime.LockOSThread()
				if way == refusedContainer {
					if e := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_PTRACE, 0, 0, 0); e != nil {
						err <- e
						return
					}
				}
				err <- cmd.Start()
			}()
			if err := <-err; err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v: %s", err, stderr.String())
			}
			var got refused
			if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if got.Missing != 7 || got.Children != 0 {
				t.Errorf("%d layers are missing, %d children", got.Missing, got.Children)
			}
			for _, spec := range workerspec.All() {
				got := got.Kinds[spec.Kind]
				if _, err := spec.Reduce(); err != nil {
					if got.Code != string(errs.SandboxMissing) || got.Hint != hintNamespaces {
						t.Errorf("%s: %+v", spec.Kind, got)
					}
					continue
				}
				if abi < limits.ReducedLandlock {
					if got.Code != string(errs.SandboxMissing) || got.Hint != hintReduced || got.Reduced {
						t.Errorf("%s, below the Landlock that level 2 stands on: %+v", spec.Kind, got)
					}
					continue
				}
				if got.Error != "" || !got.Reduced || got.Posture != "" || len(got.Failed) > 0 || got.Full == "" {
					t.Errorf("%s: %+v", spec.Kind, got)
				}
				// Root, and who has root's powers in a namespace, may look into it.
				if way == refusedFilter && os.Geteuid() != 0 && !got.Closed {
					t.Errorf("%s: other programs of its user can look into it", spec.Kind)
				}
				if spec.Grant() >= 0 && !slices.Equal(got.Names, []string{"note.txt"}) {
					t.Errorf("%s: sees %v", spec.Kind, got.Names)
				}
			}
			if abi < limits.ReducedLandlock {
				return
			}
			if got.Hidden.Code != string(errs.FolderClosed) || got.Hidden.Hint != hintOwnInDir {
				t.Errorf("a folder with what is Bailey's own: %+v", got.Hidden)
			}
		})
	}
}

// The ways in which a system refuses user namespaces.
const (
	refusedLimit     = "limit"     // ENOSPC
	refusedFilter    = "filter"    // EPERM
	refusedProfile   = "profile"   // EACCES, as for a program that may not be executed
	refusedContainer = "container" // EPERM, and root may not look into other ids' processes
)

// refused is what a core saw that is refused namespaces.
type refused struct {
	Kinds             map[string]refusedKind
	Hidden            refusedKind
	Missing, Children int
}

type refusedKind struct {
	Error, Code, Hint string
	Reduced           bool
	// Posture is what is wrong with it, Full what is wrong with it by the spec of
	// level 1.
	Posture, Full string
	// Failed are probes.
	Failed []string
	Names  []string
	// Closed says that no other program of the user can look into it.
	Closed bool
}

func (k *refusedKind) refuse(err error) {
	k.Error, k.Code, k.Hint = err.Error(), string(errs.CodeOf(err)), errs.From(err).HintText()
}

// refuseNamespaces makes the system refuse user namespaces to this process.
func refuseNamespaces(way string) error {
	if way == refusedLimit {
		return os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	a := native()
	refusal := "EPERM"
	if way == refusedProfile {
		refusal = "EACCES"
	}
	var prog []insn
	for _, r := range []workerspec.Syscall{
		{Name: "clone", Refusal: refusal, Any: [][]workerspec.Cond{{{Arg: 0, Op: workerspec.NoBits, Value: unix.CLONE_NEWUSER}}}},
		{Name: "unshare", Refusal: refusal, Any: [][]workerspec.Cond{{{Arg: 0, Op: workerspec.NoBits, Value: unix.CLONE_NEWUSER}}}},
	} {
		b, err := rule(a, r, 0)
		if err != nil {
			return err
		}
		prog = append(prog, b...)
	}
	prog = append(prog, verdict(a, "clone3", actErrno|38)...)
	prog = append(prologue(a), append(prog, insn{code: opRet, k: actAllow})...)
	return seccompFilter(program(prog), unix.SECCOMP_FILTER_FLAG_TSYNC)
}

func whereRefused(way, dir string) int {
	if err := errors.Join(MakeUndumpable(), refuseNamespaces(way)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	got := refused{Kinds: map[string]refusedKind{}}
	for _, spec := range workerspec.All() {
		var k refusedKind
		if err := k.see(Start, spec, dir, nil); err != nil {
			k.refuse(err)
		}
		got.Kinds[spec.Kind] = k
	}
	spec, _ := workerspec.For("index")
	if err := got.Hidden.see(Start, spec, dir, []string{"own"}); err != nil {
		got.Hidden.refuse(err)
	}
	for _, l := range Survey(context.Background()) {
		if !l.Have && l.Hint != "" {
			got.Missing++
		}
	}
	if kids, err := proc.Children(os.Getpid()); err == nil {
		got.Children = len(kids)
	}
	json.NewEncoder(os.Stdout).Encode(got)
	return 0
}

// see starts a worker of a kind, and looks at it as the core does.
func (k *refusedKind) see(start starter, spec workerspec.Spec, dir string, hide []string) error {
	w, err := startKind(start, spec, dir, hide)
	if err != nil {
		return err
	}
	defer w.end()
	k.Reduced = w.Reduced()
	var early, late []Attempt
	var ok string
	if err := w.order('e', &early); err != nil {
		return err
	}
	if err := w.order('s', &ok); err != nil {
		return err
	}
	p, err := w.Posture()
	if err != nil {
		return err
	}
	if err := Check(p, w.Spec()); err != nil {
		k.Posture = err.Error() + errs.From(err).Detail
	}
	if err := Check(p, spec); err != nil {
		k.Full = errs.From(err).Detail
	}
	if err := w.order('p', &late); err != nil {
		return err
	}
	for _, a := range append(early, late...) {
		if !a.Held {
			k.Failed = append(k.Failed, fmt.Sprintf("%s: errno %d", a.Name, a.Errno))
		}
	}
	if spec.Grant() >= 0 {
		if err := w.order('g', &k.Names); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(spec.Mounts, func(m workerspec.Mount) bool { return m.Target == "/db" }) {
		if err := w.order('d', &ok); err != nil {
			return err
		}
	}
	if os.Geteuid() == 0 {
		// Root may look into every process, or into nobody else's in a container.
		if err := w.order('u', &ok); err != nil {
			return err
		}
		return w.SealedFromOutside()
	}
	base, err := lookin.Base(w.PID())
	if err == nil {
		err = w.order('u', &ok)
	}
	if err != nil {
		return err
	}
	k.Closed = maps.Equal(lookin.Try(w.PID(), base), lookin.Closed())
	return w.SealedFromOutside()
}

// startKind starts a worker of a kind over directories and files of its own.
func startKind(start starter, spec workerspec.Spec, dir string, hide []string) (*plain, error) {
	base, err := os.MkdirTemp(dir, spec.Kind)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(base, 0o755); err != nil {
		return nil, err
	}
	var mounts []Mount
	for _, m := range spec.Mounts {
		name := filepath.Join(base, strings.ReplaceAll(m.Target, "/", "-"))
		mt := Mount{Target: m.Target, Path: name, Write: m.Write}
		flags := unix.O_PATH | unix.O_CLOEXEC
		if m.File {
			err = os.WriteFile(name, []byte("library"), 0o666)
		} else {
			err = os.Mkdir(name, 0o755)
			flags |= unix.O_DIRECTORY
		}
		if err == nil && m.Target == "/grant" {
			err = os.WriteFile(name+"/note.txt", []byte("note"), 0o644)
			for _, h := range hide {
				err = errors.Join(err, os.Mkdir(name+"/"+h, 0o700))
			}
			mt.Hide = hide
		}
		if err != nil {
			return nil, err
		}
		fd, err := unix.Open(name, flags, 0)
		if err != nil {
			return nil, err
		}
		mt.Dir = os.NewFile(uintptr(fd), name)
		defer mt.Dir.Close()
		mounts = append(mounts, mt)
	}
	return startConfigBy(start, Config{Spec: spec, Mounts: mounts})
}

// filteredName is argv[0] of a core that has a seccomp filter itself, as in a
// container.
const filteredName = "bailey-filtered-core"

// TestCoreHasFilter: the core's own filters are its workers' too, and are not
// taken for theirs.
func TestCoreHasFilter(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), workerPath)
	cmd.Args = []string{filteredName, realDir(t)}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func withFilter(dir string) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := seccompFilter(program([]insn{{code: opRet, k: actAllow}}), unix.SECCOMP_FILTER_FLAG_TSYNC); err != nil {
		return err
	}
	w, err := startPlain(dir, dir)
	if err != nil {
		return err
	}
	defer w.end()
	var ok string
	if err := w.ask('s', "", &ok); err != nil {
		return err
	}
	p, err := w.Posture()
	if err != nil {
		return err
	}
	spec, _ := workerspec.For("index")
	if p.Status.Filters < 3 {
		return fmt.Errorf("%d filters", p.Status.Filters)
	}
	return Check(p, spec)
}
