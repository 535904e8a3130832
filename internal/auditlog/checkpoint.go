package auditlog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/bailey-run/bailey/internal/limits"
)

// originPrefix begins the name of every log.
const originPrefix = "bailey/audit/"

// Checkpoint is what a log's key signs.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   Hash
}

var errCheckpoint = errors.New("auditlog: not a checkpoint in canonical form")

// NewKey makes the key of a new log. signer is secret; public is the content of
// the public key file, without its line feed.
func NewKey() (signer, public string, err error) {
	id := make([]byte, 8)
	// crypto/rand.Read never fails (Go 1.24).
	_, _ = rand.Read(id)
	return note.GenerateKey(rand.Reader, originPrefix+hex.EncodeToString(id))
}

// ParseKey reads a public key: "<name>+<hash>+<base64>", nothing before or
// behind it, in the one form that NewKey writes.
func ParseKey(public string) (note.Verifier, error) {
	v, err := note.NewVerifier(public)
	if err != nil {
		return nil, err
	}
	// note.NewVerifier takes upper-case digits and loose base64 as well.
	parts := strings.SplitN(public, "+", 3)
	raw, err := base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || base64.StdEncoding.EncodeToString(raw) != parts[2] || strings.ToLower(parts[1]) != parts[1] {
		return nil, errors.New("auditlog: not a public key in canonical form")
	}
	if !ValidToken(v.Name()) {
		return nil, errToken
	}
	return v, nil
}

// PublicKey derives the public key from a signer key as NewKey returned it.
func PublicKey(signer string) (string, error) {
	s, err := note.NewSigner(signer)
	if err != nil {
		return "", err
	}
	// "PRIVATE+KEY+<name>+<hash>+<base64>"; note.NewSigner has checked the form.
	parts := strings.SplitN(signer, "+", 5)
	seed, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(seed) != 33 {
		return "", errors.New("auditlog: not a signer key")
	}
	pub := ed25519.NewKeyFromSeed(seed[1:]).Public().(ed25519.PublicKey)
	return note.NewEd25519VerifierKey(s.Name(), pub)
}

// Sign returns the signed note of c. The signer's name is c's origin.
func Sign(c Checkpoint, signer note.Signer) ([]byte, error) {
	b := append([]byte(c.Origin), '\n')
	b = strconv.AppendUint(b, c.Size, 10)
	b = append(b, '\n')
	b = appendHash(b, c.Root)
	b = append(b, '\n')
	return note.Sign(&note.Note{Text: string(b)}, signer)
}

// ParseCheckpoint reads a signed note without checking its signature.
func ParseCheckpoint(msg []byte) (Checkpoint, error) {
	var c Checkpoint
	p := parser{b: msg}
	c.Origin = p.line()
	c.Size = p.number()
	p.lit("\n")
	c.Root = p.hash()
	p.lit("\n\n— ")
	p.lit(c.Origin)
	p.lit(" ")
	sig := bytes.TrimSuffix(p.b, []byte("\n"))
	if p.bad || !ValidToken(c.Origin) || len(sig) != len(p.b)-1 || bytes.ContainsAny(sig, "\r\n") {
		return Checkpoint{}, errCheckpoint
	}
	// 4 bytes of key hash and an Ed25519 signature, with no slack bits.
	raw, err := base64.StdEncoding.Strict().DecodeString(string(sig))
	if err != nil || len(raw) != 4+64 {
		return Checkpoint{}, errCheckpoint
	}
	return c, nil
}

// OpenCheckpoint reads a signed note and checks its signature by key.
func OpenCheckpoint(msg []byte, key note.Verifier) (Checkpoint, error) {
	c, err := ParseCheckpoint(msg)
	if err != nil {
		return c, err
	}
	if c.Origin != key.Name() {
		return Checkpoint{}, errors.New("auditlog: checkpoint of another log")
	}
	if _, err := note.Open(msg, note.VerifierList(key)); err != nil {
		return Checkpoint{}, err
	}
	return c, nil
}

func (p *parser) line() string {
	i := bytes.IndexByte(p.b, '\n')
	if p.bad || i < 0 {
		p.bad = true
		return ""
	}
	s := string(p.b[:i])
	p.b = p.b[i+1:]
	return s
}

// appendNote writes a note as the inside of a JSON string. Notes of this format
// hold nothing but tokens, base64, digits, the em dash, spaces and line feeds.
func appendNote(b, msg []byte) []byte {
	for _, c := range msg {
		if c == '\n' {
			b = append(b, '\\', 'n')
			continue
		}
		b = append(b, c)
	}
	return b
}

