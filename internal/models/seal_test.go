package models

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
)

// ahead is a clock in front of the system's: files have been left alone for long.
type ahead struct{ by time.Duration }

func (a ahead) Wall() time.Time     { return time.Now().Add(a.by) }
func (a ahead) Boot() time.Duration { return 0 }

// What a store has hashed, the next one need not, if it has the key and the file
// is as it was. Whoever changes a file, and the index with it, cannot make the
// seal that belongs to that.
func TestSealed(t *testing.T) {
	h := newHome(t)
	h.key = bytes.Repeat([]byte{7}, KeySize)
	s := h.open()
	s.cfg.Clock = ahead{time.Hour}
	m := add(t, h, s, "m", []byte("bytes"))
	use := func(s *Store) error {
		u, err := s.Use(context.Background(), m.Digest, nil)
		if err == nil {
			if !u.Watched {
				t.Skip("the file system of the tests has no leases: " + h.dir)
			}
			u.Release()
		}
		return err
	}
	// known opens the store again and says whether it believes the index.
	known := func() bool {
		t.Helper()
		must(t, s.Close())
		s = h.open()
		s.cfg.Clock = ahead{time.Hour}
		return s.models[m.Digest].hashed
	}
	if s.models[m.Digest].hashed || known() {
		t.Error("believed before anything was hashed under the lease")
	}
	must(t, use(s))
	if !known() {
		t.Error("hashed anew although nothing changed")
	}
	must(t, use(s))

	key := h.key
	for name, k := range map[string][]byte{"another key": bytes.Repeat([]byte{8}, KeySize), "no key": nil} {
		if h.key = k; known() {
			t.Errorf("believed with %s", name)
		}
	}
	if h.key = key; !known() {
		t.Error("control: the right key")
	}

	// Other bytes, with an index that fits but for the seal.
	tamper(t, h.blob(m.Digest), []byte("bytez"))
	if !known() {
		t.Error("the seal is of what the file was")
	}
	f, err := os.Open(h.blob(m.Digest))
	must(t, err)
	forged, err := modelfile.Adopt(f)
	must(t, err)
	must(t, forged.Close())
	index := filepath.Join(h.dir, indexName)
	b, err := os.ReadFile(index)
	must(t, err)
	var x indexFile
	must(t, json.Unmarshal(b, &x))
	sealed := x.Models[0].File
	x.Models[0].File = forged.Identity
	write := func() {
		b, err := json.Marshal(x)
		must(t, err)
		must(t, os.WriteFile(index, b, 0o600))
	}
	write()
	if known() {
		t.Error("a seal of another state is believed")
	}
	wantCode(t, "other bytes, index that fits", use(s), errs.ModelChanged)
	// The old row put back: the file is not as it says.
	x.Models[0].File = sealed
	write()
	known()
	wantCode(t, "other bytes, old row", use(s), errs.ModelChanged)
	// The seal of one model is not that of another.
	if a, b := s.seal(m.Digest, sealed), s.seal(Digest{1}, sealed); a == b || a == "" {
		t.Error("the digest is not sealed")
	}
}

// A file that was written a moment ago is hashed again by the next store: another
// write in the same tick of the clock would not show in its times.
func TestSealWaits(t *testing.T) {
	h := newHome(t)
	h.key = bytes.Repeat([]byte{7}, KeySize)
	s := h.open()
	m := add(t, h, s, "m", []byte("bytes"))
	u, err := s.Use(context.Background(), m.Digest, nil)
	must(t, err)
	u.Release()
	if row := s.models[m.Digest]; !row.hashed || row.seal != "" {
		t.Errorf("hashed %v, seal %q", row.hashed, row.seal)
	}
}
