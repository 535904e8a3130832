package grant

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// Remembered is a policy: what a person said may be granted again without a
// question. It is not a grant; a grant is minted from it, and recorded, each
// time it is used. One of kind model.run is a model's pin: its object is the
// digest, and a model that has none is not loaded for the app.
type Remembered struct {
	ID   capability.ID `json:"id"`
	App  string        `json:"app"`
	Kind string        `json:"kind"`
	// Path is for people; the object decides.
	Path string `json:"path"`
	// PathBytes stand in the file for a path that is not UTF-8.
	PathBytes []byte    `json:"path_bytes,omitempty"`
	FS        string    `json:"fs"`
	Inode     uint64    `json:"inode"`
	Handle    string    `json:"handle"`
	Since     time.Time `json:"since"`
	By        string    `json:"by"`
	// Name and Digest, lower-case hex, are of a pin. Both are left out of the
	// encoding of a directory, so that the digest of an older file stays.
	Name   string `json:"name,omitempty"`
	Digest string `json:"digest,omitempty"`
	// Models are the digests of the pinned models that a directory was remembered
	// with: its vectors are made in the background.
	Models []string `json:"models,omitempty"`
}

// Model is the digest of a pin.
func (r *Remembered) Model() (d capability.Digest, ok bool) {
	b, err := hex.DecodeString(r.Digest)
	if err != nil || len(b) != len(d) {
		return d, false
	}
	return capability.Digest(b), true
}

// Object is the identity that the policy speaks of.
func (r *Remembered) Object() capability.Object {
	o := capability.Object{Inode: r.Inode, FileHandle: r.Handle}
	if b, err := hex.DecodeString(r.FS); err == nil && len(b) == len(o.FS) {
		copy(o.FS[:], b)
	}
	return o
}

// File is where policies are kept; package core gives it a file of safefile.
type File interface {
	// Load returns nil, nil when there is no file yet.
	Load(max int) ([]byte, error)
	// Save replaces the file whole, durably.
	Save([]byte) error
	// Remove deletes the file, durably; it needs no room on the disk.
	Remove() error
}

// Policies is the store of what is remembered.
type Policies struct {
	file File

	mu      sync.Mutex
	rows    []Remembered
	refused []Refused
}

type policyFile struct {
	Version int          `json:"version"`
	Rows    []Remembered `json:"remembered"`
	// Refused is left out where there is none, so that the digest of an older
	// file stays.
	Refused []Refused `json:"refused,omitempty"`
}

// OpenPolicies reads the store. A file that does not parse is an error, never
// an empty store: errs.HomeUnusable.
func OpenPolicies(f File) (*Policies, error) {
	b, err := f.Load(limits.PolicyFileBytes)
	if errs.CodeOf(err) == errs.TooLarge {
		return nil, damaged(err)
	}
	if err != nil {
		return nil, err
	}
	p := &Policies{file: f}
	if b == nil {
		return p, nil
	}
	var pf policyFile
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&pf); err != nil || pf.Version != 1 || len(pf.Rows) > limits.Remembered || len(pf.Refused) > limits.Remembered {
		return nil, damaged(err)
	}
	p.rows, p.refused = pf.Rows, pf.Refused
	for i := range p.rows {
		restore(&p.rows[i].Path, &p.rows[i].PathBytes)
	}
	for i := range p.refused {
		restore(&p.refused[i].Path, &p.refused[i].PathBytes)
	}
	return p, nil
}

// damaged is the error for a file that this release did not write.
func damaged(err error) error {
	return errs.Wrap(errs.HomeUnusable, "grant.policies", err).With("the file of remembered permissions is damaged").WithHint("move policies.json away; what was remembered will be asked again")
}

// Digest is what the audit log holds of the store, so that an older file that
// was put back is seen.
func (p *Policies) Digest() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return digest(p.rows, p.refused)
}

func digest(rows []Remembered, refused []Refused) string {
	if len(rows)+len(refused) == 0 {
		return "empty"
	}
	sum := sha256.Sum256(encode(rows, refused))
	return hex.EncodeToString(sum[:])
}

// keep puts a path of which JSON would lose bytes beside what it can say of it, in
// what is about to be written; restore takes it back.
func keep(path *string, exact *[]byte) {
	if !utf8.ValidString(*path) {
		*exact = []byte(*path)
		*path = strings.ToValidUTF8(*path, "\ufffd")
	}
}

func restore(path *string, exact *[]byte) {
	if len(*exact) > 0 {
		*path, *exact = string(*exact), nil
	}
}

func encode(rows []Remembered, refused []Refused) []byte {
	rows, refused = slices.Clone(rows), slices.Clone(refused)
	for i := range rows {
		keep(&rows[i].Path, &rows[i].PathBytes)
	}
	for i := range refused {
		keep(&refused[i].Path, &refused[i].PathBytes)
	}
	b, err := json.MarshalIndent(policyFile{Version: 1, Rows: rows, Refused: refused}, "", "  ")
	if err != nil {
		panic("BUG: policies do not encode: " + err.Error())
	}
	return append(b, '\n')
}

