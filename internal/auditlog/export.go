package auditlog

import (
	"bytes"
	"errors"
	"math"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/bailey-run/bailey/internal/limits"
)

const exportHead = `{"bailey_audit_export":1,"key":"`

// AppendExportHead encodes an export's first line, without its line feed.
func AppendExportHead(b []byte, public string, checkpoint []byte) []byte {
	b = append(b, exportHead...)
	b = append(b, public...)
	b = append(b, `","checkpoint":"`...)
	b = appendNote(b, checkpoint)
	return append(b, `"}`...)
}

// ParseExportHead decodes an export's first line and checks the signature by
// the key that stands in it, which it returns in both forms.
func ParseExportHead(line []byte) (public string, key note.Verifier, c Checkpoint, err error) {
	p := parser{b: line}
	p.lit(exportHead)
	// A public key is two tokens, a plus being one of their bytes.
	i := bytes.IndexByte(p.b, '"')
	if p.bad || i < 0 || i > limits.AuditPublicKey {
		return "", nil, c, errors.New("auditlog: not the head of an export")
	}
	public = string(p.b[:i])
	p.b = p.b[i:]
	p.lit(`","checkpoint":"`)
	msg := p.note()
	p.lit(`"}`)
	if p.bad || len(p.b) != 0 {
		return "", nil, c, errors.New("auditlog: not the head of an export")
	}
	if key, err = ParseKey(public); err != nil {
		return "", nil, c, err
	}
	c, err = OpenCheckpoint(msg, key)
	return public, key, c, err
}

// AppendExportLine encodes one record of an export, without its line feed.
func AppendExportLine(b, record []byte, proof tlog.RecordProof) []byte {
	b = append(b, `{"record":`...)
	b = append(b, record...)
	b = append(b, `,"proof":`...)
	b = appendHashes(b, proof)
	return append(b, '}')
}

// CheckExportLine decodes one record of an export and checks that it is record
// seq of the log that c describes. leaf is its hash.
func CheckExportLine(line []byte, c Checkpoint, seq uint64) (r Record, leaf Hash, err error) {
	p := parser{b: line}
	p.lit(`{"record":`)
	// Nothing in a record holds a brace, so the first one closes it.
	i := bytes.IndexByte(p.b, '}')
	if p.bad || i < 0 {
		return r, leaf, bad(seq, seq, "line of record %d was changed", seq)
	}
	raw := p.b[:i+1]
	p.b = p.b[i+1:]
	p.lit(`,"proof":`)
	proof := p.hashes(63)
	p.lit(`}`)
	if p.bad || len(p.b) != 0 {
		return r, leaf, bad(seq, seq, "line of record %d was changed", seq)
	}
	if r, err = ParseRecord(raw); err != nil {
		return r, leaf, bad(seq, seq, "record %d was changed", seq)
	}
	if r.Seq != seq {
		return r, leaf, bad(seq, seq, "record %d stands where record %d belongs", r.Seq, seq)
	}
	if seq >= c.Size || c.Size > math.MaxInt64>>1 {
		return r, leaf, bad(seq, seq, "record %d is not covered by the checkpoint of size %d", seq, c.Size)
	}
	leaf = LeafHash(raw)
	if err := tlog.CheckRecord(proof, int64(c.Size), c.Root, int64(seq), leaf); err != nil {
		return r, leaf, bad(seq, seq, "record %d is not in the tree that was signed", seq)
	}
	return r, leaf, nil
}

// Prover makes audit paths for the records of one tree in two passes over the
// log, so that memory stays flat: the first keeps the tree's upper levels, the
// second rebuilds the lower levels of one block of records at a time.
type Prover struct {
	size  uint64
	upper [][]Hash // upper[i][n]: complete subtree n of level blockLevel+i
	low   lowLevels
	// tail are the lower levels of the last, incomplete block.
	tail lowLevels
}

// blockLevel: a block is 2^blockLevel = limits.AuditProofBlock records.
const blockLevel = 10

type lowLevels struct {
	block  uint64
	levels [blockLevel][]Hash
}

func (l *lowLevels) reset(block uint64) {
	l.block = block
	for i := range l.levels {
		l.levels[i] = l.levels[i][:0]
	}
}

// add adds the next leaf of the block; when the block is complete it returns
// its root.
func (l *lowLevels) add(h Hash) (root Hash, full bool) {
	for i := range l.levels {
		l.levels[i] = append(l.levels[i], h)
		n := len(l.levels[i])
		if n%2 == 1 {
			return Hash{}, false
		}
		h = nodeHash(l.levels[i][n-2], l.levels[i][n-1])
	}
	return h, true
}

// Add takes the leaves of the first pass, in order.
func (p *Prover) Add(leaf Hash) {
	if p.size%limits.AuditProofBlock == 0 {
		p.tail.reset(p.size / limits.AuditProofBlock)
	}
	p.size++
	h, full := p.tail.add(leaf)
	for i := 0; full; i++ {
		if i == len(p.upper) {
			p.upper = append(p.upper, nil)
		}
		p.upper[i] = append(p.upper[i], h)
		n := len(p.upper[i])
		if full = n%2 == 0; full {
			h = nodeHash(p.upper[i][n-2], p.upper[i][n-1])
		}
	}
}

// Load takes the leaves of one block in the second pass.
func (p *Prover) Load(block uint64, leaves []Hash) {
	p.low.reset(block)
	for _, h := range leaves {
		p.low.add(h)
	}
}

// Prove returns the audit path of record n, whose block is loaded.
func (p *Prover) Prove(n uint64) (tlog.RecordProof, error) {
	return tlog.ProveRecord(int64(p.size), int64(n), tlog.HashReaderFunc(p.read))
}

func (p *Prover) read(indexes []int64) ([]Hash, error) {
	out := make([]Hash, len(indexes))
	for i, x := range indexes {
		level, n := tlog.SplitStoredHashIndex(x)
		var from []Hash
		at := uint64(n)
		if level >= blockLevel {
			if level-blockLevel < len(p.upper) {
				from = p.upper[level-blockLevel]
			}
		} else {
			// Position inside its block.
			block := at >> (blockLevel - level)
			at &= 1<<(blockLevel-level) - 1
			switch block {
			case p.low.block:
				from = p.low.levels[level]
			case p.tail.block:
				from = p.tail.levels[level]
			}
		}
		if at >= uint64(len(from)) {
			return nil, errors.New("auditlog: the block of that record is not loaded")
		}
		out[i] = from[at]
	}
	return out, nil
}
