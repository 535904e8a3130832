package models

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// Staged is a model that was brought in and has no name yet. Exactly one of
// Publish and Discard ends it.
type Staged struct {
	Digest Digest
	Size   uint64
	// Known is the model of the store that has these bytes; nil if none had.
	Known *Model

	store   *Store
	partial string // its name; empty when the bytes were known
	file    *modelfile.File
	once    sync.Once
}

// Room refuses what does not fit on the disk: errs.NoSpace, saying how much is
// missing.
func (s *Store) Room(size uint64) error {
	free, err := s.partial.Free()
	if err != nil {
		return err
	}
	if free < limits.ModelSpaceMargin || free-limits.ModelSpaceMargin < size {
		return errs.New(errs.NoSpace, "models.room").
			With(Size(size) + " are needed, and " + Size(limits.ModelSpaceMargin) + " besides; " + Size(free) + " are free").
			WithHint("free some space, or `bailey model gc` removes models that nobody allowed")
	}
	return nil
}

// Import copies src into the store and hashes what it copies. progress gets the
// bytes so far. The file is then complete and durable, and not yet a model.
//
// Errors: errs.NoSpace, errs.ModelRefused for a file that changed meanwhile,
// errs.CoreBusy for too many models, errs.Cancelled. What was copied is removed
// then.
func (s *Store) Import(ctx context.Context, src *modelfile.File, progress func(done uint64)) (_ *Staged, err error) {
	const op = "models.import"
	if err := s.Ready(); err != nil {
		return nil, err
	}
	if err := s.Room(src.Identity.Size); err != nil {
		return nil, err
	}
	var id [16]byte
	_, _ = rand.Read(id[:])
	st := &Staged{store: s, partial: hex.EncodeToString(id[:]), Size: src.Identity.Size}
	s.mu.Lock()
	if len(s.models) >= limits.Models {
		s.mu.Unlock()
		return nil, errs.New(errs.CoreBusy, op).With("there are too many models").WithHint("remove one with `bailey model rm NAME`")
	}
	s.importing[st.partial] = true
	s.mu.Unlock()
	defer func() {
		if err != nil {
			st.Discard()
		}
	}()
	out, _, err := s.partial.OpenAppend(st.partial)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if st.Digest, err = s.pump(ctx, src, src.Identity.Size, out, progress); err != nil {
		return nil, err
	}
	now, err := src.Now()
	if err != nil {
		return nil, err
	}
	if now != src.Identity {
		return nil, errs.New(errs.ModelRefused, op).With("the file changed while it was read").WithHint("wait until it is complete, then run the command again")
	}
	if m, err := s.Get(st.Digest); err == nil {
		// The same bytes again: what was copied is not needed, if what is here is
		// what it was.
		if err := s.intact(ctx, m); err != nil {
			return nil, err
		}
		st.drop()
		st.Known = &m
		return st, nil
	}
	if err := out.Protect(); err != nil {
		return nil, err
	}
	if err := out.Sync(); err != nil {
		return nil, err
	}
	r, err := s.partial.Open(st.partial)
	if err != nil {
		return nil, err
	}
	if st.file, err = modelfile.Adopt(r.Handover()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return st, nil
}

// File is the copy, open for reading; nil when the bytes were known. It is the
// Staged's.
func (st *Staged) File() *modelfile.File { return st.file }

// Discard removes the copy, unless it was published. Idempotent.
func (st *Staged) Discard() { st.once.Do(st.drop) }

func (st *Staged) drop() {
	if st.file != nil {
		st.file.Close()
	}
	if st.partial == "" {
		return
	}
	if err := st.store.partial.Remove(st.partial); err != nil {
		st.store.cfg.Log.Warn("an unfinished model cannot be removed", "error", err)
	}
	st.store.mu.Lock()
	delete(st.store.importing, st.partial)
	st.store.mu.Unlock()
	st.partial = ""
}

// Publish makes the copy a model of the store with a name. Where another import
// of the same bytes was quicker, its model is returned. Errors:
// errs.ModelNameTaken, errs.Usage for a name that is none; what was staged can
// be published again then.
func (st *Staged) Publish(name string, f *modelv1.Facts, source []byte) (Model, error) {
	const op = "models.publish"
	if err := CheckName(name); err != nil {
		return Model{}, err
	}
	s := st.store
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return Model{}, s.broken
	}
	if m := s.models[st.Digest]; m != nil {
		return m.copy(), nil
	}
	if st.partial == "" {
		return Model{}, errs.New(errs.ModelMissing, op).With("it was removed meanwhile")
	}
	if err := s.free(op, name); err != nil {
		return Model{}, err
	}
	blob := blobName(st.Digest)
	// A blob that no name refers to is what an earlier core left: nobody knows
	// any more that its bytes are these.
	if err := s.blobs.Remove(blob); err != nil {
		return Model{}, err
	}
	if err := s.partial.Move(st.partial, s.blobs, blob); err != nil {
		return Model{}, err
	}
	delete(s.importing, st.partial)
	st.partial = ""
	m := &model{Model: Model{Name: name, Digest: st.Digest, Source: source, Added: s.cfg.Clock.Wall().UTC()}}
	m.Facts = proto.CloneOf(f)
	m.Facts.Sha256, m.Facts.Size = append([]byte(nil), st.Digest[:]...), st.Size
	// The bytes were hashed while they were copied, and the copy lay under a name
	// since: the first use hashes what is there. The size is what is said of it.
	m.identity.Size = st.Size
	s.models[st.Digest] = m
	err := s.save()
	if err != nil {
		// The index may be on the disk although it failed at the last step; the file
		// goes only when an index without it is there. Else gc finds it.
		delete(s.models, st.Digest)
		if s.save() == nil {
			_ = s.blobs.Remove(blob)
		}
		return Model{}, err
	}
	st.file.Close()
	return m.copy(), nil
}

