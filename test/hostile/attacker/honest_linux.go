//go:build bailey_hostile

package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // what the index worker stores with

	"github.com/bailey-run/bailey/internal/workerspec"
)

// honest does what the honest workers do, after the seal: threads, collections,
// timers, a walk, and a database under SQLite's locks and journals. A sandbox
// in which this fails would be switched off by people.
func honest(o order) func() answer {
	library := honestNative(o)
	early := error(nil)
	if o.Kind == "pdf" {
		early = compile()
	}
	return func() answer {
		err := errors.Join(early, threads(), library())
		if o.Grant == "/grant" {
			err = errors.Join(err, walk(o.Grant))
		}
		if o.Data == "/db" {
			err = errors.Join(err, database(o.Data+"/index.sqlite"))
		}
		if o.Kind == "gate" {
			err = errors.Join(err, take())
		} else if _, e := unix.FcntlInt(handedFD, unix.F_GETFD, 0); e == nil {
			err = errors.Join(err, model())
		}
		if o.Class == workerspec.Exec.String() {
			err = errors.Join(err, commands(o))
		}
		switch o.Kind {
		case "plugin":
			err = errors.Join(err, compile())
		case "net":
			err = errors.Join(err, dial(o.Port))
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

// take takes a connection from the socket that a gate was handed.
func take() error {
	fd, _, err := unix.Accept4(handedFD, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	if err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	return errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), unix.Close(fd))
}

// dial connects by TCP and UDP, as Go's net package does.
func dial(port int) error {
	for _, network := range []string{"tcp4", "udp4"} {
		c, err := net.Dial(network, fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}

// compile does what wazero does to code that it made.
func compile() error {
	b, err := unix.Mmap(-1, 0, 4*unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	return errors.Join(unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC), unix.Munmap(b))
}

// commands runs programs of the system's, which are linked to its libraries: one
// that writes a folder, one that starts another, and one that must not.
func commands(o order) error {
	run := func(argv ...string) error {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = "/tmp"
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w: %s", argv, err, out)
		}
		return nil
	}
	err := errors.Join(
		// The owner of what root granted has no name inside where /tmp cannot be id-mapped.
		run("cp", "--preserve=mode,timestamps", o.Grant+"/note", o.Data+"/copied"),
		run("cp", "-p", o.Data+"/copied", o.Data+"/again"),
		run("env", "sort", "-o", "/tmp/sorted", o.Grant+"/note"),
		run("ln", "-s", "note", o.Data+"/name"),
		run("cp", "/bin/true", "/tmp/program"), run("/tmp/program"),
		run("cp", "/bin/true", o.Data+"/program"), run(o.Data+"/program"),
		run("readlink", "/proc/self/exe"),
	)
	if run("touch", o.Grant+"/new") == nil {
		err = errors.Join(err, errors.New("it wrote to a folder that is for reading"))
	}
	return err
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
