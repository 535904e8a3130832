// Package pdfium reads the text of PDF files with PDFium, compiled to WebAssembly
// and run by wazero: what a crafted file does to PDFium stays in the module's own
// linear memory, which is bounded, and the process around it is a sandboxed worker.
//
// The module is given nothing of the system. There are no files, arguments,
// environment, clock and randomness behind its imports: all of WASI that it names
// answers with an error or a constant. The one thing that it can ask for is a piece
// of the document, by place and length. No form environment is made, so that no
// script and no action of a document ever runs.
//
// The machine code of the module is made by [Compile], in seconds, or taken from
// what an earlier Compile returned, in a tenth of one. Such code is executed as it
// is: the caller vouches for where it comes from. Package pdf calls it, before its
// process seals itself; nothing here makes code later.
//
// A call of PDFium is not interrupted: code that looks at a clock at each turn of a
// loop takes twice the time. Who waits for one has to end the process.
package pdfium

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/bailey-run/bailey/internal/limits"
)

// Why a document cannot be read.
var (
	// ErrDamaged: it is no PDF, or not one that PDFium can find its way in.
	ErrDamaged = errors.New("pdfium: not a readable PDF")
	// ErrLocked: it wants a password.
	ErrLocked = errors.New("pdfium: the document wants a password")
	// ErrEnded: the module ended on it: a trap, or no more memory. The instance is
	// gone.
	ErrEnded = errors.New("pdfium: the module ended")
)

// Library is the module, compiled.
type Library struct {
	runtime wazero.Runtime
	module  wazero.CompiledModule
	code    []byte
	fresh   bool
}

// Open compiles the module, or takes its machine code from code where that is of
// this module, this wazero and this processor. Fresh tells which it was.
func Open(ctx context.Context, code []byte) (*Library, error) {
	l, err := open(ctx, code)
	if err != nil && len(code) > 0 {
		// Code that does not load is as good as none.
		l, err = open(ctx, nil)
	}
	return l, err
}

func open(ctx context.Context, code []byte) (_ *Library, err error) {
	c := &cache{given: code}
	cc, err := withCache(c)
	if err != nil {
		return nil, err
	}
	l := &Library{runtime: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler().
		// PDFium's setjmp is made of exceptions.
		WithCoreFeatures(api.CoreFeaturesV2|experimental.CoreFeaturesExceptionHandling).
		WithMemoryLimitPages(limits.PDFModulePages).
		// Names of functions and lines serve nobody here.
		WithDebugInfoEnabled(false).
		WithCompilationCache(cc))}
	defer func() {
		if err != nil {
			l.runtime.Close(ctx)
		}
	}()
	if err := hosts(ctx, l.runtime); err != nil {
		return nil, err
	}
	if l.module, err = l.runtime.CompileModule(ctx, module()); err != nil {
		return nil, fmt.Errorf("pdfium: compile: %w", err)
	}
	l.code, l.fresh = c.made, !c.used
	return l, nil
}

// Fresh reports whether the code was made, and not taken.
func (l *Library) Fresh() bool { return l.fresh }

// Code is the machine code, once: what Open takes. It is nil when the code was
// taken, or forgotten.
func (l *Library) Code() []byte {
	c := l.code
	l.code = nil
	return c
}

// Close ends the module and all its instances.
func (l *Library) Close(ctx context.Context) error { return l.runtime.Close(ctx) }

// Instance is the module with memory of its own. It is for one goroutine.
type Instance struct {
	mod  api.Module
	data uint32 // scratch in the module's memory
	call map[string]api.Function
	file io.ReaderAt
	ctx  context.Context
}

// scratch is the size of what a call of PDFium writes results to, bytes.
const scratch = 64

// functions are all of PDFium that is called.
func functions() []string {
	return []string{"malloc", "free", "FPDF_InitLibrary", "FPDF_FILEACCESS_Create", "FPDF_LoadCustomDocument", "FPDF_GetLastError",
		"FPDF_GetPageCount", "FPDF_CloseDocument", "FPDF_LoadPage", "FPDF_ClosePage", "FPDF_GetMetaText", "FPDFText_LoadPage",
		"FPDFText_ClosePage", "FPDFText_CountChars", "FPDFText_GetText", "FPDFText_GetCharIndexFromTextIndex", "FPDFText_GetCharBox", "FPDFText_GetCharOrigin",
		"FPDFText_GetFontSize"}
}

// New makes an instance, which lives until it is closed.
func (l *Library) New(ctx context.Context) (*Instance, error) {
	i := &Instance{call: map[string]api.Function{}}
	i.ctx = context.WithValue(ctx, instanceKey{}, i)
	mod, err := l.runtime.InstantiateModule(i.ctx, l.module, wazero.NewModuleConfig().WithName("").WithStartFunctions("_initialize"))
	if err != nil {
		return nil, fmt.Errorf("pdfium: instantiate: %w", err)
	}
	i.mod = mod
	for _, n := range functions() {
		f := mod.ExportedFunction(n)
		if f == nil {
			i.Close()
			return nil, fmt.Errorf("pdfium: the module has no %s", n)
		}
		i.call[n] = f
	}
	if _, err = i.do("FPDF_InitLibrary"); err == nil {
		i.data, err = i.alloc(scratch)
	}
	if err != nil {
		i.Close()
		return nil, err
	}
	return i, nil
}

// Close ends the instance; its memory goes. Idempotent.
func (i *Instance) Close() { _ = i.mod.Close(context.WithoutCancel(i.ctx)) }

// Memory is how large the instance's memory has become, bytes.
func (i *Instance) Memory() uint32 { return i.mod.Memory().Size() }

// do calls a function of at most one result.
func (i *Instance) do(name string, params ...uint64) (uint32, error) {
	r, err := i.call[name].Call(i.ctx, params...)
	if err != nil {
		return 0, fmt.Errorf("%w: %s: %w", ErrEnded, name, err)
	}
	if len(r) == 0 {
		return 0, nil
	}
	return uint32(r[0]), nil
}

func (i *Instance) alloc(n uint32) (uint32, error) {
	p, err := i.do("malloc", uint64(n))
	if err == nil && p == 0 {
		err = fmt.Errorf("%w: no memory", ErrEnded)
	}
	return p, err
}
