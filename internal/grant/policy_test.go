package grant

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

type memFile struct {
	data []byte
	fail error
}

func (m *memFile) Load(most int) ([]byte, error) {
	if len(m.data) > most {
		return nil, errs.New(errs.TooLarge, "test")
	}
	return m.data, nil
}

func (m *memFile) Remove() error { m.data = nil; return nil }
func (m *memFile) Save(b []byte) error {
	if m.fail != nil {
		return m.fail
	}
	m.data = append([]byte(nil), b...)
	return nil
}

func policies(t *testing.T, f *memFile) *Policies {
	t.Helper()
	p, err := OpenPolicies(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func rem(id, path string, inode uint64) Remembered {
	return Remembered{ID: capability.ID(id), App: "cli", Kind: "file.read", Path: path, FS: "0102030405060708", Inode: inode, Handle: "h", Since: time.Unix(int64(inode), 0).UTC(), By: "terminal"}
}

func noRecord(string) error { return nil }

func same(a, b capability.Object) bool { return a == b }

// TestFullestFile: as much as may be remembered can be read again, whatever the paths
// are; of a file that is larger than any of ours it is said what to do.
func TestFullestFile(t *testing.T) {
	for name, fill := range map[string]string{"a path that JSON escapes": "<", "of control bytes": "\x01", "not UTF-8": "\x01\xff"} {
		f := &memFile{}
		p := policies(t, f)
		path := "/" + strings.Repeat(fill, (limits.PathBytes-1)/len(fill))
		row := rem("a", path, 1)
		row.Handle = strings.Repeat("h", 300)
		for range limits.RememberedModels {
			row.Models = append(row.Models, strings.Repeat("0", 64))
		}
		for range limits.Remembered {
			p.rows = append(p.rows, row)
			p.refused = append(p.refused, Refused{ID: row.ID, App: row.App, Kind: row.Kind, Path: path, FS: row.FS, Handle: row.Handle, Times: 2, By: "prompt"})
		}
		p.rows = p.rows[1:]
		if err := p.Remember(row, noRecord); err != nil {
			t.Fatal(err)
		}
		if q, err := OpenPolicies(f); err != nil || len(q.List()) != limits.Remembered || q.List()[7].Path != path {
			t.Errorf("%s: %d bytes: %v", name, len(f.data), err)
		}
	}
	_, err := OpenPolicies(&memFile{data: make([]byte, limits.PolicyFileBytes+1)})
	if e := errs.From(err); errs.CodeOf(err) != errs.HomeUnusable || e.Hint == "" {
		t.Errorf("a larger file: %v", err)
	}
}

func TestPoliciesSurviveARestart(t *testing.T) {
	f := &memFile{}
	p := policies(t, f)
	if p.Digest() != "empty" {
		t.Fatal(p.Digest())
	}
	var told string
	if err := p.Remember(rem("a", "/a", 1), func(d string) error { told = d; return nil }); err != nil {
		t.Fatal(err)
	}
	q := policies(t, f)
	if q.Digest() != told || told == "empty" {
		t.Fatalf("digest after restart %s, recorded %s", q.Digest(), told)
	}
	o := rem("a", "/a", 1)
	if r, ok := q.Find("cli", "file.read", o.Object(), same); !ok || r.ID != "a" {
		t.Fatalf("not found: %v", q.List())
	}
	for _, miss := range []struct{ app, kind string }{{"x", "file.read"}, {"cli", "file.write"}} {
		if _, ok := q.Find(miss.app, miss.kind, o.Object(), same); ok {
			t.Fatalf("found for %v", miss)
		}
	}
	if _, ok := q.Find("cli", "file.read", capability.Object{Inode: 2, FileHandle: "h"}, same); ok {
		t.Fatal("another object passed")
	}
}

// A store is changed only after its record, and a failed save changes nothing.
// TestPathsThatAreNotUTF8: the digest of what was kept is that of what is read, and
// two names that look alike stay two.
func TestPathsThatAreNotUTF8(t *testing.T) {
	f := &memFile{}
	p := policies(t, f)
	var told string
	record := func(d string) error { told = d; return nil }
	paths := []string{"/n\xff", "/n\ufffd", "/n\xfe"}
	for i, path := range paths {
		if err := p.Remember(rem(string(rune('a'+i)), path, uint64(i)), record); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Refuse("studio", "file.read", "window", capability.Scope{Path: paths[0], Object: capability.Object{Inode: 1}}, time.Unix(9, 0), same, func(_ Refused, d string) error { return record(d) }); err != nil {
		t.Fatal(err)
	}
	q := policies(t, f)
	if q.Digest() != told {
		t.Fatalf("digest after restart %s, recorded %s", q.Digest(), told)
	}
	for i, r := range q.List() {
		if r.Path != paths[i] {
			t.Errorf("path %d is %q", i, r.Path)
		}
	}
	if _, ok := q.Refusal("studio", "file.read", capability.Scope{Path: paths[0], Object: capability.Object{Inode: 3}}, same); !ok {
		t.Error("the refusal is gone")
	}
	if _, ok := q.Refusal("studio", "file.read", capability.Scope{Path: paths[1], Object: capability.Object{Inode: 3}}, same); ok {
		t.Error("another folder is refused")
	}
}

func TestPoliciesRecordFirst(t *testing.T) {
	f := &memFile{}
	p := policies(t, f)
	bad := errors.New("no")
	if err := p.Remember(rem("a", "/a", 1), func(string) error { return bad }); !errors.Is(err, bad) || f.data != nil || len(p.List()) != 0 {
		t.Fatalf("%v %q %v", err, f.data, p.List())
	}
	f.fail = bad
	if err := p.Remember(rem("a", "/a", 1), noRecord); !errors.Is(err, bad) || len(p.List()) != 0 {
		t.Fatalf("%v %v", err, p.List())
	}
}

func TestForget(t *testing.T) {
	f := &memFile{}
	p := policies(t, f)
	for _, r := range []Remembered{rem("a", "/a", 1), rem("b", "/a/b", 2)} {
		if err := p.Remember(r, noRecord); err != nil {
			t.Fatal(err)
		}
	}
	if r, ok := p.Above("cli", "file.read", "/a/b/c"); !ok || r.ID != "b" {
		t.Fatalf("above /a/b/c: %v", r)
	}
	if r, ok := p.Above("cli", "file.read", "/a/bc"); !ok || r.ID != "a" {
		t.Fatalf("above /a/bc (R13): %v", r)
	}
	if r, ok := p.Above("cli", "file.read", "/ab"); ok {
		t.Fatalf("above /ab: %v", r)
	}
	if r, err := p.Forget("a", noRecord); err != nil || r.Path != "/a" {
		t.Fatal(r, err)
	}
	if _, err := p.Forget("a", noRecord); !errors.Is(err, errs.New(errs.NotFound, "")) {
		t.Fatal(err)
	}
	if got := policies(t, f).List(); len(got) != 1 || got[0].ID != "b" {
		t.Fatal(got)
	}
}

func TestDamagedStoreIsAnError(t *testing.T) {
	for _, s := range []string{"", "{", `{"version":2,"remembered":[]}`, `{"version":1,"remembered":[{"surprise":1}]}`, "null\x00"} {
		if _, err := OpenPolicies(&memFile{data: []byte(s)}); !errors.Is(err, errs.New(errs.HomeUnusable, "")) {
			t.Errorf("%q: %v", s, err)
		}
	}
	many := `{"version":1,"remembered":[` + strings.TrimSuffix(strings.Repeat(`{},`, 300), ",") + `]}`
	if _, err := OpenPolicies(&memFile{data: []byte(many)}); err == nil {
		t.Error("a store over the cap was read")
	}
}

func FuzzPolicies(f *testing.F) {
	f.Add([]byte(`{"version":1,"remembered":[{"id":"a","path":"/a"}]}`))
	f.Add(encode([]Remembered{rem("a", "/a", 1)}, []Refused{{ID: "r", App: "studio", Kind: "file.read", Times: 2}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := OpenPolicies(&memFile{data: b})
		if err != nil {
			return
		}
		out := encode(p.List(), p.refused)
		if q, err := OpenPolicies(&memFile{data: out}); err != nil || len(q.List()) != len(p.List()) || len(q.refused) != len(p.refused) {
			t.Fatalf("does not read back: %v", err)
		}
	})
}

// What the record says is withdrawn or refused is, also where it cannot be saved;
// what it says is allowed is not.
func TestNothingCanBeSaved(t *testing.T) {
	f := &memFile{}
	p := policies(t, f)
	if err := p.Remember(rem("a", "/a", 1), noRecord); err != nil {
		t.Fatal(err)
	}
	f.fail = errs.New(errs.NoSpace, "test")
	noSpace := func(err error) bool { return errs.CodeOf(err) == errs.NoSpace }
	if err := p.Remember(rem("b", "/b", 2), noRecord); !noSpace(err) || len(p.List()) != 1 {
		t.Errorf("remembered: %v %v", err, p.List())
	}
	if r, err := p.Forget("a", noRecord); !noSpace(err) || r.ID != "a" || len(p.List()) != 0 {
		t.Errorf("forgotten: %v %v", err, p.List())
	}
	scope := capability.Scope{Path: "/c", Object: capability.Object{Inode: 3, FileHandle: "h"}}
	for range 2 {
		_, err := p.Refuse("cli", "file.read", "prompt", scope, time.Unix(1, 0), same, func(Refused, string) error { return nil })
		if !noSpace(err) {
			t.Error(err)
		}
	}
	if rows := p.Refusals(); len(rows) != 1 {
		t.Fatalf("refused: %v", rows)
	}
	if _, err := p.Unrefuse(p.Refusals()[0].ID, func(Refused, string) error { return nil }); !noSpace(err) || len(p.Refusals()) != 1 {
		t.Errorf("taken away: %v", err)
	}
}
