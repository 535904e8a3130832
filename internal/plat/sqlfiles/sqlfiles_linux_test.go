package sqlfiles

import (
	"database/sql"
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// TestUse works on a database by a name relative to where the process stands, in
// both kinds of journal, and closes another descriptor of it under a lock.
func TestUse(t *testing.T) {
	if err := errors.Join(Use(), Use()); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	db, err := sql.Open("sqlite", "file:data.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	exec := func(q string) {
		t.Helper()
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	for _, mode := range []string{"DELETE", "WAL", "TRUNCATE"} {
		exec("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=" + mode)
		exec("CREATE TABLE IF NOT EXISTS t(x); INSERT INTO t VALUES(1); DELETE FROM t; VACUUM")
	}
	exec("BEGIN EXCLUSIVE")
	// As looking at it does.
	f, err := os.OpenFile("data.db", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if f, err = os.OpenFile("data.db", os.O_RDWR, 0); err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// SQLite's lock bytes, os.h.
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: 0x40000000, Len: 512}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock); err != unix.EAGAIN && err != unix.EACCES {
		t.Errorf("the lock on the database is gone: %v", err)
	}
	exec("COMMIT")
}

// TestLink: a link in the place of the database leads nowhere.
func TestLink(t *testing.T) {
	if err := Use(); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	for name, refused := range map[string]bool{"real.db": false, "link.db": true} {
		if refused {
			if err := os.Symlink("real.db", name); err != nil {
				t.Fatal(err)
			}
		}
		db, err := sql.Open("sqlite", "file:"+name+"")
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.Exec("CREATE TABLE IF NOT EXISTS t(x)")
		db.Close()
		if (err != nil) != refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}
