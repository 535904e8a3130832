//go:build linux

package hostile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// ordinaryID is the user that the tests become when they are root: none that
// exists.
const ordinaryID = 20001

// launchTime bounds one run of the launcher.
const launchTime = 5 * time.Minute

// user is someone whose workers are attacked.
type user struct {
	name string
	// become switches a command to the user; nil where the tests run as it.
	become *syscall.Credential
	root   bool
	tmp    string
}

// users lists who the tests can be: root and an ordinary user, or the latter.
func users(t *testing.T) []user {
	t.Helper()
	if os.Geteuid() != 0 {
		why, ok := leftOut(t, caseRoot, whenTestsOrd)
		if !ok {
			t.Fatal("the cases of root cannot be run, and skips.txt does not let them be left out")
		}
		t.Logf("no case as root: %s", why)
		return []user{{name: "ordinary", tmp: t.TempDir()}}
	}
	// Not t.TempDir, whose parents only root may pass.
	tmp, err := os.MkdirTemp("", "bailey-ordinary")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(tmp) })
	if err := os.Chown(tmp, ordinaryID, ordinaryID); err != nil {
		t.Fatal(err)
	}
	return []user{
		{name: "root", root: true, tmp: t.TempDir()},
		{name: "ordinary", become: &syscall.Credential{Uid: ordinaryID, Gid: ordinaryID}, tmp: tmp},
	}
}

// attackerSources reads what the attacker is made of: the test cache knows only
// what this process reads itself, and without this a changed sandbox would pass
// by an old result.
func attackerSources(t *testing.T) {
	t.Helper()
	for _, src := range []string{"attacker", "../../internal/plat/sandbox", "../../internal/plat/syslibs", "../../internal/workerspec"} {
		names, err := filepath.Glob(src + "/*.*")
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", src, len(names), err)
		}
		for _, n := range names {
			if _, err := os.ReadFile(n); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func (u user) command(ctx context.Context, bin string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, bin, args...)
	cmd.Dir = u.tmp
	cmd.Env = []string{"TMPDIR=" + u.tmp, "HOSTILE_SECRET=1", "GODEBUG=madvdontneed=0"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: u.become}
	return cmd
}

// result is what the launcher prints; see Result of the attacker.
type result struct {
	Attack, Kind, Mode, Got, Posture, Failed, Stderr string
	Errno, Killed                                    int
	Forbidden, Outlived                              bool
}

// name says what the attack was answered: OK, an errno, or a signal.
func (r result) name() string {
	switch {
	case r.Failed != "":
		return "failed: " + r.Failed + " " + r.Stderr
	case r.Killed != 0:
		return unix.SignalName(syscall.Signal(r.Killed))
	case r.Errno == 0:
		return "OK"
	}
	return unix.ErrnoName(syscall.Errno(r.Errno))
}

// noRseq says that glibc ended the worker. Without the deny-list it finds rseq
// when it starts, and does not bear that a thread made after the seal does not:
// such a run is no answer, and is made again.
func (r result) noRseq() bool { return strings.Contains(r.Stderr, "rseq registration failed") }

// launchTries is how often a run without an answer is made: on a busy machine most
// threads come after the seal.
const launchTries = 20

// launchAgain is launch, for runs without the deny-list.
func launchAgain(t *testing.T, u user, bin string, runs []run) map[run]result {
	t.Helper()
	results := launch(t, u, bin, runs)
	for range launchTries - 1 {
		again := slices.DeleteFunc(slices.Clone(runs), func(r run) bool { return !results[r].noRseq() })
		if len(again) == 0 {
			break
		}
		maps.Copy(results, launch(t, u, bin, again))
	}
	return results
}

type run struct {
	Attack string `json:"attack"`
	Kind   string `json:"kind"`
	Mode   string `json:"mode"`
}

// launch has the attacker make the runs.
func launch(t *testing.T, u user, bin string, runs []run) map[run]result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience(launchTime))
	defer cancel()
	var in, stdout, stderr bytes.Buffer
	for _, r := range runs {
		if err := json.NewEncoder(&in).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	cmd := u.command(ctx, bin, "runs")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("attacker: %v\n%s", err, stderr.String())
	}
	results := map[run]result{}
	for dec := json.NewDecoder(&stdout); ; {
		var r result
		if err := dec.Decode(&r); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		results[run{r.Attack, r.Kind, r.Mode}] = r
	}
	return results
}

