//go:build bailey_hostile

package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // what the index worker stores with
)

// honest does what the honest workers do, after the seal: threads, collections,
// timers, a walk, and a database under SQLite's locks and journals. A sandbox
// in which this fails would be switched off by people.
func honest(o order) func() answer {
	library := honestNative(o)
	return func() answer {
		err := errors.Join(threads(), library())
		if o.Grant == "/grant" {
			err = errors.Join(err, walk(o.Grant))
		}
		if o.Data == "/db" {
			err = errors.Join(err, database(o.Data+"/index.sqlite"))
		}
		if _, e := unix.FcntlInt(handedFD, unix.F_GETFD, 0); e == nil {
			err = errors.Join(err, model())
		}
		return did(err, fmt.Sprint(err))
	}
}

// model reads what the worker was handed in the ways that libraries do.
func model() error {
	var st unix.Stat_t
	if err := unix.Fstat(handedFD, &st); err != nil {
		return err
	}
	b := make([]byte, st.Size)
	if _, err := unix.Pread(handedFD, b, 0); err != nil {
		return err
	}
	m, err := unix.Mmap(handedFD, 0, int(st.Size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	if string(m) != string(b) {
		return errors.New("mapped and read differ")
	}
	return errors.Join(unix.Madvise(m, unix.MADV_WILLNEED), unix.Munmap(m))
}

// heapLimit is far below the memory of every kind.
const heapLimit = 96 << 20

// threads makes the runtime start threads, preempt them and end them.
func threads() error {
	debug.SetGCPercent(100)
	defer debug.SetGCPercent(-1)
	// As workers do: the collector works harder before the limit is reached.
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(heapLimit))
	var wg sync.WaitGroup
	for range 24 {
		wg.Go(func() {
			runtime.LockOSThread() // never unlocked: the thread ends too
			var sink [][]byte
			until := time.Now().Add(30 * time.Millisecond)
			for time.Now().Before(until) {
				sink = append(sink, make([]byte, 1<<16))
				if len(sink) > 16 {
					sink = nil
				}
			}
		})
	}
	runtime.GC()
	wg.Wait()
	<-time.After(time.Millisecond)
	return nil
}

func walk(dir string) error {
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if _, err := d.Info(); err != nil {
			return err
		}
		if d.Type().IsRegular() {
			files++
			if _, err := os.ReadFile(path); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && files == 0 {
		err = errors.New("no files")
	}
	return err
}

func database(path string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	defer db.Close()
	for _, q := range []string{
		"PRAGMA journal_mode=WAL", "PRAGMA mmap_size=268435456",
		"CREATE VIRTUAL TABLE t USING fts5(words)",
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<20000) INSERT INTO t SELECT 'some words '||i FROM n",
		"PRAGMA wal_checkpoint(TRUNCATE)", "DELETE FROM t WHERE rowid%2=0", "VACUUM",
		"PRAGMA journal_mode=DELETE", "INSERT INTO t VALUES('more words')", "CREATE TEMP TABLE x AS SELECT * FROM t ORDER BY words",
	} {
		if _, err := db.Exec(q); err != nil {
			return fmt.Errorf("%s: %w", q, err)
		}
	}
	var n int
	if err := db.QueryRow("SELECT count(*) FROM t WHERE t MATCH 'words'").Scan(&n); err != nil {
		return err
	}
	if n != 10001 {
		return fmt.Errorf("%d rows", n)
	}
	return nil
}
