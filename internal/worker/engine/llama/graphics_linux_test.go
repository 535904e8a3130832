package llama

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

// onCard opens the libraries with the device that `make gpu-test` has found;
// without one the test is left out.
func onCard(t *testing.T) *Library {
	t.Helper()
	dir := os.Getenv("BAILEY_GRAPHICS")
	if dir == "" {
		t.Skip("no graphics device is used by itself: `make gpu-test`")
	}
	l := opened(t)
	if err := l.OpenGraphics(dir); err != nil {
		t.Fatal(err)
	}
	return l
}

func onto(t *testing.T, l *Library, g *gguf.File, vram uint64) engine.Model {
	t.Helper()
	m, err := l.Load(context.Background(), written(t, g), engine.Options{Context: 256, VRAM: vram}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// written16 are the tokens that a model writes behind a prompt, the likeliest each.
func written16(t *testing.T, m engine.Model) []engine.Token {
	t.Helper()
	prompt, err := m.Tokenize("the pump has two valves", false)
	if err != nil {
		t.Fatal(err)
	}
	var out []engine.Token
	r := engine.Request{Prompt: prompt, MaxTokens: 16, Sampling: engine.Sampling{Greedy: true}}
	if _, err := m.Generate(context.Background(), r, func(e engine.Event) error {
		if e.Out != nil {
			out = append(out, e.Out.Token)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// A device writes what the processor writes, in the memory that it was given and
// in no more; with less memory fewer layers go there.
func TestGraphicsWrites(t *testing.T) {
	l := onCard(t)
	g := func() *gguf.File { return gguf.Llama(gguf.Small(1)) }
	want := written16(t, onto(t, l, g(), 0))
	if len(want) == 0 {
		t.Fatal("nothing was written")
	}
	s, err := l.survey(written(t, g()), engine.Options{Context: 256})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		vram   uint64
		layers int
	}{{1 << 30, s.blocks + 1}, {s.any + s.block, 1}} {
		m := onto(t, l, g(), c.vram)
		i := m.Info().Graphics
		if i.Device == "" || i.Layers != c.layers || i.VRAM == 0 || i.VRAM > c.vram || m.Stats().VRAM != i.VRAM {
			t.Fatalf("at most %d: %+v, %d", c.vram, i, m.Stats().VRAM)
		}
		t.Logf("at most %d bytes: %d layers on %s took %d", c.vram, i.Layers, i.Device, i.VRAM)
		if got := written16(t, m); !slices.Equal(got, want) {
			t.Errorf("%s wrote %v, the processor %v", i.Device, got, want)
		}
	}
}

// refusedBy is why a device does not take a model; the processor does, in another
// process.
func refusedBy(t *testing.T, l *Library, g *gguf.File, vram uint64) errs.Code {
	t.Helper()
	m, err := l.Load(context.Background(), written(t, g), engine.Options{Context: 256, VRAM: vram}, nil)
	if err == nil {
		m.Close()
		t.Fatalf("at most %d: %+v", vram, m.Info().Graphics)
	}
	return errs.CodeOf(err)
}

// Where the reckoning was too low, what was taken is given back; where there is
// room for none, that is an error.
func TestGraphicsHoldsItsCap(t *testing.T) {
	l := onCard(t)
	g := func() *gguf.File { return gguf.Llama(gguf.Small(1)) }
	s, err := l.survey(written(t, g()), engine.Options{Context: 256})
	if err != nil {
		t.Fatal(err)
	}
	taken := onto(t, l, g(), 1<<30).Info().Graphics.VRAM
	for _, c := range []struct {
		vram uint64
		some bool
	}{{taken - 1, true}, {1, false}} {
		low := survey{blocks: s.blocks, block: 0, output: 0, any: 0}
		l.load.Lock()
		m, err := l.fitting(context.Background(), written(t, g()), engine.Options{Context: 256, VRAM: c.vram}, low, nil)
		l.load.Unlock()
		if (m != nil) != c.some || err != nil && errs.CodeOf(err) != errs.MemoryUsedUp {
			t.Fatalf("at most %d: %v %v", c.vram, m, err)
		}
		if m == nil {
			continue
		}
		defer m.Close()
		if i := m.Info().Graphics; i.VRAM > c.vram || i.Layers == 0 || i.Layers > s.blocks {
			t.Errorf("at most %d: %+v", c.vram, i)
		}
	}
	if code := refusedBy(t, l, g(), s.any/2); code != errs.MemoryUsedUp {
		t.Error(code)
	}
	written16(t, onto(t, l, g(), 0))
}

// A device that gives no memory is not asked again, and the processor serves. The
// library reads the limit when it opens the device, so this is a process of its own.
func TestGraphicsOutOfMemory(t *testing.T) {
	const small = "GGML_VK_FORCE_MAX_BUFFER_SIZE"
	if os.Getenv("BAILEY_GRAPHICS") != "" && os.Getenv(small) == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestGraphicsOutOfMemory$", "-test.v")
		c.Env = append(os.Environ(), small+"=1024", "GGML_VK_FORCE_MAX_ALLOCATION_SIZE=1024", "GGML_VK_SUBALLOCATION_BLOCK_SIZE=1024")
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "--- PASS") {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	l := onCard(t)
	if code := refusedBy(t, l, gguf.Llama(gguf.Small(1)), 1<<30); code != errs.MemoryUsedUp {
		t.Error(code)
	}
	if got := written16(t, onto(t, l, gguf.Llama(gguf.Small(1)), 0)); len(got) == 0 {
		t.Error("nothing was written")
	}
}

// A model as people use it.
func TestGraphicsRealChat(t *testing.T) {
	l := onCard(t)
	if os.Getenv("BAILEY_GRAPHICS_SLOW") != "" {
		t.Skip("a real model takes minutes where the processor stands in for a card")
	}
	f := realFile(t, "smollm2-*.gguf")
	m, err := l.Load(context.Background(), f, engine.Options{Context: 512, VRAM: 2 << 30}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	text, r := said(t, m, "<|im_start|>user\nWhat is the capital of France? Answer briefly.<|im_end|>\n<|im_start|>assistant\n", engine.Sampling{Greedy: true}, 40)
	if i := m.Info().Graphics; i.Device == "" || i.VRAM > 2<<30 || !strings.Contains(text, "Paris") {
		t.Errorf("%q on %+v", text, i)
	}
	t.Logf("%d tokens in %v on %+v", r.Out, r.Writing, m.Info().Graphics)
}

// Without a device a load that asks for one says why it fails, and the next one
// has the processor.
func TestNoGraphics(t *testing.T) {
	l := opened(t)
	if code := refusedBy(t, l, gguf.Llama(gguf.Small(1)), 1<<30); code != errs.NotSupported {
		t.Error(code)
	}
	if i := onto(t, l, gguf.Llama(gguf.Small(1)), 0).Info().Graphics; i != (engine.Graphics{}) {
		t.Errorf("nothing was asked for: %+v", i)
	}
	empty := t.TempDir()
	if err := l.OpenGraphics(empty); errs.CodeOf(err) != errs.EngineMissing {
		t.Errorf("no library: %v", err)
	}
	if err := os.WriteFile(filepath.Join(empty, graphicsName), []byte("none"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := l.OpenGraphics(empty); errs.CodeOf(err) != errs.EngineMissing {
		t.Errorf("no library, but its name: %v", err)
	}
	if code := refusedBy(t, l, gguf.Llama(gguf.Small(1)), 1<<30); code != errs.EngineMissing {
		t.Error(code)
	}
	written16(t, onto(t, l, gguf.Llama(gguf.Small(1)), 0))
}

func TestLayersFit(t *testing.T) {
	f := facts{size: 1000, blocks: 10, vocabulary: 10, width: 4, heads: 1, key: 1, value: 1, tokens: 5}
	s := reckon(f)
	if s.block != 120 || s.output != 80 || s.blocks != 10 {
		t.Fatalf("%+v", s)
	}
	for _, c := range []struct {
		beyond uint64
		want   int
	}{{0, 0}, {119, 0}, {120, 1}, {1199, 9}, {1200, 10}, {1279, 10}, {1280, 11}, {1 << 40, 11}} {
		if got := s.layers(s.any + c.beyond); got != c.want {
			t.Errorf("%d bytes: %d layers, not %d", c.beyond, got, c.want)
		}
	}
	if got := s.layers(s.any - 1); got != 0 {
		t.Errorf("less than any needs: %d", got)
	}
}
