package auditlog

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a leaf, a node or a root.
type Hash = tlog.Hash

// LeafHash is the hash of a record's bytes, without its line feed.
func LeafHash(record []byte) Hash { return tlog.RecordHash(record) }

// Tree is the right edge of a log's Merkle tree: all that is needed to add
// leaves and to know the root. The zero value is the empty tree; a copy is
// independent.
type Tree struct {
	size uint64
	// node[i] is the root of the complete subtree of 2^i leaves that bit i of
	// size stands for.
	node [63]Hash
}

// NewTree rebuilds a tree from its size and frontier. Whether these belong to a
// log is for the caller to see by comparing [Tree.Root] with a signed one.
func NewTree(size uint64, frontier []Hash) (*Tree, error) {
	if size>>62 != 0 || bits.OnesCount64(size) != len(frontier) {
		return nil, errors.New("auditlog: frontier does not fit the size")
	}
	t := &Tree{size: size}
	for i := 62; i >= 0; i-- {
		if size>>i&1 == 1 {
			t.node[i], frontier = frontier[0], frontier[1:]
		}
	}
	return t, nil
}

// Size is the number of leaves.
func (t *Tree) Size() uint64 { return t.size }

// Add appends a leaf.
func (t *Tree) Add(leaf Hash) {
	i := 0
	for ; t.size>>i&1 == 1; i++ {
		leaf = nodeHash(t.node[i], leaf)
	}
	t.node[i] = leaf
	t.size++
}

// nodeHash is tlog.NodeHash without its allocation: half of what a verifier
// does is this.
func nodeHash(left, right Hash) Hash {
	var b [1 + 2*tlog.HashSize]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+tlog.HashSize:], right[:])
	return sha256.Sum256(b[:])
}

// Root is the tree's root hash; that of the empty tree is SHA-256 of nothing.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		return sha256.Sum256(nil)
	}
	i := bits.TrailingZeros64(t.size)
	h := t.node[i]
	for i++; t.size>>i != 0; i++ {
		if t.size>>i&1 == 1 {
			h = nodeHash(t.node[i], h)
		}
	}
	return h
}

// Frontier returns the roots of the complete subtrees, left to right.
func (t *Tree) Frontier() []Hash {
	var f []Hash
	for i := 62; i >= 0; i-- {
		if t.size>>i&1 == 1 {
			f = append(f, t.node[i])
		}
	}
	return f
}

func appendHash(b []byte, h Hash) []byte { return base64.StdEncoding.AppendEncode(b, h[:]) }

func appendHashes(b []byte, hs []Hash) []byte {
	b = append(b, '[')
	for i, h := range hs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = appendHash(b, h)
		b = append(b, '"')
	}
	return append(b, ']')
}

// hashText is the length of a hash in base64.
const hashText = 44

func (p *parser) hash() (h Hash) {
	if p.bad || len(p.b) < hashText {
		p.bad = true
		return h
	}
	h, err := parseHash(p.b[:hashText])
	if err != nil {
		p.bad = true
	}
	p.b = p.b[hashText:]
	return h
}

func parseHash(b []byte) (h Hash, err error) {
	var buf [hashText]byte
	n, err := base64.StdEncoding.Strict().Decode(buf[:], b)
	if err != nil || n != len(h) {
		return h, errors.New("auditlog: not a hash")
	}
	copy(h[:], buf[:])
	return h, nil
}

func (p *parser) hashes(max int) []Hash {
	p.lit("[")
	if p.maybe("]") {
		return nil
	}
	var hs []Hash
	for !p.bad {
		p.lit(`"`)
		hs = append(hs, p.hash())
		p.lit(`"`)
		if p.maybe("]") {
			return hs
		}
		p.lit(",")
		if len(hs) >= max {
			p.bad = true
		}
	}
	return nil
}
