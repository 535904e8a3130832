package main

import (
	"encoding/hex"

	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// modelJSON is a row of `model list --json`; `show`, `fit`, `pull` and `pin` print
// one with more.
type modelJSON struct {
	Name         string  `json:"name"`
	SHA256       string  `json:"sha256"`
	Size         uint64  `json:"size"`
	Role         string  `json:"role"`
	Architecture string  `json:"architecture"`
	Parameters   uint64  `json:"parameters"`
	Quantisation string  `json:"quantisation"`
	Context      uint32  `json:"context"`
	Licence      string  `json:"licence"`
	PinnedBy     string  `json:"pinned_by"`
	LastUsed     *string `json:"last_used"`
	Quarantined  bool    `json:"quarantined"`
	Changed      bool    `json:"changed"`
}

func modelOf(m *modelv1.Model) modelJSON {
	f := m.GetFacts()
	return modelJSON{
		Name: m.GetName(), SHA256: hex.EncodeToString(f.GetSha256()), Size: f.GetSize(), Role: roleName(f.GetRole()),
		Architecture: f.GetArchitecture(), Parameters: f.GetParameters(), Quantisation: f.GetQuantisation(), Context: f.GetContext(),
		Licence: f.GetLicence(), PinnedBy: m.GetPinnedBy(), LastUsed: rfc3339(m.GetLastUsedMs()), Quarantined: m.GetQuarantined(), Changed: m.GetChanged(),
	}
}

// shownJSON is `model show --json`.
type shownJSON struct {
	modelJSON
	Title      string  `json:"title"`
	Dimension  uint32  `json:"dimension"`
	Layers     uint32  `json:"layers"`
	Heads      uint32  `json:"heads"`
	HeadsKV    uint32  `json:"heads_kv"`
	Vocabulary uint32  `json:"vocabulary"`
	Weights    uint64  `json:"weights"`
	Pinned     *string `json:"pinned"`
	Crashes    uint32  `json:"crashes"`
	Loaded     bool    `json:"loaded"`
	Source     string  `json:"source"`
	Base64     string  `json:"source_base64,omitempty"`
}

func shownOf(r *modelv1.ListResponse) shownJSON {
	m := r.GetModel()
	f := m.GetFacts()
	source := jsonPath(m.GetSource())
	return shownJSON{
		modelJSON: modelOf(m), Title: f.GetTitle(), Dimension: f.GetDimension(), Layers: f.GetLayers(), Heads: f.GetHeads(),
		HeadsKV: f.GetHeadsKv(), Vocabulary: f.GetVocabulary(), Weights: f.GetWeights(), Pinned: rfc3339(m.GetPinnedMs()),
		Crashes: m.GetCrashes(), Loaded: r.GetLoaded(), Source: source.Path, Base64: source.Base64,
	}
}

// fitJSON is `model fit --json`.
type fitJSON struct {
	modelJSON
	Fit fitSums `json:"fit"`
}

type fitSums struct {
	Fits           bool   `json:"fits"`
	Context        uint32 `json:"context"`
	LongestContext uint32 `json:"longest_context"`
	Weights        uint64 `json:"weights"`
	Cache          uint64 `json:"cache"`
	Compute        uint64 `json:"compute"`
	Available      uint64 `json:"available"`
}

func fitOf(r *modelv1.FitResponse) fitJSON {
	f := r.GetFit()
	return fitJSON{modelOf(r.GetModel()), fitSums{
		f.GetFits(), f.GetContext(), f.GetLongestContext(), f.GetWeights(), f.GetCache(), f.GetCompute(), f.GetAvailable(),
	}}
}

// verifyModelsJSON is `model verify --json`.
type verifyModelsJSON struct {
	OK     bool           `json:"ok"`
	Models []verifiedJSON `json:"models"`
}

type verifiedJSON struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	SHA256 string `json:"sha256"`
	Found  string `json:"found"`
	Why    string `json:"why,omitempty"`
}

// removedJSON is `model rm --json`, gcJSON `model gc --json`.
type removedJSON struct {
	Name  string `json:"name"`
	Freed uint64 `json:"freed"`
}

type gcJSON struct {
	Removed uint32 `json:"removed"`
	Freed   uint64 `json:"freed"`
	DryRun  bool   `json:"dry_run"`
	// Models are the names of those that are among what was removed, or would be.
	Models []string `json:"models"`
}

// pulledJSON is `model pull --json` and `model pin --json`.
type pulledJSON struct {
	modelJSON
	// Known says that it was here, and allowed, before.
	Known     bool   `json:"known"`
	DecidedBy string `json:"decided_by"`
	// Permission is the id for `grant revoke`.
	Permission string `json:"permission"`
	// Was is the name that it had before, if this gave it another one.
	Was string `json:"was,omitempty"`
}
