package core

import (
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

// disk is the file of remembered permissions.
type disk struct{ b []byte }

func (d *disk) Load(int) ([]byte, error) { return d.b, nil }
func (d *disk) Save(b []byte) error      { d.b = slices.Clone(b); return nil }
func (d *disk) Remove() error            { d.b = nil; return nil }

// K10: an older file that is put back is seen, also where it differs only in what
// was refused, and nothing of it counts.
func TestFileThatWasPutBack(t *testing.T) {
	home := t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	dir, err := safefile.OpenDir(home)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	log, err := audit.Open(t.Context(), audit.Config{Home: dir, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Release: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	record := func(kind auditlog.Kind) func(string) error {
		return func(digest string) error {
			_, err := log.Append(t.Context(), audit.Event{Kind: kind, Actor: audit.Actor{App: "studio"}, Detail: map[string]string{policiesKey: digest}})
			return err
		}
	}
	same := func(a, b capability.Object) bool { return a == b }
	scope := capability.Scope{Path: "/d", Object: capability.Object{Inode: 7, FileHandle: "h"}}
	d := &disk{}
	open := func() *grant.Policies {
		t.Helper()
		p, err := grant.OpenPolicies(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckPolicies(t.Context(), p, log, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		return p
	}
	refuse := func(p *grant.Policies) {
		t.Helper()
		if _, err := p.Refuse("studio", "file.read", "prompt", scope, time.Now(), same, func(_ grant.Refused, digest string) error { return record(auditlog.Refuse)(digest) }); err != nil {
			t.Fatal(err)
		}
	}
	p := open()
	if err := p.Remember(grant.Remembered{ID: "r", App: "studio", Kind: "file.read", Path: "/e"}, record(auditlog.Remember)); err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(d.b)
	refuse(p)
	refuse(p)
	blocked := slices.Clone(d.b)
	if q := open(); len(q.List()) != 1 || len(q.Refusals()) != 1 {
		t.Fatalf("the control: %v %v", q.List(), q.Refusals())
	}
	// Without the noes.
	d.b = before
	if q := open(); !q.Empty() {
		t.Errorf("an older file counts: %v", q.List())
	}
	// With them, after all was forgotten.
	d.b = blocked
	if q := open(); !q.Empty() {
		t.Errorf("an older file counts: %v", q.Refusals())
	}
	// Also where nothing but a no is in it.
	p = open()
	refuse(p)
	once := slices.Clone(d.b)
	refuse(p)
	d.b = once
	if q := open(); !q.Empty() {
		t.Error("a no of two was taken back by hand")
	}
}
