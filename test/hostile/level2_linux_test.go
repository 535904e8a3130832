package hostile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// level2 is the mode of a run on a system that refuses user namespaces.
const level2 = "level2:"

// level2Kinds are the kinds that bear level 2; with -short one that opens files, and
// one engine, stand for them.
func level2Kinds(t *testing.T) []workerspec.Spec {
	t.Helper()
	var all []workerspec.Spec
	for _, s := range workerspec.All() {
		if _, err := s.Reduce(); err != nil {
			continue
		}
		if _, ok := leftOut(t, caseEveryKind, whenShort); ok && testing.Short() && s.Kind != "index" && s.Kind != "engine" {
			continue
		}
		all = append(all, s)
	}
	return all
}

// reachable are the users of [users], with places that root's workers, which are
// somebody else and stand in the host's root, may pass.
func reachable(t *testing.T) []user {
	t.Helper()
	us := users(t)
	for _, u := range us {
		if u.root {
			if err := os.Chmod(filepath.Dir(u.tmp), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return us
}

// TestLevel2 makes every attempt in workers without namespaces: what Landlock and
// the strict filter are alone for. Each that reaches something outside has its
// control run beside it.
func TestLevel2(t *testing.T) {
	bin := attacker(t)
	for _, u := range reachable(t) {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			for _, s := range level2Kinds(t) {
				everyAttempt(t, u, bin, s, level2+"full", row.demandsAtLevel2)
			}
		})
	}
}

// everyAttempt makes every attempt that a kind has to refuse in workers of a mode,
// each that reaches something outside with its control run beside it.
func everyAttempt(t *testing.T, u user, bin string, s workerspec.Spec, mode string, demands func(row, workerspec.Spec) verdict) {
	t.Helper()
	rows := slices.DeleteFunc(attempts(t, s, u), func(r row) bool { return r.demands(s).lets != "" })
	var runs []run
	controlled := map[string]bool{}
	for _, r := range rows {
		runs = append(runs, run{r.attack(t), s.Kind, mode})
		if controlled[r.attempt] = r.outside && r.controlMode() == "bare" && r.controlled(t, s, u); controlled[r.attempt] {
			runs = append(runs, run{r.attack(t), s.Kind, "bare"})
		}
	}
	results := launch(t, u, bin, runs)
	refused := 0
	for _, r := range rows {
		t.Run(s.Kind+"/"+r.id+" "+r.attempt, func(t *testing.T) {
			r.judgeBy(t, demands(r, s), results[run{r.attack(t), s.Kind, mode}])
			if controlled[r.attempt] {
				r.judgeControl(t, u, results[run{r.attack(t), s.Kind, "bare"}])
			}
			if !t.Failed() {
				refused++
			}
		})
	}
	t.Logf("%s, %s: %d of %d attempts refused", s.Kind, mode, refused, len(rows))
}

// TestLevel2Layers: without Landlock a worker of level 2 reads what its user may;
// without the strict filter it learns what is at a path. Either stands alone, which
// at level 1 none does.
func TestLevel2Layers(t *testing.T) {
	bin := attacker(t)
	for _, u := range reachable(t) {
		runs := []run{
			{"read secret", "index", level2 + "without:" + string(workerspec.Landlock)},
			{"stat outside", "index", level2 + "without:" + string(workerspec.SeccompStrict)},
			{"look at a path", "index", level2 + "without:" + string(workerspec.SeccompStrict)},
			{"open for nothing", "index", level2 + "without:" + string(workerspec.SeccompStrict)},
		}
		results := launch(t, u, bin, runs)
		for _, r := range runs {
			got := results[r]
			want := "OK"
			if u.root && r.Attack == "open for nothing" {
				// The worker's own id may not write the file.
				want = "EACCES"
			}
			if got.name() != want {
				t.Errorf("%s, %s: %s: %s, want %s", u.name, r.Mode, r.Attack, got.name(), want)
			}
		}
	}
}

// TestLevel2Census (rows 12, 73, 74, 75): what a worker of level 2 holds, and where it
// is. It may not ask; what it was born in is seen from outside by its posture.
func TestLevel2Census(t *testing.T) {
	bin := attacker(t)
	for _, u := range reachable(t) {
		for _, s := range level2Kinds(t) {
			reduced, err := s.Reduce()
			if err != nil {
				t.Fatal(err)
			}
			census, daemon := run{"census", s.Kind, level2 + "full"}, run{"daemon", s.Kind, level2 + "full"}
			got := launch(t, u, bin, []run{census, daemon})
			fds := "fds=0,1,2,3"
			if reduced.Grant() >= 0 {
				fds += ",4"
			}
			if handed(s) {
				fds += ",20"
			}
			said := got[census].Got
			if !strings.HasPrefix(said, fds+" env=") || !strings.HasSuffix(said, " cwd=") || strings.Contains(said, "HOSTILE_SECRET") || got[census].Posture != "" {
				t.Errorf("%s, %s: %s %q, %s", u.name, s.Kind, got[census].name(), said, got[census].Posture)
			}
			if r := got[daemon]; r.name() != "EPERM" || r.Outlived {
				t.Errorf("%s, %s: a daemon: %s, outlived %v", u.name, s.Kind, r.name(), r.Outlived)
			}
		}
	}
}

// TestLevel2CoreKilled (row 72): no pid namespace ends a worker with its core; the
// parent-death signal does.
func TestLevel2CoreKilled(t *testing.T) {
	bin := attacker(t)
	for _, u := range reachable(t) {
		for _, kind := range []string{"index", "engine"} {
			if pid := killCore(t, u, bin, kind, level2+"full"); !died(t, pid, gone) {
				unix.Kill(pid, unix.SIGKILL)
				t.Errorf("%s, %s: the worker outlived its core", u.name, kind)
			}
		}
	}
}
