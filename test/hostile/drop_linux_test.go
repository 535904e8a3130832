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

// TestEveryLayerShows leaves out one layer after the other, and makes every
// attempt. A layer whose absence nothing notices would be one that nobody tests:
// either some attempt is answered otherwise, or what /proc shows is refused.
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
				mode := "without:" + string(l)
				noticed := false
				seen := map[workerspec.Class]bool{}
				for _, s := range specs(t) {
					// One kind of each class, unless it is one layer that is asked about.
					if seen[s.Class] && *drop == "" {
						continue
					}
					seen[s.Class] = true
					posture := run{"honest work", s.Kind, mode}
					runs := []run{posture}
					for _, r := range of(t, s) {
						runs = append(runs, run{r.attack(t), s.Kind, mode})
					}
					results := launchAgain(t, u, bin, runs)
					var through, otherwise []string
					for _, r := range of(t, s) {
						got := results[run{r.attack(t), s.Kind, mode}]
						switch {
						case got.Failed != "":
							t.Errorf("%s without %s: %s: %s", s.Kind, l, r.attempt, got.name())
						case got.name() == "OK":
							through = append(through, r.attempt)
						case !r.demands(s).takes(got.name()):
							otherwise = append(otherwise, r.attempt+" ("+got.name()+")")
						}
					}
					refused := results[posture].Posture
					noticed = noticed || refused != "" || len(through)+len(otherwise) > 0
					text := fmt.Sprintf("%s without %s: of %d attempts %d get through (%s), %d are answered otherwise (%s)", s.Kind, l, len(of(t, s)),
						len(through), strings.Join(through, ", "), len(otherwise), strings.Join(otherwise, ", "))
					if refused != "" {
						text += "; the core would not have let it work: " + refused
					}
					t.Log(text)
				}
				// What a layer stops that no row is about has a test of its own.
				if l == workerspec.ParentDeath && !noticed {
					t.Logf("%s: TestCoreKilled", l)
					noticed = true
				}
				if !noticed {
					t.Errorf("nothing notices that %s is missing", l)
				}
			}
		})
	}
}
