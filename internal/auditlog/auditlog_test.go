package auditlog

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/bailey-run/bailey/internal/limits"
)

func fullRecord() Record {
	return Record{
		Seq: 7, Time: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), Kind: Grant,
		App: "bailey", Surface: "cli", Task: "t-1", Verb: "ask",
		Method: "bailey.grant.v1.GrantService/Decide", Decision: "allow", By: "terminal", Grant: "g1", Code: "ok",
		RequestBytes: 1, ResponseBytes: 2, Messages: 3, Milliseconds: 4, Corr: "c=", Size: 5, Root: "r+/=", Tag: "t", Sealed: "s",
	}
}

// The encoding is part of the format: this line must never change.
const golden = `{"seq":7,"time":"2026-01-02T03:04:05.006Z","kind":"grant","app":"bailey","surface":"cli","task":"t-1","verb":"ask",` +
	`"method":"bailey.grant.v1.GrantService/Decide","decision":"allow","by":"terminal","grant":"g1","code":"ok",` +
	`"request_bytes":1,"response_bytes":2,"messages":3,"ms":4,"corr":"c=","size":5,"root":"r+/=","tag":"t","sealed":"s"}`

func TestRecordGolden(t *testing.T) {
	r := fullRecord()
	b, err := r.Append(nil)
	if err != nil || string(b) != golden {
		t.Fatalf("%s, %v", b, err)
	}
	back, err := ParseRecord(b)
	if err != nil || back != r {
		t.Fatalf("%+v, %v", back, err)
	}
	// Each field alone comes back, so that no two share a place.
	v := reflect.ValueOf(&r).Elem()
	for i := range v.NumField() {
		one := Record{Time: r.Time, Kind: r.Kind}
		reflect.ValueOf(&one).Elem().Field(i).Set(v.Field(i))
		b, err := one.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := ParseRecord(b); err != nil || back != one {
			t.Errorf("%s: %+v, %v", v.Type().Field(i).Name, back, err)
		}
		if !json.Valid(b) {
			t.Errorf("%s is not JSON", b)
		}
	}
	min := Record{Time: r.Time, Kind: Call}
	if b, err := min.Append(nil); err != nil || string(b) != `{"seq":0,"time":"2026-01-02T03:04:05.006Z","kind":"call"}` {
		t.Fatalf("%s, %v", b, err)
	}
}

func TestRecordRefuses(t *testing.T) {
	for name, change := range map[string]func(*Record){
		"quote":     func(r *Record) { r.App = `a"b` },
		"backslash": func(r *Record) { r.App = `a\b` },
		"space":     func(r *Record) { r.Task = "a b" },
		"newline":   func(r *Record) { r.Grant = "a\n" },
		"escape":    func(r *Record) { r.Code = "\x1b[2J" },
		"bidi":      func(r *Record) { r.Verb = "a\u202e" },
		"nul":       func(r *Record) { r.Corr = "\x00" },
		"brace":     func(r *Record) { r.Corr = "}" },
		"long":      func(r *Record) { r.App = strings.Repeat("a", limits.AuditToken+1) },
		"sealed":    func(r *Record) { r.Sealed = strings.Repeat("a", sealedMax+1) },
		"no kind":   func(r *Record) { r.Kind = "" },
		"number":    func(r *Record) { r.Messages = math.MaxInt64 + 1 },
		"seq":       func(r *Record) { r.Seq = math.MaxUint64 },
		"year 0":    func(r *Record) { r.Time = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC) },
		"year 10k":  func(r *Record) { r.Time = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		r := fullRecord()
		change(&r)
		if b, err := r.Append(nil); err == nil {
			t.Errorf("%s: encoded as %s", name, b)
		}
	}
	for _, s := range []string{
		"", "{}", golden + " ", " " + golden, golden + "\n", golden[:len(golden)-1],
		strings.Replace(golden, `"seq":7`, `"seq":07`, 1),
		strings.Replace(golden, `"seq":7`, `"seq":+7`, 1),
		strings.Replace(golden, `"seq":7`, `"seq":9223372036854775808`, 1),
		strings.Replace(golden, `"seq":7`, `"seq":99999999999999999999`, 1),
		strings.Replace(golden, `"ms":4`, `"ms":0`, 1),
		strings.Replace(golden, `"ms":4`, `"MS":4`, 1),
		strings.Replace(golden, `"app":"bailey",`, ``, 1) + `,"app":"bailey"`,
		strings.Replace(golden, `"app":"bailey"`, `"app":""`, 1),
		strings.Replace(golden, `"app":"bailey"`, `"app":"\u0062ailey"`, 1),
		strings.Replace(golden, `"app":"bailey"`, `"app":"bailey","app":"bailey"`, 1),
		strings.Replace(golden, `.006Z`, `,006Z`, 1),
		strings.Replace(golden, `01-02T`, `02-30T`, 1),
		strings.Replace(golden, `.006Z`, `.006z`, 1),
		strings.Replace(golden, `2026-`, `0000-`, 1),
	} {
		if _, err := ParseRecord([]byte(s)); err == nil {
			t.Errorf("accepted %q", s)
		}
	}
}

