// Package graphics runs the programs with a graphics card: the question, the
// engine in the sandbox that has a driver in it, and what becomes of it when the
// card is withdrawn. It is for `make gpu-test` and left out otherwise; with
// SOFTWARE=1 the card is Mesa's lavapipe, which is Vulkan on the processor.
package graphics

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
)

const (
	// promised is ten times what revoking may take.
	promised = 2500 * time.Millisecond
	// wait is for lavapipe's compiler on a busy machine.
	wait  = 10 * time.Minute
	model = "generated"
)

// bin is where the programs are; TestMain sets it before any test runs.
var bin string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	libraries := os.Getenv("BAILEY_GRAPHICS")
	if libraries == "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("/var/tmp", "bailey-graphics-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = errors.Join(os.Chmod(dir, 0o755), install(dir, libraries))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	bin = dir
	return m.Run()
}

// install builds the programs and puts the libraries beside them. Where lavapipe
// has to pass for a card they are built with the tag that lets it.
func install(dir, libraries string) error {
	args := []string{"build", "-trimpath", "-tags", os.Getenv("BAILEY_GRAPHICS_TAGS"), "-o", dir + "/"}
	for _, p := range []string{"bailey", "bailey-core", "bailey-worker", "bailey-engine"} {
		args = append(args, "github.com/bailey-run/bailey/cmd/"+p)
	}
	c := exec.Command("go", args...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w\n%s", err, out)
	}
	return errors.Join(
		os.CopyFS(filepath.Join(dir, "engine"), os.DirFS(filepath.Join(filepath.Dir(libraries), "engine"))),
		os.CopyFS(filepath.Join(dir, "graphics"), os.DirFS(libraries)))
}

// rig is a home of its own with one model.
type rig struct {
	t    *testing.T
	home string
}

func start(t *testing.T, shape gguf.Shape) *rig {
	t.Helper()
	if bin == "" {
		t.Skip("no graphics device is used by itself: `make gpu-test`")
	}
	r := &rig{t, t.TempDir()}
	t.Cleanup(func() { r.command(context.Background(), "stop").Run() })
	var b bytes.Buffer
	if err := gguf.Llama(shape).Write(&b); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), model+".gguf")
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	r.ok("model", "pull", file, "--allow-model", model)
	return r
}

func (r *rig) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, filepath.Join(bin, "bailey"), append(args, "--home", r.home)...)
	c.WaitDelay = time.Second
	return c
}

// ok runs a command that must succeed.
func (r *rig) ok(args ...string) (out, says string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	var o, e bytes.Buffer
	c := r.command(ctx, args...)
	c.Stdout, c.Stderr = &o, &e
	if err := c.Run(); err != nil {
		r.t.Fatalf("bailey %s: %v\n%s%s", strings.Join(args, " "), err, o.String(), e.String())
	}
	return o.String(), e.String()
}

// answer is what `chat --json` says.
type answer struct {
	Card    string `json:"card"`
	Refused string `json:"card_refused"`
	Layers  int    `json:"card_layers"`
	VRAM    uint64 `json:"vram"`
	Text    string `json:"text"`
}

func (r *rig) chat(more ...string) answer {
	r.t.Helper()
	out, _ := r.ok(append([]string{"chat", model, "--private", "--json", "--temperature", "0", "--max-tokens", "16", "--context", "256",
		"--prompt", "the pump has two valves"}, more...)...)
	var a answer
	for line := range strings.Lines(out) {
		// The last line has the text, the first what it was loaded on.
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			r.t.Fatalf("%v: %s", err, line)
		}
	}
	return a
}

// record is what the log says.
func (r *rig) record() string {
	r.t.Helper()
	out, _ := r.ok("audit", "show", "--json")
	return out
}

// What is written with the card is what the processor writes, within the memory
// that was allowed; and the log says who had what.
func TestChat(t *testing.T) {
	r := start(t, gguf.Small(1))
	want := r.chat()
	if want.Card != "" || want.Text == "" {
		t.Fatalf("without a card: %+v", want)
	}
	got := r.chat("--allow-gpu")
	if got.Card == "" || got.Layers == 0 || got.VRAM == 0 || got.Refused != "" {
		t.Fatalf("%+v", got)
	}
	if got.Text != want.Text {
		t.Errorf("the card wrote %q, the processor %q", got.Text, want.Text)
	}
	t.Logf("%d layers on %s took %d bytes", got.Layers, got.Card, got.VRAM)
	log := r.record()
	for _, s := range []string{`"kind":"grant"`, `gpu.use`, `command-line`, `"graphics"`} {
		if !strings.Contains(log, s) {
			t.Errorf("the log has no %s", s)
		}
	}
}

