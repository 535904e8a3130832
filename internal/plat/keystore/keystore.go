// Package keystore keeps Bailey's secret keys: the audit log's signing key and
// one key per app.
//
// So far there is one kind of store: 0600 files in a 0700 directory of the
// user's. That keeps other users out and nothing else: every program that runs
// as the same user can read them. [Store.Protection] says so, and callers show
// it; a store like this is never called a keychain. A keyring (Secret Service)
// is a later, second kind.
//
// It refuses: names that are not plain, and keys larger than limits.KeyFile.
//
// Callers: the core only. Keys never leave it and are never logged.
package keystore

import (
	"crypto/rand"
	"errors"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

// Store is an open key store. It is safe for concurrent use by one process; the
// core's lock keeps a second one out.
type Store struct{ dir *safefile.Dir }

// Protection says what guards the keys.
type Protection struct {
	// Keyring is true when a keyring that asks the user holds the keys.
	Keyring bool
	// Detail is a sentence for a person.
	Detail string
}

// Open opens the key store in dir, which it takes over and closes.
func Open(dir *safefile.Dir) *Store { return &Store{dir: dir} }

// Protection says what guards the keys of this store.
func (s *Store) Protection() Protection {
	return Protection{Detail: "not protected by a keyring: any program that runs as this user can read the keys"}
}

// Get returns the key of that name, or errs.NotFound.
func (s *Store) Get(name string) ([]byte, error) { return s.dir.Read(name, limits.KeyFile) }

// Put stores a key, replacing one of that name; it is durable on return.
func (s *Store) Put(name string, key []byte) error {
	if len(key) == 0 || len(key) > limits.KeyFile {
		return errs.New(errs.TooLarge, "keystore.put").With(name)
	}
	return s.dir.Publish(name, key)
}

// Ensure returns the key of that name and makes a random one of size bytes
// where there is none; created says so.
func (s *Store) Ensure(name string, size int) (key []byte, created bool, err error) {
	key, err = s.Get(name)
	if errs.CodeOf(err) == errs.NotFound {
		key = make([]byte, size)
		// crypto/rand.Read never fails (Go 1.24).
		_, _ = rand.Read(key)
		return key, true, s.Put(name, key)
	}
	if err == nil && len(key) != size {
		err = errs.Wrap(errs.HomeUnusable, "keystore.ensure", errors.New("key file has the wrong length")).With(name)
	}
	return key, false, err
}

// Erase overwrites the key with zeros, makes that durable, and removes it. On
// flash storage and on file systems that copy on write, the old bytes can
// outlive this below the file system; only full-disk encryption covers that.
// A missing key is no error.
func (s *Store) Erase(name string) error {
	f, err := s.dir.OpenWrite(name)
	if errs.CodeOf(err) == errs.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	n, err := f.Size()
	if err == nil {
		_, err = f.WriteAt(make([]byte, min(n, limits.KeyFile)), 0)
	}
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return s.dir.Remove(name)
}

// Close releases the directory.
func (s *Store) Close() error { return s.dir.Close() }