func TestKindsAreTokens(t *testing.T) {
	seen := map[Kind]bool{}
	for _, k := range Kinds() {
		if !ValidToken(string(k)) || seen[k] {
			t.Errorf("%q", k)
		}
		seen[k] = true
	}
	if len(seen) != 23 {
		t.Errorf("%d kinds", len(seen))
	}
}

// store is the whole tree, as x/mod keeps it.
type store []tlog.Hash

func (s store) ReadHashes(ix []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(ix))
	for i, x := range ix {
		out[i] = s[x]
	}
	return out, nil
}

func (s *store) add(t testing.TB, n int64, leaf tlog.Hash) {
	hs, err := tlog.StoredHashesForRecordHash(n, leaf, *s)
	if err != nil {
		t.Fatal(err)
	}
	*s = append(*s, hs...)
}

func leafOf(i int) Hash { return LeafHash(fmt.Appendf(nil, "record %d", i)) }

func TestTreeIsThatOfTlog(t *testing.T) {
	var s store
	var tree Tree
	for n := range 600 {
		want, err := tlog.TreeHash(int64(n), s)
		if err != nil {
			t.Fatal(err)
		}
		if tree.Root() != want || tree.Size() != uint64(n) {
			t.Fatalf("root of %d leaves differs", n)
		}
		again, err := NewTree(tree.Size(), tree.Frontier())
		if err != nil || *again != tree && again.Root() != want {
			t.Fatalf("frontier of %d: %v", n, err)
		}
		again.Add(leafOf(n))
		tree.Add(leafOf(n))
		if again.Root() != tree.Root() {
			t.Fatalf("a rebuilt tree of %d goes on differently", n)
		}
		s.add(t, int64(n), leafOf(n))
	}
	if _, err := NewTree(3, nil); err == nil {
		t.Error("frontier of the wrong length accepted")
	}
	if _, err := NewTree(1<<62, make([]Hash, 1)); err == nil {
		t.Error("size 2^62 accepted")
	}
}