// With too little memory the processor does, in the sandbox without a driver, and
// the person and the log are told why.
func TestTooLittleMemory(t *testing.T) {
	r := start(t, gguf.Shape{Name: model, Context: 512, Embed: 256, Layers: 4, FF: 512, Heads: 8, KVHeads: 8, Vocabulary: 4000, Type: gguf.F32, Seed: 2})
	got := r.chat("--allow-gpu", "--max-vram", "1")
	if got.Card != "" || got.Text == "" || !strings.Contains(got.Refused, "no layer fits") {
		t.Fatalf("%+v", got)
	}
	log := r.record()
	for _, s := range []string{"card-refused", string(errs.MemoryUsedUp)} {
		if !strings.Contains(log, s) {
			t.Errorf("the log has no %s", s)
		}
	}
}

// A card that is withdrawn in the middle of an answer is free at once.
func TestRevoke(t *testing.T) {
	r := start(t, gguf.Shape{Name: model, Context: 4096, Embed: 256, Layers: 4, FF: 512, Heads: 8, KVHeads: 8, Vocabulary: 4000, Type: gguf.F32, Seed: 2})
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	c := r.command(ctx, "chat", model, "--private", "--allow-gpu", "--temperature", "0", "--prompt", "the pump")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var says bytes.Buffer
	c.Stderr = &says
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 1)
	if _, err := out.Read(first); err != nil {
		t.Fatalf("nothing was written: %v\n%s", err, says.String())
	}
	id, pid := r.held()
	began := time.Now()
	r.ok("grant", "revoke", id)
	took := time.Since(began)
	if proc.Alive(pid) || took > promised {
		t.Errorf("after %v the engine is there: %v", took, proc.Alive(pid))
	}
	t.Logf("revoked in %v, the command's start included", took)
	_ = c.Wait()
	if out, _ := r.ok("grant", "list"); strings.Contains(out, "gpu.use") {
		t.Errorf("still listed:\n%s", out)
	}
}

// held are the grant of the card and the process that has it.
func (r *rig) held() (id string, pid int) {
	r.t.Helper()
	var list struct {
		Grants []struct{ ID, Kind, State string }
	}
	out, _ := r.ok("grant", "list", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		r.t.Fatal(err)
	}
	for _, g := range list.Grants {
		if g.Kind == "gpu.use" && g.State == "live" {
			id = g.ID
		}
	}
	for line := range strings.Lines(r.record()) {
		var rec struct {
			Kind   string
			Detail map[string]string
		}
		if json.Unmarshal([]byte(line), &rec) == nil && rec.Kind == "worker-start" && rec.Detail["kind"] == "graphics" {
			fmt.Sscan(rec.Detail["pid"], &pid)
		}
	}
	if id == "" || pid == 0 || !proc.Alive(pid) {
		r.t.Fatalf("grant %q, process %d in\n%s", id, pid, out)
	}
	return id, pid
}

// What every kind of worker is shown to be, this one is with its driver at work.
func TestPosture(t *testing.T) {
	r := start(t, gguf.Small(1))
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	// What it says of others is not this test's business, nor is how it ends.
	out, _ := r.command(ctx, "doctor", "--json").Output()
	var d struct {
		Workers []struct {
			Kind, Level string
			Layers      []struct{ Layer, State string }
		}
	}
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatal(err)
	}
	for _, w := range d.Workers {
		if w.Kind != "graphics" {
			continue
		}
		if w.Level != "full" || len(w.Layers) < 15 {
			t.Errorf("%+v", w)
		}
		for _, l := range w.Layers {
			// Control groups are the machine's to give.
			if l.State != "on" && l.Layer != "control-group" {
				t.Errorf("%s is %s", l.Layer, l.State)
			}
		}
		return
	}
	t.Error("doctor does not know it")
}
