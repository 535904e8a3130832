package main

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
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

// at is "path:line", which editors and terminals open; of a file that no editor
// opens, the path with what its own program counts by.
func (p places) at(c *indexv1.Citation) string {
	path := visible.Path(p.open(c.GetPath()))
	if c.GetPage() == 0 && c.GetParagraph() == 0 {
		return fmt.Sprintf("%s:%d", path, c.GetLine())
	}
	page, paragraph := counted(c.GetPath())
	if n := c.GetPage(); n > 0 {
		path += fmt.Sprintf(", %s %d", page, n)
	}
	if n := c.GetParagraph(); n > 0 {
		path += fmt.Sprintf(", %s %d", paragraph, n)
	}
	return path
}

// counted says what the pages and paragraphs of a file are called.
func counted(path []byte) (page, paragraph string) {
	switch strings.ToLower(filepath.Ext(string(path))) {
	case ".xlsx", ".xlsm", ".xltx", ".xltm", ".ods", ".ots":
		return "sheet", "row"
	case ".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm", ".odp", ".otp":
		return "slide", "paragraph"
	case ".epub":
		return "chapter", "paragraph"
	}
	return "page", "paragraph"
}

// link is a Markdown link to a line of a file, or to a page where viewers take
// one (RFC 8118): the label as in text, the target as a relative or absolute
// reference (RFC 3986) of the exact bytes.
func (p places) link(c *indexv1.Citation) string {
	to := ""
	switch {
	case c.GetPage() == 0 && c.GetParagraph() == 0:
		to = fmt.Sprintf("#L%d", c.GetLine())
	case strings.EqualFold(filepath.Ext(string(c.GetPath())), ".pdf"):
		to = fmt.Sprintf("#page=%d", c.GetPage())
	}
	return fmt.Sprintf("[%s](%s%s)", escapeMarkdown(p.at(c)), p.target(c.GetPath()), to)
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
