//go:build bailey_hostile

package sandbox

import "github.com/bailey-run/bailey/internal/workerspec"

// seam lets a control run leave out layers, to show that an attack which the
// whole sandbox stops succeeds without them. Binaries that are shipped are
// built without the tag.
type seam struct {
	Omit []string `json:"omit,omitempty"`
}

func (s seam) omits(layer workerspec.Layer) bool {
	for _, o := range s.Omit {
		if o == string(layer) {
			return true
		}
	}
	return false
}
