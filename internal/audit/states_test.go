package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/safefile"
)

// Setting a log aside is stopped at each step; going on later loses nothing.
func TestSetAsideIsStopped(t *testing.T) {
	for n := 0; ; n++ {
		e := closedLog(t, 2)
		log := e.file(auditlog.LogFile)
		d, err := safefile.OpenDir(e.dir())
		if err != nil {
			t.Fatal(err)
		}
		i := 0
		err = setAside(d.WithHook(func(safefile.Step) error {
			i++
			if i-1 == n {
				return syscall.EIO
			}
			return nil
		}))
		if i <= n { // no step was left to fail
			if err != nil || n < 6 {
				t.Fatalf("%d steps: %v", n, err)
			}
			return
		}
		if err == nil {
			t.Fatalf("step %d failed and nobody says so", n)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		// Whatever is left: either it is whole, or Open says what is wrong and
		// setting aside again helps.
		if err := e.openErr(); err != nil {
			if errs.CodeOf(err) != errs.LogBroken {
				t.Fatalf("step %d: %v", n, err)
			}
			if err := SetAside(context.Background(), e.dir(), meant); err != nil {
				t.Fatalf("step %d: %v", n, err)
			}
		}
		l := e.open()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		e.mustVerify()
		found := false
		for _, dir := range []string{".", "aside-1", "aside-2"} {
			b, err := os.ReadFile(filepath.Join(e.dir(), dir, auditlog.LogFile))
			found = found || err == nil && bytes.HasPrefix(b, log)
		}
		if !found {
			t.Fatalf("step %d: the old log is gone", n)
		}
	}
}

// The states that a first start can be killed in, made by hand.
func TestStatesOfAFirstStart(t *testing.T) {
	for name, remove := range map[string][]string{
		"key only":                 {auditlog.LogFile, auditlog.CheckpointFile, auditlog.KeyFile},
		"key and public key":       {auditlog.LogFile, auditlog.CheckpointFile},
		"all but the log":          {auditlog.LogFile},
		"all but the public key":   {auditlog.KeyFile},
		"log gone, public key too": {auditlog.LogFile, auditlog.KeyFile},
	} {
		e := newEnv(t)
		// A log of size 0: made, and stopped before its first record.
		e.hook = func(s safefile.Step) error {
			if s.Op == safefile.OpWrite && s.Name == auditlog.LogFile {
				return syscall.ENOSPC
			}
			return nil
		}
		if err := e.openErr(); errs.CodeOf(err) != errs.NoSpace {
			t.Fatal(err)
		}
		e.hook = nil
		for _, f := range remove {
			if err := os.Remove(filepath.Join(e.dir(), f)); err != nil {
				t.Fatal(err)
			}
		}
		l := e.open()
		appendN(t, l, 1)
		if err := l.Close(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		e.mustVerify()
	}
}

func TestPublicKeyFileIsDerived(t *testing.T) {
	e := closedLog(t, 1)
	want := e.file(auditlog.KeyFile)
	other := closedLog(t, 1).file(auditlog.KeyFile)
	path := filepath.Join(e.dir(), auditlog.KeyFile)
	for name, b := range map[string][]byte{"missing": nil, "empty": {}, "another": other, "no line feed": bytes.TrimSpace(want)} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if b != nil {
			e.write(auditlog.KeyFile, b)
		}
		if rep := e.verify(); rep.OK {
			t.Errorf("%s: verifies", name)
		}
		if err := e.openErr(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := e.file(auditlog.KeyFile); !bytes.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
		e.mustVerify()
	}
	// A signing key that is damaged, or another's, never signs on.
	key := filepath.Join(e.home, KeysName, signerName)
	good, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{{}, []byte("x"), good[:len(good)-4], bytes.ReplaceAll(good, []byte("PRIVATE"), []byte("public"))} {
		if err := os.WriteFile(key, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := e.openErr(); errs.CodeOf(err) != errs.LogUnwritable {
			t.Errorf("key %q: %v", b, err)
		}
	}
}

// Someone without the key recomputes leaves, roots and sums behind a change:
// the batch is named, not the whole log.
func TestRewriteWithoutTheKey(t *testing.T) {
	e := closedLog(t, 4)
	lines := bytes.Split(bytes.TrimSuffix(e.file(auditlog.LogFile), []byte("\n")), []byte("\n"))
	var tree auditlog.Tree
	var batch []auditlog.Hash
	changed := false
	for i, l := range lines {
		if !auditlog.IsCheckpointLine(l) {
			if bytes.Contains(l, []byte(`"grant":"g2"`)) {
				l = bytes.Replace(l, []byte(`"decision":"allow"`), []byte(`"decision":"deny"`), 1)
				lines[i], changed = l, true
			}
			batch = append(batch, auditlog.LeafHash(l))
			tree.Add(auditlog.LeafHash(l))
			continue
		}
		if changed {
			msg, old, _, err := auditlog.ParseCheckpointLine(l)
			if err != nil {
				t.Fatal(err)
			}
			msg = bytes.Replace(msg, []byte(old.Root.String()), []byte(tree.Root().String()), 1)
			lines[i] = auditlog.AppendCheckpointLine(nil, msg, batch)
		}
		batch = nil
	}
	e.write(auditlog.LogFile, append(bytes.Join(lines, []byte("\n")), '\n'))
	rep := e.verify()
	if !changed || rep.OK || *rep.FirstBad != 3 || !strings.Contains(rep.Reason, "not signed by the log's key") {
		t.Fatalf("%+v", rep)
	}
	if err := Export(context.Background(), e.dir(), io.Discard); errs.CodeOf(err) != errs.LogBroken {
		t.Errorf("Export: %v", err)
	}
	if err := e.openErr(); errs.CodeOf(err) != errs.LogBroken {
		t.Errorf("Open: %v", err)
	}
}

func TestCancelled(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	for i := range 3000 {
		if err := l.Note(Event{Kind: auditlog.Call, Messages: uint64(i)}); err != nil {
			t.Fatal(err)
		}
	}
	settle(l)
	if n := len(e.records(l, Filter{})); n != 3001 {
		t.Fatal(n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Read(ctx, Filter{}, func(Record) error { return nil }); errs.CodeOf(err) != errs.Cancelled {
		t.Errorf("Read: %v", err)
	}
	if err := l.Read(ctx, Filter{Last: 1}, func(Record) error { return nil }); errs.CodeOf(err) != errs.Cancelled {
		t.Errorf("Read: %v", err)
	}
	if _, err := Verify(ctx, e.dir()); errs.CodeOf(err) != errs.Cancelled {
		t.Errorf("Verify: %v", err)
	}
	if err := Export(ctx, e.dir(), io.Discard); errs.CodeOf(err) != errs.Cancelled {
		t.Errorf("Export: %v", err)
	}
	stop := errors.New("enough")
	if err := l.Read(context.Background(), Filter{}, func(Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Read: %v", err)
	}
	if err := l.Read(context.Background(), Filter{Task: "a\"b"}, nil); errs.CodeOf(err) != errs.Malformed {
		t.Errorf("Read: %v", err)
	}
	if err := Export(context.Background(), e.dir(), failWriter{}); errs.CodeOf(err) != errs.Internal {
		t.Errorf("Export: %v", err)
	}
}

type failWriter struct{}

func (failWriter) Write([]byte) (int, error) { return 0, syscall.EPIPE }

// Verifying and exporting take memory that does not grow with the log: the peak
// of a process of its own stays far below a log of 100 MB.
func TestVerifyIsStreamed(t *testing.T) {
	e := newEnv(t)
	l := e.open()
	ev := sample(1)
	ev.Detail = map[string]string{"argv": strings.Repeat("a", 4096)}
	for range 18_000 {
		if err := l.Note(ev); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(filepath.Join(e.dir(), auditlog.LogFile)); err != nil || st.Size() < 100<<20 {
		t.Fatalf("control: the log is too small to show anything (%v)", err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = []string{crashEnv + "=verify", crashHome + "=" + e.home}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var kib int
	if _, err := fmt.Sscanf(string(out), "VmHWM: %d kB", &kib); err != nil || kib > 60<<10 {
		t.Errorf("peak %d KiB (%v)", kib, err)
	}
	t.Logf("peak %d KiB", kib)
}

// streamChild verifies and exports and prints its peak memory.
func streamChild(home string) error {
	dir := filepath.Join(home, DirName)
	if rep, err := Verify(context.Background(), dir); err != nil || !rep.OK {
		return errors.Join(err, rep.Err())
	}
	if err := Export(context.Background(), dir, io.Discard); err != nil {
		return err
	}
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(b[bytes.Index(b, []byte("VmHWM")):])
	return err
}

func TestMalformedExports(t *testing.T) {
	for _, s := range []string{"", "\n", "{}\n", "no line feed", strings.Repeat("x", 200_000)} {
		if rep, err := VerifyExport(context.Background(), strings.NewReader(s)); errs.CodeOf(err) != errs.BadExport {
			t.Errorf("%.20q: %+v, %v", s, rep, err)
		}
	}
}
