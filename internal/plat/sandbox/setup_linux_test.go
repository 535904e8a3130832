package sandbox

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/workerspec"
)

func pair(t testing.TB) (a, b int) {
	t.Helper()
	a, b, err := setupPair()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(a); unix.Close(b) })
	return a, b
}

func TestSetupRoundTrip(t *testing.T) {
	a, b := pair(t)
	m := setup{Kind: "index", Args: []string{"x"}, Env: []exact{"A=\xe9"}, Foreign: &foreignSetup{Argv: []exact{"\xff", ""}, Path: "/\xff\ufffd"},
		Mounts: []setupMount{{Target: "/grant\xe9", From: fromPath, Path: "/a\nb\xff\u2028<", Dev: 1 << 63, Ino: ^uint64(0), Hide: []exact{"a/b", "\xe9tat/\ufffd"}}}}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if err := send(a, m, []int{int(null.Fd())}); err != nil {
		t.Fatal(err)
	}
	var got setup
	files, err := receive(b, time.Second, &got)
	if err != nil || len(files) != 1 || !reflect.DeepEqual(got, m) {
		t.Fatalf("%+v, %v, %v", got, files, err)
	}
	defer unix.Close(files[0])
	if f, err := unix.FcntlInt(uintptr(files[0]), unix.F_GETFD, 0); err != nil || f&unix.FD_CLOEXEC == 0 {
		t.Error("a received descriptor would be inherited")
	}
}

func TestSetupFails(t *testing.T) {
	var got report
	a, b := pair(t)
	if _, err := receive(b, 20*time.Millisecond, &got); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("nothing came: %v", err)
	}
	if err := send(a, strings.Repeat("x", limits.SandboxMessage), nil); err == nil {
		t.Error("a message over the limit was sent")
	}
	if err := send(a, setup{Kind: "\xff"}, nil); err == nil {
		t.Error("a message was sent that would say something else")
	}
	if err := unix.Send(a, []byte("{"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := receive(b, time.Second, &got); err == nil {
		t.Error("half a message passes")
	}
	unix.Close(a)
	if _, err := receive(b, time.Second, &got); err != errClosed {
		t.Errorf("closed: %v", err)
	}
}

// FuzzReport: whatever a stub says becomes an error that names a code and at
// most a folder of the caller's.
func FuzzReport(f *testing.F) {
	for _, r := range []report{{Step: stepTake, Path: "/grant", Errno: unix.EACCES}, {Step: stepOpen, Path: "/db", Errno: unix.ENOENT},
		{Step: stepRoot, Errno: unix.EPERM}, {Text: "x"}, {Step: stepTake, Path: "/etc"}, {Ready: true}} {
		b, err := json.Marshal(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
	index, _ := workerspec.For("index")
	engine, _ := workerspec.For("engine")
	c := Config{Spec: index, Mounts: []Mount{{Target: "/grant", Path: "/home/me/papers"}, {Target: "/db", Path: "/state/db"}}}
	native := Config{Spec: engine}
	for _, m := range engine.Mounts {
		native.Mounts = append(native.Mounts, Mount{Target: m.Target, Path: "/system" + m.Target})
	}
	f.Fuzz(func(t *testing.T, text string) {
		var r report
		if json.Unmarshal([]byte(text), &r) != nil {
			return
		}
		if code := errs.CodeOf(r.err(native)); code != errs.EngineMissing && code != errs.SandboxMissing {
			t.Errorf("an engine: code %s", code)
		}
		e := errs.From(r.err(c))
		switch e.Code {
		case errs.FolderClosed, errs.FolderChanged, errs.FolderNotDir:
			if e.Detail != c.Mounts[0].Path && e.Detail != c.Mounts[1].Path {
				t.Errorf("names %q", e.Detail)
			}
		case errs.SandboxMissing:
		default:
			t.Errorf("code %s", e.Code)
		}
	})
}

// What a core was started with of sharing equal pages ends before a worker's program
// begins: each step that builds a sandbox is in the same process.
func TestUnmerged(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_MEMORY_MERGE, 1, 0, 0, 0); err != nil {
		t.Skipf("this kernel shares no equal pages: %v", err)
	}
	if err := unmerged(); err != nil {
		t.Error(err)
	}
	if on, err := unix.PrctlRetInt(unix.PR_GET_MEMORY_MERGE, 0, 0, 0, 0); err != nil || on != 0 {
		t.Errorf("%d, %v", on, err)
	}
}

func TestCloneErrors(t *testing.T) {
	for err, want := range map[error]struct {
		code errs.Code
		hint string
	}{
		unix.EPERM:  {errs.SandboxMissing, hintNamespaces},
		unix.ENOSPC: {errs.SandboxMissing, hintNamespaces},
		unix.EUSERS: {errs.SandboxMissing, hintNamespaces},
		unix.EINVAL: {errs.SandboxMissing, hintKernel},
		unix.EACCES: {errs.SandboxMissing, hintBinary},
		unix.ENOENT: {errs.SandboxMissing, hintBinary},
		unix.EAGAIN: {errs.CoreBusy, errs.New(errs.CoreBusy, "").HintText()},
		unix.ENOMEM: {errs.CoreBusy, errs.New(errs.CoreBusy, "").HintText()},
	} {
		if e := errs.From(cloneError(err)); e.Code != want.code || e.HintText() != want.hint {
			t.Errorf("%v: %s, %q", err, e.Code, e.HintText())
		}
	}
}
