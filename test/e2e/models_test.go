package e2e

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// blobs are the files of the store of models, by what they take.
func (p *place) blobs() map[string]int64 {
	p.t.Helper()
	out := map[string]int64{}
	entries, err := os.ReadDir(filepath.Join(p.home, "state", "models", "blobs"))
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			p.t.Fatal(err)
		}
		out[e.Name()] = info.Size()
	}
	return out
}

type listed struct {
	Models []struct {
		Name, SHA256, Role string
		Size               int64
	}
}

func (p *place) models() listed {
	p.t.Helper()
	out, errb, code := p.bailey("model", "list", "--json")
	var l listed
	if err := json.Unmarshal([]byte(out), &l); code != 0 || err != nil {
		p.t.Fatalf("model list gave %d, %v: %s%s", code, err, out, errb)
	}
	return l
}

// Two pulls of one file at once: both say yes, one model and one blob are there,
// with nothing half beside it.
func TestTwoPullsOfOneFile(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	sum := sumOf(t, modelFile(talker))
	p.connect() // one core, started before
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if out, errb, code := p.bailey("model", "pull", modelFile(talker), "--sha256", sum); code != 0 {
				t.Errorf("a pull gave %d: %s%s", code, out, errb)
			}
		})
	}
	wg.Wait()
	if l := p.models(); len(l.Models) != 1 || l.Models[0].Name != talker || l.Models[0].SHA256 != sum {
		t.Errorf("%+v", l)
	}
	if b := p.blobs(); len(b) != 1 {
		t.Errorf("the store holds %v", b)
	}
	p.verified()
}

// A model that an engine holds is not removed unless that is said, and then its
// engine ends first.
func TestRemoveWhileInUse(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	p.pull(talker)
	c := p.connect()
	_, g := p.grant(c, p.wantModel(talker))
	a := p.talk(c, g)
	e := p.engine(c.PID)
	out, errb, code := p.bailey("model", "rm", talker, "--json")
	if code == 0 || !strings.Contains(out, "model-in-use") {
		t.Fatalf("rm of a model in use gave %d: %s%s", code, out, errb)
	}
	if err := a.next(); err != nil {
		t.Fatalf("the answer ended: %v", err)
	}
	if out, errb, code := p.bailey("model", "rm", talker, "--force"); code != 0 {
		t.Fatalf("rm --force gave %d: %s%s", code, out, errb)
	}
	if err := a.end(); err == nil {
		t.Error("the answer ended in order")
	}
	p.until(wait, "the engine to be gone", func() bool { return !proc.Alive(e) })
	if len(p.models().Models) != 0 || len(p.blobs()) != 0 {
		t.Errorf("left: %v, %v", p.models(), p.blobs())
	}
	p.verified()
}

// A command that is killed while it pulls, or whose core is, leaves no model and
// nothing half.
func TestKilledWhilePulling(t *testing.T) {
	needsEngine(t)
	for _, victim := range []string{"bailey", "bailey-core"} {
		t.Run(victim, func(t *testing.T) {
			p := newPlace(t)
			sum := sumOf(t, modelFile(talker))
			killed := 0
			// On a busy machine the process is not there yet at the first moments.
			for i := 0; i < 5 || killed < 2 && i < 60; i++ {
				cmd := p.command("model", "pull", modelFile(talker), "--sha256", sum)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				done := make(chan struct{})
				go func() { _ = cmd.Wait(); close(done) }()
				moment := time.NewTimer(time.Duration(i+1) * 20 * time.Millisecond)
				select {
				case <-moment.C:
				case <-done:
				}
				if p.kill(victim, cmd.Process.Pid, nil) {
					killed++
				}
				<-done
				p.gone(10 * time.Second)
				for _, m := range p.models().Models {
					if m.SHA256 != sum {
						t.Fatalf("%+v", m)
					}
				}
				p.gone(10 * time.Second)
			}
			if killed < 2 {
				t.Fatalf("only %d moments met the process: the test shows little", killed)
			}
			p.pull(talker)
			if b := p.blobs(); len(b) != 1 {
				t.Errorf("the store holds %v", b)
			}
			if out, errb, code := p.bailey("model", "verify"); code != 0 {
				t.Errorf("verify gave %d: %s%s", code, out, errb)
			}
			p.verified()
		})
	}
}

