// Package capability decides: what a grant is, whether a call may use it, and
// what a narrower one may hold. It is pure: time comes in as an argument, and
// nothing here opens, reads or writes anything.
//
// A grant binds to the object that was opened, by its identity, or to the
// digest of a model's bytes, never to a string: Scope.Path and Scope.Name are
// for people to read.
package capability

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// Handle is 128 random bits that stand for a grant on one channel only.
type Handle [16]byte

// ID names a grant to a person; it gives no authority.
type ID string

// Object is the identity of an opened directory: what the file system says it
// is, not where it stands.
type Object struct {
	Device, Inode uint64
	// FS and FileHandle outlive a restart; they are compared when a
	// remembered grant is minted again.
	FS         [8]byte
	FileHandle string
}

// Digest is the SHA-256 of a model's bytes: what a grant of a model binds to.
type Digest [sha256.Size]byte

// Scope is what a grant covers: a directory, a model, or a graphics card.
type Scope struct {
	// Path is the real path at the time of opening; a card's device node.
	Path   string
	Object Object
	// Name is what the model was called when it was granted.
	Name   string
	Digest Digest
}

// Quota bounds the use of a model over all calls with a grant, and that of a
// graphics card; 0 = no limit. The engine counts.
type Quota struct {
	// Tokens that the model may write.
	Tokens uint64
	// Milliseconds that it may be at work.
	Milliseconds uint64
	// Parallel calls.
	Parallel uint32
	// VRAM is memory of a card, bytes.
	VRAM uint64
}

// Holder is who may use a grant.
type Holder struct {
	App     string
	Channel uint64
	Task    string
	// Surface and Verb say where and with what word it was asked for; they
	// are for the record and decide nothing.
	Surface, Verb string
}

// Decision is who said yes.
type Decision string

// The ways a grant comes about.
const (
	ByTerminal    Decision = "terminal"
	ByCommandLine Decision = "command-line"
	ByRemembered  Decision = "remembered"
	// ByPrompt is a native prompt that the core showed.
	ByPrompt Decision = "prompt"
	// ByPolicy is the core's own no.
	ByPolicy Decision = "policy"
)

// Expiry ends a grant on whichever clock is over first. The zero value never
// expires; a wall time that is set back cannot prolong the grant, because the
// boot clock goes on.
type Expiry struct {
	Wall time.Time
	Boot time.Duration
}

// Over reports whether either clock has reached the expiry.
func (e Expiry) Over(wall time.Time, boot time.Duration) bool {
	if e.Wall.IsZero() && e.Boot == 0 {
		return false
	}
	return !wall.Before(e.Wall) || boot >= e.Boot
}

// Row is one grant in the core's table.
type Row struct {
	ID     ID
	Kind   policyv1.Kind
	Scope  Scope
	Holder Holder
	// Since is the wall time of minting.
	Since  time.Time
	Expiry Expiry
	// MaxCalls is the quota of calls; 0 = no limit.
	MaxCalls uint64
	Quota    Quota
	Parent   ID
	// Policy is what was remembered, when the grant came of that.
	Policy ID
	// ActionHash is the hash of the action that the person was shown.
	ActionHash [sha256.Size]byte
	By         Decision
	// Run marks what is given to one program that a person runs by hand, in a
	// sandbox: it is used up by that program's start, and no call goes by it.
	Run bool
}

// Use is what a call wants of a grant.
type Use struct {
	Kind    policyv1.Kind
	Channel uint64
	// Calls counts this call.
	Calls uint64
	Wall  time.Time
	Boot  time.Duration
}

// Check returns nil when the row allows the use, else errs.GrantMissing for a
// wrong kind or channel, errs.GrantExpired, or errs.QuotaUsedUp. A wrong kind
// and a wrong channel answer alike, so that a probe learns nothing.
func (r *Row) Check(u Use) error {
	switch {
	case u.Kind == policyv1.Kind_KIND_UNSPECIFIED || u.Kind == policyv1.Kind_KIND_NONE,
		u.Kind != r.Kind, u.Channel != r.Holder.Channel:
		return errs.New(errs.GrantMissing, "capability.check")
	case r.Expiry.Over(u.Wall, u.Boot):
		return errs.New(errs.GrantExpired, "capability.check")
	case r.MaxCalls != 0 && u.Calls > r.MaxCalls:
		return errs.New(errs.QuotaUsedUp, "capability.check")
	}
	return nil
}

