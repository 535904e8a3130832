package llama

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

const opGraphics = "llama.load-graphics"

// graphicsName is the library for graphics devices.
const graphicsName = "libggml-vulkan.so"

// graphics is the one device that models may go to.
type graphics struct {
	// list is the device as C takes it, name what the library calls it, and says
	// what its driver does.
	list, handle uintptr
	name, says   string
	// refused is why there is none.
	refused error
}

// OpenGraphics opens the library for graphics devices in dir and takes the first
// device that it finds. Its driver is opened with it, so this comes before the
// seal, if at all. What is wrong is said by the result, and by each load that
// asks for a device.
func (l *Library) OpenGraphics(dir string) error {
	refuse := func(code errs.Code, detail string) error {
		l.graphics = graphics{refused: errs.New(code, "llama.open-graphics").With(detail)}
		return l.graphics.refused
	}
	path := filepath.Join(dir, graphicsName)
	if _, err := os.Stat(path); err != nil {
		return refuse(errs.EngineMissing, "the library for graphics cards is not installed")
	}
	if _, err := open(dir, graphicsName); err != nil {
		return refuse(errs.EngineMissing, "the library for graphics cards cannot be opened: libvulkan.so.1 is missing")
	}
	registry := l.c.backendLoad(path)
	if registry == 0 || l.c.deviceCount(registry) == 0 {
		return refuse(errs.NotSupported, "no driver of this system offers a graphics card")
	}
	d := l.c.deviceGet(registry, 0)
	// What a driver opens for its device it opens now: before the seal, and before
	// there is a model.
	b := l.c.deviceInit(d, 0)
	if b == 0 {
		return refuse(errs.NotSupported, "the driver of the graphics card does not start")
	}
	l.c.backendFree(b)
	l.graphics = graphics{list: devices(l.c, d), handle: d, name: l.c.deviceName(d), says: l.c.deviceSays(d)}
	return nil
}

// onDevice loads a model with as many layers on the device as the memory that it
// may use holds.
func (l *Library) onDevice(ctx context.Context, f *os.File, o engine.Options, progress func(float32)) (*model, error) {
	switch {
	case l.graphics.refused != nil:
		return nil, l.graphics.refused
	case o.Embedding:
		return nil, errs.New(errs.NotSupported, opGraphics).With("models that make vectors run on the processor")
	}
	s, err := l.survey(f, o)
	if err != nil {
		return nil, err
	}
	// Others use the card too: what is free is the most, whatever was allowed.
	var free, total uint64
	l.c.deviceRoom(l.graphics.handle, &free, &total)
	o.VRAM = min(o.VRAM, free)
	return l.fitting(ctx, f, o, s, progress)
}

// fitting loads what fits by the survey. What took more than that is given back,
// and fewer layers are tried; a device that is out of memory is not asked again.
func (l *Library) fitting(ctx context.Context, f *os.File, o engine.Options, s survey, progress func(float32)) (*model, error) {
	for layers, tries := s.layers(o.VRAM), 0; layers > 0 && tries < limits.EngineGraphicsTries; tries++ {
		m, err := l.attempt(ctx, f, o, layers, progress)
		switch {
		case errs.CodeOf(err) == errs.MemoryUsedUp:
			return nil, errs.Wrap(errs.MemoryUsedUp, opGraphics, err).With("the graphics card is out of memory")
		case err != nil:
			return nil, err
		case m.info.Graphics.VRAM <= o.VRAM:
			return m, nil
		}
		// Each layer takes as much as the next, so this is as many as there is room for.
		layers = min(layers-1, int(float64(layers)*float64(o.VRAM)/float64(m.info.Graphics.VRAM)))
		m.Close()
	}
	return nil, errs.New(errs.MemoryUsedUp, opGraphics).With("no layer fits the memory of the graphics card that may be used")
}

// survey is what a model's header says of where its bytes are.
type survey struct {
	// blocks of the model; each takes so many bytes with its cache, the output
	// behind the last so many, and the computation what it needs in any case.
	blocks             int
	block, output, any uint64
}

// survey reads the header alone.
func (l *Library) survey(f *os.File, o engine.Options) (survey, error) {
	l.log.reset()
	file, err := l.stream(f)
	if err != nil {
		return survey{}, err
	}
	defer l.c.fclose(file)
	p := l.c.modelDefaults()
	p.gpuLayers, p.devices, p.vocabOnly = 0, l.none, 1
	l.progress = func(float32) bool { return true }
	p.progress = l.onStep
	m := &model{lib: l, c: l.c, h: l.c.modelLoad(file, p)}
	if m.h == 0 {
		return survey{}, l.failure("load", errs.ModelRefused)
	}
	defer l.c.modelFree(m.h)
	arch := m.meta("general.architecture")
	number := func(key string, otherwise uint64) uint64 {
		n, err := strconv.ParseUint(m.meta(arch+"."+key), 10, 32)
		if err != nil || n == 0 {
			return otherwise
		}
		return n
	}
	context := uint64(max(0, o.Context))
	if context == 0 {
		context = limits.EngineContext
	}
	context = min(context, number("context_length", context))
	width, heads := number("embedding_length", 1), number("attention.head_count", 1)
	return reckon(facts{
		size: l.c.modelSize(m.h), blocks: number("block_count", 1), vocabulary: uint64(max(1, l.c.vocabSize(l.c.modelVocab(m.h)))),
		width: width, heads: number("attention.head_count_kv", heads),
		key: number("attention.key_length", width/heads), value: number("attention.value_length", width/heads),
		tokens: context * uint64(max(1, o.Parallel)),
	}), nil
}

// facts are numbers of a header that the core has held to its bounds before. A
// product that is wrong all the same is found out by what was taken.
type facts struct {
	size, blocks, vocabulary, width, heads, key, value, tokens uint64
}

// reckon errs on the side of too much: all weights count as the blocks', and the
// output, which may be the input's matrix a second time, as one of 16 bits. The
// computation is reckoned as models.Fit does, with the logits of each sequence.
func reckon(f facts) survey {
	step := min(limits.ModelStep, f.tokens)
	return survey{
		blocks: int(f.blocks),
		block:  f.size/f.blocks + 2*f.heads*(f.key+f.value)*f.tokens,
		output: min(2*f.vocabulary*f.width, f.size),
		any:    4*limits.ModelWidths*step*f.width + 2*step*f.tokens + 4*f.vocabulary,
	}
}

// layers is how many layers fit so much memory, the output counted as the one
// behind the last.
func (s survey) layers(vram uint64) int {
	if vram <= s.any {
		return 0
	}
	vram -= s.any
	n := min(uint64(s.blocks), vram/max(1, s.block))
	if n == uint64(s.blocks) && vram-n*s.block >= s.output {
		n++
	}
	return int(n)
}