func TestProverIsThatOfTlog(t *testing.T) {
	for _, size := range []int{1, 2, 3, 1023, 1024, 1025, 2047, 2048, 2049, 3333, 5000} {
		var s store
		var p Prover
		var tree Tree
		for i := range size {
			s.add(t, int64(i), leafOf(i))
			p.Add(leafOf(i))
			tree.Add(leafOf(i))
		}
		for from := 0; from < size; from += limits.AuditProofBlock {
			to := min(from+limits.AuditProofBlock, size)
			var leaves []Hash
			for i := from; i < to; i++ {
				leaves = append(leaves, leafOf(i))
			}
			p.Load(uint64(from/limits.AuditProofBlock), leaves)
			for i := from; i < to; i += 1 + rand.IntN(40) {
				got, err := p.Prove(uint64(i))
				if err != nil {
					t.Fatal(err)
				}
				want, err := tlog.ProveRecord(int64(size), int64(i), s)
				if err != nil || !reflect.DeepEqual(got, want) {
					t.Fatalf("proof of %d in %d differs (%v)", i, size, err)
				}
				if err := tlog.CheckRecord(got, int64(size), tree.Root(), int64(i), leafOf(i)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if size > 2*limits.AuditProofBlock {
			if _, err := p.Prove(0); err == nil {
				t.Error("proof from a block that is not loaded")
			}
		}
	}
}

type keys struct {
	signer   note.Signer
	verifier note.Verifier
	public   string
}

func newKeys(t testing.TB) keys {
	t.Helper()
	s, p, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(s)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ParseKey(p)
	if err != nil {
		t.Fatal(err)
	}
	derived, err := PublicKey(s)
	if err != nil || derived != p {
		t.Fatalf("derived %q, %v; want %q", derived, err, p)
	}
	return keys{signer, v, p}
}

func (k keys) sign(t testing.TB, size uint64, root Hash) []byte {
	t.Helper()
	msg, err := Sign(Checkpoint{k.verifier.Name(), size, root}, k.signer)
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// everyFlip calls f with b changed in one bit, for each bit.
func everyFlip(b []byte, f func(at int, b []byte)) {
	for i := range b {
		for bit := range 8 {
			c := bytes.Clone(b)
			c[i] ^= 1 << bit
			f(i, c)
		}
	}
}

func TestEveryFlippedBitIsSeen(t *testing.T) {
	k := newKeys(t)
	var tree Tree
	leaves := []Hash{leafOf(0), leafOf(1), leafOf(2)}
	for _, h := range leaves {
		tree.Add(h)
	}
	msg := k.sign(t, 3, tree.Root())
	if _, err := OpenCheckpoint(msg, k.verifier); err != nil {
		t.Fatal(err)
	}
	everyFlip(msg, func(at int, b []byte) {
		if _, err := OpenCheckpoint(b, k.verifier); err == nil {
			t.Errorf("note, byte %d: accepted", at)
		}
	})
	everyFlip([]byte(k.public), func(at int, b []byte) {
		if _, err := ParseKey(string(b)); err == nil {
			t.Errorf("key, byte %d: accepted", at)
		}
	})
	line := AppendCheckpointLine(nil, msg, leaves)
	everyFlip(line, func(at int, b []byte) {
		if _, _, _, err := ParseCheckpointLine(b); err == nil {
			t.Errorf("line, byte %d: accepted", at)
		}
	})
	s := Slot{Note: msg, Offset: 99, Frontier: tree.Frontier()}
	slot := s.Append(nil)
	if _, _, err := ParseSlot(slot, k.verifier); err != nil || !json.Valid(slot) {
		t.Fatal(err)
	}
	everyFlip(slot, func(at int, b []byte) {
		if _, _, err := ParseSlot(b, k.verifier); err == nil {
			t.Errorf("slot, byte %d: accepted", at)
		}
	})
	head := AppendExportHead(nil, k.public, msg)
	everyFlip(head, func(at int, b []byte) {
		// The key's own bytes may change to another well-formed key: it then
		// does not open the signature.
		if _, _, _, err := ParseExportHead(b); err == nil {
			t.Errorf("head, byte %d: accepted", at)
		}
	})
}

// The note of another tool is what it is: x/mod opens ours, and what x/mod
// would accept loosely, we refuse.
func TestLooseFormsAreRefused(t *testing.T) {
	k := newKeys(t)
	msg := k.sign(t, 3, leafOf(1))
	if _, err := note.Open(msg, note.VerifierList(k.verifier)); err != nil {
		t.Fatal(err)
	}
	// Change the slack bits of the signature's last digit.
	i := bytes.LastIndexByte(msg, '=') - 1
	loose := 0
	for c := range byte(128) {
		b := bytes.Clone(msg)
		b[i] = c
		if bytes.Equal(b, msg) {
			continue
		}
		if _, err := note.Open(b, note.VerifierList(k.verifier)); err == nil {
			loose++
			if _, err := OpenCheckpoint(b, k.verifier); err == nil {
				t.Errorf("digit %q accepted", c)
			}
		}
	}
	if loose == 0 {
		t.Error("control: x/mod accepts none of them either, so this test shows nothing")
	}
	upper := []byte(k.public)
	j := bytes.IndexByte(upper, '+') + 1
	copy(upper[j:], bytes.ToUpper(upper[j:j+8]))
	if _, err := note.NewVerifier(string(upper)); err == nil && string(upper) != k.public {
		if _, err := ParseKey(string(upper)); err == nil {
			t.Error("upper-case key hash accepted")
		}
	}
	// A checkpoint signed by a second key as well, or with extension lines.
	other := newKeys(t)
	two, err := note.Sign(&note.Note{Text: string(msg[:bytes.Index(msg, []byte("\n\n"))+1])}, k.signer, other.signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCheckpoint(two, k.verifier); err == nil {
		t.Error("two signatures accepted")
	}
	ext, err := note.Sign(&note.Note{Text: fmt.Sprintf("%s\n3\n%s\nextension\n", k.verifier.Name(), leafOf(1))}, k.signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCheckpoint(ext, k.verifier); err == nil {
		t.Error("extension line accepted")
	}
	if _, err := OpenCheckpoint(other.sign(t, 3, leafOf(1)), k.verifier); err == nil {
		t.Error("another log's checkpoint accepted")
	}
}

func TestSlotHoldsTheLargestTree(t *testing.T) {
	k := newKeys(t)
	tree, err := NewTree(1<<62-1, make([]Hash, 62))
	if err != nil {
		t.Fatal(err)
	}
	s := Slot{Note: k.sign(t, tree.Size(), tree.Root()), Offset: math.MaxInt64, Frontier: tree.Frontier()}
	if _, _, err := ParseSlot(s.Append(nil), k.verifier); err != nil {
		t.Fatal(err)
	}
}

func TestLimitsFitTogether(t *testing.T) {
	if limits.AuditProofBlock != 1<<blockLevel {
		t.Error("proof block is not 2^blockLevel")
	}
	r := fullRecord()
	for i := range members {
		if s := members[i].str; s != nil {
			*s(&r) = strings.Repeat("x", members[i].max)
		} else {
			*members[i].num(&r) = math.MaxInt64
		}
	}
	b, err := r.Append(nil)
	if err != nil || len(b) > limits.AuditLine {
		t.Errorf("largest record has %d bytes, %v", len(b), err)
	}
	k := newKeys(t)
	line := AppendCheckpointLine(nil, k.sign(t, 1, leafOf(0)), make([]Hash, limits.AuditBatchRecords))
	if len(line) > limits.AuditLine {
		t.Errorf("largest checkpoint line has %d bytes", len(line))
	}
	if x := AppendExportLine(nil, b, make([]Hash, 63)); len(x) > limits.AuditExportLine {
		t.Errorf("largest export line has %d bytes", len(x))
	}
	if n := base64.StdEncoding.EncodedLen(limits.AuditDetail + 12 + 16); n > sealedMax || n > 40000 {
		t.Errorf("sealed detail has %d bytes", n)
	}
}
