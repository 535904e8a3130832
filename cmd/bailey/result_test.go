package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

func batch(names ...string) *indexv1.SkippedBatch {
	b := &indexv1.SkippedBatch{}
	for _, n := range names {
		b.Skipped = append(b.Skipped, &indexv1.Skipped{Path: []byte(n), Reason: "binary"})
	}
	return b
}

// chunks is a writer that notes the largest piece that it was given.
type chunks struct {
	bytes.Buffer
	most int
}

func (c *chunks) Write(p []byte) (int, error) {
	c.most = max(c.most, len(p))
	return c.Buffer.Write(p)
}

// A worker that skips without end costs a bounded amount of memory: what is
// kept, and the one element that is being written.
func TestFloodOfSkipped(t *testing.T) {
	r := &result{done: &indexv1.Done{}}
	long := strings.Repeat("x", 4000)
	const n = 20_000
	for i := range n {
		if err := r.skip(batch(fmt.Sprintf("%s%d", long, i))); err != nil {
			t.Fatal(err)
		}
		// Reasons are the worker's words too.
		if err := r.skip(&indexv1.SkippedBatch{Skipped: []*indexv1.Skipped{{Path: []byte("y"), Reason: fmt.Sprint(i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for _, s := range r.skipped {
		kept += proto.Size(s)
	}
	if kept > limits.SkippedBytesKept || kept < limits.SkippedBytesKept-2*len(long) || len(r.reasons) > limits.SkippedReasons+1 {
		t.Errorf("kept are %d bytes and %d reasons", kept, len(r.reasons))
	}
	if r.reasons["binary"] != n || r.reasons[otherReasons] != n-limits.SkippedReasons+1 {
		t.Errorf("counted are %d, %d", r.reasons["binary"], r.reasons[otherReasons])
	}
	var w chunks
	out := newOutput(&w)
	if err := r.writeJSON(out.Writer); err != nil {
		t.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	var back struct {
		Skipped []skippedJSON
		More    uint64 `json:"skipped_more"`
		Usage   usageJSON
	}
	if err := json.Unmarshal(w.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if back.More != 2*n-uint64(len(r.skipped)) || len(back.Skipped) != len(r.skipped) || back.Usage.Skipped != 2*n {
		t.Errorf("%d listed, %d more, %d in all", len(back.Skipped), back.More, back.Usage.Skipped)
	}
	if w.most > 2*len(long) {
		t.Errorf("%d bytes were written at once: the whole was built", w.most)
	}
	if got := skippedLine(r, places{}); !strings.Contains(got, fmt.Sprintf("Skipped %d: %d binary", 2*n, n)) || !strings.Contains(got, fmt.Sprintf("--json lists the first %d, ", len(r.skipped))) {
		t.Errorf("got %.200s", got)
	}
}

func TestFloodOfSentences(t *testing.T) {
	r := &result{}
	s := sentenceOf(indexv1.Section_SECTION_ANSWER, strings.Repeat("y", 2000), strings.Repeat("x", 4096), 1)
	for range 7 {
		s.Citations = append(s.Citations, s.Citations[0])
	}
	var err error
	for err == nil {
		err = r.add(s)
	}
	if kept := len(r.sentences) * proto.Size(s); errs.CodeOf(err) != errs.TooLarge || kept > limits.SentenceBytesKept || kept < limits.SentenceBytesKept-proto.Size(s) {
		t.Errorf("%v after %d bytes", err, kept)
	}
}

// Whatever leads out of the folder, or is no place, ends the answer: nothing of
// it is printed or linked.
func TestBrokenForm(t *testing.T) {
	for _, path := range []string{"../../../../etc/shadow", "/etc/shadow", "..", "a/..", "a/../b", "a\x00b", ""} {
		r := &result{}
		for what, err := range map[string]error{
			"citation": r.add(sentenceOf(indexv1.Section_SECTION_ANSWER, "s", path, 1)),
			"skipped":  r.skip(batch(path)),
			"licence":  r.end(&indexv1.Done{Licences: []*indexv1.Licence{{Path: []byte(path)}}}),
		} {
			if errs.CodeOf(err) != errs.Malformed || !strings.Contains(errs.From(err).Message(), "the worker broke the form") {
				t.Errorf("%s %q: %v", what, path, err)
			}
		}
		if len(r.sentences) != 0 || len(r.skipped) != 0 || r.done != nil {
			t.Errorf("%q was kept", path)
		}
	}
	for _, lines := range [][2]uint32{{0, 1}, {2, 1}, {0, 0}} {
		s := sentenceOf(indexv1.Section_SECTION_ANSWER, "s", "a", lines[0])
		s.Citations[0].EndLine = lines[1]
		if err := (&result{}).add(s); errs.CodeOf(err) != errs.Malformed {
			t.Errorf("lines %v: %v", lines, err)
		}
	}
	for _, path := range []string{"a.md", "..a/b..", "...", ".hidden/x", "a b/\xff", "dir/", "."} {
		r := &result{}
		if err := r.add(sentenceOf(indexv1.Section_SECTION_ANSWER, "s", path, 1)); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// FuzzLocal: what is taken for local stays below the folder, by the standard
// library's rule too, and holds no way up.
func FuzzLocal(f *testing.F) {
	for _, s := range []string{"a", "../a", "/a", "a/../../b", "a//b", "..", ".", "a\x00", "", "a/.../b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, path []byte) {
		if !local(path) {
			return
		}
		if !filepath.IsLocal(string(path)) || strings.Contains("/"+string(path)+"/", "/../") || !strings.HasPrefix(filepath.Join("/f", string(path))+"/", "/f/") {
			t.Fatalf("%q", path)
		}
	})
}