// Remember adds a policy. record is called with the digest that the store will
// have, before the file changes.
func (p *Policies) Remember(r Remembered, record func(digest string) error) error {
	const op = "grant.remember"
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.rows) >= limits.Remembered {
		return errs.New(errs.CoreBusy, op).With("too many permissions are remembered").WithHint("forget one with `bailey grant revoke ID`")
	}
	return p.replace(append(append([]Remembered(nil), p.rows...), r), p.refused, record)
}

// Extend adds models, by digest, to those that the directory of an id is
// remembered with; errs.NotFound when there is none. record is called as by
// Remember, and not at all when nothing is new.
func (p *Policies) Extend(id capability.ID, models []string, record func(digest string) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	rows := append([]Remembered(nil), p.rows...)
	for i, r := range rows {
		if r.ID != id {
			continue
		}
		all := slices.Clone(r.Models)
		for _, m := range models {
			if !slices.Contains(all, m) && len(all) < limits.RememberedModels {
				all = append(all, m)
			}
		}
		if len(all) == len(r.Models) {
			return nil
		}
		rows[i].Models = all
		return p.replace(rows, p.refused, record)
	}
	return errs.New(errs.NotFound, "grant.extend")
}

// Forget removes the policy of an id; errs.NotFound when there is none. With a
// pin goes the model from the app's directories that were remembered with it.
func (p *Policies) Forget(id capability.ID, record func(digest string) error) (Remembered, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, r := range p.rows {
		if r.ID == id {
			rest := append(append([]Remembered(nil), p.rows[:i]...), p.rows[i+1:]...)
			for j, o := range rest {
				if at := slices.Index(o.Models, r.Digest); at >= 0 && o.App == r.App {
					rest[j].Models = slices.Delete(slices.Clone(o.Models), at, at+1)
				}
			}
			return r, p.less(rest, p.refused, record)
		}
	}
	return Remembered{}, errs.New(errs.NotFound, "grant.forget").With("no grant that is live or remembered has that id").WithHint("`bailey grant list` shows them")
}

// Clear forgets everything, for a store that was found to be an old one.
func (p *Policies) Clear(record func(digest string) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.less(nil, nil, record)
}

func (p *Policies) replace(rows []Remembered, refused []Refused, record func(string) error) error {
	if err := record(digest(rows, refused)); err != nil {
		return err
	}
	if err := p.file.Save(encode(rows, refused)); err != nil {
		return err
	}
	p.rows, p.refused = rows, refused
	return nil
}

// less is replace for what allows less than before. Once that is on the record it
// holds, also where the file cannot be saved. The file goes then, until the next
// one is saved: the record may only wait for room, and nothing would tell the next
// start that what the file allows was withdrawn.
func (p *Policies) less(rows []Remembered, refused []Refused, record func(string) error) error {
	recorded := false
	err := p.replace(rows, refused, func(digest string) error {
		err := record(digest)
		if err == nil {
			p.rows, p.refused, recorded = rows, refused, true
		}
		return err
	})
	if err != nil && recorded {
		if left := p.file.Remove(); left != nil {
			err = errors.Join(err, left)
		}
	}
	return err
}

// List returns what is remembered, oldest first.
func (p *Policies) List() []Remembered {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := append([]Remembered(nil), p.rows...)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Since.Before(out[j].Since) })
	return out
}

// Find returns the policy of an app for exactly this object. same compares
// identities across restarts.
func (p *Policies) Find(app, kind string, o capability.Object, same func(a, b capability.Object) bool) (Remembered, bool) {
	for _, r := range p.List() {
		if r.App == app && r.Kind == kind && same(r.Object(), o) {
			return r, true
		}
	}
	return Remembered{}, false
}

// FindCard returns an app's policy of the graphics card at a device node.
func (p *Policies) FindCard(app, node string) (Remembered, bool) {
	for _, r := range p.List() {
		if r.App == app && r.Kind == capability.Name(policyv1.Kind_KIND_GPU_USE) && r.Path == node {
			return r, true
		}
	}
	return Remembered{}, false
}

// FindModel returns an app's pin of a model. Of two, which a file of before may
// hold, it is the newer one.
func (p *Policies) FindModel(app string, d capability.Digest) (Remembered, bool) {
	rows := p.List()
	for i := len(rows) - 1; i >= 0; i-- {
		if r := &rows[i]; r.App == app && r.Kind == capability.Name(policyv1.Kind_KIND_MODEL_RUN) {
			if m, ok := r.Model(); ok && m == d {
				return *r, true
			}
		}
	}
	return Remembered{}, false
}

// Get returns the policy of an id.
func (p *Policies) Get(id capability.ID) (Remembered, bool) {
	for _, r := range p.List() {
		if r.ID == id {
			return r, true
		}
	}
	return Remembered{}, false
}

// Above returns the policy whose path is path or the nearest directory above
// it. The answer only says where to look: the folder found there still has to
// be the one that was remembered.
func (p *Policies) Above(app, kind, path string) (Remembered, bool) {
	var best Remembered
	found := false
	for _, r := range p.List() {
		if r.App != app || r.Kind != kind {
			continue
		}
		if path == r.Path || r.Path == "/" || strings.HasPrefix(path, r.Path+"/") {
			if !found || len(r.Path) > len(best.Path) {
				best, found = r, true
			}
		}
	}
	return best, found
}
