package llama

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/ebitengine/purego"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

// Names of the files, as the project's build of llama.cpp has them.
const (
	baseName  = "libggml-base.so"
	ggmlName  = "libggml.v" + Version + ".so"
	llamaName = "libllama.v" + Version + ".so"
	cpuPrefix = "libggml-cpu-"
)

// Library is the opened library. It stays open until the process ends: its
// threads and tables cannot be taken back.
type Library struct {
	c       *calls
	variant string
	log     *journal
	// none is a list of no device, with which the processor has all.
	none     uintptr
	graphics graphics

	// load is held while a model is loaded, since log and progress tell no model
	// from another.
	load     sync.Mutex
	progress func(float32) bool
	onStep   uintptr
}

// Open opens the libraries in dir, with the variant that fits this processor
// best. Errors: errs.EngineMissing.
func Open(dir string) (*Library, error) {
	c := &calls{}
	libc, err := purego.Dlopen("libc.so.6", purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err == nil {
		err = bind(libc, c.libc())
	}
	if err != nil {
		return nil, missing("open", "the system's C library", err)
	}
	// Or the library starts a debugger on itself when it fails.
	c.setenv("GGML_NO_BACKTRACE", "1", 1)
	if err := library(dir, baseName, c.base()); err != nil {
		return nil, err
	}
	l := &Library{c: c, log: &journal{}}
	onLog := purego.NewCallback(func(level int32, text *byte, _ uintptr) { l.log.add(level, cText(text, limits.EngineLogLine)) })
	c.ggmlLog(onLog, 0)
	if err := library(dir, ggmlName, c.ggml()); err != nil {
		return nil, err
	}
	if err := library(dir, llamaName, c.llama()); err != nil {
		return nil, err
	}
	p := poolParams{}
	c.poolInit(&p, 3)
	if err := abi(c.version(), c.modelDefaults(), c.contextDefault(), p); err != nil {
		return nil, missing("open", "the library is of another release", err)
	}
	c.llamaLog(onLog, 0)
	if err := l.processor(dir); err != nil {
		return nil, err
	}
	c.backendInit()
	l.none = devices(c, 0)
	l.graphics.refused = errs.New(errs.NotSupported, "llama.open").With("this engine was started without a graphics device")
	l.onStep = purego.NewCallback(func(fraction float32, _ uintptr) bool { return l.progress(fraction) })
	return l, nil
}

func library(dir, name string, symbols []symbol) error {
	h, err := open(dir, name)
	if err != nil {
		return missing("open", name, err)
	}
	if err := bind(h, symbols); err != nil {
		return missing("open", name+" is of another release", err)
	}
	return nil
}

// processor opens the variant with the best score. ggml's own search would open
// graphics libraries too, and whatever GGML_BACKEND_PATH names.
func (l *Library) processor(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return missing("open", "the libraries' directory", err)
	}
	best, at := int32(0), uintptr(0)
	for _, e := range entries {
		name, is := strings.CutPrefix(e.Name(), cpuPrefix)
		name, so := strings.CutSuffix(name, ".so")
		if !is || !so {
			continue
		}
		h, err := open(dir, e.Name())
		if err != nil {
			continue
		}
		if s := score(h); s > best {
			if at != 0 {
				purego.Dlclose(at)
			}
			best, at, l.variant = s, h, name
		} else {
			purego.Dlclose(h)
		}
	}
	if at == 0 {
		return missing("open", "no variant for this processor", nil)
	}
	if err := bind(at, l.c.cpu()); err != nil {
		return missing("open", cpuPrefix+l.variant, err)
	}
	if l.c.backendLoad(filepath.Join(dir, cpuPrefix+l.variant+".so")) == 0 {
		return missing("open", cpuPrefix+l.variant, errors.New(l.log.last()))
	}
	return nil
}

// Name is the library and its version.
func (l *Library) Name() string { return "llama.cpp v" + Version }

// Variant is the processor that the code was made for.
func (l *Library) Variant() string { return l.variant }

// Load loads a model; see [engine.Library].
func (l *Library) Load(ctx context.Context, f *os.File, o engine.Options, progress func(float32)) (engine.Model, error) {
	defer f.Close()
	l.load.Lock()
	defer l.load.Unlock()
	m, err := (*model)(nil), error(nil)
	if o.VRAM == 0 {
		m, err = l.attempt(ctx, f, o, 0, progress)
	} else {
		m, err = l.onDevice(ctx, f, o, progress)
	}
	if err != nil {
		return nil, err // and no model that is a nil of some type
	}
	return m, nil
}

// stream opens what C reads a file by. It is closed with a descriptor of its
// own, f with f's; they share a place in the file, which is its start now.
func (l *Library) stream(f *os.File) (uintptr, error) {
	if _, err := f.Seek(0, io.SeekStart); err == nil {
		if fd := l.c.dup(int32(f.Fd())); fd >= 0 {
			if s := l.c.fdopen(fd, "rb"); s != 0 {
				return s, nil
			}
		}
	}
	return 0, errs.New(errs.Internal, "llama.load").With("the model's descriptor cannot be used")
}

// attempt loads a model with so many of its layers on the device.
func (l *Library) attempt(ctx context.Context, f *os.File, o engine.Options, layers int, progress func(float32)) (*model, error) {
	l.log.reset()
	file, err := l.stream(f)
	if err != nil {
		return nil, err
	}
	defer l.c.fclose(file)
	l.progress = func(fraction float32) bool {
		if progress != nil {
			progress(fraction)
		}
		return ctx.Err() == nil
	}
	p := l.c.modelDefaults()
	p.gpuLayers, p.devices = 0, l.none
	if layers > 0 {
		l.log.watch(l.graphics.name)
		p.gpuLayers, p.devices = int32(layers), l.graphics.list
	}
	p.progress = l.onStep
	m := &model{lib: l, c: l.c, h: l.c.modelLoad(file, p), layers: layers}
	if m.h == 0 {
		if ctx.Err() != nil {
			return nil, errs.Wrap(errs.Cancelled, "llama.load", ctx.Err())
		}
		return nil, l.failure("load", errs.ModelRefused)
	}
	if err := m.start(o); err != nil {
		m.Close()
		return nil, err
	}
	if layers > 0 {
		m.info.Graphics = engine.Graphics{Device: l.graphics.says, Layers: layers, VRAM: l.log.taken()}
	}
	return m, nil
}

// failure is the error for what the library said last: out of memory, or else
// code.
func (l *Library) failure(op string, code errs.Code) error {
	said := l.log.last()
	if l.log.memory() {
		code = errs.MemoryUsedUp
	}
	e := errs.Wrap(code, "llama."+op, errors.New(said))
	if code == errs.ModelRefused {
		return e.With(visible.Text(strings.TrimPrefix(said, "llama_model_load: error loading model: ")))
	}
	return e
}
