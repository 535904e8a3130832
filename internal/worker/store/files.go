package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

const (
	fileName = "conversations.db"
	walEnd   = "-wal"
)

func asideName(n int) string { return fmt.Sprintf("conversations.damaged-%d.db", n) }

// setAside gives the database and its journal another name, under which SQLite
// finds both. The journal goes first: a new database beside an old journal would
// make SQLite delete the journal.
func setAside(dir string) (string, error) {
	db, wal := filepath.Join(dir, fileName), filepath.Join(dir, fileName+walEnd)
	journal, err := exists(wal)
	if err != nil {
		return "", err
	}
	for n := 1; n <= limits.StoreSetAside; n++ {
		name := asideName(n)
		to := filepath.Join(dir, name)
		taken, err := exists(to)
		if err == nil && !taken && journal {
			taken, err = exists(to + walEnd)
		}
		if err != nil {
			return "", err
		}
		if taken {
			continue
		}
		if journal {
			if err := os.Rename(wal, to+walEnd); err != nil {
				return "", err
			}
		}
		if err := os.Rename(db, to); err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
		return name, syncDir(dir)
	}
	return "", errs.New(errs.HomeUnusable, "store.set-aside").With("too many damaged databases stand beside it")
}

// asides lists the databases that were set aside, with their journals.
func asides(dir string) ([]string, error) {
	var names []string
	for n := 1; n <= limits.StoreSetAside; n++ {
		for _, name := range []string{asideName(n), asideName(n) + walEnd} {
			there, err := exists(filepath.Join(dir, name))
			if err != nil {
				return nil, err
			}
			if there {
				names = append(names, name)
			}
		}
	}
	return names, nil
}

// exists opens the file, because a worker may not be allowed to look at a path
// otherwise. It is never used on the open database: closing any descriptor of a
// file gives up the process's locks on it (fcntl(2)).
func exists(path string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// fileSize is 0 for a file that is not there. As exists, never of the database.
func fileSize(path string) (int64, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// overwrite writes zeros over all of a file, durably. It is not there: nothing
// to do.
func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(zero(f), f.Close())
}

func zero(f *os.File) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	block := make([]byte, limits.StoreBlock)
	for at := int64(0); at < st.Size(); {
		n, err := f.WriteAt(block[:min(int64(len(block)), st.Size()-at)], at)
		if err != nil {
			return err
		}
		at += int64(n)
	}
	return f.Sync()
}

// destroy overwrites a file and removes it.
func destroy(path string) (freed int64, err error) {
	if freed, err = fileSize(path); err != nil {
		return 0, err
	}
	if err := overwrite(path); err != nil {
		return 0, err
	}
	return freed, os.Remove(path)
}
