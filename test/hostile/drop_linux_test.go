package hostile

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// drop is what `make hostile DROP=landlock` says.
var drop = flag.String("drop", "", "leave out this layer alone, and say what it is for")

// shownElsewhere are the layers whose absence no attempt of a worker's tells, and
// the test that does: the one acts when the worker's core is gone, the other keeps
// others from looking into the worker.
func shownElsewhere() map[workerspec.Layer]string {
	return map[workerspec.Layer]string{workerspec.ParentDeath: "TestCoreKilled", workerspec.NonDumpable: "internal/plat/sandbox TestStart"}
}

// cases are the attempts that a run answers otherwise than the whole sandbox.
type cases struct{ through, otherwise []string }

func (c cases) String() string {
	return fmt.Sprintf("%d get through (%s), %d are answered otherwise (%s)", len(c.through), strings.Join(c.through, ", "),
		len(c.otherwise), strings.Join(c.otherwise, ", "))
}

// differing makes every attempt of a kind in a mode, and what the worker is for
// besides, whose posture it returns.
func differing(t *testing.T, u user, bin string, s workerspec.Spec, mode string) (c cases, posture string) {
	t.Helper()
	honest := run{"honest work", s.Kind, mode}
	runs := []run{honest}
	for _, r := range of(t, s) {
		runs = append(runs, run{r.attack(t), s.Kind, mode})
	}
	results := launchAgain(t, u, bin, runs)
	for _, r := range of(t, s) {
		got, want := results[run{r.attack(t), s.Kind, mode}], r.demands(s)
		switch {
		case got.Failed != "":
			t.Errorf("%s, %s: %s: %s", s.Kind, mode, r.attempt, got.name())
		case want.takes(got.name()):
		case got.name() == "OK":
			c.through = append(c.through, r.attempt)
		default:
			c.otherwise = append(c.otherwise, r.attempt+" ("+got.name()+")")
		}
	}
	return c, results[honest].Posture
}

// TestEveryLayerShows leaves out one layer after the other, and makes every
// attempt in a kind of each class. A layer whose absence no attempt tells would be
// one that nobody tests. What /proc shows of such a worker is told beside.
func TestEveryLayerShows(t *testing.T) {
	if _, ok := leftOut(t, caseEveryLayer, whenShort); ok && testing.Short() {
		t.Log("left out: short run")
		return
	}
	layers := spare()
	if *drop != "" {
		if layers = []workerspec.Layer{workerspec.Layer(*drop)}; !slices.Contains(spare(), layers[0]) {
			t.Fatalf("-drop takes one of %v", spare())
		}
	}
	bin := attacker(t)
	for _, u := range users(t) {
		t.Run(u.name, func(t *testing.T) {
			t.Parallel()
			for _, l := range layers {
				told := 0
				figures := "| " + string(l) + " |"
				for _, s := range shownIn(t) {
					c, posture := differing(t, u, bin, s, "without:"+string(l))
					told += len(c.through) + len(c.otherwise)
					text := fmt.Sprintf("%s without %s: of %d attempts %v", s.Kind, l, len(of(t, s)), c)
					if posture != "" {
						text += "; the core would not have let it work: " + posture
					}
					t.Log(text)
					figures += fmt.Sprintf(" %d + %d |", len(c.through), len(c.otherwise))
				}
				t.Log(figures)
				if test := shownElsewhere()[l]; told == 0 && test == "" {
					t.Errorf("no attempt tells that %s is missing", l)
				}
			}
		})
	}
}

// shownIn are one kind of each class, or every kind where it is one layer that is
// asked about.
func shownIn(t *testing.T) []workerspec.Spec {
	t.Helper()
	seen := map[workerspec.Class]bool{}
	return slices.DeleteFunc(specs(t), func(s workerspec.Spec) bool {
		defer func() { seen[s.Class] = true }()
		return seen[s.Class] && *drop == ""
	})
}

// TestInseparableLayers: what cannot be missing by itself. Without no_new_privs the
// kernel takes neither Landlock nor a filter from who has no powers, and nothing
// starts. The user and the mount namespace and the root come together, and where
// they are missing it is level 2, in which attempts are answered otherwise.
func TestInseparableLayers(t *testing.T) {
	bin := attacker(t)
	all := append(spare(), workerspec.NoNewPrivs, workerspec.UserNamespace, workerspec.MountNamespace, workerspec.EmptyRoot)
	for l := range shownElsewhere() {
		all = append(all, l)
	}
	for _, l := range workerspec.Layers() {
		if !slices.Contains(all, l) {
			t.Errorf("nothing leaves %s out", l)
		}
	}
	for _, u := range reachable(t) {
		for _, s := range kinds(t) {
			r := run{"honest work", s.Kind, "without:" + string(workerspec.NoNewPrivs)}
			if got := launch(t, u, bin, []run{r})[r]; !strings.Contains(got.Failed, string(workerspec.Landlock)) {
				t.Errorf("%s, %s without %s: %s", u.name, s.Kind, workerspec.NoNewPrivs, got.name())
			}
		}
		s, _ := workerspec.For("index")
		c, _ := differing(t, u, bin, s, level2+"full")
		t.Logf("%s at level 2, %s: %v", s.Kind, u.name, c)
		if len(c.through)+len(c.otherwise) == 0 {
			t.Error("no attempt tells that it is level 2")
		}
	}
}
