package extract

import (
	"strings"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// scanData reads data: searchable, in pieces, and never a sentence.
func scanData(b *builder, variant string) {
	role := doc.Code
	switch variant {
	case "csv", "tsv", "psv":
		role = doc.Table
	case "lock", "map", "min":
		role = doc.Boilerplate
	}
	sample := b.src[:min(len(b.src), limits.SniffLines)]
	if role == doc.Code && len(sample) > 4*limits.DocLongLine && len(sample)/(1+strings.Count(sample, "\n")) > limits.DocLongLine {
		role = doc.Boilerplate
	}
	b.pieces(role, 0, len(b.src))
}

// scanGenerated reads what a program wrote for programs.
func scanGenerated(b *builder, _ string) { b.pieces(doc.Boilerplate, 0, len(b.src)) }