// free refuses a name that another model has.
func (s *Store) free(op, name string) error {
	for _, m := range s.models {
		if m.Name == name {
			return errs.New(errs.ModelNameTaken, op).With(name + " is " + short(m.Digest))
		}
	}
	return nil
}

func blobName(d Digest) string { return "sha256-" + d.Hex() }

// chunk is a buffer on its way from the reader to the hash to the disk.
type chunk struct {
	b []byte
	n int
}

// pump reads size bytes of src, hashes them, and writes them to out if there is
// one: three steps side by side, each with a buffer of its own.
func (s *Store) pump(ctx context.Context, src *modelfile.File, size uint64, out *safefile.File, progress func(uint64)) (Digest, error) {
	const op = "models.copy"
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	free := make(chan []byte, limits.ModelBuffers)
	for range limits.ModelBuffers {
		free <- make([]byte, limits.ModelBuffer)
	}
	read, hashed := make(chan chunk), make(chan chunk)
	h := sha256.New()
	var steps sync.WaitGroup
	steps.Go(func() {
		defer close(read)
		if err := readAll(ctx, src, size, free, read); err != nil {
			cancel(err)
		}
	})
	steps.Go(func() {
		defer close(hashed)
		hashAll(ctx, h, read, hashed)
	})
	done, looked := uint64(0), uint64(0)
	for c := range hashed {
		if ctx.Err() == nil && out != nil {
			if done-looked >= limits.ModelSpaceEvery {
				looked = done
				if err := s.Room(size - done); err != nil {
					cancel(err)
				}
			}
			if _, err := out.Write(c.b[:c.n]); err != nil {
				cancel(err)
			}
		}
		done += uint64(c.n)
		if ctx.Err() == nil && progress != nil {
			progress(done)
		}
		free <- c.b
	}
	steps.Wait()
	var d Digest
	if ctx.Err() != nil {
		cause := context.Cause(ctx)
		if errs.CodeOf(cause) == errs.Internal {
			cause = errs.Wrap(errs.Cancelled, op, cause)
		}
		return d, cause
	}
	h.Sum(d[:0])
	return d, nil
}

func readAll(ctx context.Context, src io.ReaderAt, size uint64, free <-chan []byte, out chan<- chunk) error {
	for at := uint64(0); at < size; {
		var b []byte
		select {
		case b = <-free:
		case <-ctx.Done():
			return nil
		}
		n, err := src.ReadAt(b[:min(uint64(len(b)), size-at)], int64(at))
		if n == 0 || err != nil && err != io.EOF {
			return errs.Wrap(errs.ModelRefused, "models.read", err).With("the file cannot be read to its end").WithHint("it became shorter, or the disk has an error")
		}
		at += uint64(n)
		select {
		case out <- chunk{b, n}:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

func hashAll(ctx context.Context, h hash.Hash, in <-chan chunk, out chan<- chunk) {
	for c := range in {
		if ctx.Err() == nil {
			h.Write(c.b[:c.n])
		}
		out <- c
	}
}
