package audit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// longLog makes a closed log of more than n records.
func longLog(t testing.TB, n int) *env {
	t.Helper()
	e := newEnv(t)
	l := e.open()
	ev := sample(1)
	ev.Detail = nil
	for i := range n {
		ev.RequestBytes = uint64(i)
		if err := l.Note(ev); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return e
}

// forge edits record seq with its length kept and puts the file back as it was
// when undo is called.
func (e *env) forge(seq uint64) (undo func()) {
	e.t.Helper()
	b := e.file(auditlog.LogFile)
	var old []byte
	for line := range bytes.SplitSeq(b, []byte("\n")) {
		if rec, err := auditlog.ParseRecord(line); err == nil && rec.Seq == seq {
			old = line
			break
		}
	}
	forged := bytes.Replace(old, []byte(`"by":"terminal"`), []byte(`"by":"policies"`), 1)
	if bytes.Equal(forged, old) || len(forged) != len(old) {
		e.t.Fatalf("record %d: %s", seq, old)
	}
	e.write(auditlog.LogFile, bytes.Replace(b, old, forged, 1))
	return func() { e.write(auditlog.LogFile, b) }
}

// saysRecord tells whether an error is LogBroken and names a record.
func saysRecord(err error, words string) bool {
	e := errs.From(err)
	return e != nil && e.Code == errs.LogBroken && strings.Contains(e.Message(), words)
}

const forgedWords = "record 7 is not what the checkpoint of size"

// A short log is checked whole at the start.
func TestForgedRecordInAShortLog(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	appendN(t, l, 50)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	undo := e.forge(7)
	if err := e.openErr(); !saysRecord(err, forgedWords) {
		t.Fatalf("Open: %v", err)
	}
	rep := e.verify()
	if rep.OK || *rep.FirstBad != 7 || rep.Unfinished != 0 || !strings.Contains(rep.Reason, forgedWords) {
		t.Fatalf("%+v", rep)
	}
	undo()
	l = e.open()
	if st := l.Status(); !st.Checked || st.Broken != nil {
		t.Fatalf("%+v", st)
	}
	appendN(t, l, 1)
}

// A long log is checked behind the start; damage ends its use, for good.
func TestForgedRecordInALongLog(t *testing.T) {
	ctx := context.Background()
	e := longLog(t, 100_000)
	l := e.open() // the control
	if st := l.Status(); st.Checked {
		t.Fatal("the start read 100,000 records")
	}
	begin := time.Now()
	if err := l.Check(ctx); err != nil || !l.Status().Checked {
		t.Fatalf("Check: %v", err)
	}
	took := time.Since(begin)
	t.Logf("%.0f records/s", 100_000/took.Seconds())
	if took > 10*time.Second { // ten times the promise of 100,000 a second
		t.Errorf("it took %v", took)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	undo := e.forge(7)

	l = e.open()
	appendN(t, l, 1) // nobody has looked yet
	select {
	case <-l.Broken():
		t.Fatal("broken before anyone looked")
	default:
	}
	if err := l.Check(ctx); !saysRecord(err, forgedWords) {
		t.Fatalf("Check: %v", err)
	}
	<-l.Broken()
	if _, err := l.Append(ctx, sample(1)); !saysRecord(err, forgedWords) {
		t.Errorf("Append: %v", err)
	}
	if err := l.Note(sample(1)); !saysRecord(err, forgedWords) {
		t.Errorf("Note: %v", err)
	}
	if st := l.Status(); st.Checked || !saysRecord(st.Broken, forgedWords) {
		t.Errorf("%+v", st)
	}
	if err := l.Check(ctx); !saysRecord(err, forgedWords) {
		t.Errorf("Check again: %v", err)
	}
	var shown []uint64
	err := l.Read(ctx, Filter{}, func(r Record) error { shown = append(shown, r.Seq); return nil })
	if !saysRecord(err, forgedWords) || len(shown) != 7 || shown[6] != 6 {
		t.Errorf("Read shows %d records: %v", len(shown), err)
	}
	err = l.Read(ctx, Filter{Last: 3}, func(Record) error { t.Error("a record behind the first bad one is shown"); return nil })
	if !saysRecord(err, forgedWords) {
		t.Errorf("Read of the end: %v", err)
	}
	if err := l.Close(); errs.CodeOf(err) != errs.LogBroken {
		t.Errorf("Close: %v", err)
	}
	if rep := e.verify(); rep.OK || *rep.FirstBad != 7 || rep.Unfinished != 0 {
		t.Errorf("%+v", rep)
	}
	// The next start does not wait for a check in the background, nor does a
	// write error make it forget.
	e.write(retiredFile, nil)
	if err := e.openErr(); !saysRecord(err, forgedWords) {
		t.Errorf("the next start: %v", err)
	}
	if err := os.Remove(filepath.Join(e.dir(), retiredFile)); err != nil {
		t.Fatal(err)
	}
	undone := func() []byte { b := e.file(auditlog.LogFile); undo(); return b[len(e.file(auditlog.LogFile)):] }()
	f, err := os.OpenFile(filepath.Join(e.dir(), auditlog.LogFile), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.Write(undone)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	l = e.open() // the record is back
	if st := l.Status(); !st.Checked {
		t.Errorf("%+v", st)
	}
	if _, err := os.Stat(filepath.Join(e.dir(), suspectFile)); err == nil {
		t.Error("a whole log is still suspect")
	}
}

// Damage that appears while a core runs is found by whoever reads it, in a
// record that is asked for or in one between.
func TestReadFindsForgedRecords(t *testing.T) {
	for name, f := range map[string]Filter{
		"all": {}, "of another task": {Task: "t2"}, "the newest": {Last: 45}, "the start, through all": {Last: 1, Kinds: []Kind{auditlog.CoreStart}},
	} {
		e := newEnv(t)
		l := e.open()
		appendN(t, l, 50)
		if n := len(e.records(l, f)); n == 0 { // the control
			t.Fatalf("%s: nothing", name)
		}
		e.forge(7)
		var last uint64
		err := l.Read(context.Background(), f, func(r Record) error { last = r.Seq; return nil })
		if !saysRecord(err, forgedWords) || last >= 7 {
			t.Errorf("%s: up to %d, %v", name, last, err)
		}
		select {
		case <-l.Broken():
		default:
			t.Errorf("%s: the log goes on", name)
		}
		if err := l.Note(sample(1)); errs.CodeOf(err) != errs.LogBroken {
			t.Errorf("%s: Note: %v", name, err)
		}
	}
	// Behind the damage there is nothing to find.
	e := newEnv(t)
	l := e.open()
	appendN(t, l, 50)
	e.forge(7)
	if rs := e.records(l, Filter{Last: 3}); len(rs) != 3 {
		t.Error(len(rs))
	}
}

// Every edit of the log's lines that a reader can meet.
func TestReadFindsDamagedBatches(t *testing.T) {
	whole := closedLog(t, 4).file(auditlog.LogFile)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	lines = lines[:len(lines)-1]
	join := func(ls ...[]byte) []byte { return bytes.Join(ls, nil) }
	for name, b := range map[string][]byte{
		"record cut out":     join(append(append([][]byte{}, lines[:4]...), lines[5:]...)...),
		"batch cut out":      join(append(append([][]byte{}, lines[:4]...), lines[6:]...)...),
		"record put in":      join(append(append(append([][]byte{}, lines[:4]...), lines[2]), lines[4:]...)...),
		"checkpoint cut out": join(append(append([][]byte{}, lines[:5]...), lines[6:]...)...),
		"checkpoint edited":  bytes.Replace(whole, lines[5], bytes.Replace(lines[5], []byte(`"sum":"`), []byte(`"sum":"x`), 1), 1),
		"cut in a batch":     join(lines[:5]...),
		"cut in a line":      whole[:len(whole)-3],
		"a line too long":    append(bytes.Repeat([]byte("x"), 3*limits.AuditLine), whole...),
	} {
		for _, f := range []Filter{{}, {Last: 100}} {
			e := newEnv(t)
			l := e.open()
			appendN(t, l, 4)
			e.write(auditlog.LogFile, b)
			l.mu.Lock()
			l.end = int64(len(b))
			l.mu.Unlock()
			if err := l.Read(context.Background(), f, func(Record) error { return nil }); errs.CodeOf(err) != errs.LogBroken {
				t.Errorf("%s: %v", name, err)
			}
			if errs.CodeOf(l.Check(context.Background())) != errs.LogBroken {
				t.Errorf("%s: the log goes on", name)
			}
		}
	}
}

// Someone without the key recomputes leaves, trees and sums: no leaf tells,
// the check does, and names the batch.
func TestCheckNamesARewrite(t *testing.T) {
	e := closedLog(t, 20)
	l := e.open()
	good := e.file(auditlog.LogFile)
	var tree auditlog.Tree
	var leaves []auditlog.Hash
	var out []byte
	for line := range bytes.SplitSeq(bytes.TrimSuffix(good, []byte("\n")), []byte("\n")) {
		if auditlog.IsCheckpointLine(line) {
			msg, old, _, err := auditlog.ParseCheckpointLine(line)
			if err != nil {
				t.Fatal(err)
			}
			msg = bytes.Replace(msg, []byte(old.Root.String()), []byte(tree.Root().String()), 1)
			line, leaves = auditlog.AppendCheckpointLine(nil, msg, leaves), nil
		} else {
			line = bytes.Replace(line, []byte(`"grant":"g2"`), []byte(`"grant":"g9"`), 1)
			leaves = append(leaves, auditlog.LeafHash(line))
			tree.Add(auditlog.LeafHash(line))
		}
		out = append(append(out, line...), '\n')
	}
	if len(out) != len(good) {
		t.Fatal("the lengths differ")
	}
	e.write(auditlog.LogFile, out)
	if n := len(e.records(l, Filter{})); n == 0 { // the control: each leaf fits
		t.Fatal(n)
	}
	l.mu.Lock()
	l.checked = false
	l.mu.Unlock()
	if err := l.Check(context.Background()); !saysRecord(err, "records 3 to 3 was not signed by the log's key") {
		t.Fatal(err)
	}
	// Read shows what stands before it now, though every leaf fits.
	var last uint64
	if err := l.Read(context.Background(), Filter{}, func(r Record) error { last = r.Seq; return nil }); errs.CodeOf(err) != errs.LogBroken || last != 2 {
		t.Errorf("up to %d: %v", last, err)
	}
}

// Whoever waits is told, a check that is given up breaks nothing, and a file that
// cannot be read is not taken for whole.
func TestCheckEnds(t *testing.T) {
	e := longLog(t, limits.AuditCheckAtStart+limits.AuditPause)
	l := e.open()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Check(ctx); errs.CodeOf(err) != errs.Cancelled {
		t.Fatal(err)
	}
	if st := l.Status(); st.Checked || st.Broken != nil {
		t.Fatalf("%+v", st)
	}
	if err := os.Rename(filepath.Join(e.dir(), auditlog.LogFile), filepath.Join(e.dir(), "gone")); err != nil {
		t.Fatal(err)
	}
	if err := l.Check(context.Background()); !saysRecord(err, "cannot be read to its end") {
		t.Fatal(err)
	}
	if err := Export(context.Background(), e.dir(), io.Discard); errs.CodeOf(err) != errs.LogBroken {
		t.Errorf("Export: %v", err)
	}
}
