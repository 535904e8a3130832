package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

// What a power loss leaves behind the last durable checkpoint file: the log's
// last batch cut at any byte, whole, or full of zeros. It is recovered, said,
// and no tampering; and it never hides a cut below the checkpoint.
func TestUnfinishedBatch(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	appendN(t, l, 2)
	settle(l)
	halves := e.file(auditlog.CheckpointFile)
	base := e.file(auditlog.LogFile)
	appendN(t, l, 1)
	log := e.file(auditlog.LogFile)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	aside := []byte(nil)
	try := func(name string, tail []byte, want auditlog.Kind) {
		t.Helper()
		e.write(auditlog.CheckpointFile, halves)
		e.write(auditlog.LogFile, append(append(aside, base...), tail...))
		rep := e.verify()
		if !rep.OK || (want == auditlog.Recovered) != (rep.Unfinished > 0) {
			t.Fatalf("%s: %+v", name, rep)
		}
		l := e.open()
		rs := e.records(l, Filter{Last: 2})
		if rs[0].Kind != want || rs[1].Kind != auditlog.CoreStart || rs[1].Code != codeUnclean {
			t.Fatalf("%s: %v", name, kinds(rs))
		}
		if want == auditlog.Recovered && rs[0].Size != uint64(len(tail)) {
			t.Fatalf("%s: says %d bytes, want %d", name, rs[0].Size, len(tail))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		e.mustVerify()
	}
	last := log[len(base):]
	for n := 1; n < len(last); n += 7 {
		try(fmt.Sprintf("%d bytes of the batch", n), last[:n], auditlog.Recovered)
	}
	try("all but the line feed", last[:len(last)-1], auditlog.Recovered)
	try("whole", last, auditlog.Grant)
	try("zeros", make([]byte, 3*limits.AuditLine), auditlog.Recovered)
	try("zeros inside", append(bytes.Clone(last[:300]), make([]byte, len(last)-300)...), auditlog.Recovered)

	// Control: the same damage with an acknowledged batch behind it is damage.
	for _, bad := range []int{5, len(last) - 30} {
		b := bytes.Clone(log)
		b[len(base)-len(last)+bad] ^= 1
		e.write(auditlog.CheckpointFile, halves)
		e.write(auditlog.LogFile, b)
		if rep := e.verify(); rep.OK {
			t.Fatal("damage below the checkpoint passes as an unfinished batch")
		}
	}
	// And a torn tail does not cover for a record that was cut out below it.
	e.write(auditlog.LogFile, append(bytes.Clone(base[:len(base)-10]), last[:100]...))
	if rep := e.verify(); rep.OK {
		t.Fatal("a cut hides behind a torn tail")
	}
	if err := e.openErr(); errs.CodeOf(err) != errs.LogBroken {
		t.Fatal(err)
	}
}

// Sixteen writers, a reader and a verifier beside them.
func TestConcurrentWriters(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	const writers, each = 16, 20
	var wg sync.WaitGroup
	var done atomic.Bool
	seen := make([]bool, writers*each*2+2)
	var mu sync.Mutex
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := l.Note(sample(i)); err != nil {
					t.Error(err)
				}
				seq, err := l.Append(context.Background(), sample(w*each+i))
				mu.Lock()
				if err != nil || seen[seq] {
					t.Errorf("seq %d twice, or %v", seq, err)
				}
				seen[seq] = true
				mu.Unlock()
			}
		})
	}
	var watch sync.WaitGroup
	watch.Go(func() {
		for size := uint64(0); !done.Load(); {
			rep, err := Verify(context.Background(), e.dir())
			if err != nil || !rep.OK || rep.Size < size {
				t.Errorf("beside writers: %+v, %v", rep, err)
				return
			}
			size = rep.Size
			if err := l.Read(context.Background(), Filter{Last: 3}, func(Record) error { return nil }); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	done.Store(true)
	watch.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if rep := e.mustVerify(); rep.Size != writers*each*2+2 {
		t.Fatalf("%+v", rep)
	}
	// Group commit: fewer checkpoints than acknowledged records.
	if n := bytes.Count(e.file(auditlog.LogFile), []byte(`{"checkpoint"`)); n >= writers*each {
		t.Errorf("%d checkpoints for %d records: nothing was shared", n, writers*each)
	}
}

func TestSecondCoreIsRefused(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	if err := e.openErr(); errs.CodeOf(err) != errs.CoreBusy {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := e.openErr(); err != nil {
		t.Fatal(err)
	}
}

// Heartbeats come with the timer, are anchored, and make the checkpoint
// file durable.
func TestHeartbeat(t *testing.T) {
	e := newEnv(t)
	cfg := e.config()
	tick := make(chan time.Time)
	var asked atomic.Int64
	cfg.After = func(d time.Duration) <-chan time.Time {
		asked.Store(int64(d))
		return tick
	}
	var synced atomic.Int32
	cfg.Home = cfg.Home.WithHook(func(s safefile.Step) error {
		if s.Op == safefile.OpSync && s.Name == auditlog.CheckpointFile {
			synced.Add(1)
		}
		return nil
	})
	l, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	before := synced.Load()
	tick <- time.Time{}
	tick <- time.Time{} // taken when the first beat is done
	if time.Duration(asked.Load()) != limits.AuditHeartbeat {
		t.Errorf("asked for %v", time.Duration(asked.Load()))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	rep := e.mustVerify()
	if rep.Size != 4 || synced.Load()-before != 3 {
		t.Errorf("%d records, %d syncs", rep.Size, synced.Load()-before)
	}
	// The start, each beat and the end are anchored.
	if len(e.anchor.points) != 4 || e.anchor.points[3] != (Point{rep.Size, rep.Root}) {
		t.Errorf("%+v", e.anchor.points)
	}
	if rep := e.verify(e.anchor.points...); !rep.OK {
		t.Errorf("own anchors: %+v", rep)
	}
}

func TestStatusIsHonest(t *testing.T) {
	e := newEnv(t)
	e.anchor.err = errs.New(errs.NotSupported, "test")
	l := e.open()
	if st := l.Status(); st.Keyring || !strings.Contains(st.KeyDetail, "not protected") || st.Anchored || st.Size != 1 || st.Origin == "" {
		t.Errorf("%+v", st)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// Destroy an app's key: its details are gone, another app's are not, every
// proof verifies, of an export made before as well.
func TestErase(t *testing.T) {
	e := newEnv(t)
	ctx := context.Background()
	l := e.open()
	appendN(t, l, 2)
	other := sample(5)
	other.Actor.App = "studio"
	if _, err := l.Append(ctx, other); err != nil {
		t.Fatal(err)
	}
	var before bytes.Buffer
	if err := Export(ctx, e.dir(), &before); err != nil {
		t.Fatal(err)
	}
	if rs := e.records(l, Filter{}); rs[1].Detail["path"] == "" || rs[1].Erased {
		t.Fatalf("control: %+v", rs[1])
	}
	if err := l.Erase(ctx, "bailey"); err != nil {
		t.Fatal(err)
	}
	rs := e.records(l, Filter{})
	for _, r := range rs[1:3] {
		if r.Detail != nil || !r.Erased {
			t.Fatalf("%+v", r)
		}
		if j, err := r.JSON(); err != nil || !bytes.Contains(j, []byte(`"detail_erased":true`)) || bytes.Contains(j, []byte("secret")) {
			t.Fatalf("%s, %v", j, err)
		}
	}
	if rs[3].Detail["path"] == "" {
		t.Error("the other app's detail is gone")
	}
	if k := fmt.Sprint(kinds(rs[4:])); k != "[intent erased]" {
		t.Error(k)
	}
	e.mustVerify()
	if rep, err := VerifyExport(ctx, &before); err != nil || !rep.OK {
		t.Errorf("%+v, %v", rep, err)
	}
	// New records of the app get a new key: old details stay shut, new tags
	// do not match old ones.
	appendN(t, l, 1)
	rs = e.records(l, Filter{})
	newest := rs[len(rs)-1]
	if newest.Detail["path"] == "" || !rs[1].Erased || newest.Tag == rs[1].Tag {
		t.Errorf("%+v", newest)
	}
	if err := l.Erase(ctx, "no such app"); errs.CodeOf(err) != errs.Malformed {
		t.Error(err)
	}
}

// Nothing that was put in sealed or tagged stands in the log or an export.
func TestExportHoldsNoSecrets(t *testing.T) {
	e := newEnv(t)
	ctx := context.Background()
	l := e.open()
	secrets := map[string]string{
		"path": "/home/ada/Tagebuch", "host": "api.example.com", "argv": "git push --force",
		"digest": "sha256:0123456789abcdef", "raw": "caf\xe9/\xff",
	}
	ev := sample(1)
	ev.Detail, ev.Tagged = secrets, secrets["path"]
	if _, err := l.Append(ctx, ev); err != nil {
		t.Fatal(err)
	}
	rs := e.records(l, Filter{Last: 1})
	for k, v := range secrets { // control: they are in there
		if rs[0].Detail[k] != v {
			t.Errorf("%s is %q", k, rs[0].Detail[k])
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := Export(ctx, e.dir(), &out); err != nil {
		t.Fatal(err)
	}
	for where, b := range map[string][]byte{"export": out.Bytes(), "log": e.file(auditlog.LogFile), "checkpoint": e.file(auditlog.CheckpointFile)} {
		for _, v := range secrets {
			for _, form := range []string{v, base64.StdEncoding.EncodeToString([]byte(v)), base64.RawURLEncoding.EncodeToString([]byte(v))} {
				if bytes.Contains(b, []byte(form)) {
					t.Errorf("%s holds %q", where, form)
				}
			}
			for _, word := range strings.FieldsFunc(v, func(r rune) bool { return r == '/' || r == ' ' || r == '.' || r == ':' }) {
				if len(word) > 4 && word != "sha256" && bytes.Contains(b, []byte(word)) {
					t.Errorf("%s holds %q", where, word)
				}
			}
		}
	}
	// Without the keys' files, nothing opens it.
	if err := os.RemoveAll(filepath.Join(e.home, KeysName)); err != nil {
		t.Fatal(err)
	}
	if rep, err := VerifyExport(ctx, &out); err != nil || !rep.OK {
		t.Errorf("%+v, %v", rep, err)
	}
	err := e.openErr()
	if told := errs.From(err); told == nil || told.Code != errs.LogUnwritable || !strings.Contains(told.Message(), "keys/audit-log, is missing") || !strings.Contains(told.HintText(), "set-aside") {
		t.Errorf("a log without its signing key: %v", err)
	}
}

func TestEventsThatDoNotFit(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	for name, c := range map[string]struct {
		change func(*Event)
		code   errs.Code
	}{
		"escape in a field":  {func(ev *Event) { ev.Actor.Task = "\x1b]0;x\x07" }, errs.Malformed},
		"path in a field":    {func(ev *Event) { ev.Grant = "/home/ada/my file" }, errs.Malformed},
		"no kind":            {func(ev *Event) { ev.Kind = "" }, errs.Malformed},
		"detail without app": {func(ev *Event) { ev.Actor.App = "" }, errs.Malformed},
		"detail key":         {func(ev *Event) { ev.Detail = map[string]string{"a b": "c"} }, errs.Malformed},
		"huge detail":        {func(ev *Event) { ev.Detail = map[string]string{"path": strings.Repeat("a", limits.AuditDetail)} }, errs.TooLarge},
	} {
		ev := sample(1)
		c.change(&ev)
		if _, err := l.Append(context.Background(), ev); errs.CodeOf(err) != c.code {
			t.Errorf("%s: Append: %v", name, err)
		}
		if err := l.Note(ev); errs.CodeOf(err) != c.code {
			t.Errorf("%s: Note: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Append(ctx, sample(1)); errs.CodeOf(err) != errs.Cancelled && err != nil {
		t.Error(err)
	}
	e.mustVerify()
}

// The largest detail fits a record, a line and a Show response, and what acts
// on a terminal is escaped.
func TestRecordJSON(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	ev := sample(1)
	ev.Detail = map[string]string{"path": "a\u202eb\x1b[2J\x7f\u0085\u200b\U000e0041<é日"}
	if _, err := l.Append(context.Background(), ev); err != nil {
		t.Fatal(err)
	}
	// Every byte of a path may take six when it is escaped.
	big := sample(2)
	big.Detail = map[string]string{"path": strings.Repeat("\x7f", 4096), "from": strings.Repeat("<", 4096), "kind": "file.read"}
	if _, err := l.Append(context.Background(), big); err != nil {
		t.Fatal(err)
	}
	rs := e.records(l, Filter{Last: 2})
	if rs[0].Detail["path"] != ev.Detail["path"] || rs[1].Detail["path"] != big.Detail["path"] {
		t.Fatal("detail differs")
	}
	for _, r := range rs {
		j, err := r.JSON()
		if err != nil || len(j) > 60000 {
			t.Fatalf("%d bytes, %v", len(j), err)
		}
		var back struct {
			Seq    uint64
			Detail map[string]string
			Sealed string
		}
		err = json.Unmarshal(j, &back)
		got := back.Detail["path"]
		if b, err := base64.StdEncoding.DecodeString(back.Detail["path~b64"]); err == nil && len(b) > 0 {
			got = string(b)
		}
		if err != nil || got != r.Detail["path"] || back.Sealed != "" {
			t.Fatalf("%.200s: %v", j, err)
		}
		for _, bad := range []string{"\u202e", "\x1b", "\x7f", "\u0085", "\u200b", "\U000e0041"} {
			if bytes.Contains(j, []byte(bad)) {
				t.Errorf("%q stands in %q", bad, j)
			}
		}
		if r.Seq == 1 && !bytes.Contains(j, []byte("é日")) {
			t.Errorf("readable text is escaped: %s", j)
		}
	}
}

// A full disk: who waits is told, what was buffered is kept and written when
// there is room, and nothing half written stays.
func TestFullDisk(t *testing.T) {
	t.Run("injected", func(t *testing.T) {
		e := newEnv(t)
		var full atomic.Bool
		e.hook = func(s safefile.Step) error {
			if full.Load() && s.Op == safefile.OpWrite && s.Name == auditlog.LogFile {
				return &safefile.Short{N: s.Size / 3, Err: syscall.ENOSPC}
			}
			return nil
		}
		l := e.open()
		fillAndFree(t, e, l, func() { full.Store(true) }, func() { full.Store(false) })
	})
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small tmpfs; the injected case has run")
	}
	t.Run("tmpfs", func(t *testing.T) {
		e := newEnv(t)
		if err := os.Mkdir(e.home, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount("tmpfs", e.home, "tmpfs", 0, "size=3m,mode=700"); err != nil {
			t.Skipf("root without the right to mount (%v); the injected case has run", err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(e.home, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		l := e.open()
		ballast := filepath.Join(e.home, "ballast")
		fillAndFree(t, e, l, func() {
			f, err := os.Create(ballast)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := io.Copy(f, zeros{}); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("filling the disk: %v", err)
			}
		}, func() {
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		})
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func fillAndFree(t *testing.T, e *env, l *Log, fill, free func()) {
	t.Helper()
	ctx := context.Background()
	appendN(t, l, 2)
	fill()
	// The last page of the log may have room; with a full disk it ends soon.
	var err error
	good := 2
	for range 100 {
		if _, err = l.Append(ctx, sample(1)); err != nil {
			break
		}
		good++
	}
	if errs.CodeOf(err) != errs.NoSpace {
		t.Fatalf("Append on a full disk: %v", err)
	}
	if rep := e.mustVerify(); rep.Size != uint64(good+1) {
		t.Fatalf("%d acknowledged, %+v", good, rep)
	}
	noted := 0
	for range 2 * limits.AuditQueue {
		if err = l.Note(Event{Kind: auditlog.Call}); err != nil {
			break
		}
		noted++
	}
	if errs.CodeOf(err) != errs.NoSpace || noted > limits.AuditQueue {
		t.Fatalf("the queue took %d records: %v", noted, err)
	}
	free()
	appendN(t, l, 1)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if rep := e.mustVerify(); rep.Size != uint64(good+1+noted+1+1) {
		t.Fatalf("%d noted, %+v", noted, rep)
	}
}

// A disk that has room for the log and none for the checkpoint beside it, as where a
// file system writes nothing in its place, costs the older checkpoint and no more.
func TestFullDiskForTheCheckpoint(t *testing.T) {
	e := newEnv(t)
	var full atomic.Bool
	var met atomic.Int32
	e.hook = func(s safefile.Step) error {
		if full.Load() && s.Op == safefile.OpWrite && s.Name == auditlog.CheckpointFile {
			met.Add(1)
			return &safefile.Short{N: s.Size / 3, Err: syscall.ENOSPC}
		}
		return nil
	}
	l := e.open()
	for i := range 6 {
		full.Store(i > 0 && i < 4)
		if _, err := l.Append(t.Context(), sample(i)); err != nil {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if rep := e.mustVerify(); rep.Size != 6+2 || met.Load() == 0 {
		t.Errorf("%+v, met %d times", rep, met.Load())
	}
}

// Close on a disk that is still full does not hide that records are lost.
func TestCloseSaysWhatIsLost(t *testing.T) {
	e := newEnv(t)
	var full atomic.Bool
	e.hook = func(s safefile.Step) error {
		if full.Load() && s.Op == safefile.OpWrite && s.Name == auditlog.LogFile {
			return syscall.ENOSPC
		}
		return nil
	}
	l := e.open()
	full.Store(true)
	if err := l.Note(sample(1)); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); errs.CodeOf(err) != errs.NoSpace {
		t.Fatal(err)
	}
	e.mustVerify()
}