// specs are the kinds of worker that the table has answers for.
func specs(t *testing.T) []workerspec.Spec {
	t.Helper()
	all := workerspec.All()
	for _, s := range all {
		if !slices.Contains(classes(), s.Class) {
			t.Errorf("the table has no answers for %s, which is %s", s.Kind, s.Class)
		}
	}
	return all
}

// classes are those that the table has a column for.
func classes() []workerspec.Class {
	return []workerspec.Class{workerspec.Plain, workerspec.JIT, workerspec.Exec, workerspec.Engine, workerspec.Graphics}
}

// kinds are the specs, in a short run one of each class.
func kinds(t *testing.T) []workerspec.Spec {
	t.Helper()
	all := specs(t)
	if _, ok := leftOut(t, caseEveryKind, whenShort); !ok || !testing.Short() {
		return all
	}
	seen := map[workerspec.Class]bool{}
	return slices.DeleteFunc(all, func(s workerspec.Spec) bool {
		defer func() { seen[s.Class] = true }()
		return seen[s.Class]
	})
}

func TestEscapes(t *testing.T) {
	bin := attacker(t)
	for _, u := range users(t) {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range kinds(t) {
				var runs []run
				controlled := map[string]bool{}
				rows := attempts(t, s, u)
				for _, r := range rows {
					runs = append(runs, run{r.attack(t), s.Kind, "full"})
					if controlled[r.attempt] = r.controls(t, s, u); controlled[r.attempt] {
						runs = append(runs, run{r.attack(t), s.Kind, r.controlMode()})
					}
				}
				results := launchAgain(t, u, bin, runs)
				refused, let := 0, 0
				for _, r := range rows {
					t.Run(s.Kind+"/"+r.id+" "+r.attempt, func(t *testing.T) {
						r.judge(t, s, results[run{r.attack(t), s.Kind, "full"}])
						if controlled[r.attempt] {
							r.judgeControl(t, u, results[run{r.attack(t), s.Kind, r.controlMode()}])
						}
						switch {
						case t.Failed():
						case r.demands(s).lets != "":
							let++
						default:
							refused++
						}
					})
				}
				t.Logf("%s, which is %s: %d of %d attempts refused, %d let pass as the table says", s.Kind, s.Class, refused, len(rows), let)
			}
		})
	}
}

// judge holds the whole sandbox against the row.
func (r row) judge(t *testing.T, s workerspec.Spec, got result) {
	r.judgeBy(t, r.demands(s), got)
}

func (r row) judgeBy(t *testing.T, want verdict, got result) {
	if !want.takes(got.name()) && !(got.name() == "ENOSYS" && r.absent(t)) {
		t.Errorf("answered %s %q, want %v", got.name(), got.Got, want)
	}
	if got.name() == killed && !got.Forbidden {
		t.Error("the core does not see that the worker was killed for a forbidden call")
	}
	if got.Posture != "" && !r.oddDescriptors {
		t.Errorf("posture: %s", got.Posture)
	}
	if got.Outlived {
		t.Error("something outlived the worker")
	}
}

// absent reports whether the row speaks of a call that this kernel does not have, so
// that there is nothing to refuse.
func (r row) absent(t *testing.T) bool {
	name, _, _ := strings.Cut(r.call, " ")
	if !slices.Contains(r.reaches, "ENOSYS") || name == "" {
		return false
	}
	const bad = ^uintptr(0)
	_, _, errno := unix.Syscall6(uintptr(syscallNumber(t, name)), bad, bad, bad, bad, bad, bad)
	return errno == unix.ENOSYS
}

// judgeControl wants the attack to work without the protection.
func (r row) judgeControl(t *testing.T, u user, got result) {
	want := r.reached(u)
	if !slices.Contains(want, got.name()) || !strings.Contains(got.Got, r.got) {
		t.Errorf("control run (%s): %s %q, want %v with %q", r.controlMode(), got.name(), got.Got, want, r.got)
	}
}

