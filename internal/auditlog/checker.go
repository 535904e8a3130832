package auditlog

import (
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"github.com/bailey-run/bailey/internal/limits"
)

// Bad says which record a log stops being true at.
type Bad struct {
	// Seq is the first record that is changed, missing or out of place. Last
	// is greater where only a range can be named: whoever changed the record
	// changed its leaf in the checkpoint line too, so that nothing but the root
	// of the whole batch tells.
	Seq, Last uint64
	// Line is true when the record itself is as it was, but the checkpoint line
	// behind it is not.
	Line bool
	// End is true when the log ends there, in the middle of a line.
	End    bool
	Reason string
}

func (b *Bad) Error() string { return "auditlog: " + b.Reason }

func bad(seq, last uint64, format string, args ...any) *Bad {
	return &Bad{Seq: seq, Last: last, Reason: fmt.Sprintf(format, args...)}
}

// Checker follows a log line by line from a known tree, in memory that does not
// grow with the log.
type Checker struct {
	key  note.Verifier
	each bool

	tree    Tree
	pending []Hash
	offset  uint64

	last       Checkpoint
	lastNote   []byte
	lastOffset uint64
	scratch    Tree
}

// NewChecker starts at the first byte of a log. With each, every checkpoint's
// signature is checked as its line is read (some 15,000 a second); without,
// only [Checker.Confirm] checks the last one's, which vouches for all records.
func NewChecker(key note.Verifier, each bool) *Checker {
	return &Checker{key: key, each: each, last: Checkpoint{Origin: key.Name()}}
}

// ResumeChecker starts behind the checkpoint that a slot describes.
func ResumeChecker(key note.Verifier, s *Slot, t *Tree) *Checker {
	c := NewChecker(key, true)
	c.tree = *t
	c.offset, c.lastOffset = s.Offset, s.Offset
	c.last = Checkpoint{Origin: key.Name(), Size: t.Size(), Root: t.Root()}
	c.lastNote = s.Note
	return c
}

// Seq is the number that the next record must have.
func (c *Checker) Seq() uint64 { return c.tree.size + uint64(len(c.pending)) }

// Last is the newest checkpoint that the records before it agree with, and the
// length of the log up to and with its line. Its signature may be unchecked.
func (c *Checker) Last() (Checkpoint, uint64) { return c.last, c.lastOffset }

// Tree is the tree at the last checkpoint.
func (c *Checker) Tree() Tree { return c.tree }

// Line takes the next line, without its line feed. It returns a *Bad when the
// log is not what was signed; the checker must not be used then, but for Seq
// and Last. checkpoint is true when the line was one.
func (c *Checker) Line(line []byte) (rec Record, checkpoint bool, err error) {
	if IsCheckpointLine(line) {
		err = c.checkpointLine(line)
		checkpoint = true
	} else {
		rec, err = c.recordLine(line)
	}
	if err == nil {
		c.offset += uint64(len(line)) + 1
		if checkpoint {
			c.lastOffset = c.offset
		}
	}
	return rec, checkpoint, err
}

func (c *Checker) recordLine(line []byte) (Record, error) {
	seq := c.Seq()
	if len(c.pending) == limits.AuditBatchRecords {
		return Record{}, bad(c.tree.size, seq, "no checkpoint stands behind records %d to %d", c.tree.size, seq-1)
	}
	r, err := ParseRecord(line)
	if err != nil {
		return r, bad(seq, seq, "record %d is not a record any more: the line was changed", seq)
	}
	if r.Seq != seq {
		return r, bad(seq, seq, "record %d stands where record %d belongs: records were cut out, moved or put in", r.Seq, seq)
	}
	c.pending = append(c.pending, LeafHash(line))
	return r, nil
}

func (c *Checker) checkpointLine(line []byte) error {
	first, next := c.tree.size, c.Seq()
	broken := func(format string, args ...any) error {
		b := bad(max(next, 1)-1, max(next, 1)-1, format, args...)
		b.Line = true
		return b
	}
	msg, cp, leaves, err := ParseCheckpointLine(line)
	if err != nil {
		return broken("the checkpoint line behind record %d was changed", max(next, 1)-1)
	}
	if cp.Origin != c.key.Name() {
		return broken("the checkpoint behind record %d is of another log (%s)", max(next, 1)-1, cp.Origin)
	}
	if len(c.pending) == 0 {
		return broken("a second checkpoint (size %d) stands behind record %d", cp.Size, max(next, 1)-1)
	}
	c.scratch = c.tree
	for _, h := range leaves {
		c.scratch.Add(h)
	}
	if first+uint64(len(leaves)) != cp.Size || c.scratch.Root() != cp.Root {
		c.scratch = c.tree
		for _, h := range c.pending {
			c.scratch.Add(h)
		}
		if c.scratch.size == cp.Size && c.scratch.Root() == cp.Root {
			return broken("records %d to %d are what was signed, but a checkpoint line among them was changed or cut out", first, next-1)
		}
		// The leaves cannot be trusted; only the batch can be named.
		return bad(first, next-1, "records %d to %d are not what the checkpoint of size %d signed", first, next-1, cp.Size)
	}
	for i, h := range leaves {
		seq := first + uint64(i)
		if i >= len(c.pending) {
			return bad(seq, seq, "record %d, which the checkpoint of size %d signed, is missing", seq, cp.Size)
		}
		if h != c.pending[i] {
			return bad(seq, seq, "record %d is not what the checkpoint of size %d signed", seq, cp.Size)
		}
	}
	if cp.Size < next {
		return bad(cp.Size, cp.Size, "record %d was put in: the checkpoint of size %d does not cover it", cp.Size, cp.Size)
	}
	if c.each {
		if _, err := OpenCheckpoint(msg, c.key); err != nil {
			return bad(first, next-1, "the checkpoint behind records %d to %d was not signed by the log's key", first, next-1)
		}
	}
	c.tree = c.scratch
	c.pending = c.pending[:0]
	c.last, c.lastNote = cp, msg
	return nil
}

// Confirm checks the signature of the last checkpoint. The empty log has none
// and is confirmed.
func (c *Checker) Confirm() error {
	if c.last.Size == 0 {
		return nil
	}
	if _, err := OpenCheckpoint(c.lastNote, c.key); err != nil {
		n := c.last.Size - 1
		return bad(0, n, "the checkpoint of size %d was not signed by the log's key", c.last.Size)
	}
	return nil
}
