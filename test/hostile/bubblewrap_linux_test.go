package hostile

import (
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// wrapped is the mode of a run on a system that refuses user namespaces to all
// programs but bubblewrap.
const wrapped = "bwrap:"

// bubblewrapped are the users that bubblewrap is tried for, which are all but root;
// none where it is not installed.
func bubblewrapped(t *testing.T) []user {
	t.Helper()
	if _, err := os.Stat("/usr/bin/bwrap"); err != nil {
		why, ok := leftOut(t, caseBubblewrap, whenNoBwrap)
		if !ok {
			t.Fatal(err)
		}
		t.Log(why)
		return nil
	}
	return slices.DeleteFunc(users(t), func(u user) bool { return u.root })
}

// wrappedKinds are the kinds that bubblewrap starts; with -short one that opens
// files, one that executes and one engine stand for them.
func wrappedKinds(t *testing.T) []workerspec.Spec {
	t.Helper()
	var all []workerspec.Spec
	for _, s := range workerspec.All() {
		if _, err := s.Wrap(); err != nil {
			continue
		}
		if _, ok := leftOut(t, caseEveryKind, whenShort); ok && testing.Short() && !slices.Contains([]string{"index", "engine", "tool"}, s.Kind) {
			continue
		}
		all = append(all, s)
	}
	return all
}

// demandsWrapped is what a kind may answer where bubblewrap makes the namespaces: it
// mounts a whole /proc, and leaves nobody the power to bound its user namespace
// (docs/sandbox.md).
func (r row) demandsWrapped(s workerspec.Spec) verdict {
	v := r.demands(s)
	switch r.attempt {
	case "boot number", "command line", "load":
		if s.Class == workerspec.Exec {
			v = verdict{lets: "bubblewrap mounts a whole /proc"}
		}
	case "watchers", "watches":
		if s.Class == workerspec.Exec || s.Kind == "file" {
			v = verdict{lets: "bubblewrap leaves no power to bound the namespace"}
		}
	}
	return v
}

// TestBubblewrap makes every attempt in workers that bubblewrap started: each has to
// be answered as where Bailey makes the namespaces itself.
func TestBubblewrap(t *testing.T) {
	bin := attacker(t)
	for _, u := range bubblewrapped(t) {
		for _, s := range wrappedKinds(t) {
			everyAttempt(t, u, bin, s, wrapped+"full", row.demandsWrapped)
		}
	}
}

// TestBubblewrapLayers leaves out one of the layers that Bailey puts on itself there:
// the others, and those that bubblewrap makes, let nothing out.
func TestBubblewrapLayers(t *testing.T) {
	bin := attacker(t)
	index, _ := workerspec.For("index")
	for _, u := range bubblewrapped(t) {
		oneLayerLess(t, u, bin, index, wrapped, []workerspec.Layer{workerspec.Landlock, workerspec.SeccompStrict, workerspec.SeccompCompat, workerspec.ResourceLimits})
	}
}

// TestBubblewrapCensus (rows 12, 73, 74, 75): what such a worker holds, and that
// nothing outlives it.
func TestBubblewrapCensus(t *testing.T) {
	bin := attacker(t)
	for _, u := range bubblewrapped(t) {
		for _, s := range wrappedKinds(t) {
			census, daemon := run{"census", s.Kind, wrapped + "full"}, run{"daemon", s.Kind, wrapped + "without:" + string(workerspec.SeccompStrict)}
			got := launch(t, u, bin, []run{census, daemon})
			want := "fds=0,1,2,3 env=" + strings.Join(s.Env, ",") + " cwd=/"
			if handed(s) {
				want = "fds=0,1,2,3,20 env=" + strings.Join(s.Env, ",") + " cwd="
			}
			if got[census].Got != want || got[census].name() != "OK" || got[census].Posture != "" {
				t.Errorf("%s: %s %q, want %q; %s", s.Kind, got[census].name(), got[census].Got, want, got[census].Posture)
			}
			if r := got[daemon]; r.name() != "OK" || r.Outlived {
				t.Errorf("%s: a daemon: %s, outlived %v", s.Kind, r.name(), r.Outlived)
			}
		}
	}
}

// TestBubblewrapCoreKilled (row 72): bubblewrap ends with its core, and the worker
// with bubblewrap.
func TestBubblewrapCoreKilled(t *testing.T) {
	bin := attacker(t)
	for _, u := range bubblewrapped(t) {
		for _, s := range wrappedKinds(t) {
			if pid := killCore(t, u, bin, s.Kind, wrapped+"full"); !died(t, pid, patience(gone)) {
				unix.Kill(pid, unix.SIGKILL)
				t.Errorf("%s: the worker outlived its core", s.Kind)
			}
		}
	}
}

// TestBubblewrapSwapRace (row 80) swaps the directories while bubblewrap, which finds
// them by name, starts workers.
func TestBubblewrapSwapRace(t *testing.T) {
	bin := attacker(t)
	for _, u := range bubblewrapped(t) {
		raceStarts(t, u, bin, wrapped+"full")
	}
}
