package sandbox

import "github.com/bailey-run/bailey/internal/workerspec"

// Level is how much of the sandbox a machine offers.
type Level string

const (
	// Full: every layer.
	Full Level = "full"
	// Refused: a layer that every kind requires is missing, so no worker
	// starts.
	Refused Level = "refused"
)

// LayerState is what was found out about one layer.
type LayerState struct {
	Layer workerspec.Layer
	// Have says whether workers get it.
	Have bool
	// How is a word of detail, such as "ABI 7", or why it is missing.
	How string
	// Hint says how to mend it; empty where it is there.
	Hint string
}

// Report is what a machine offers.
type Report struct {
	Level  Level
	Layers []LayerState
}

// Missing lists the layers that the spec requires and the machine lacks.
func (r Report) Missing(spec workerspec.Spec) []workerspec.Layer {
	var missing []workerspec.Layer
	for _, l := range spec.Required {
		have := false
		for _, s := range r.Layers {
			have = have || s.Layer == l && s.Have
		}
		if !have {
			missing = append(missing, l)
		}
	}
	return missing
}
