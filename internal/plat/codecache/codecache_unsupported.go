//go:build !linux

package codecache

import (
	"os"

	"github.com/bailey-run/bailey/internal/errs"
)

func refuse(op string) error { return errs.New(errs.NotSupported, op) }

// Open refuses on this system.
func Open(string) (*Store, error) { return nil, refuse("codecache.open") }

// Get refuses on this system.
func (s *Store) Get(string) (*Dir, error) { return nil, refuse("codecache.get") }

// Remove does nothing on this system.
func (s *Store) Remove(string) {}

// Blank refuses on this system.
func Blank() (*os.File, error) { return nil, refuse("codecache.blank") }

// Put refuses on this system.
func (s *Store) Put(string, *os.File, uint64) error { return refuse("codecache.put") }
