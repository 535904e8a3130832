package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

// crashEnv makes the test binary a child that works on the home crashHome and
// kills itself before step number crashEnv; "short:N" writes half of that
// step's bytes first.
const (
	crashEnv  = "BAILEY_TEST_AUDIT_CRASH"
	crashHome = "BAILEY_TEST_AUDIT_HOME"
)

// scenario is what every crash and fault test does to a log. It reports each
// record that was acknowledged.
func scenario(cfg Config, acked func(grant string)) error {
	ctx := context.Background()
	l, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	for i := range 4 {
		ev := sample(i)
		if _, err := l.Append(ctx, ev); err != nil {
			return errors.Join(err, l.Close())
		}
		acked(ev.Grant)
	}
	noted := sample(100)
	if err := l.Note(noted); err != nil {
		return errors.Join(err, l.Close())
	}
	if err := l.Close(); err != nil {
		return err
	}
	acked(noted.Grant)
	return nil
}

func crashChild(step string) {
	if step == "verify" {
		if err := streamChild(os.Getenv(crashHome)); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	at, short := step, strings.HasPrefix(step, "short:")
	if short {
		at = step[len("short:"):]
	}
	n, err := strconv.Atoi(at)
	if err != nil {
		os.Exit(3)
	}
	i := 0
	die := func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }
	var armed bool
	hook := func(s safefile.Step) error {
		if armed {
			die()
		}
		i++
		if i-1 != n {
			return nil
		}
		if short && s.Op == safefile.OpWrite {
			// The write is cut short, and whatever comes next kills.
			armed = true
			return &safefile.Short{N: s.Size / 2, Err: syscall.EIO}
		}
		die()
		return nil
	}
	d, err := safefile.MakeDir(os.Getenv(crashHome))
	if err != nil {
		os.Exit(3)
	}
	cfg := Config{Home: d.WithHook(hook), Clock: newClock(), Log: quiet(), Anchor: &memAnchor{}}
	err = scenario(cfg, func(g string) { fmt.Println("acked", g) })
	if err != nil {
		fmt.Println("failed", err)
		os.Exit(4)
	}
	os.Exit(0)
}

// settled opens what a crash or fault left and checks that it verifies and
// holds every acknowledged record, here or in a log that was set aside.
func settled(t *testing.T, e *env, acked []string) {
	t.Helper()
	ctx := context.Background()
	// Before any recovery: verify may find an unfinished batch, never damage.
	// (No log at all is fine as long as nothing was acknowledged.)
	rep, err := Verify(ctx, e.dir())
	if err != nil && errs.CodeOf(err) != errs.NotFound {
		t.Fatalf("verify: %v", err)
	}
	if err == nil && !rep.OK && rep.LastCheckpoint.Size+rep.Size > 0 {
		t.Fatalf("a crash looks like tampering: %+v", rep)
	}
	e.hook = nil
	l := e.open()
	e.mustVerify()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	e.mustVerify()
	logs, err := filepath.Glob(filepath.Join(e.dir(), "aside-*", auditlog.LogFile))
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, f := range append(logs, filepath.Join(e.dir(), auditlog.LogFile)) {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, b...)
	}
	for _, g := range acked {
		if !bytes.Contains(all, []byte(`"grant":"`+g+`"`)) {
			t.Fatalf("record %s was acknowledged and is gone", g)
		}
	}
}

// steps counts the operations of an undisturbed scenario.
func steps(t *testing.T, e *env) (ops []safefile.Op) {
	t.Helper()
	e.hook = func(s safefile.Step) error { ops = append(ops, s.Op); return nil }
	if err := scenario(e.config(), func(string) {}); err != nil {
		t.Fatal(err)
	}
	e.hook = nil
	return ops
}

// Kill -9 before every operation, and in the middle of every write, of a first
// run and of a second one.
func TestKillAtEveryStep(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, second := range []bool{false, true} {
		count := newEnv(t)
		if second {
			steps(t, count)
		}
		ops := steps(t, count)
		for n, op := range ops {
			modes := []string{strconv.Itoa(n)}
			if op == safefile.OpWrite {
				modes = append(modes, "short:"+strconv.Itoa(n))
			}
			for _, mode := range modes {
				e := newEnv(t)
				if second {
					steps(t, e)
				}
				cmd := exec.Command(exe)
				cmd.Env = []string{crashEnv + "=" + mode, crashHome + "=" + e.home}
				out, err := cmd.Output()
				var exit *exec.ExitError
				// A first publication that is cut short ends the run by itself.
				ended := strings.HasPrefix(mode, "short:") && cmd.ProcessState.ExitCode() == 4
				if !ended && (!errors.As(err, &exit) || !exit.Sys().(syscall.WaitStatus).Signaled()) {
					t.Fatalf("step %s (%s): the child did not die: %v, %s", mode, op, err, out)
				}
				var acked []string
				for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
					if g, is := strings.CutPrefix(sc.Text(), "acked "); is {
						acked = append(acked, g)
					}
				}
				settled(t, e, acked)
				if t.Failed() {
					t.Fatalf("at step %s (%s), second run %v", mode, op, second)
				}
			}
		}
	}
}

