package extract

import (
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// kind is a format with its scanner.
type kind struct {
	format  doc.Format
	scan    func(*builder, string)
	variant string
}

// kindOf tells the format by the name, then by the content.
func kindOf(name, source string) kind {
	base := name[strings.LastIndexByte(name, '/')+1:]
	lower := strings.ToLower(base)
	ext := ""
	if i := strings.LastIndexByte(lower, '.'); i > 0 {
		ext = lower[i+1:]
	}
	switch lower {
	case "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "cargo.lock", "go.sum", "poetry.lock", "composer.lock", "gemfile.lock", "pipfile.lock", "uv.lock", "flake.lock", "npm-shrinkwrap.json":
		return kind{doc.Data, scanData, "lock"}
	case "makefile", "gnumakefile", "dockerfile", "containerfile", "rakefile", "gemfile", "vagrantfile", "cmakelists.txt", "meson.build", "justfile", ".gitignore", ".gitattributes", ".editorconfig", "codeowners", "go.mod", "requirements.txt", "build.bazel", "build", "workspace":
		if lower != "build" && lower != "workspace" || strings.Contains(source[:min(len(source), 400)], "(") {
			return kind{doc.Source, scanSource, "makefile"}
		}
	}
	if strings.HasSuffix(lower, ".min.js") || strings.HasSuffix(lower, ".min.css") {
		return kind{doc.Data, scanData, "min"}
	}
	switch ext {
	case "md", "markdown", "mdown", "mkd", "mkdn", "mdx", "qmd", "rmd":
		return kind{doc.Markdown, scanMarkdown, ext}
	case "rst", "rest":
		return kind{doc.Markup, scanMarkup, "rst"}
	case "adoc", "asciidoc", "asc":
		return kind{doc.Markup, scanMarkup, "adoc"}
	case "tex", "ltx", "latex":
		return kind{doc.Markup, scanTeX, ""}
	case "html", "htm", "xhtml", "shtml":
		return kind{doc.HTML, scanHTML, ""}
	case "docbook", "dbk":
		return kind{doc.HTML, scanHTML, ""}
	case "csv", "tsv", "psv", "json", "ndjson", "jsonl", "geojson", "ipynb", "webmanifest", "svg", "plist", "map", "lock", "xsd", "xsl", "xslt", "rss", "atom", "kml", "gpx", "sum", "sig", "ics", "vcf", "har":
		return kind{doc.Data, scanData, ext}
	case "xml":
		if docbook(source) {
			return kind{doc.HTML, scanHTML, ""}
		}
		return kind{doc.Data, scanData, ext}
	case "mdoc", "man", "roff", "1", "2", "3", "4", "5", "6", "7", "8", "9", "n":
		if isRoff(source) {
			return kind{doc.Man, scanMan, ""}
		}
	case "txt", "text":
		return plainKind(lower, source)
	}
	if len(ext) > 1 && (digit(ext[0]) || ext[0] == 'n') && isRoff(source) { // .3pm, .1ssl
		return kind{doc.Man, scanMan, ""}
	}
	if _, ok := syntaxOf(ext); ok {
		return kind{doc.Source, scanSource, ext}
	}
	return byContent(lower, source)
}

func byContent(lower, source string) kind {
	head := strings.TrimLeft(source[:min(len(source), limits.SniffMarkup)], " \t\r\n")
	end, _ := line(head, 0)
	first := head[:end]
	fold := strings.ToLower(first)
	switch {
	case strings.HasPrefix(fold, "<!doctype html"), strings.HasPrefix(fold, "<html"):
		return kind{doc.HTML, scanHTML, ""}
	case strings.HasPrefix(fold, "<?xml"):
		if strings.Contains(strings.ToLower(head), "<html") || docbook(source) {
			return kind{doc.HTML, scanHTML, ""}
		}
		return kind{doc.Data, scanData, "xml"}
	case strings.HasPrefix(first, "#!"):
		switch {
		case strings.Contains(first, "python"):
			return kind{doc.Source, scanSource, "py"}
		case strings.Contains(first, "node"), strings.Contains(first, "deno"):
			return kind{doc.Source, scanSource, "js"}
		}
		return kind{doc.Source, scanSource, "sh"}
	case head != "" && strings.IndexByte(".'", head[0]) >= 0 && isRoff(source):
		return kind{doc.Man, scanMan, ""}
	case strings.HasPrefix(head, "{") && strings.Contains(head, "\":"), strings.HasPrefix(head, "[{"):
		return kind{doc.Data, scanData, "json"}
	}
	return plainKind(lower, source)
}

// plainKind tells plain text from Markdown under a name that says neither, and
// from what nobody wrote for people.
func plainKind(lower, source string) kind {
	head := source[:min(len(source), limits.SniffPlain)]
	marks := 0
	if strings.HasPrefix(head, "# ") || strings.Contains(head, "\n# ") {
		marks++
	}
	for _, s := range []string{"\n## ", "\n```", "](http", "\n### "} {
		if strings.Contains(head, s) {
			marks++
		}
	}
	if marks >= 2 {
		return kind{doc.Markdown, scanMarkdown, ""}
	}
	if strings.Contains(head, "\n.. ") && strings.Contains(head, "``") || strings.Count(head, "`_") > 2 {
		return kind{doc.Markup, scanMarkup, "rst"}
	}
	if len(head) > 1000 && strings.Count(head, " ") < len(head)/200 && asciiOnly(head) {
		return kind{doc.Data, scanGenerated, ""}
	}
	return kind{doc.Plain, scanPlain, lower}
}

func asciiOnly(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// docbook reports XML whose elements are those of a text.
func docbook(source string) bool {
	head := source[:min(len(source), limits.SniffDocBook)]
	return strings.Contains(head, "<para>") || strings.Contains(head, "DocBook") || strings.Contains(head, "<simpara>")
}

// isRoff reports text with the macros that man pages begin with.
func isRoff(source string) bool {
	head := "\n" + source[:min(len(source), limits.SniffRoff)]
	for _, m := range []string{"\n.TH ", "\n.SH ", "\n.Dd ", "\n.Sh ", "\n.so ", "\n.TH\t", "\n'\\\"", "\n.\\\"", "\n.SH\n", "\n.Dt "} {
		if strings.Contains(head, m) {
			return true
		}
	}
	return false
}
