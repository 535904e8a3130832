// Package models is the store of models: files by the digest of their bytes, and
// one index that gives them names. Only the core links it.
//
//	models/index.json          names, facts, what happened to each
//	models/blobs/sha256-HEX    the bytes, mode 0400
//	models/partial/…           what is being brought in; gone at the next start
//
// A model comes in by [Store.Import], which copies a file and hashes what it
// writes, and [Staged.Publish], which makes it one of the store: file fsynced,
// renamed, directory fsynced, and only then the index, by the same steps. A core
// that dies anywhere leaves the store as it was, or with the model; at worst a
// file that no name refers to, which [Store.Gc] finds.
//
// It parses no model: facts come from the inspect worker. It does not know who
// allowed a model either; that is remembered in package grant. It refuses to
// hand out bytes that are not known to be those of the digest: see [Store.Use].
package models

import (
	"encoding/hex"
	"fmt"
	"log/slog"
	"sort"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// Digest is the SHA-256 of a model's bytes. Paths are made of this type only,
// never of a text that somebody sent.
type Digest [32]byte

// String is "sha256:" and 64 hexadecimal digits.
func (d Digest) String() string { return digestPrefix + hex.EncodeToString(d[:]) }

// Hex is the digits alone.
func (d Digest) Hex() string { return hex.EncodeToString(d[:]) }

const digestPrefix = "sha256:"

// ParseDigest reads exactly what String writes.
func ParseDigest(s string) (Digest, bool) {
	var d Digest
	digits, ok := strings.CutPrefix(s, digestPrefix)
	if !ok || len(digits) != 2*len(d) || strings.ToLower(digits) != digits {
		return d, false
	}
	_, err := hex.Decode(d[:], []byte(digits))
	return d, err == nil
}

// Model is a model of the store, as it was when it was asked for.
type Model struct {
	Name   string
	Digest Digest
	Facts  *modelv1.Facts
	// Source is where it came from, in the user's words.
	Source []byte
	Added  time.Time
	// LastUsed is when it was loaded, or the end of its last call. Read from the
	// index it may be [limits.ModelUsedEvery] too early.
	LastUsed time.Time
	// Crashes of its engine in a row.
	Crashes     int
	Quarantined bool
	// Changed says that its bytes were not those of its digest, or could not be
	// read, when they were hashed last.
	Changed bool
}

// Config is what a store is made of.
type Config struct {
	// Dir is the directory models/ of the state; the store does not close it.
	Dir   *safefile.Dir
	Clock clock.Clock
	Log   *slog.Logger
	// Key, which may be empty, seals what this store knows of its files for the
	// next one; with another key, or none, each file is hashed anew at its first use.
	Key []byte
}

// Store is the store. Its methods may be called from any goroutine.
type Store struct {
	cfg            Config
	blobs, partial *safefile.Dir
	watcher        *modelfile.Watcher

	mu sync.Mutex
	// broken is why the index cannot be believed; nothing works then.
	broken error
	models map[Digest]*model
	// importing are the partial files that are somebody's.
	importing map[string]bool
}

// model is a row of the index and who uses it.
type model struct {
	Model
	// identity is what the file was when its bytes were hashed last. From the
	// index it is a claim: whoever can change a blob while no core runs can change
	// that file too. hashed says that this core has hashed them itself, or that an
	// earlier one did and seal proves it.
	identity modelfile.Identity
	hashed   bool
	seal     string
	uses     int
	// noted is the LastUsed that the index has.
	noted time.Time
}

// Open opens the store, and removes what an import left that did not end. A
// damaged index does not fail it, so that the core starts: every call then
// returns the error, and no file is touched.
func Open(cfg Config) (*Store, error) {
	s := &Store{cfg: cfg, models: map[Digest]*model{}, importing: map[string]bool{}}
	var err error
	if s.blobs, err = cfg.Dir.Sub("blobs"); err != nil {
		return nil, err
	}
	if s.partial, err = cfg.Dir.Sub("partial"); err != nil {
		s.blobs.Close()
		return nil, err
	}
	s.watcher = modelfile.NewWatcher()
	if s.broken = s.load(); s.broken != nil {
		cfg.Log.Warn("the index of models cannot be read", "error", s.broken)
		return s, nil
	}
	names, err := s.partial.List()
	if err != nil {
		cfg.Log.Warn("unfinished models cannot be listed", "error", err)
	}
	for _, n := range names {
		if err := s.partial.Remove(n); err != nil {
			cfg.Log.Warn("an unfinished model cannot be removed", "error", err)
		}
	}
	return s, nil
}

// Close gives the directories and leases back.
func (s *Store) Close() error {
	s.watcher.Close()
	s.partial.Close()
	return s.blobs.Close()
}

// Ready returns why the store cannot be used; nil if it can.
func (s *Store) Ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// List returns all models by name.
func (s *Store) List() []Model {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.list()
}

func (s *Store) list() []Model {
	var out []Model
	for _, m := range s.models {
		out = append(out, m.copy())
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

func (m *model) copy() Model {
	c := m.Model
	c.Facts = proto.CloneOf(m.Facts)
	c.Source = append([]byte(nil), m.Source...)
	return c
}

// Get returns the model of a digest; errs.ModelMissing when there is none.
func (s *Store) Get(d Digest) (Model, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.get("models.get", d)
	if err != nil {
		return Model{}, err
	}
	return m.copy(), nil
}

func (s *Store) get(op string, d Digest) (*model, error) {
	if s.broken != nil {
		return nil, s.broken
	}
	m := s.models[d]
	if m == nil {
		return nil, errs.New(errs.ModelMissing, op).With(short(d))
	}
	return m, nil
}

// short names a model that has no name any more.
func short(d Digest) string { return digestPrefix + d.Hex()[:12] }

// Find returns the model of a name, of "sha256:" and digits, or of first digits
// alone. Errors: errs.ModelMissing, errs.ModelAmbiguous.
func (s *Store) Find(ref string) (Model, error) {
	const op = "models.find"
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return Model{}, s.broken
	}
	var found []Model
	digits, prefixed := strings.CutPrefix(ref, digestPrefix)
	byDigest := looksLikeDigest(digits)
	for _, m := range s.list() {
		if !prefixed && m.Name == ref {
			return m, nil
		}
		if byDigest && strings.HasPrefix(m.Digest.Hex(), digits) {
			found = append(found, m)
		}
	}
	switch len(found) {
	case 0:
		missing := errs.New(errs.ModelMissing, op).With(ref)
		if prefixed && len(digits) < limits.ModelDigits {
			missing = missing.WithHint(fmt.Sprintf("type at least %d digits of the digest; `bailey model list --json` shows them", limits.ModelDigits))
		}
		return Model{}, missing
	case 1:
		return found[0], nil
	}
	return Model{}, errs.New(errs.ModelAmbiguous, op).With(ref + " is " + found[0].Name + " or " + found[1].Name)
}

// looksLikeDigest reports whether s is what may stand for a digest. No model
// has such a name, so the two are never mixed up.
func looksLikeDigest(s string) bool {
	hexadecimal := strings.Trim(s, "0123456789abcdef") == ""
	return hexadecimal && len(s) >= limits.ModelDigits && len(s) <= 2*len(Digest{})
}
