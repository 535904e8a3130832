package hostile

import (
	"flag"
	"slices"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// turn is what `make vm-test` says, whose machines are emulated: an attempt there
// takes fifty times as long as here.
var turn = flag.Int("turn", -1, "make each attempt in one kind alone, whose turn comes from this number")

// single is for whoever adds a row: all of them take minutes.
var single = flag.String("row", "", "make the attempt of this name alone")

// attempts are the rows that a user tries in a kind: all that speak of it, the one
// of -row, or those whose turn it is. Then root and the ordinary user have
// different kinds.
func attempts(t *testing.T, s workerspec.Spec, u user) []row {
	t.Helper()
	if *single != "" {
		named := func(r row) bool { return r.attempt == *single }
		if !slices.ContainsFunc(tried(t), named) {
			t.Fatalf("no attempt that is tried here is called %q", *single)
		}
		return slices.DeleteFunc(of(t, s), func(r row) bool { return !named(r) })
	}
	if *turn < 0 {
		return of(t, s)
	}
	if why, ok := leftOut(t, caseEveryClass, whenEmulated); !ok {
		t.Fatal("skips.txt does not let an attempt be left out in any kind")
	} else {
		t.Logf("%s: %s", s.Kind, why)
	}
	n := *turn
	if !u.root {
		n++
	}
	all := kinds(t)
	var own []row
	for _, r := range tried(t) {
		of := slices.DeleteFunc(slices.Clone(all), func(k workerspec.Spec) bool { return !r.speaksOf(k) })
		if len(of) == 0 {
			continue
		}
		if of[n%len(of)].Kind == s.Kind {
			own = append(own, r)
		}
		n++
	}
	return own
}

// controls says whether a row has a control run here and now: where attempts take
// turns root has those alone that the ordinary user cannot make.
func (r row) controls(t *testing.T, s workerspec.Spec, u user) bool {
	t.Helper()
	if *turn >= 0 && u.root && r.controlled(t, s, user{name: u.name}) {
		return false
	}
	return r.controlled(t, s, u)
}

// patience is how long something may take there that takes d on a machine.
func patience(d time.Duration) time.Duration {
	if *turn < 0 {
		return d
	}
	return d * emulated
}

// emulated is how much slower an emulated machine may be; more than it was seen
// to be by itself, since it shares a processor.
const emulated = 10
