package models

import (
	"context"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
)

// Use is a model in use: an open descriptor whose bytes are those of the digest,
// and stay them while it lasts, or changed is called.
type Use struct {
	Model Model
	// File is open for reading. It is the Use's: Release closes it. Whoever it is
	// handed to shares its offset and flags with nobody else in this process: the
	// lease and the hash have a description of their own.
	File *modelfile.File
	// Watched says that a lease tells of writers. Where the file system has none,
	// only the identity was compared.
	Watched bool

	store *Store
	// held is what was hashed and what the lease is on.
	held  *modelfile.File
	lease *modelfile.Lease
	once  sync.Once
}

// Use opens a model for an engine. changed is called, once and from another
// goroutine, when a program opens the file for writing: the program is held up
// until Release, so what reads the bytes has to end first.
//
// The bytes are hashed unless the file is as it was when they were hashed last, by
// device, inode, size and both times: by this Store, or by an earlier one that
// sealed it. Errors: errs.ModelMissing, errs.ModelQuarantine,
// errs.ModelChanged, errs.Cancelled.
func (s *Store) Use(ctx context.Context, d Digest, changed func()) (_ *Use, err error) {
	const op = "models.use"
	s.mu.Lock()
	m, err := s.get(op, d)
	if err == nil && m.Quarantined {
		err = errs.New(errs.ModelQuarantine, op).With(m.Name)
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	m.uses++
	u := &Use{store: s, Model: m.copy()}
	s.mu.Unlock()
	defer func() {
		if err != nil {
			u.Release()
		}
	}()
	if err := u.open(changed); err != nil {
		return nil, err
	}
	now, err := u.check(ctx, m)
	if err != nil {
		return nil, err
	}
	if u.File, err = u.blob(); err != nil {
		return nil, err
	}
	if u.File.Identity != now {
		return nil, errs.New(errs.ModelChanged, op).With("another file was put in the place of " + u.Model.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteUse(m, 0)
	u.Model = m.copy()
	return u, nil
}

// Used notes that a call of the model has ended, however.
func (s *Store) Used(d Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.models[d]; m != nil {
		s.noteUse(m, limits.ModelUsedEvery)
	}
}

// noteUse notes that a model is used now; in the index if what stands there is that
// old. Nothing is lost but a time: a full disk does not stop a chat.
func (s *Store) noteUse(m *model, old time.Duration) {
	m.LastUsed = s.cfg.Clock.Wall().UTC()
	// The clock may have been set back.
	if m.LastUsed.Sub(m.noted).Abs() < old {
		return
	}
	m.noted = m.LastUsed
	if err := s.save(); err != nil {
		s.cfg.Log.Warn("the use of a model could not be noted", "error", err)
	}
}

// blob opens the model's file.
func (u *Use) blob() (*modelfile.File, error) {
	f, err := u.store.blobs.Open(blobName(u.Model.Digest))
	if errs.CodeOf(err) == errs.NotFound {
		return nil, errs.Wrap(errs.ModelChanged, "models.use", err).With("the file of " + u.Model.Name + " is gone")
	}
	if err != nil {
		return nil, err
	}
	m, err := modelfile.Adopt(f.Handover())
	if err != nil {
		f.Close()
		return nil, err
	}
	return m, nil
}

func (u *Use) open(changed func()) (err error) {
	if u.held, err = u.blob(); err != nil {
		return err
	}
	u.lease, err = u.store.watcher.Hold(u.held, changed)
	if errs.CodeOf(err) == errs.NotSupported {
		u.store.cfg.Log.Warn("the file system of the models cannot tell of writers", "error", err)
		return nil
	}
	u.Watched = err == nil
	return err
}

// Release ends the use. Idempotent.
func (u *Use) Release() {
	u.once.Do(func() {
		if u.lease != nil {
			u.lease.Release()
		}
		for _, f := range []*modelfile.File{u.held, u.File} {
			if f != nil {
				f.Close()
			}
		}
		u.store.mu.Lock()
		defer u.store.mu.Unlock()
		if m := u.store.models[u.Model.Digest]; m != nil {
			m.uses--
		}
	})
}

// intact reports whether a model's bytes are those of its digest, and hashes them
// where the file is not as it was: errs.ModelChanged.
func (s *Store) intact(ctx context.Context, m Model) error {
	u := &Use{store: s, Model: m}
	s.mu.Lock()
	row, err := s.get("models.intact", m.Digest)
	if err == nil {
		row.uses++
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	defer u.Release()
	if err := u.open(func() {}); err != nil {
		return err
	}
	_, err = u.check(ctx, row)
	return err
}

// check holds the open file against what this core knows of it, and hashes it
// where that is not enough. Under the lease nobody writes meanwhile. It returns
// what the file is.
func (u *Use) check(ctx context.Context, m *model) (modelfile.Identity, error) {
	s := u.store
	now, err := u.held.Now()
	if err != nil {
		return now, err
	}
	s.mu.Lock()
	same := m.hashed && now == m.identity
	s.mu.Unlock()
	if same {
		return now, nil
	}
	found, err := s.pump(ctx, u.held, now.Size, nil, nil)
	if err != nil {
		return now, err
	}
	s.found(u.Model.Digest, found)
	if found != u.Model.Digest {
		return now, errs.New(errs.ModelChanged, "models.use").With(u.Model.Name + " has the digest " + found.String() + " now, not " + u.Model.Digest.String())
	}
	s.mu.Lock()
	m.identity, m.hashed, m.seal = now, true, ""
	if u.Watched && s.settled(now) {
		// Under the lease nobody has it open for writing, or mapped; so whatever comes
		// later changes its times.
		m.seal = s.seal(u.Model.Digest, now)
	}
	s.mu.Unlock()
	return now, nil
}

// found notes whether a model's bytes are those of its digest. What cannot be
// saved is known as long as this store lives.
func (s *Store) found(d, is Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.models[d]
	if m == nil || m.Changed == (is != d) {
		return
	}
	m.Changed = is != d
	if err := s.save(); err != nil {
		s.cfg.Log.Warn("what a model's bytes are could not be noted", "error", err)
	}
}

// Lost reports whether a model's file is gone, or of another size: without reading
// it.
func (s *Store) Lost(m Model) bool {
	u := &Use{store: s, Model: m}
	f, err := u.blob()
	if err != nil {
		return errs.CodeOf(err) == errs.ModelChanged
	}
	defer f.Close()
	return f.Identity.Size != m.Facts.GetSize()
}

// InUse reports whether somebody uses the model.
func (s *Store) InUse(d Digest) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.models[d]
	return m != nil && m.uses > 0
}

// Crashed counts a crash of the model's engine; at the third in a row the model
// is set aside.
func (s *Store) Crashed(d Digest) (Model, error) {
	return s.change("models.crashed", d, func(m *model) bool {
		m.Crashes++
		m.Quarantined = m.Quarantined || m.Crashes >= limits.ModelCrashes
		return true
	})
}

// Worked notes that the model's engine did what it was asked to, so that crashes
// are counted in a row.
func (s *Store) Worked(d Digest) error {
	_, err := s.change("models.worked", d, func(m *model) bool {
		was := m.Crashes
		m.Crashes = 0
		return was != 0
	})
	return err
}

// Restore gives a model that was set aside another chance.
func (s *Store) Restore(d Digest) (Model, error) {
	return s.change("models.restore", d, func(m *model) bool {
		was := m.Quarantined || m.Crashes != 0
		m.Crashes, m.Quarantined = 0, false
		return was
	})
}

// change changes one model, in the index too when f says that it did.
func (s *Store) change(op string, d Digest, f func(*model) bool) (Model, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.get(op, d)
	if err != nil {
		return Model{}, err
	}
	was := m.Model
	if f(m) {
		if err := s.save(); err != nil {
			m.Model = was
			return Model{}, err
		}
	}
	return m.copy(), nil
}