// A disk that fills up while a model is copied: the pull says so, nothing of it
// stays, and what was there works.
func TestDiskFullWhilePulling(t *testing.T) {
	needsEngine(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	p := newPlace(t)
	// The log has its place on it too.
	p.smallDisk("80m")
	p.pull(greeter)
	info, err := os.Stat(modelFile(talker))
	if err != nil {
		t.Fatal(err)
	}
	out, errb, code := p.bailey("model", "pull", modelFile(talker), "--sha256", sumOf(t, modelFile(talker)), "--json")
	if code == 0 || !strings.Contains(out, "no-space") {
		t.Fatalf("a pull of %d bytes onto 80 MB with a margin of 64 gave %d: %s%s", info.Size(), code, out, errb)
	}
	if l := p.models(); len(l.Models) != 1 || l.Models[0].Name != greeter {
		t.Errorf("%+v", l)
	}
	if b := p.blobs(); len(b) != 1 {
		t.Errorf("the store holds %v", b)
	}
	c := p.connect()
	_, g := p.grant(c, p.wantModel(greeter))
	if text, err := says(t.Context(), c, g.Handle); err != nil || strings.TrimSpace(text) != "Hello from a generated model." {
		t.Errorf("%q, %v", text, err)
	}
	p.verified()
}

// The same when the disk is full only after the copying has begun.
func TestDiskFillsUpWhilePulling(t *testing.T) {
	needsEngine(t)
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	p := newPlace(t)
	state := p.smallDisk("900m")
	c := p.connect()
	// Long enough to be met in its middle; that it is no model behind its first
	// megabytes is not looked at before all of it is there.
	big := filepath.Join(p.folder, "big.gguf")
	b, err := os.ReadFile(modelFile(greeter))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(big, b, 0o600), os.Truncate(big, 600<<20)); err != nil {
		t.Fatal(err)
	}
	in, err := c.Model.Pull(t.Context(), &modelv1.PullRequest{Task: p.task(c), Path: []byte(big)})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for filled := false; ; {
		m, err := in.Recv()
		if err != nil {
			if errs.CodeOf(err) != errs.NoSpace {
				t.Fatalf("the pull ended with %v", err)
			}
			if !filled {
				t.Fatal("control: it ended before the disk was filled")
			}
			break
		}
		if m.GetStaged() != nil {
			t.Fatal("it was staged")
		}
		if n := m.GetProgress().GetBytes(); n > 0 && n < m.GetProgress().GetTotal() && !filled {
			filled = true
			fill(t, filepath.Join(state, "filler"))
		}
	}
	if n := len(p.blobs()); n != 0 {
		t.Errorf("%d blobs are left", n)
	}
	if err := os.Remove(filepath.Join(state, "filler")); err != nil {
		t.Fatal(err)
	}
	p.pull(greeter)
	p.verified()
}

// smallDisk puts the state directory on a disk of its own.
func (p *place) smallDisk(size string) string {
	p.t.Helper()
	state := filepath.Join(p.home, "state")
	if err := errors.Join(os.Mkdir(state, 0o700), syscall.Mount("tmpfs", state, "tmpfs", 0, "size="+size+",mode=0700")); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		p.gone(wait)
		if err := syscall.Unmount(state, 0); err != nil {
			p.t.Error(err)
		}
	})
	return state
}

// fill takes all that is free on the disk of a new file.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &s); err != nil {
		t.Fatal(err)
	}
	for n := int64(s.Bavail) * s.Bsize; n > 0; n -= 1 << 20 {
		if err := syscall.Fallocate(int(f.Fd()), 0, 0, n); err == nil {
			return
		} else if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

// What one core has hashed the next one believes, by a seal, until the file is
// another: then it is hashed again, and found out.
func TestSealOverRestarts(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	p.pull(talker)
	answers := func() (code int, out string) {
		out, errb, code := p.bailey("chat", talker, "--private", "--prompt", "x", "--max-tokens", "1", "--json")
		p.bailey("stop")
		return code, out + errb
	}
	index := filepath.Join(p.home, "state", "models", "index.json")
	// The file has to have been left alone for some seconds before.
	p.until(10*limits.ModelSettled, "a seal", func() bool {
		if code, out := answers(); code != 0 {
			t.Fatalf("%d: %s", code, out)
		}
		if b, err := os.ReadFile(filepath.Join(p.home, "state", "core.log")); err == nil && strings.Contains(string(b), "cannot tell of writers") {
			t.Skip("the file system of the tests has no leases, without which nothing is sealed")
		}
		b, err := os.ReadFile(index)
		return err == nil && strings.Contains(string(b), `"seal": "`)
	})
	if code, out := answers(); code != 0 {
		t.Fatalf("sealed, and %d: %s", code, out)
	}
	for name := range p.blobs() {
		blob := filepath.Join(p.home, "state", "models", "blobs", name)
		info, err := os.Stat(blob)
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(blob, os.O_WRONLY, 0)
		if errors.Is(err, os.ErrPermission) {
			err = os.Chmod(blob, 0o600)
			if err == nil {
				f, err = os.OpenFile(blob, os.O_WRONLY, 0)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteAt([]byte{7, 7, 7, 7}, info.Size()/2)
		if err := errors.Join(err, f.Close(), os.Chtimes(blob, info.ModTime(), info.ModTime())); err != nil {
			t.Fatal(err)
		}
	}
	if code, out := answers(); code != int(errs.ExitIntegrity) || !strings.Contains(out, "model-changed") {
		t.Errorf("other bytes: %d: %s", code, out)
	}
}