// Every operation fails once: with an I/O error, with a full disk, and with a
// write cut short. Nobody is told that a record is durable which is not.
func TestEveryOperationFails(t *testing.T) {
	for _, second := range []bool{false, true} {
		count := newEnv(t)
		if second {
			steps(t, count)
		}
		ops := steps(t, count)
		for n, op := range ops {
			for name, fault := range map[string]func(int) error{
				"EIO":          func(int) error { return syscall.EIO },
				"ENOSPC":       func(int) error { return syscall.ENOSPC },
				"short EIO":    func(size int) error { return &safefile.Short{N: size / 2, Err: syscall.EIO} },
				"short ENOSPC": func(size int) error { return &safefile.Short{N: size - 1, Err: syscall.ENOSPC} },
			} {
				if strings.HasPrefix(name, "short") && op != safefile.OpWrite {
					continue
				}
				t.Run(fmt.Sprintf("%v/%d-%s/%s", second, n, op, name), func(t *testing.T) {
					e := newEnv(t)
					if second {
						steps(t, e)
					}
					i := 0
					e.hook = func(s safefile.Step) error {
						i++
						if i-1 == n {
							return fault(s.Size)
						}
						return nil
					}
					var acked []string
					err := scenario(e.config(), func(g string) { acked = append(acked, g) })
					if err != nil {
						switch errs.CodeOf(err) {
						case errs.NoSpace, errs.HomeUnusable, errs.LogUnwritable:
						default:
							t.Fatalf("the error is %v", err)
						}
					}
					settled(t, e, acked)
				})
			}
		}
	}
}

// After a failed fsync, the same file is never written again: not by this
// log, and not by the next one.
func TestFailedSyncRetiresTheFile(t *testing.T) {
	e := newEnv(t)
	ctx := context.Background()
	var fail, failed bool
	after := 0
	e.hook = func(s safefile.Step) error {
		if failed && s.Name == auditlog.LogFile && (s.Op == safefile.OpWrite || s.Op == safefile.OpSync || s.Op == safefile.OpTruncate) {
			after++
		}
		if fail && s.Op == safefile.OpSync && s.Name == auditlog.LogFile {
			failed = true
			fail = false
			return syscall.EIO
		}
		return nil
	}
	l := e.open()
	appendN(t, l, 2)
	before := e.mustVerify()
	fail = true
	if _, err := l.Append(ctx, sample(7)); errs.CodeOf(err) != errs.LogUnwritable {
		t.Fatal(err)
	}
	for range 3 { // the disk works again; this log does not
		if _, err := l.Append(ctx, sample(8)); errs.CodeOf(err) != errs.LogUnwritable {
			t.Fatal(err)
		}
	}
	if err := l.Note(sample(9)); errs.CodeOf(err) != errs.LogUnwritable {
		t.Fatal(err)
	}
	if err := l.Close(); errs.CodeOf(err) != errs.LogUnwritable {
		t.Fatalf("Close: %v", err)
	}
	if after > 0 {
		t.Fatalf("%d operations on the file after its fsync failed", after)
	}
	old := e.file(auditlog.LogFile)
	e.hook = nil
	l = e.open()
	rs := e.records(l, Filter{})
	if rs[0].Kind != auditlog.HistoryBreak || rs[0].Code != codeWriteFailed || rs[0].Size != before.Size || rs[0].Root != before.Root {
		t.Fatalf("%+v", rs[0])
	}
	aside, err := os.ReadFile(filepath.Join(e.dir(), "aside-1", auditlog.LogFile))
	if err != nil || !bytes.Equal(aside, old) {
		t.Fatalf("the old file was touched (%v)", err)
	}
	if rep, err := Verify(ctx, filepath.Join(e.dir(), "aside-1")); err != nil || !rep.OK {
		t.Fatalf("%+v, %v", rep, err)
	}
}