// TestAnyOneLayerMayFail leaves out one layer after the other: whichever it is,
// the others let nothing out. TestEscapes' control runs show that each of these
// attacks works without any. With -short it is one plain kind and one that executes.
func TestAnyOneLayerMayFail(t *testing.T) {
	bin, all := attacker(t), users(t)
	for _, u := range all {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range kinds(t) {
				if _, ok := leftOut(t, caseOneLayer, whenShort); ok && testing.Short() {
					plain, exec := s.Class == workerspec.Plain, s.Class == workerspec.Exec
					if len(all) > 1 {
						plain, exec = plain && !u.root, exec && u.root
					}
					if !plain && !exec {
						continue
					}
				}
				oneLayerLess(t, u, bin, s, "", spare())
			}
		})
	}
}

// oneLayerLess makes what reaches for something outside in workers of a mode that
// lack one layer, one after the other.
func oneLayerLess(t *testing.T, u user, bin string, s workerspec.Spec, mode string, layers []workerspec.Layer) {
	t.Helper()
	var runs []run
	of, demanded := of(t, s), map[run]row{}
	for _, l := range layers {
		for _, r := range of {
			if r.outside && r.alone != l {
				try := run{r.attack(t), s.Kind, mode + "without:" + string(l)}
				runs, demanded[try] = append(runs, try), r
			}
		}
	}
	results := launchAgain(t, u, bin, runs)
	for _, r := range runs {
		if got := results[r]; demanded[r].through(s, u, got.name()) || got.Failed != "" || got.Attack == "" {
			t.Errorf("%s %s: %q: %s", s.Kind, r.Mode, r.Attack, got.name())
		}
	}
}

// through reports whether an answer says that nothing stopped the attempt: some reach
// what they are after with an error of its own.
func (r row) through(s workerspec.Spec, u user, answer string) bool {
	return answer == "OK" || slices.Contains(r.reached(u), answer) && !r.demands(s).takes(answer)
}

// reached is what the control run is answered.
func (r row) reached(u user) []string {
	if u.root {
		return r.rootReaches
	}
	return r.reaches
}

// spare are the layers that can be left out one by one.
func spare() []workerspec.Layer {
	return []workerspec.Layer{workerspec.Landlock, workerspec.SeccompStrict, workerspec.SeccompCompat, workerspec.NetNamespace,
		workerspec.PIDNamespace, workerspec.IPCNamespace, workerspec.UTSNamespace, workerspec.NoCapabilities, workerspec.ResourceLimits, workerspec.ParentDeath}
}

// TestHonestWork shows that the sandbox lets a worker do its work.
func TestHonestWork(t *testing.T) {
	bin := attacker(t)
	for _, u := range users(t) {
		for _, s := range kinds(t) {
			r := run{"honest work", s.Kind, "full"}
			if got := launch(t, u, bin, []run{r})[r]; got.name() != "OK" {
				t.Errorf("%s, %s: %s %s", u.name, s.Kind, got.name(), got.Got)
			}
		}
	}
}

// TestCensus (rows 12, 74, 75; CVE-2024-21626, CVE-2021-21261) has the worker
// itself list its descriptors, environment and working directory.
func TestCensus(t *testing.T) {
	bin := attacker(t)
	for _, u := range users(t) {
		for _, s := range kinds(t) {
			full, bare := run{"census", s.Kind, "full"}, run{"census", s.Kind, "bare"}
			got := launch(t, u, bin, []run{full, bare})
			want := "fds=0,1,2,3 env=" + strings.Join(s.Env, ",") + " cwd=/"
			if handed(s) {
				want = "fds=0,1,2,3,20 env=" + strings.Join(s.Env, ",") + " cwd="
			}
			if got[full].Got != want || got[full].name() != "OK" {
				t.Errorf("%s, %s: %s %q, want %q", u.name, s.Kind, got[full].name(), got[full].Got, want)
			}
			if !strings.Contains(got[bare].Got, "HOSTILE_SECRET") || strings.Contains(got[bare].Got, "fds=0,1,2,3 ") || strings.Contains(got[bare].Got, "fds=0,1,2,3,20 ") {
				t.Errorf("%s: control run %q has no secret and no leaked descriptor", u.name, got[bare].Got)
			}
		}
	}
}

