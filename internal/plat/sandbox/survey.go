package sandbox

import "github.com/bailey-run/bailey/internal/workerspec"

// LayerState is what [Survey] found out about one layer.
type LayerState struct {
	Layer workerspec.Layer
	// Have says whether workers could have it.
	Have bool
	// How is a word of detail, such as "ABI 7", or why it is missing.
	How string
	// Hint says how to mend it; empty where it is there.
	Hint string
}
