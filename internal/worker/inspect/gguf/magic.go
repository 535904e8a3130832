package gguf

import (
	"bytes"
	"encoding/binary"
)

// headSize is how many first bytes tell formats apart.
const headSize = 32

// looksLike names the format of a file that is not GGUF by its first bytes;
// empty when it is none that people take for a model.
func looksLike(b []byte) string {
	for _, m := range []struct{ at, begins, what string }{
		{"", "PK\x03\x04", "a zip archive, as PyTorch writes models"},
		{"", "lmgg", "a GGML file from before GGUF"},
		{"", "fmgg", "a GGML file from before GGUF"},
		{"", "tjgg", "a GGML file from before GGUF"},
		{"", "algg", "a GGML adapter from before GGUF"},
		{"", "\x89HDF", "an HDF5 file, as Keras writes models"},
		{"....", "TFL3", "a TensorFlow Lite model"},
		{"", "\x1f\x8b", "a gzip archive (unpack it)"},
		{"", "\x28\xb5\x2f\xfd", "a zstd archive (unpack it)"},
		{"", "\xfd7zXZ", "an xz archive (unpack it)"},
		{"", "BZh", "a bzip2 archive (unpack it)"},
		{"", "7z\xbc\xaf", "a 7z archive (unpack it)"},
		{"", "version https://git-lfs", "a Git LFS pointer, for a file that was not downloaded"},
		{"", "\x7fELF", "a program"},
		{"", "%PDF", "a PDF document"},
	} {
		if rest, ok := after(b, len(m.at)); ok && bytes.HasPrefix(rest, []byte(m.begins)) {
			return m.what
		}
	}
	switch text := bytes.ToLower(bytes.TrimLeft(b, " \t\r\n\xef\xbb\xbf")); {
	case bytes.HasPrefix(text, []byte("<!doctype")), bytes.HasPrefix(text, []byte("<html")), bytes.HasPrefix(text, []byte("<?xml")):
		return "a web page, which is what a failed download often leaves"
	case len(b) > 2 && b[0] == 0x80 && b[1] >= 1 && b[1] <= 5:
		// Reading a pickle runs what it says.
		return "a Python pickle, which is a program"
	case len(b) > 8 && b[8] == '{' && binary.LittleEndian.Uint64(b)>>32 == 0:
		return "a safetensors file (convert it)"
	case len(b) > 2 && b[0] == 0x08 && b[1] > 0 && b[1] < 0x20 && (b[2] == 0x12 || b[2] == 0x3a):
		return "an ONNX model"
	case bytes.HasPrefix(text, []byte("{")):
		return "JSON"
	}
	return ""
}

func after(b []byte, n int) ([]byte, bool) {
	if len(b) < n {
		return nil, false
	}
	return b[n:], true
}
