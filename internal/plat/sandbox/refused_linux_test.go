package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// refusedName is argv[0] of a core on a system that refuses namespaces.
const refusedName = "bailey-refused-core"

// refused is what it saw.
type refused struct {
	Code, Hint string
	Missing    int
	Children   int
}

// TestNamespacesRefused starts a worker where no user namespace can be made:
// nothing runs, and the person is told what to do.
func TestNamespacesRefused(t *testing.T) {
	dir := realDir(t)
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), workerPath)
	cmd.Args = []string{refusedName, dir}
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// In a user namespace of its own, whose limit is its own to set.
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getegid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_SYS_RESOURCE},
	}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var got refused
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", got)
	if got.Code != string(errs.SandboxMissing) || got.Hint != hintNamespaces || got.Missing != 7 || got.Children != 0 {
		t.Errorf("%+v", got)
	}
}

func whereRefused(dir string) int {
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	got := refused{}
	w, err := startPlain(dir, dir)
	if err == nil {
		w.end()
	} else {
		got.Code, got.Hint = string(errs.CodeOf(err)), errs.From(err).HintText()
	}
	for _, l := range Survey(context.Background()) {
		if !l.Have && l.Hint != "" {
			got.Missing++
		}
	}
	json.NewEncoder(os.Stdout).Encode(got)
	return 0
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
