package grant

import (
	"encoding/hex"
	"slices"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Refused is what a person said no to in a prompt, kept beside what was allowed
// and under the same digest. It allows nothing. Refused often enough, the app is
// not let ask again until a person takes the row away.
type Refused struct {
	ID   capability.ID `json:"id"`
	App  string        `json:"app"`
	Kind string        `json:"kind"`
	// Path is for people, and decides where the file system has no handles.
	Path string `json:"path,omitempty"`
	// PathBytes stand in the file for a path that is not UTF-8.
	PathBytes []byte `json:"path_bytes,omitempty"`
	FS        string `json:"fs,omitempty"`
	Inode     uint64 `json:"inode,omitempty"`
	Handle    string `json:"handle,omitempty"`
	// Name and Digest are of a model.
	Name   string `json:"name,omitempty"`
	Digest string `json:"digest,omitempty"`
	// Times that it was refused, and Since when the last.
	Times uint32    `json:"times"`
	Since time.Time `json:"since"`
	By    string    `json:"by"`
}

// Blocked reports whether the app may not ask for it any more.
func (r *Refused) Blocked() bool { return r.Times >= limits.DenialsBlock }

// is reports whether a refusal is of this scope, across restarts.
func (r *Refused) is(app, kind string, s capability.Scope, same func(a, b capability.Object) bool) bool {
	if r.App != app || r.Kind != kind {
		return false
	}
	if s.Digest != (capability.Digest{}) || r.Digest != "" {
		return r.Digest == hex.EncodeToString(s.Digest[:])
	}
	was := Remembered{FS: r.FS, Inode: r.Inode, Handle: r.Handle}
	// A path is no identity. Here it can only cost a question that was wanted.
	return same(was.Object(), s.Object) || r.Handle == "" && s.Object.FileHandle == "" && r.Path == s.Path
}

func (p *Policies) refusal(app, kind string, s capability.Scope, same func(a, b capability.Object) bool) int {
	return slices.IndexFunc(p.refused, func(r Refused) bool { return r.is(app, kind, s, same) })
}

// Refuse notes that a person said no to this scope once more, and returns what
// stands now. record is called as by Remember. Of too many refusals the oldest
// that blocks nothing goes, else the oldest.
func (p *Policies) Refuse(app, kind, by string, s capability.Scope, now time.Time, same func(a, b capability.Object) bool, record func(Refused, string) error) (Refused, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := slices.Clone(p.refused)
	r := Refused{ID: NewID(), App: app, Kind: kind, Name: s.Name}
	if s.Digest != (capability.Digest{}) {
		r.Digest = hex.EncodeToString(s.Digest[:])
	} else {
		r.Path, r.FS, r.Inode, r.Handle = s.Path, hex.EncodeToString(s.Object.FS[:]), s.Object.Inode, s.Object.FileHandle
	}
	if i := p.refusal(app, kind, s, same); i >= 0 {
		r = all[i]
		all = slices.Delete(all, i, i+1)
	}
	r.Times, r.Since, r.By = min(r.Times+1, limits.DenialsBlock), now.UTC().Truncate(time.Second), by
	if len(all) >= limits.Remembered {
		out := max(slices.IndexFunc(all, func(r Refused) bool { return !r.Blocked() }), 0)
		all = slices.Delete(all, out, out+1)
	}
	all = append(all, r)
	return r, p.less(p.rows, all, func(digest string) error { return record(r, digest) })
}

// Refusal returns what a person refused of this scope.
func (p *Policies) Refusal(app, kind string, s capability.Scope, same func(a, b capability.Object) bool) (Refused, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := p.refusal(app, kind, s, same); i >= 0 {
		return p.refused[i], true
	}
	return Refused{}, false
}

// Unrefuse takes a refusal away, so that the app may ask again; errs.NotFound
// when there is none of that id.
func (p *Policies) Unrefuse(id capability.ID, record func(Refused, string) error) (Refused, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.refused, func(r Refused) bool { return r.ID == id })
	if i < 0 {
		return Refused{}, errs.New(errs.NotFound, "grant.unrefuse").With("no grant that is live or remembered has that id").WithHint("`bailey grant list` shows them")
	}
	r := p.refused[i]
	return r, p.replace(p.rows, slices.Delete(slices.Clone(p.refused), i, i+1), func(digest string) error { return record(r, digest) })
}

// Refusals returns what is blocked, the oldest first.
func (p *Policies) Refusals() []Refused {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Refused
	for _, r := range p.refused {
		if r.Blocked() {
			out = append(out, r)
		}
	}
	return out
}

// Empty reports whether nothing is kept.
func (p *Policies) Empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.rows)+len(p.refused) == 0
}
