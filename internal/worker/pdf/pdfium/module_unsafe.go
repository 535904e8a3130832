package pdfium

import (
	"errors"
	"reflect"
	"unsafe"

	_ "github.com/klippa-app/go-pdfium/webassembly" // brings the module along
	"github.com/tetratelabs/wazero"
)

// The module stands in a package of go-pdfium that only its own may import. What
// it offers instead, its whole binding, links a pool of processes, a JPEG encoder
// and four hundred calls that nobody here makes. A copy of the module in this
// repository would be six megabytes that no checksum of go.sum covers.
//
//go:linkname pdfiumModule github.com/klippa-app/go-pdfium/internal/pdfium_wasm.Module
var pdfiumModule []byte

func module() []byte { return pdfiumModule }

// withCache returns a compilation cache of wazero that asks c. wazero has the seam,
// and offers no more of it than a directory to write to: a sandbox would have to
// have one. A wazero in which the field is another fails here, and in the tests.
func withCache(c *cache) (wazero.CompilationCache, error) {
	cc := wazero.NewCompilationCache()
	v := reflect.ValueOf(cc)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		return nil, errors.New("pdfium: wazero's cache is no struct")
	}
	f := v.Elem().FieldByName("fileCache")
	if !f.IsValid() || f.Kind() != reflect.Interface || !reflect.TypeOf(c).Implements(f.Type()) {
		return nil, errors.New("pdfium: wazero's cache is another")
	}
	reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr())).Elem().Set(reflect.ValueOf(c))
	return cc, nil
}
