package index

import (
	"context"

	"github.com/bailey-run/bailey/internal/worker/index/summary"
	"github.com/bailey-run/bailey/internal/worker/index/written"
)

// Write is not there yet.
func (x *Index) Write(ctx context.Context, w written.Writer, s summary.Summary, emit func(written.Sentence) error) (written.Text, error) {
	return written.Text{}, nil
}
