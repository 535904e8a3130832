package models

import (
	"context"
	"errors"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
)

// Remove takes a model out of the store and returns the bytes that were freed.
// Errors: errs.ModelMissing, errs.ModelInUse.
func (s *Store) Remove(d Digest) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.get("models.remove", d)
	if err != nil {
		return 0, err
	}
	return s.remove(m)
}

func (s *Store) remove(m *model) (uint64, error) {
	if m.uses > 0 {
		return 0, errs.New(errs.ModelInUse, "models.remove").With(m.Name)
	}
	// The index first: a model without its file would be worse than a file
	// without its name.
	delete(s.models, m.Digest)
	if err := s.save(); err != nil {
		s.models[m.Digest] = m
		_ = s.save() // it may be on the disk although it failed at the last step
		return 0, err
	}
	return m.Facts.GetSize(), s.blobs.Remove(blobName(m.Digest))
}

// Garbage is what a collection removed, or would.
type Garbage struct {
	Freed   uint64
	Removed int
}

// Gc removes blobs and partials that nothing refers to, and the models that
// keep does not want; never what is in use or being brought in. With dry it only
// says so. What cannot be removed, a directory for one, leaves the rest to be: the
// error names the first.
func (s *Store) Gc(keep func(Model) bool, dry bool) (Garbage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var g Garbage
	if s.broken != nil {
		return g, s.broken
	}
	for _, c := range s.list() {
		m := s.models[c.Digest]
		if keep(c) || m.uses > 0 {
			continue
		}
		freed := m.Facts.GetSize()
		if !dry {
			var err error
			if freed, err = s.remove(m); err != nil {
				return g, err
			}
		}
		g.Freed, g.Removed = g.Freed+freed, g.Removed+1
	}
	blobs, err := s.blobs.List()
	if err != nil {
		return g, err
	}
	var failed error
	named := map[string]bool{}
	for d := range s.models {
		named[blobName(d)] = true
	}
	for _, name := range blobs {
		if named[name] {
			continue
		}
		size := uint64(0)
		if f, err := s.blobs.Open(name); err == nil {
			n, _ := f.Size() // a number for people; the removal matters
			size = uint64(n)
			f.Close()
		}
		if !dry {
			if err := s.blobs.Remove(name); err != nil {
				failed = errors.Join(failed, err)
				continue
			}
		}
		g.Freed, g.Removed = g.Freed+size, g.Removed+1
	}
	return g, errors.Join(failed, s.sweep(dry))
}

// sweep removes partials whose import is not running: one that could not be
// removed when it ended.
func (s *Store) sweep(dry bool) error {
	names, err := s.partial.List()
	for _, name := range names {
		if s.importing[name] || dry || err != nil {
			continue
		}
		err = s.partial.Remove(name)
	}
	return err
}

// Verify hashes a model's bytes and returns what they are. progress gets the
// bytes so far. Errors: errs.ModelMissing, errs.Cancelled, errs.ModelChanged for a
// file that is gone or cannot be read to its end.
func (s *Store) Verify(ctx context.Context, d Digest, progress func(done uint64)) (Digest, error) {
	const op = "models.verify"
	s.mu.Lock()
	m, err := s.get(op, d)
	if err != nil {
		s.mu.Unlock()
		return Digest{}, err
	}
	m.uses++ // so that it is not removed meanwhile
	name := m.Name
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		m.uses--
		s.mu.Unlock()
	}()
	b, err := s.blobs.Open(blobName(d))
	if errs.CodeOf(err) == errs.NotFound {
		return Digest{}, errs.Wrap(errs.ModelChanged, op, err).With("the file of " + name + " is gone")
	}
	if err != nil {
		return Digest{}, err
	}
	defer b.Close()
	f, err := modelfile.Adopt(b.Handover())
	if err != nil {
		return Digest{}, err
	}
	found, err := s.pump(ctx, f, f.Identity.Size, nil, progress)
	if errs.CodeOf(err) == errs.ModelRefused {
		// Whatever they are, they are not those of the digest.
		s.found(d, Digest{})
		return Digest{}, errs.Wrap(errs.ModelChanged, op, err).With("the file of " + name + " cannot be read to its end: it became shorter, or the disk has an error")
	}
	if err == nil {
		s.found(d, found)
	}
	return found, err
}
