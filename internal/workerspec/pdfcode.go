package workerspec

// What the machine code of a pdf worker's reader is made of, besides the processor
// that it is made for: the module, by its SHA-256, and the compiler. The core keeps
// such code under them, and links neither; a test of the package that links both
// holds them against this.
const (
	PDFModule   = "e6f77e01dce34de05ad62515114152da580b64c23871e3e3e2afef3f7bb88ade"
	PDFCompiler = "wazero v1.12.0"
)
