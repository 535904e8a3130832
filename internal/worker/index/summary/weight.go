package summary

import (
	"math"
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/store"
)

// importance says how much a file matters in its folder, by name, place, size
// and kind; 1 is an ordinary document at the top.
func importance(f *store.File) float64 {
	low := strings.ToLower(f.Path)
	name := base(low)
	w := 1.0
	switch depth := strings.Count(low, "/"); {
	case depth > 0:
		w *= math.Pow(0.9, float64(min(depth, 8)))
	}
	stem, _, _ := strings.Cut(name, ".")
	switch stem {
	case "readme", "index", "overview", "about", "introduction", "intro", "getting-started", "getting_started", "quickstart", "architecture", "design", "summary", "guide", "manual", "faq":
		w *= 1.8
	case "changelog", "changes", "news", "history", "release", "releases", "release-notes", "upgrading", "upgrade", "todo", "whatsnew":
		w *= 0.12
	case "license", "licence", "copying", "copyright", "notice", "authors", "credits", "thanks", "contributors", "maintainers", "codeowners", "code_of_conduct", "governance", "security", "owners", "patents":
		w *= 0.08
	case "contributing", "hacking", "install", "installing", "building":
		w *= 0.6
	default:
		if strings.Contains(stem, "changelog") || strings.Contains(stem, "changes") && len(stem) < 14 || strings.HasPrefix(stem, "relnotes") {
			w *= 0.12
		}
	}
	for part := range strings.SplitSeq(low, "/") {
		switch part {
		case "test", "tests", "testdata", "fixtures", "__tests__", "spec", "mock", "mocks", "vendor", "third_party", "third-party", "deps", "external":
			w *= 0.25
		case "example", "examples", "sample", "samples", "demo", "demos", "benchmarks", "bench", "scripts", "internal", "changelog", "changelogs", "releases":
			w *= 0.6
		case "doc", "docs", "documentation", "manual", "guide", "guides":
			w *= 1.15
		}
	}
	switch f.Format {
	case "source":
		w *= 0.45
		if strings.Contains(name, "_test.") || strings.Contains(name, ".test.") || strings.Contains(name, ".spec.") || strings.HasPrefix(name, "test_") {
			w *= 0.2
		}
	case "text":
		if i := strings.LastIndexByte(name, '.'); i > 0 {
			switch name[i+1:] {
			case "txt", "text", "rst", "adoc", "org", "gz", "tex":
			default: // configuration, data, logs
				w *= 0.4
			}
		}
	}
	// Twice the text matters a little more; a few lines hardly at all.
	return w * math.Min(2, math.Log2(2+float64(f.Bytes)/limits.SummaryFileBytes)/2)
}

// front says whether a file introduces its folder, and how near the top it is.
func front(path string) float64 {
	low := strings.ToLower(path)
	stem, _, _ := strings.Cut(base(low), ".")
	switch stem {
	case "readme":
	case "index", "about", "overview", "introduction", "intro":
		if strings.Count(low, "/") > 1 {
			return 0
		}
	default:
		return 0
	}
	switch {
	case !strings.Contains(low, "/"):
		return 1
	case strings.HasPrefix(low, "doc") && strings.Count(low, "/") == 1:
		return 0.3 // docs/index.md
	}
	return 0
}

// quality says how well a sentence stands alone, by its place and its form.
func quality(l store.Lead, at int, format string) float64 {
	q := 1.0
	switch {
	case format == "man" && NameLine(l.Text):
		q = 2.2
	case l.Level == 0:
		q = 1.3
	case l.Level == 1 && at == 0:
		q = 1.25
	case l.Level == 1:
		q = 0.8
	case l.Level == 2:
		q = 0.55
	}
	if format == "source" && at > 0 {
		// A comment further down speaks of the line below it, not of the file.
		q *= 0.3
	}
	switch n := len(l.Text); {
	case n < 40:
		q *= 0.7
	case n > 220:
		q *= 0.8
	}
	low := strings.ToLower(l.Text)
	if about(low) {
		q *= 0.9
	}
	if strings.Contains(low, " is a") || strings.Contains(low, " provides ") || strings.Contains(low, " allows ") || strings.Contains(low, " describes ") || strings.Contains(low, " is the ") {
		q *= 1.2
	}
	if strings.ContainsAny(l.Text, "(){}<>`=") {
		q *= 0.8
	}
	return q
}
