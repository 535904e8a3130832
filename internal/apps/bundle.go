package apps

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Bundle is an app's files. It may be used from any goroutine.
type Bundle struct {
	App   App
	files map[string]*File
}

// File is one of them.
type File struct {
	// Name is its path in the archive, "assets/app.js".
	Name string
	// Type is its media type.
	Type string
	// Body are its bytes; nobody changes them.
	Body []byte
}

// Names lists the files, in no order.
func (b *Bundle) Names() []string {
	out := make([]string, 0, len(b.files))
	for n := range b.files {
		out = append(out, n)
	}
	return out
}

// Find returns the file of an address' path and query, exactly as the engine
// gave it: "/" is the start page, "/assets/app.js" is a file; what follows a "?"
// is not looked at. Nothing is decoded: a path with an escape, a dot segment, a
// doubled or a closing slash is the name of no file.
func (b *Bundle) Find(path string) (*File, bool) {
	path, _, _ = strings.Cut(path, "?")
	name, ok := strings.CutPrefix(path, "/")
	if !ok {
		return nil, false
	}
	if name == "" {
		name = startPage
	}
	f, ok := b.files[name]
	return f, ok
}

// startPage is what an app begins with.
const startPage = "index.html"

// errBundle is the cause of a refusal that is about the archive's form.
var errBundle = errors.New("the archive is not one that Bailey packs")

// Read reads the archive of an app and returns its files. digest is what it has
// to be, in hex; an empty one means that the core was linked without the app.
//
// Errors: errs.AppMissing, errs.BundleDamaged for any other bytes than those
// that were packed.
func Read(app App, r io.Reader, digest string) (*Bundle, error) {
	const op = "apps.read"
	want, err := hex.DecodeString(digest)
	if err != nil || len(want) != sha256.Size {
		return nil, Missing(app)
	}
	// One byte more tells too long from just fitting.
	b, err := io.ReadAll(io.LimitReader(r, limits.AppBytes+1))
	if err != nil {
		return nil, errs.Wrap(errs.BundleDamaged, op, err).With(app.ID)
	}
	sum := sha256.Sum256(b)
	if len(b) > limits.AppBytes || !bytes.Equal(sum[:], want) {
		return nil, errs.New(errs.BundleDamaged, op).With(app.ID)
	}
	entries, err := unpack(b)
	if err != nil {
		return nil, errs.Wrap(errs.BundleDamaged, op, err).With(app.ID)
	}
	out := &Bundle{App: app, files: map[string]*File{}}
	for _, e := range entries {
		out.files[e.name] = &File{Name: e.name, Type: e.kind, Body: e.data}
	}
	return out, nil
}

// Missing is the error for an app whose files are not there.
func Missing(app App) error {
	return errs.New(errs.AppMissing, "apps.read").With(app.Name).
		WithHint("install Bailey again, or run `make apps` and `make build`, which need Node 20 or later; the terminal does the same: `bailey help`")
}

// A header of the archive, as POSIX ustar has it (IEEE Std 1003.1, pax): the
// offsets of what is looked at. Archives are the ones that tools/packapp writes.
const (
	blockSize  = 512
	nameField  = 100
	sizeAt     = 124
	sizeField  = 12
	typeAt     = 156
	magicAt    = 257
	magic      = "ustar\x0000"
	prefixAt   = 345
	prefixSize = 155
)

// entry is a file in an archive.
type entry struct {
	name, kind string
	data       []byte
}

// unpack reads an archive of plain files. It refuses everything else: links,
// directories, long names, names that are not clean and relative, a file twice.
// The digest has vouched for the bytes; this is for faults of our own.
func unpack(b []byte) ([]entry, error) {
	var out []entry
	seen := map[string]bool{}
	for {
		if len(b) < blockSize {
			return nil, errBundle
		}
		h := b[:blockSize]
		b = b[blockSize:]
		if h[0] == 0 {
			break
		}
		name, _, _ := strings.Cut(string(h[:nameField]), "\x00")
		size, err := strconv.ParseInt(strings.Trim(string(h[sizeAt:sizeAt+sizeField]), " \x00"), 8, 64)
		if err != nil || size < 0 || size > int64(len(b)) || h[typeAt] != '0' ||
			string(h[magicAt:magicAt+len(magic)]) != magic || len(bytes.Trim(h[prefixAt:prefixAt+prefixSize], "\x00")) > 0 {
			return nil, errBundle
		}
		kind, ok := mediaType(name)
		if !ok || !Clean(name) || seen[name] || len(out) == limits.AppFiles {
			return nil, errBundle
		}
		seen[name] = true
		out = append(out, entry{name, kind, b[:size]})
		padded := (int(size) + blockSize - 1) / blockSize * blockSize
		if padded > len(b) {
			return nil, errBundle
		}
		b = b[padded:]
	}
	if !seen[startPage] {
		return nil, errBundle
	}
	return out, nil
}

// Clean reports whether name may be a file of an app: relative, of few plain
// characters, and spelled in one way only.
func Clean(name string) bool {
	if len(name) >= limits.AppPath {
		return false
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part[0] == '.' || part[len(part)-1] == '.' {
			return false
		}
		for i := range len(part) {
			c := part[i]
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// mediaType is what a file is served as, by its name. What is not in the table
// is no part of an app.
func mediaType(name string) (string, bool) {
	t, ok := map[string]string{
		".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
		".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp", ".ico": "image/x-icon",
		".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8",
	}[name[max(strings.LastIndexByte(name, '.'), 0):]]
	return t, ok
}
