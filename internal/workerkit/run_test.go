package workerkit

import (
	"slices"
	"testing"

	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/table"
)

// TestDescriptors: descriptors come from the core alone, and on no other call
// than these.
func TestDescriptors(t *testing.T) {
	with := []string{"bailey.engine.v1.EngineService/Load", "bailey.engine.v1.EngineService/Serve",
		"bailey.index.v1.IndexService/Attach", "bailey.index.v1.IndexService/Reader", "bailey.inspect.v1.InspectService/Model",
		"bailey.pdf.v1.PdfService/Code", "bailey.pdf.v1.PdfService/Serve"}
	for _, m := range table.All() {
		if p := PeerDescriptors(m); (p > 0) != (m.Name == "bailey.pdf.v1.PdfService/Text") || p > 1 || p > 0 && m.Caller != policyv1.Caller_CALLER_WORKER {
			t.Errorf("another worker may bring %d descriptors on %s", p, m.Name)
		}
		n := Descriptors(m)
		if want := slices.Contains(with, m.Name); n > 1 || (n == 1) != want {
			t.Errorf("%s may bring %d descriptors", m.Name, n)
		}
		if n > 0 && m.Caller != policyv1.Caller_CALLER_CORE {
			t.Errorf("%s may bring descriptors of %v", m.Name, m.Caller)
		}
	}
}
