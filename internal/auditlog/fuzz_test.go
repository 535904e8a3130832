package auditlog

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Whatever is accepted is JSON, is written back byte for byte, and says to
// encoding/json what it says to us.
func FuzzParseRecord(f *testing.F) {
	f.Add([]byte(golden))
	f.Add([]byte(`{"seq":0,"time":"2026-01-02T03:04:05.006Z","kind":"call"}`))
	f.Add([]byte(`{"seq":9223372036854775807,"time":"9999-12-31T23:59:59.999Z","kind":"x","ms":1}`))
	f.Add([]byte(`{"seq":1,"time":"2024-02-29T23:59:60.000Z","kind":"call"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRecord(b)
		if err != nil {
			return
		}
		back, err := r.Append(nil)
		if err != nil || !bytes.Equal(back, b) {
			t.Fatalf("%q became %q, %v", b, back, err)
		}
		var j struct {
			Seq    uint64
			Time   time.Time
			Kind   string
			Sealed string
			MS     uint64
		}
		if err := json.Unmarshal(b, &j); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if j.Seq != r.Seq || !j.Time.Equal(r.Time) || j.Kind != string(r.Kind) || j.Sealed != r.Sealed || j.MS != r.Milliseconds {
			t.Fatalf("%q: %+v and %+v", b, j, r)
		}
	})
}

func FuzzParseCheckpointLine(f *testing.F) {
	k := newKeys(f)
	f.Add(AppendCheckpointLine(nil, k.sign(f, 2, leafOf(1)), []Hash{leafOf(1), leafOf(2)}))
	f.Add([]byte(`{"checkpoint":"a\n1\n` + leafOf(0).String() + `\n\n— a AAAA\n","leaves":[],"sum":"0000000000000000"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		// The fuzzer cannot guess the sum: give it one.
		for _, b := range [][]byte{b, appendSum(bytes.Clone(b), 0)} {
			msg, _, leaves, err := ParseCheckpointLine(b)
			if err != nil {
				continue
			}
			if back := AppendCheckpointLine(nil, msg, leaves); !bytes.Equal(back, b) {
				t.Fatalf("%q became %q", b, back)
			}
			if !json.Valid(b) {
				t.Fatalf("%q is not JSON", b)
			}
		}
	})
}

func FuzzOpenCheckpoint(f *testing.F) {
	k := newKeys(f)
	good := k.sign(f, 2, leafOf(1))
	f.Add(good)
	f.Add(newKeys(f).sign(f, 2, leafOf(1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCheckpoint(b)
		if err == nil {
			// Any signature aside, the text is what Sign would sign.
			again := k.sign(t, c.Size, c.Root)
			cut := func(b []byte) []byte { return b[bytes.IndexByte(b, '\n'):bytes.Index(b, []byte("\n\n"))] }
			if !bytes.Equal(cut(again), cut(b)) {
				t.Fatalf("%q", b)
			}
		}
		if _, err := OpenCheckpoint(b, k.verifier); err == nil && !bytes.Equal(b, good) {
			t.Fatalf("a signature nobody made was accepted: %q", b)
		}
	})
}

func FuzzParseSlot(f *testing.F) {
	k := newKeys(f)
	var tree Tree
	for i := range 5 {
		tree.Add(leafOf(i))
	}
	s := Slot{Note: k.sign(f, 5, tree.Root()), Offset: 77, Frontier: tree.Frontier()}
	good := s.Append(nil)
	f.Add(good)
	f.Add(make([]byte, len(good)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > len(good) {
			b = b[:len(good)]
		}
		if got, _, err := ParseSlot(b, k.verifier); err == nil {
			if back := got.Append(nil); !bytes.Equal(back, b) {
				t.Fatalf("%q became %q", b, back)
			}
		}
	})
}

func FuzzCheckExportLine(f *testing.F) {
	var s store
	var tree Tree
	recs := [][]byte{[]byte(golden[:1] + `"seq":0` + golden[8:]), []byte(`{"seq":1,"time":"2026-01-02T03:04:05.006Z","kind":"call"}`)}
	for i, r := range recs {
		s.add(f, int64(i), LeafHash(r))
		tree.Add(LeafHash(r))
	}
	c := Checkpoint{Origin: "x", Size: 2, Root: tree.Root()}
	good := map[string]bool{}
	for i, r := range recs {
		p, err := tlog.ProveRecord(2, int64(i), s)
		if err != nil {
			f.Fatal(err)
		}
		line := AppendExportLine(nil, r, p)
		if _, _, err := CheckExportLine(line, c, uint64(i)); err != nil {
			f.Fatal(err)
		}
		good[string(line)] = true
		f.Add(line, uint64(i))
	}
	f.Fuzz(func(t *testing.T, b []byte, seq uint64) {
		if _, _, err := CheckExportLine(b, c, seq); err == nil && !good[string(b)] {
			t.Fatalf("accepted %q", b)
		}
	})
}

func FuzzParseExportHead(f *testing.F) {
	k := newKeys(f)
	good := AppendExportHead(nil, k.public, k.sign(f, 2, leafOf(1)))
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		if public, _, _, err := ParseExportHead(b); err == nil && public == k.public && !bytes.Equal(b, good) {
			t.Fatalf("accepted %q", b)
		}
	})
}

// A checker that is fed any bytes never vouches for more than was signed.
func FuzzChecker(f *testing.F) {
	k := newKeys(f)
	lines := build(f, k, 2, 1)
	f.Add(bytes.Join(lines, []byte("\n")))
	signed := map[Hash]bool{}
	c := NewChecker(k.verifier, true)
	for _, l := range lines {
		if _, cp, err := c.Line(l); err != nil {
			f.Fatal(err)
		} else if cp {
			last, _ := c.Last()
			signed[last.Root] = true
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := NewChecker(k.verifier, true)
		for _, l := range bytes.Split(b, []byte("\n")) {
			if _, _, err := c.Line(l); err != nil {
				break
			}
		}
		if last, _ := c.Last(); last.Size > 0 && !signed[last.Root] {
			t.Fatalf("vouches for %+v", last)
		}
	})
}
