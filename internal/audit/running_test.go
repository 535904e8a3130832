package audit

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
)

// flip changes one byte of a record in place, as somebody would who has the file.
func (e *env) flip(name string, at int) {
	e.t.Helper()
	f, err := os.OpenFile(filepath.Join(e.dir(), name), os.O_RDWR, 0)
	if err != nil {
		e.t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, int64(at)); err != nil {
		e.t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, int64(at)); err != nil {
		e.t.Fatal(err)
	}
}

// The running log says the same as the one that needs no core, is asked again for
// nothing while nothing changed, and sees what was written since.
func TestVerifyRunning(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	defer l.Close()
	appendN(t, l, 30)
	got, err := l.Verify(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	settle(l)
	want := e.mustVerify()
	if !got.OK || got.Size != want.Size || got.Root != want.Root {
		t.Fatalf("%+v, want %+v", got, want)
	}
	again, err := l.Verify(t.Context())
	if err != nil || again != got {
		t.Errorf("%+v, %v", again, err)
	}
	if err := l.Note(sample(99)); err != nil {
		t.Fatal(err)
	}
	if more, err := l.Verify(t.Context()); err != nil || !more.OK || more.Size != got.Size+1 || more.Root == got.Root {
		t.Errorf("what was noted is missing: %+v, %v", more, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	last := <-l.verified
	if _, err := l.Verify(ctx); errs.CodeOf(err) != errs.Cancelled {
		t.Errorf("whoever gave up waits: %v", err)
	}
	l.verified <- last
}

// One byte of a record, of a checkpoint line or of the checkpoint file that was
// changed is found, also when the last report was good; the place is named, and
// nothing more is taken. The control is the same log before.
func TestVerifyRunningFindsAChangedByte(t *testing.T) {
	for name, place := range map[string]func(e *env) (file string, at int){
		"a record": func(e *env) (string, int) {
			return auditlog.LogFile, bytes.Index(e.file(auditlog.LogFile), []byte(`"terminal"`)) + 1
		},
		"a checkpoint": func(e *env) (string, int) {
			b := e.file(auditlog.LogFile)
			for i := 0; ; {
				n := bytes.IndexByte(b[i:], '\n')
				if auditlog.IsCheckpointLine(b[i : i+n]) {
					return auditlog.LogFile, i + n/2
				}
				i += n + 1
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			l := e.open()
			appendN(t, l, 20)
			if rep, err := l.Verify(t.Context()); err != nil || !rep.OK {
				t.Fatalf("the control: %+v, %v", rep, err)
			}
			file, at := place(e)
			e.flip(file, at)
			rep, err := l.Verify(t.Context())
			if err != nil || rep.OK || rep.FirstBad == nil || rep.Reason == "" {
				t.Fatalf("%+v, %v", rep, err)
			}
			select {
			case <-l.Broken():
			default:
				t.Error("the log is used on")
			}
			if _, err := l.Append(t.Context(), sample(1)); errs.CodeOf(err) != errs.LogBroken {
				t.Errorf("a record was taken: %v", err)
			}
			// Put back it is still the log that was found damaged.
			e.flip(file, at)
			if rep, err := l.Verify(t.Context()); err != nil || rep.OK {
				t.Errorf("%+v, %v", rep, err)
			}
			l.Close()
		})
	}
}

// A log and a checkpoint file that were put back together to an older state look
// whole to who has nothing else; the running core has.
func TestVerifyRunningFindsACut(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	appendN(t, l, 5)
	settle(l)
	log, halves := e.file(auditlog.LogFile), e.file(auditlog.CheckpointFile)
	appendN(t, l, 5)
	settle(l)
	e.write(auditlog.LogFile, log)
	e.write(auditlog.CheckpointFile, halves)
	if rep := e.verify(); !rep.OK {
		t.Fatalf("the control: %+v", rep)
	}
	rep, err := l.Verify(t.Context())
	if err != nil || rep.OK || !strings.Contains(rep.Reason, "cut") {
		t.Errorf("%+v, %v", rep, err)
	}
	l.Close()
}

// Writers go on while the log is verified, and every report is of a whole log.
func TestVerifyBesideWriters(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	defer l.Close()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 100 {
				if _, err := l.Append(t.Context(), sample(i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 3 {
		wg.Go(func() {
			for range 20 {
				if rep, err := l.Verify(t.Context()); err != nil || !rep.OK {
					t.Errorf("%+v, %v", rep, err)
					return
				}
			}
		})
	}
	wg.Wait()
	if rep, err := l.Verify(t.Context()); err != nil || !rep.OK || rep.Size < 400 {
		t.Errorf("%+v, %v", rep, err)
	}
}