// TestDaemon (row 73) has a worker that may fork leave a process in a session
// of its own: the pid namespace ends it with the worker.
func TestDaemon(t *testing.T) {
	bin := attacker(t)
	for _, u := range users(t) {
		for _, s := range kinds(t) {
			confined := run{"daemon", s.Kind, "without:" + string(workerspec.SeccompStrict)}
			bare := run{"daemon", s.Kind, "bare"}
			got := launch(t, u, bin, []run{confined, bare})
			if r := got[confined]; r.name() != "OK" || r.Outlived {
				t.Errorf("%s, %s: %s, outlived %v", u.name, s.Kind, r.name(), r.Outlived)
			}
			if r := got[bare]; r.name() != "OK" || !r.Outlived {
				t.Errorf("%s: control run: %s, outlived %v", u.name, r.name(), r.Outlived)
			}
		}
	}
}

// gone is how long a worker may outlive its core: ten times what is promised.
const gone = time.Second

// TestCoreKilled (row 72, R26) kills the core of a worker that never looks at
// its connection.
func TestCoreKilled(t *testing.T) {
	bin := attacker(t)
	for _, u := range users(t) {
		for _, s := range kinds(t) {
			t.Run(u.name+"/"+s.Kind, func(t *testing.T) {
				if pid := killCore(t, u, bin, s.Kind, "full"); !died(t, pid, patience(gone)) {
					unix.Kill(pid, unix.SIGKILL)
					t.Error("the worker outlived its core")
				}
				pid := killCore(t, u, bin, s.Kind, "without:"+string(workerspec.ParentDeath))
				if died(t, pid, gone/2) {
					t.Error("control run: the worker died without the parent-death signal too")
				}
				if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
					t.Error(err)
				}
			})
		}
	}
}

// killCore starts a core with a worker, kills the core, and returns the
// worker's process id.
func killCore(t *testing.T, u user, bin, kind, mode string) int {
	t.Helper()
	cmd := u.command(t.Context(), bin, "hold", kind, mode)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		t.Fatalf("%v: %s", err, stderr.String())
	}
	number, base, _ := strings.Cut(strings.TrimSpace(line), " ")
	pid, err := strconv.Atoi(number)
	if err != nil {
		t.Fatal(err)
	}
	if !proc.Alive(pid) {
		t.Fatal("the worker is not alive before its core is killed")
	}
	cmd.Process.Kill()
	cmd.Wait()
	os.RemoveAll(base)
	return pid
}

// died waits for a process that is not our child to end.
func died(t *testing.T, pid int, limit time.Duration) bool {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return true
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for until := time.Now().Add(limit); ; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(max(0, time.Until(until).Milliseconds())))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return n > 0
	}
}

// swaps is how often the race exchanges the granted directories at least.
const swaps = 100_000

// TestSwapRace (row 80, K5, R15) swaps the directories that are being granted
// for others and for links, while workers start.
func TestSwapRace(t *testing.T) {
	bin := attacker(t)
	for _, u := range users(t) {
		t.Run(u.name, func(t *testing.T) { raceStarts(t, u, bin, "full") })
	}
}

// raceStarts swaps the directories while workers of a mode start.
func raceStarts(t *testing.T, u user, bin, mode string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), launchTime)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := u.command(ctx, bin, "race", fmt.Sprint(swaps), mode)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var r struct{ Swaps, Starts, Refused, Escapes, Control int }
	if err := json.Unmarshal(stdout.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", r)
	if r.Escapes != 0 || r.Swaps < swaps || r.Starts == 0 {
		t.Errorf("%d of %d workers saw another directory, in %d swaps", r.Escapes, r.Starts, r.Swaps)
	}
	if !u.root && r.Refused == 0 {
		t.Error("no start came upon a swapped directory")
	}
	if r.Control == 0 {
		t.Error("control run: checking a name and then opening it was never fooled")
	}
}
