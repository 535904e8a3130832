package auditlog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// build writes a log whose batches have the given sizes and returns its lines.
func build(t testing.TB, k keys, batches ...int) [][]byte {
	t.Helper()
	var lines [][]byte
	var tree Tree
	for _, n := range batches {
		var leaves []Hash
		for range n {
			r := Record{
				Seq: tree.Size(), Time: time.UnixMilli(int64(tree.Size())), Kind: Call,
				App: "bailey", Grant: fmt.Sprintf("g%d", tree.Size()),
			}
			b, err := r.Append(nil)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, b)
			leaves = append(leaves, LeafHash(b))
			tree.Add(LeafHash(b))
		}
		lines = append(lines, AppendCheckpointLine(nil, k.sign(t, tree.Size(), tree.Root()), leaves))
	}
	return lines
}

func check(k keys, each bool, lines [][]byte) (*Bad, *Checker) {
	c := NewChecker(k.verifier, each)
	for _, l := range lines {
		if _, _, err := c.Line(l); err != nil {
			var b *Bad
			if !errors.As(err, &b) {
				panic("BUG: not a *Bad: " + err.Error())
			}
			return b, c
		}
	}
	if err := c.Confirm(); err != nil {
		var b *Bad
		errors.As(err, &b)
		return b, c
	}
	return nil, c
}

func TestCheckerAccepts(t *testing.T) {
	k := newKeys(t)
	bad, c := check(k, true, build(t, k, 1, 2, 5, 1, 512, 3))
	if bad != nil {
		t.Fatal(bad)
	}
	if last, _ := c.Last(); last.Size != 524 {
		t.Fatalf("%+v", last)
	}
	if bad, _ := check(k, false, nil); bad != nil {
		t.Fatal("the empty log is no log: ", bad)
	}
}

// Batches of 1, 3 and 2 records: lines 0 | cp | 1 2 3 | cp | 4 5 | cp.
func TestCheckerNames(t *testing.T) {
	k, other := newKeys(t), newKeys(t)
	good := build(t, k, 1, 3, 2)
	foreign := build(t, other, 1, 3, 2)
	edit := func(line []byte, from, to string) []byte {
		out := bytes.Replace(line, []byte(from), []byte(to), 1)
		if bytes.Equal(out, line) {
			t.Fatalf("%q is not in %s", from, line)
		}
		return out
	}
	with := func(i int, line []byte) [][]byte {
		ls := append([][]byte(nil), good...)
		ls[i] = line
		return ls
	}
	without := func(i ...int) (ls [][]byte) {
		for j, l := range good {
			if len(i) > 0 && i[0] == j {
				i = i[1:]
				continue
			}
			ls = append(ls, l)
		}
		return ls
	}
	insert := func(i int, line []byte) (ls [][]byte) {
		ls = append(ls, good[:i]...)
		ls = append(ls, line)
		return append(ls, good[i:]...)
	}
	swap := func(i, j int) [][]byte {
		ls := append([][]byte(nil), good...)
		ls[i], ls[j] = ls[j], ls[i]
		return ls
	}
	// rewritten recomputes a batch's leaves and root as someone without the key
	// can, and keeps the old signature.
	rewritten := func() [][]byte {
		ls := append([][]byte(nil), good...)
		ls[3] = edit(ls[3], `"grant":"g2"`, `"grant":"g9"`)
		var tree Tree
		var pend []Hash
		for i, l := range ls {
			if !IsCheckpointLine(l) {
				pend = append(pend, LeafHash(l))
				tree.Add(LeafHash(l))
				continue
			}
			if i > 3 {
				msg := k.sign(t, tree.Size(), tree.Root())
				fake, err := note.Sign(&note.Note{Text: string(msg[:bytes.Index(msg, []byte("\n\n"))+1])}, renamed{other.signer, k.signer})
				if err != nil {
					t.Fatal(err)
				}
				ls[i] = AppendCheckpointLine(nil, fake, pend)
			}
			pend = nil
		}
		return ls
	}
	for _, c := range []struct {
		name        string
		lines       [][]byte
		first, last uint64
		line        bool
		says        string
	}{
		{"edited record in the middle of a batch", with(3, edit(good[3], `"grant":"g2"`, `"grant":"g9"`)), 2, 2, false, "not what the checkpoint of size 4 signed"},
		{"edited last record", with(7, edit(good[7], `"grant":"g5"`, `"grant":"g6"`)), 5, 5, false, ""},
		{"edited number", with(3, edit(good[3], `"seq":2`, `"seq":3`)), 2, 2, false, "record 3 stands where record 2 belongs"},
		{"garbage", with(3, []byte("hello")), 2, 2, false, "not a record any more"},
		{"empty line", insert(3, nil), 2, 2, false, ""},
		{"deleted from the middle of a batch", without(3), 2, 2, false, "record 3 stands where record 2 belongs"},
		{"deleted at the end of a batch", without(4), 3, 3, false, "record 3, which the checkpoint of size 4 signed, is missing"},
		{"deleted batch", without(2, 3, 4, 5), 1, 1, false, "record 4 stands where record 1 belongs"},
		{"deleted checkpoint", without(5), 5, 5, true, "a checkpoint line among them was changed or cut out"},
		{"swapped records", swap(3, 4), 2, 2, false, ""},
		{"swapped records over a checkpoint", swap(4, 6), 3, 3, false, ""},
		{"swapped checkpoints", swap(1, 5), 0, 0, false, ""},
		{"doubled record", insert(3, good[3]), 3, 3, false, ""},
		{"doubled checkpoint", insert(5, good[5]), 3, 3, true, "a second checkpoint"},
		{"record put in behind a batch", insert(5, edit(good[6], `"grant":"g4"`, `"grant":"g8"`)), 4, 4, false, "put in"},
		{"spliced record of another log", with(3, edit(foreign[3], `"grant":"g2"`, `"grant":"gx"`)), 2, 2, false, ""},
		{"spliced batch of another log", append(append(append([][]byte(nil), good[:2]...), foreign[2:6]...), good[6:]...), 3, 3, true, "another log"},
		{"checkpoint line damaged", with(5, edit(good[5], `"leaves"`, `"Leaves"`)), 3, 3, true, "was changed"},
		{"rewritten by someone without the key", rewritten(), 1, 3, false, "not signed by the log's key"},
	} {
		bad, chk := check(k, true, c.lines)
		if bad == nil {
			t.Errorf("%s: accepted", c.name)
			continue
		}
		if bad.Seq != c.first || bad.Last != c.last || bad.Line != c.line || !strings.Contains(bad.Reason, c.says) {
			t.Errorf("%s: %+v, want %d to %d, line %v, %q", c.name, bad, c.first, c.last, c.line, c.says)
		}
		if last, _ := chk.Last(); last.Size > c.first && !(c.line && last.Size == c.first+1) {
			t.Errorf("%s: vouches for %d records", c.name, last.Size)
		}
		// Without all signatures it is found as well, if less exactly.
		if bad, _ := check(k, false, c.lines); bad == nil {
			t.Errorf("%s: accepted without each signature", c.name)
		}
	}
}

