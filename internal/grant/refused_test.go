package grant

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

func dir(inode uint64) capability.Scope {
	return capability.Scope{Path: fmt.Sprintf("/d/%d", inode), Object: capability.Object{Inode: inode, FileHandle: "h"}}
}

func noNote(Refused, string) error { return nil }

func refuse(t *testing.T, p *Policies, app, kind string, s capability.Scope) Refused {
	t.Helper()
	r, err := p.Refuse(app, kind, "prompt", s, time.Unix(100, 5), same, noNote)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Once is noted, twice blocks, for this app, kind and object and across a
// restart, until the row is taken away.
func TestTwoRefusalsBlock(t *testing.T) {
	f := &memFile{}
	p := policies(t, f)
	if r := refuse(t, p, "studio", "file.read", dir(1)); r.Blocked() || len(p.Refusals()) != 0 || p.Empty() {
		t.Fatalf("blocked after one: %+v", r)
	}
	p = policies(t, f)
	r := refuse(t, p, "studio", "file.read", dir(1))
	if !r.Blocked() || len(p.Refusals()) != 1 {
		t.Fatalf("not blocked after two: %+v", r)
	}
	refuse(t, p, "studio", "file.read", dir(1)) // counts no further, and is one row
	model := capability.Scope{Name: "m", Digest: capability.Digest{1}}
	refuse(t, p, "studio", "model.run", model)
	refuse(t, p, "studio", "model.run", model)
	q := policies(t, f)
	if q.Digest() != p.Digest() || len(q.Refusals()) != 2 {
		t.Fatalf("%+v", q.Refusals())
	}
	for _, c := range []struct {
		app, kind string
		s         capability.Scope
		want      bool
	}{
		{"studio", "file.read", dir(1), true}, {"studio", "file.read", dir(2), false}, {"bailey", "file.read", dir(1), false},
		{"studio", "file.write", dir(1), false}, {"studio", "model.run", model, true},
		{"studio", "model.run", capability.Scope{Name: "m", Digest: capability.Digest{2}}, false},
	} {
		if _, ok := q.Refusal(c.app, c.kind, c.s, same); ok != c.want {
			t.Errorf("%+v: %v", c, ok)
		}
	}
	if _, err := q.Unrefuse("none", noNote); errs.CodeOf(err) != errs.NotFound {
		t.Error(err)
	}
	if _, err := q.Unrefuse(r.ID, noNote); err != nil {
		t.Fatal(err)
	}
	if _, ok := policies(t, f).Refusal("studio", "file.read", dir(1), same); ok {
		t.Error("still blocked")
	}
	// A refusal is no permission, whatever asks.
	if _, ok := q.FindModel("studio", capability.Digest{1}); ok || len(q.List()) != 0 {
		t.Error("a refusal is listed as remembered")
	}
}

// Where the file system has no handles the path tells what was refused.
func TestRefusalWithoutHandle(t *testing.T) {
	p := policies(t, &memFile{})
	s := capability.Scope{Path: "/fat", Object: capability.Object{Inode: 9}}
	refuse(t, p, "studio", "file.read", s)
	never := func(a, b capability.Object) bool { return false }
	if _, ok := p.Refusal("studio", "file.read", s, never); !ok {
		t.Error("forgotten")
	}
	if _, ok := p.Refusal("studio", "file.read", capability.Scope{Path: "/other"}, never); ok {
		t.Error("another folder is refused")
	}
}

// An app that is refused again and again neither grows the file nor pushes out
// what is blocked.
func TestRefusalsAreBounded(t *testing.T) {
	p := policies(t, &memFile{})
	for range 2 {
		refuse(t, p, "studio", "file.read", dir(1))
	}
	for i := range uint64(2 * limits.Remembered) {
		refuse(t, p, "other", "file.read", dir(i+10))
	}
	if len(p.refused) != limits.Remembered || len(p.Refusals()) != 1 {
		t.Errorf("%d refusals, %d blocked", len(p.refused), len(p.Refusals()))
	}
}

// What is not on the record is not refused either; and what is allowed stays as it
// was.
func TestRefusalNeedsItsRecord(t *testing.T) {
	f := &memFile{}
	p := policies(t, f)
	if err := p.Remember(rem("a", "/a", 1), noRecord); err != nil {
		t.Fatal(err)
	}
	was := p.Digest()
	_, err := p.Refuse("studio", "file.read", "prompt", dir(1), time.Now(), same, func(Refused, string) error { return errors.New("full") })
	if err == nil || p.Digest() != was {
		t.Errorf("%v, %s", err, p.Digest())
	}
	refuse(t, p, "studio", "file.read", dir(1))
	if p.Digest() == was || len(policies(t, f).List()) != 1 {
		t.Error("the digest does not cover what was refused")
	}
	if _, err := p.Forget("a", noRecord); err != nil || p.Empty() {
		t.Error(err)
	}
}
