package audit

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// closedLog makes a home whose log has batches of one record and one batch of
// several, and a clean end.
func closedLog(t testing.TB, n int) *env {
	e := newEnv(t)
	l := e.open()
	appendN(t, l, n)
	for i := range 3 {
		if err := l.Note(sample(i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	e.mustVerify()
	return e
}

// owner tells, for each byte of a log, the records that it may be named as.
func owner(log []byte) (of [][2]uint64) {
	seq := uint64(0)
	for _, line := range bytes.SplitAfter(log, []byte("\n")) {
		who := [2]uint64{seq, seq}
		if auditlog.IsCheckpointLine(line) {
			// A checkpoint line belongs to the record before it; one whose
			// first bytes are gone looks like a bad record after it.
			who = [2]uint64{seq - 1, seq}
		} else {
			seq++
		}
		for range line {
			of = append(of, who)
		}
	}
	return of
}

// One changed byte, anywhere in the three files, is found, and in the log
// the record is named. Without the check, nothing tells: the control reads on.
func TestEveryFlippedByteIsNamed(t *testing.T) {
	e := closedLog(t, 3)
	log := e.file(auditlog.LogFile)
	of := owner(log)
	for i := range log {
		b := bytes.Clone(log)
		b[i] ^= 1 << (i % 8)
		e.write(auditlog.LogFile, b)
		rep := e.verify()
		if rep.OK || rep.FirstBad == nil {
			t.Fatalf("byte %d of the log: verifies", i)
		}
		if *rep.FirstBad < of[i][0] || *rep.FirstBad > of[i][1] {
			t.Fatalf("byte %d: names record %d, the byte is of %d (%s)", i, *rep.FirstBad, of[i], rep.Reason)
		}
		if rep.Err() == nil || errs.From(rep.Err()).Exit() != errs.ExitIntegrity {
			t.Fatal("exit code")
		}
	}
	e.write(auditlog.LogFile, log)
	for _, name := range []string{auditlog.CheckpointFile, auditlog.KeyFile} {
		orig := e.file(name)
		for i := range orig {
			if orig[i] == ' ' && i%64 != 0 {
				continue // padding; package auditlog's test flips each bit of it
			}
			b := bytes.Clone(orig)
			b[i] ^= 1 << (i % 8)
			e.write(name, b)
			if rep := e.verify(); rep.OK {
				t.Fatalf("byte %d of %s: verifies", i, name)
			}
		}
		e.write(name, orig)
	}
	e.mustVerify()
}

// Flipped bytes that Open's bounded check must see: all in the last batch and
// in the checkpoint file's good half. It repairs the other half and says so.
func TestOpenChecksTheEnd(t *testing.T) {
	e := closedLog(t, 3)
	log := e.file(auditlog.LogFile)
	body := bytes.TrimSuffix(log, []byte("\n"))
	cp := body[bytes.LastIndexByte(body, '\n')+1:]
	for i := len(log) - len(cp) - 200; i < len(log); i++ {
		b := bytes.Clone(log)
		b[i] ^= 1
		e.write(auditlog.LogFile, b)
		if err := e.openErr(); errs.CodeOf(err) != errs.LogBroken {
			t.Fatalf("byte %d: %v", i, err)
		}
	}
	e.write(auditlog.LogFile, log)
	half := e.file(auditlog.CheckpointFile)
	both := bytes.Clone(half)
	both[10] ^= 1
	both[limits.AuditSlot+10] ^= 1
	e.write(auditlog.CheckpointFile, both)
	if err := e.openErr(); errs.CodeOf(err) != errs.LogBroken {
		t.Fatal(err)
	}
	// Damage the older half only: that is a torn write, and it is mended.
	old := bytes.Clone(half)
	key, err := auditlog.ParseKey(strings.TrimSpace(string(e.file(auditlog.KeyFile))))
	if err != nil {
		t.Fatal(err)
	}
	h := parseHalves(half, key)
	old[(1-h.bestHalf)*limits.AuditSlot+10] ^= 1
	e.write(auditlog.CheckpointFile, old)
	if rep := e.verify(); rep.OK {
		t.Fatal("a damaged half passes unseen")
	}
	l := e.open()
	if got := fmt.Sprint(kinds(e.records(l, Filter{Last: 2}))); got != "[recovered core-start]" {
		t.Fatal(got)
	}
	e.mustVerify()
}

// A cut at any byte, at a checkpoint too, is found, by verify and by open, and
// the place where the last checkpoint stood is said.
func TestEveryCutIsFound(t *testing.T) {
	e := closedLog(t, 3)
	log := e.file(auditlog.LogFile)
	full := e.mustVerify()
	says := fmt.Sprintf("stood at %d records, root %s", full.Size, full.Root)
	path := filepath.Join(e.dir(), auditlog.LogFile)
	for n := len(log) - 1; n >= 0; n-- {
		if err := os.Truncate(path, int64(n)); err != nil {
			t.Fatal(err)
		}
		rep := e.verify()
		if rep.OK || !strings.Contains(rep.Reason, says) || rep.LastCheckpoint.Size != full.Size {
			t.Fatalf("cut to %d bytes: %+v", n, rep)
		}
		// The first record that is not whole any more.
		var want uint64
		for _, l := range bytes.SplitAfter(log[:n], []byte("\n")) {
			if bytes.HasSuffix(l, []byte("\n")) && !auditlog.IsCheckpointLine(l) {
				want++
			}
		}
		if *rep.FirstBad != want {
			t.Fatalf("cut to %d bytes: names %d, want %d", n, *rep.FirstBad, want)
		}
		if n%37 == 0 || n == 0 {
			if err := e.openErr(); errs.CodeOf(err) != errs.LogBroken {
				t.Fatalf("cut to %d bytes: open says %v", n, err)
			}
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if rep := e.verify(); rep.OK || !strings.Contains(rep.Reason, says) {
		t.Fatalf("no log file: %+v", rep)
	}
	if err := e.openErr(); errs.CodeOf(err) != errs.LogBroken {
		t.Fatal(err)
	}
	e.write(auditlog.LogFile, log)
	if err := os.Remove(filepath.Join(e.dir(), auditlog.CheckpointFile)); err != nil {
		t.Fatal(err)
	}
	if rep := e.verify(); rep.OK || !strings.Contains(rep.Reason, "checkpoint file is missing") {
		t.Fatalf("no checkpoint file: %+v", rep)
	}
	if err := e.openErr(); errs.CodeOf(err) != errs.LogBroken {
		t.Fatal(err)
	}
}

// Both files cut together look whole, which the notice says; an anchor from
// outside finds it, and finds a history that was written anew with the key.
func TestAnchorsFindWhatTheFilesCannot(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	appendN(t, l, 2)
	settle(l)
	oldLog, oldHalves := e.file(auditlog.LogFile), e.file(auditlog.CheckpointFile)
	oldRep := e.mustVerify()
	appendN(t, l, 2)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	full := e.mustVerify()
	anchor := Point{full.Size, full.Root}
	early := Point{oldRep.Size, oldRep.Root}
	if rep := e.verify(anchor, early); !rep.OK || rep.Notice != noticeAnchor {
		t.Fatalf("%+v", rep)
	}
	e.write(auditlog.LogFile, oldLog)
	e.write(auditlog.CheckpointFile, oldHalves)
	rep := e.mustVerify() // the control: without an anchor nothing is seen
	if !strings.Contains(rep.Notice, "only an anchor") {
		t.Fatalf("verify does not say what it cannot see: %+v", rep)
	}
	if rep := e.verify(anchor); rep.OK || !strings.Contains(rep.Reason, "an anchor names") || *rep.FirstBad != oldRep.Size {
		t.Fatalf("%+v", rep)
	}
	// The same user, with the key, goes on from there: another history.
	l = e.open()
	appendN(t, l, 5)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	e.mustVerify()
	if rep := e.verify(anchor); rep.OK || !strings.Contains(rep.Reason, "rewritten") {
		t.Fatalf("%+v", rep)
	}
	if rep := e.verify(early); !rep.OK {
		t.Fatalf("the common beginning is denied: %+v", rep)
	}
	if rep := e.verify(early, Point{early.Size, anchor.Root}); rep.OK {
		t.Fatal("two anchors that contradict each other pass")
	}
}

// Two logs of the same program cannot be exchanged, whole or in parts.
func TestSplice(t *testing.T) {
	a, b := closedLog(t, 3), closedLog(t, 3)
	files := []string{auditlog.LogFile, auditlog.CheckpointFile, auditlog.KeyFile}
	var mine, theirs [3][]byte
	for i, f := range files {
		mine[i], theirs[i] = a.file(f), b.file(f)
	}
	for mix := 1; mix < 7; mix++ {
		for i, f := range files {
			if mix>>i&1 == 1 {
				a.write(f, theirs[i])
			} else {
				a.write(f, mine[i])
			}
		}
		if rep := a.verify(); rep.OK {
			t.Errorf("mix %03b of two logs verifies", mix)
		}
	}
	// All three are another log: it verifies, and the key tells whose it is.
	for i, f := range files {
		a.write(f, theirs[i])
	}
	if rep := a.mustVerify(); rep.Key+"\n" != string(theirs[2]) {
		t.Error("the report does not show the key")
	}
	// Our core does not take it for its own.
	if err := a.openErr(); errs.CodeOf(err) != errs.LogBroken {
		t.Errorf("Open: %v", err)
	}
}

// meant is the answer of who wants a whole log away.
func meant(Report) error { return nil }

// A whole log is put away only by who means it.
func TestSetAsideWhole(t *testing.T) {
	e := closedLog(t, 3)
	full := e.mustVerify()
	asked := Report{}
	no := func(r Report) error { asked = r; return errs.New(errs.Denied, "test") }
	if err := SetAside(context.Background(), e.dir(), no); errs.CodeOf(err) != errs.Denied || asked.Size != full.Size {
		t.Fatalf("%v, asked about %d records of %d", err, asked.Size, full.Size)
	}
	if rep := e.mustVerify(); rep.Root != full.Root {
		t.Errorf("it is another log: %+v", rep)
	}
	if err := SetAside(context.Background(), e.dir(), meant); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(context.Background(), e.dir()); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("it was not put away: %v", err)
	}
}

// A broken log is set aside by a person; the new one says so in record 0.
func TestSetAside(t *testing.T) {
	e := closedLog(t, 3)
	full := e.mustVerify()
	log := e.file(auditlog.LogFile)
	log[50] ^= 1
	e.write(auditlog.LogFile, log[:len(log)-1])
	if err := e.openErr(); errs.CodeOf(err) != errs.LogBroken {
		t.Fatal(err)
	}
	if err := SetAside(context.Background(), e.dir(), meant); err != nil {
		t.Fatal(err)
	}
	l := e.open()
	if err := SetAside(context.Background(), e.dir(), meant); errs.CodeOf(err) != errs.CoreBusy {
		t.Fatalf("set aside under a running core: %v", err)
	}
	rs := e.records(l, Filter{})
	if rs[0].Kind != auditlog.HistoryBreak || rs[0].Size != full.Size || rs[0].Root != full.Root || rs[0].Corr != full.Origin {
		t.Fatalf("%+v", rs[0])
	}
	rep := e.mustVerify()
	if rep.Origin == full.Origin || rep.Key == full.Key {
		t.Error("the new log goes on under the old key")
	}
	old, err := Verify(context.Background(), filepath.Join(e.dir(), "aside-1"))
	if err != nil || old.OK || *old.FirstBad != 0 {
		t.Fatalf("%+v, %v", old, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// A log whose files were simply deleted: the key tells that there was one.
	for _, f := range []string{auditlog.LogFile, auditlog.CheckpointFile, auditlog.KeyFile, "aside-1"} {
		if err := os.RemoveAll(filepath.Join(e.dir(), f)); err != nil {
			t.Fatal(err)
		}
	}
	l = e.open()
	if rs := e.records(l, Filter{}); rs[0].Kind != auditlog.HistoryBreak || rs[0].Code != codeMissing {
		t.Fatalf("%+v", rs[0])
	}
}

func TestVerifyWhereNothingIs(t *testing.T) {
	ctx := context.Background()
	if _, err := Verify(ctx, filepath.Join(t.TempDir(), "no")); errs.CodeOf(err) != errs.NotFound {
		t.Error(err)
	}
	if _, err := Verify(ctx, t.TempDir()); errs.CodeOf(err) != errs.NotFound {
		t.Error(err)
	}
	if err := Export(ctx, t.TempDir(), new(bytes.Buffer)); errs.CodeOf(err) != errs.NotFound {
		t.Error(err)
	}
	e := closedLog(t, 1)
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := SetAside(cancelled, e.dir(), meant); errs.CodeOf(err) != errs.Cancelled {
		t.Error(err)
	}
	// A copy that anyone may read, of any owner, is checked as well.
	for _, f := range []string{auditlog.LogFile, auditlog.CheckpointFile, auditlog.KeyFile} {
		if err := os.Chmod(filepath.Join(e.dir(), f), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(e.dir(), 0o755); err != nil {
		t.Fatal(err)
	}
	e.mustVerify()
	if err := e.openErr(); errs.CodeOf(err) != errs.HomeUnusable {
		t.Errorf("a directory that others may read is used: %v", err)
	}
}