// renamed signs with one key under the name and hash of another.
type renamed struct {
	note.Signer
	as note.Signer
}

func (r renamed) Name() string    { return r.as.Name() }
func (r renamed) KeyHash() uint32 { return r.as.KeyHash() }

func TestCheckerBoundsABatch(t *testing.T) {
	k := newKeys(t)
	lines := build(t, k, 512)
	extra := Record{Seq: 512, Time: time.UnixMilli(1), Kind: Call}
	b, err := extra.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	bad, _ := check(k, false, append(lines[:512:512], b))
	if bad == nil || !strings.Contains(bad.Reason, "no checkpoint") {
		t.Fatal(bad)
	}
}

func TestResumeCheckerGoesOn(t *testing.T) {
	k := newKeys(t)
	lines := build(t, k, 3, 4, 2)
	c := NewChecker(k.verifier, true)
	for _, l := range lines[:9] { // 3 + cp + 4 + cp
		if _, _, err := c.Line(l); err != nil {
			t.Fatal(err)
		}
	}
	last, off := c.Last()
	tree := c.Tree()
	s := &Slot{Note: k.sign(t, last.Size, last.Root), Offset: off, Frontier: tree.Frontier()}
	slot, st, err := ParseSlot(s.Append(nil), k.verifier)
	if err != nil {
		t.Fatal(err)
	}
	r := ResumeChecker(k.verifier, slot, st)
	if err := r.Confirm(); err != nil {
		t.Fatal(err)
	}
	for _, l := range lines[9:] {
		if _, _, err := r.Line(l); err != nil {
			t.Fatal(err)
		}
	}
	if last, end := r.Last(); last.Size != 9 || end != uint64(len(bytes.Join(lines, []byte("\n")))+1) {
		t.Fatalf("%+v at %d", last, end)
	}
}
