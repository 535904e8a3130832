package sandbox

import (
	"testing"

	"github.com/bailey-run/bailey/internal/workerspec"
)

func TestSurvey(t *testing.T) {
	r := Survey(t.Context())
	for _, s := range workerspec.All() {
		if missing := r.Missing(s); len(missing) > 0 {
			t.Errorf("%s: %v are missing: %+v", s.Kind, missing, r)
		}
	}
	if r.Level != Full || len(r.Layers) != len(workerspec.Layers()) {
		t.Errorf("level %s, %d layers", r.Level, len(r.Layers))
	}
}
