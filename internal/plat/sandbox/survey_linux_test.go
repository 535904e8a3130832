package sandbox

import (
	"slices"
	"testing"

	"github.com/bailey-run/bailey/internal/workerspec"
)

// TestSurvey: where workers start every layer is found, with a word on it.
// TestNamespacesRefused is the other case.
func TestSurvey(t *testing.T) {
	var names []workerspec.Layer
	for _, l := range Survey(t.Context()) {
		names = append(names, l.Layer)
		if !l.Have || l.How == "" || l.Hint != "" {
			t.Errorf("%+v", l)
		}
	}
	if !slices.Equal(names, workerspec.Layers()) {
		t.Errorf("layers %v", names)
	}
}