// note reads what appendNote wrote, up to the closing quote.
func (p *parser) note() []byte {
	i := bytes.IndexByte(p.b, '"')
	if p.bad || i < 0 || bytes.IndexByte(p.b[:i], '\n') >= 0 {
		p.bad = true
		return nil
	}
	msg := bytes.ReplaceAll(p.b[:i], []byte(`\n`), []byte("\n"))
	if bytes.IndexByte(msg, '\\') >= 0 {
		p.bad = true
		return nil
	}
	p.b = p.b[i:]
	return msg
}

// appendSum ends a line that began at from: `,"sum":"…"}`.
func appendSum(b []byte, from int) []byte {
	sum := sha256.Sum256(b[from:])
	b = append(b, `,"sum":"`...)
	b = hex.AppendEncode(b, sum[:8])
	return append(b, `"}`...)
}

// sumTail is the length of what appendSum adds.
const sumTail = len(`,"sum":"`) + 16 + len(`"}`)

// checkSum splits a line at its sum and reports whether the sum is right.
func checkSum(line []byte) (body []byte, ok bool) {
	if len(line) < sumTail {
		return nil, false
	}
	n := len(line) - sumTail
	back := appendSum(append(make([]byte, 0, len(line)), line[:n]...), 0)
	return line[:n], bytes.Equal(back, line)
}

// checkpointHead begins a checkpoint line; no record begins so.
const checkpointHead = `{"checkpoint":"`

// IsCheckpointLine reports whether a line claims to be a checkpoint.
func IsCheckpointLine(line []byte) bool { return bytes.HasPrefix(line, []byte(checkpointHead)) }

// AppendCheckpointLine encodes the line that ends a batch, without line feed.
func AppendCheckpointLine(b, msg []byte, leaves []Hash) []byte {
	from := len(b)
	b = append(b, checkpointHead...)
	b = appendNote(b, msg)
	b = append(b, `","leaves":`...)
	b = appendHashes(b, leaves)
	return appendSum(b, from)
}

// ParseCheckpointLine decodes what AppendCheckpointLine writes. The signature
// is not checked.
func ParseCheckpointLine(line []byte) (msg []byte, c Checkpoint, leaves []Hash, err error) {
	body, ok := checkSum(line)
	if !ok {
		return nil, c, nil, errCheckpoint
	}
	p := parser{b: body}
	p.lit(checkpointHead)
	msg = p.note()
	p.lit(`","leaves":`)
	leaves = p.hashes(limits.AuditBatchRecords)
	if p.bad || len(p.b) != 0 || len(leaves) == 0 {
		return nil, c, nil, errCheckpoint
	}
	c, err = ParseCheckpoint(msg)
	return msg, c, leaves, err
}

// Slot is one half of the checkpoint file.
type Slot struct {
	Note     []byte
	Offset   uint64
	Frontier []Hash
}

// Append encodes s as limits.AuditSlot bytes behind b.
func (s *Slot) Append(b []byte) []byte {
	from := len(b)
	b = append(b, checkpointHead...)
	b = appendNote(b, s.Note)
	b = append(b, `","offset":`...)
	b = strconv.AppendUint(b, s.Offset, 10)
	b = append(b, `,"frontier":`...)
	b = appendHashes(b, s.Frontier)
	b = appendSum(b, from)
	if len(b)-from >= limits.AuditSlot {
		panic("BUG: a checkpoint does not fit its slot")
	}
	for len(b)-from < limits.AuditSlot-1 {
		b = append(b, ' ')
	}
	return append(b, '\n')
}

// ParseSlot decodes one half of the checkpoint file and checks its signature
// and that its frontier gives the signed root.
func ParseSlot(b []byte, key note.Verifier) (*Slot, *Tree, error) {
	if len(b) != limits.AuditSlot || b[len(b)-1] != '\n' {
		return nil, nil, errCheckpoint
	}
	body, ok := checkSum(bytes.TrimRight(b[:len(b)-1], " "))
	if !ok {
		return nil, nil, errCheckpoint
	}
	var s Slot
	p := parser{b: body}
	p.lit(checkpointHead)
	s.Note = p.note()
	p.lit(`","offset":`)
	s.Offset = p.number()
	p.lit(`,"frontier":`)
	s.Frontier = p.hashes(63)
	if p.bad || len(p.b) != 0 {
		return nil, nil, errCheckpoint
	}
	c, err := OpenCheckpoint(s.Note, key)
	if err != nil {
		return nil, nil, err
	}
	t, err := NewTree(c.Size, s.Frontier)
	if err != nil {
		return nil, nil, err
	}
	if t.Root() != c.Root {
		return nil, nil, errors.New("auditlog: frontier does not give the signed root")
	}
	return &s, t, nil
}
