// Package datadir makes and removes the directories that workers write: one
// for each task, or one for each remembered folder, all under one parent of
// Bailey's own. Only the core calls it.
//
// What is in them was written by a worker and is never trusted: nothing here
// reads it, and removing follows no link. A worker that was taken over may have
// left directories that are closed to their owner, or nested without end: they
// are removed all the same, with a fixed number of descriptors.
package datadir

import (
	"errors"
	"os"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
)

// Parent holds data directories.
type Parent struct {
	root *os.Root
	path string
	// used is locked, shared with other cores, from the sweep on.
	used *os.File
}

// Dir is one data directory, open.
type Dir struct {
	// Dir is an O_PATH descriptor.
	Dir  *os.File
	Path string

	parent *Parent
	name   string
}

// TaskPrefix and KeptPrefix begin the names of directories that die with a
// task, and of those that live as long as what is remembered. StorePrefix begins
// those of apps' own data, which no sweep removes.
const (
	TaskPrefix  = "task-"
	KeptPrefix  = "kept-"
	StorePrefix = "store-"
)

// Sweep removes what an earlier core left: every directory of a task, and
// every kept one that keep does not want. What cannot be removed does not stop
// it: the error joins all of them, each with its path, and the parent stays fit
// for use. While a core of another home works here too, whose cache is the same,
// nothing is removed: it may be that one's.
func (p *Parent) Sweep(keep func(name string) bool) error {
	d, err := p.root.Open(".")
	if err != nil {
		return errs.Wrap(errs.HomeUnusable, "datadir.sweep", err)
	}
	p.used = d
	alone := lock(d)
	defer share(d)
	if !alone {
		return nil
	}
	names, err := d.Readdirnames(-1)
	if err != nil {
		return errs.Wrap(errs.HomeUnusable, "datadir.sweep", err)
	}
	var failed []error
	for _, n := range names {
		if strings.HasPrefix(n, KeptPrefix) && keep(n) {
			continue
		}
		if strings.HasPrefix(n, TaskPrefix) || strings.HasPrefix(n, KeptPrefix) {
			failed = append(failed, p.Remove(n))
		}
	}
	return errors.Join(failed...)
}

// Close gives the parent back.
func (p *Parent) Close() error {
	if p.used != nil {
		p.used.Close()
	}
	return p.root.Close()
}

// Remove closes the directory and removes it with all that is in it.
func (d *Dir) Remove() error {
	d.Dir.Close()
	return d.parent.Remove(d.name)
}

// Close keeps the directory and gives the descriptor back.
func (d *Dir) Close() error { return d.Dir.Close() }
