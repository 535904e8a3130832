package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/bailey-run/bailey/internal/visible"
)

// places turns paths inside the granted folder into paths that open from the
// working directory: relative where the folder lies below it, else absolute.
// A path with `..` is never printed: through a linked working directory it
// would lead elsewhere.
type places struct {
	// prefix stands before each path; empty, or it ends with a slash.
	prefix string
}

// placesFor reads the real working directory; where there is none any more,
// paths are absolute.
func placesFor(folder []byte) places {
	real := string(folder)
	if wd, err := os.Getwd(); err == nil {
		if wd, err = filepath.EvalSymlinks(wd); err == nil {
			return placesFrom(wd, real)
		}
	}
	return places{slashed(real)}
}

func placesFrom(wd, folder string) places {
	if folder == wd {
		return places{}
	}
	if rest, ok := strings.CutPrefix(folder, slashed(wd)); ok {
		return places{slashed(rest)}
	}
	return places{slashed(folder)}
}

func slashed(p string) string {
	if strings.HasSuffix(p, "/") {
		return p
	}
	return p + "/"
}

// open returns the bytes that open a cited path.
func (p places) open(rel []byte) string { return p.prefix + string(rel) }

// at is "path:line", which editors and terminals open.
func (p places) at(rel []byte, line uint32) string {
	return fmt.Sprintf("%s:%d", visible.Path(p.open(rel)), line)
}

// link is a Markdown link to a line of a file: the label as in text, the target
// as a relative or absolute reference (RFC 3986) of the exact bytes.
func (p places) link(rel []byte, line uint32) string {
	return fmt.Sprintf("[%s](%s#L%d)", escapeMarkdown(p.at(rel, line)), p.target(rel), line)
}

func (p places) target(rel []byte) string {
	parts := strings.Split(p.open(rel), "/")
	for i, part := range parts {
		// PathEscape leaves a colon, which in a first segment would be read as a
		// scheme, and brackets' cousins that end a Markdown link.
		part = url.PathEscape(part)
		for _, c := range []string{":", "(", ")", "*", "_", "&"} {
			part = strings.ReplaceAll(part, c, fmt.Sprintf("%%%02X", c[0]))
		}
		parts[i] = part
	}
	return strings.Join(parts, "/")
}
