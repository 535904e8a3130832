package capability

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

const read = policyv1.Kind_KIND_FILE_READ

func row() Row {
	return Row{ID: "g1", Kind: read, Holder: Holder{App: "cli", Channel: 7, Task: "t1"},
		Scope: Scope{Path: "/d", Object: Object{Device: 1, Inode: 2}}}
}

func TestCheck(t *testing.T) {
	t0 := time.Unix(1000, 0)
	limited := row()
	limited.Expiry = Expiry{Wall: t0.Add(time.Minute), Boot: time.Hour + time.Minute}
	limited.MaxCalls = 2
	ok := Use{Kind: read, Channel: 7, Calls: 1, Wall: t0, Boot: time.Hour}
	with := func(f func(*Use)) Use { u := ok; f(&u); return u }
	for _, c := range []struct {
		name string
		use  Use
		want errs.Code
	}{
		{"allowed", ok, ""},
		{"last call of the quota", with(func(u *Use) { u.Calls = 2 }), ""},
		{"one call over the quota", with(func(u *Use) { u.Calls = 3 }), errs.QuotaUsedUp},
		{"another kind", with(func(u *Use) { u.Kind = policyv1.Kind_KIND_FILE_WRITE }), errs.GrantMissing},
		{"no kind", with(func(u *Use) { u.Kind = policyv1.Kind_KIND_NONE }), errs.GrantMissing},
		{"unspecified kind", with(func(u *Use) { u.Kind = 0 }), errs.GrantMissing},
		{"another channel", with(func(u *Use) { u.Channel = 8 }), errs.GrantMissing},
		{"wall clock over", with(func(u *Use) { u.Wall = t0.Add(time.Minute) }), errs.GrantExpired},
		{"boot clock over, wall clock set back", with(func(u *Use) { u.Wall = t0.Add(-time.Hour); u.Boot = time.Hour + time.Minute }), errs.GrantExpired},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := limited
			err := r.Check(c.use)
			if c.want == "" && err != nil || c.want != "" && !errors.Is(err, errs.New(c.want, "")) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

// A row of kind NONE, which the core never mints, allows nothing either.
func TestNoneIsNoGrant(t *testing.T) {
	r := row()
	r.Kind = policyv1.Kind_KIND_NONE
	if r.Check(Use{Kind: policyv1.Kind_KIND_NONE, Channel: 7}) == nil {
		t.Fatal("a grant of kind NONE was usable")
	}
}

// Whatever Attenuate accepts is not wider than its parent in any field:
// each use that the child allows, the parent allows too.
func TestAttenuateNeverWidens(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	t0 := time.Unix(1_000_000, 0)
	random := func() Row {
		r := row()
		r.Kind = policyv1.Kind(2 + rng.IntN(2))
		r.Scope.Object.Inode = uint64(rng.IntN(2))
		r.Holder.App = []string{"cli", "x"}[rng.IntN(2)]
		r.Holder.Task = []string{"t1", "t2"}[rng.IntN(2)]
		r.MaxCalls = uint64(rng.IntN(4))
		r.ActionHash[0] = byte(rng.IntN(2))
		r.Scope.Digest[31] = byte(rng.IntN(2))
		if rng.IntN(2) > 0 {
			r.Quota = Quota{Tokens: uint64(rng.IntN(3)), Milliseconds: uint64(rng.IntN(3)), Parallel: uint32(rng.IntN(3))}
		}
		if rng.IntN(3) > 0 {
			r.Expiry = Expiry{Wall: t0.Add(time.Duration(rng.IntN(4)) * time.Second), Boot: time.Duration(1+rng.IntN(4)) * time.Second}
		}
		return r
	}
	accepted := 0
	for range 200_000 {
		parent, want := random(), random()
		child, err := Attenuate(parent, want)
		if err != nil {
			continue
		}
		accepted++
		if child.Parent != parent.ID || child.By != parent.By {
			t.Fatal("a child does not name its parent")
		}
		if child.Scope.Object != parent.Scope.Object || child.Scope.Digest != parent.Scope.Digest || child.Holder.App != parent.Holder.App || child.Holder.Task != parent.Holder.Task || child.ActionHash != parent.ActionHash {
			t.Fatalf("wider: %+v from %+v", child, parent)
		}
		for _, q := range [][2]uint64{{parent.Quota.Tokens, child.Quota.Tokens}, {parent.Quota.Milliseconds, child.Quota.Milliseconds}, {uint64(parent.Quota.Parallel), uint64(child.Quota.Parallel)}} {
			if q[0] != 0 && (q[1] == 0 || q[1] > q[0]) {
				t.Fatalf("a wider quota: %+v from %+v", child.Quota, parent.Quota)
			}
		}
		u := Use{Kind: child.Kind, Channel: child.Holder.Channel, Calls: uint64(rng.IntN(5)), Wall: t0.Add(time.Duration(rng.IntN(5)) * time.Second), Boot: time.Duration(rng.IntN(5)) * time.Second}
		if child.Check(u) == nil && parent.Check(u) != nil {
			t.Fatalf("the child allows what its parent refuses: %+v\nchild  %+v\nparent %+v", u, child, parent)
		}
	}
	if accepted < 100 {
		t.Fatalf("only %d of the random children were accepted: the test shows little", accepted)
	}
}

// An action that differs in any field that a person was shown has another
// hash.
func TestActionHashCoversEachField(t *testing.T) {
	base := Asked{Kind: read, Scope: Scope{Path: "/a", Object: Object{Device: 1, Inode: 2}}, TTLSeconds: 3}
	seen := map[[32]byte]string{}
	add := func(name, task, verb string, rows ...Asked) {
		h := ActionHash(task, verb, rows)
		if other, dup := seen[h]; dup {
			t.Errorf("%s and %s have one hash", name, other)
		}
		seen[h] = name
	}
	mod := func(f func(*Asked)) Asked { a := base; f(&a); return a }
	add("base", "t", "ask", base)
	add("task", "u", "ask", base)
	add("verb", "t", "asl", base)
	add("shifted strings", "ta", "sk", base)
	add("two rows", "t", "ask", base, base)
	add("no rows", "t", "ask")
	add("kind", "t", "ask", mod(func(a *Asked) { a.Kind = policyv1.Kind_KIND_FILE_WRITE }))
	add("path", "t", "ask", mod(func(a *Asked) { a.Scope.Path = "/b" }))
	add("device", "t", "ask", mod(func(a *Asked) { a.Scope.Object.Device = 9 }))
	add("inode", "t", "ask", mod(func(a *Asked) { a.Scope.Object.Inode = 9 }))
	add("time", "t", "ask", mod(func(a *Asked) { a.TTLSeconds = 9 }))
	add("remember", "t", "ask", mod(func(a *Asked) { a.Remember = true }))
	add("model's name", "t", "ask", mod(func(a *Asked) { a.Scope.Name = "m" }))
	add("path and name shifted", "t", "ask", mod(func(a *Asked) { a.Scope.Path, a.Scope.Name = "", "/a" }))
	add("digest", "t", "ask", mod(func(a *Asked) { a.Scope.Digest[31] = 9 }))
	add("tokens", "t", "ask", mod(func(a *Asked) { a.Quota.Tokens = 9 }))
	add("milliseconds", "t", "ask", mod(func(a *Asked) { a.Quota.Milliseconds = 9 }))
	add("parallel", "t", "ask", mod(func(a *Asked) { a.Quota.Parallel = 9 }))
}

func TestEveryKindHasAName(t *testing.T) {
	seen := map[string]bool{}
	for n := range policyv1.Kind_name {
		name := Name(policyv1.Kind(n))
		if n > 0 && (name == "unknown" || name == "" || seen[name]) {
			t.Errorf("kind %d has no name of its own: %q", n, name)
		}
		seen[name] = true
	}
	if Name(-1) != "unknown" || Name(999) != "unknown" {
		t.Error("an unknown kind has a name")
	}
}

func TestWhatIsNeverGrantable(t *testing.T) {
	for _, k := range []policyv1.Kind{0, policyv1.Kind_KIND_NONE, policyv1.Kind_KIND_SCREEN_CAPTURE, policyv1.Kind_KIND_INPUT_OBSERVE} {
		if Grantable(k) {
			t.Errorf("%s can be granted", Name(k))
		}
	}
}

// TestMintable: what a program that is run by hand may be given comes of the command
// line alone and is never remembered; nothing else is given those kinds, and no
// program the kinds that calls are made with.
func TestMintable(t *testing.T) {
	for k := range policyv1.Kind_name {
		k := policyv1.Kind(k)
		r := Row{Kind: k}
		if Mintable(r) != Grantable(k) {
			t.Errorf("%s: mintable %t", Name(k), Mintable(r))
		}
		run := k == policyv1.Kind_KIND_EXEC_RUN || k == policyv1.Kind_KIND_FILE_READ || k == policyv1.Kind_KIND_FILE_WRITE || k == policyv1.Kind_KIND_NET_FETCH
		for _, by := range []Decision{ByTerminal, ByCommandLine, ByRemembered, ByPrompt, ByPolicy} {
			r := Row{Kind: k, Run: true, By: by}
			if Mintable(r) != (run && by == ByCommandLine) {
				t.Errorf("%s by %s: mintable %t", Name(k), by, Mintable(r))
			}
			r.Policy = "p"
			if Mintable(r) {
				t.Errorf("%s is remembered", Name(k))
			}
		}
	}
}