// Grantable reports whether a kind can be granted in this release. The kinds
// that watch the person are named in the schema so that asking is a clear
// refusal.
func Grantable(k policyv1.Kind) bool {
	return k == policyv1.Kind_KIND_FILE_READ || k == policyv1.Kind_KIND_MODEL_RUN || k == policyv1.Kind_KIND_GPU_USE
}

// Mintable reports whether a row can become a grant in this release. What is given
// to a program that a person runs by hand comes from the command line alone, is
// never remembered, and may be of kinds that nothing else is granted.
func Mintable(r Row) bool {
	if !r.Run {
		return Grantable(r.Kind)
	}
	switch r.Kind {
	case policyv1.Kind_KIND_EXEC_RUN, policyv1.Kind_KIND_FILE_READ, policyv1.Kind_KIND_FILE_WRITE, policyv1.Kind_KIND_NET_FETCH:
		return r.By == ByCommandLine && r.Policy == ""
	}
	return false
}

// Grave reports whether a wrong yes to a kind may not be taken back, as with what
// was sent, run or deleted. It is asked with more care, and not at all where
// another program could say yes. A kind that nobody has thought about is grave.
func Grave(k policyv1.Kind) bool {
	switch k {
	case policyv1.Kind_KIND_FILE_READ, policyv1.Kind_KIND_MODEL_RUN, policyv1.Kind_KIND_GPU_USE, policyv1.Kind_KIND_NOTIFY:
		return false
	}
	return true
}

// Attenuate returns child as a grant below parent, or errs.Denied when child
// is wider in any field. No prompt is needed for what is already held.
func Attenuate(parent, child Row) (Row, error) {
	wider := func(what string) (Row, error) {
		return Row{}, errs.New(errs.Denied, "capability.attenuate").With(what + " is wider than the grant it comes from")
	}
	switch {
	case child.Kind != parent.Kind:
		return wider("the kind")
	case child.Kind == policyv1.Kind_KIND_GPU_USE && child.Scope.Path != parent.Scope.Path,
		child.Scope.Object != parent.Scope.Object, child.Scope.Digest != parent.Scope.Digest:
		return wider("the scope")
	case child.Holder.App != parent.Holder.App, child.Holder.Task != parent.Holder.Task:
		return wider("the holder")
	case child.ActionHash != parent.ActionHash:
		return wider("the action")
	case parent.MaxCalls != 0 && (child.MaxCalls == 0 || child.MaxCalls > parent.MaxCalls):
		return wider("the quota")
	case !parent.Quota.covers(child.Quota):
		return wider("the quota")
	}
	if p := parent.Expiry; p != (Expiry{}) {
		if c := child.Expiry; c == (Expiry{}) || c.Wall.After(p.Wall) || c.Boot > p.Boot {
			return wider("the time")
		}
	}
	child.Parent = parent.ID
	child.By = parent.By
	return child, nil
}

// covers reports whether q allows no less than other in any field.
func (q Quota) covers(other Quota) bool {
	within := func(most, n uint64) bool { return most == 0 || n != 0 && n <= most }
	return within(q.Tokens, other.Tokens) && within(q.Milliseconds, other.Milliseconds) &&
		within(uint64(q.Parallel), uint64(other.Parallel)) && within(q.VRAM, other.VRAM)
}

// Asked is one row of an action as it was put to a person.
type Asked struct {
	Kind       policyv1.Kind
	Scope      Scope
	Quota      Quota
	TTLSeconds uint32
	Remember   bool
}

// ActionHash hashes what a person is asked, field by field with lengths, so
// that no two actions share an encoding. The grant keeps it; an answer to
// another action does not fit.
func ActionHash(task, verb string, rows []Asked) [sha256.Size]byte {
	h := sha256.New()
	str := func(s string) {
		_ = binary.Write(h, binary.BigEndian, uint64(len(s)))
		h.Write([]byte(s))
	}
	str("bailey action v3")
	str(task)
	str(verb)
	_ = binary.Write(h, binary.BigEndian, uint64(len(rows)))
	for _, r := range rows {
		_ = binary.Write(h, binary.BigEndian, uint32(r.Kind))
		str(r.Scope.Path)
		_ = binary.Write(h, binary.BigEndian, r.Scope.Object.Device)
		_ = binary.Write(h, binary.BigEndian, r.Scope.Object.Inode)
		str(r.Scope.Name)
		h.Write(r.Scope.Digest[:])
		_ = binary.Write(h, binary.BigEndian, r.Quota)
		_ = binary.Write(h, binary.BigEndian, r.TTLSeconds)
		_ = binary.Write(h, binary.BigEndian, r.Remember)
	}
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return sum
}
