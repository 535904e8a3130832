package models

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/modelfile"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

const indexName = "index.json"

// indexFile is the form of index.json. What is not in this form is an error,
// never an empty store.
type indexFile struct {
	Version int     `json:"version"`
	Models  []entry `json:"models"`
}

type entry struct {
	Name     string `json:"name"`
	SHA256   string `json:"sha256"`
	Source   []byte `json:"source"`
	Added    string `json:"added"`
	LastUsed string `json:"last_used,omitempty"`
	Crashes  int    `json:"crashes,omitempty"`
	Set      bool   `json:"quarantined,omitempty"`
	Changed  bool   `json:"changed,omitempty"`
	// File is what the blob was when its bytes were last known to be these. Without
	// a seal that holds, the store believes its size alone, and only to show it.
	File  modelfile.Identity `json:"file"`
	Seal  string             `json:"seal,omitempty"`
	Facts facts              `json:"facts"`
}

type facts struct {
	Role         string `json:"role"`
	Architecture string `json:"architecture"`
	Parameters   uint64 `json:"parameters"`
	Quantisation string `json:"quantisation"`
	Context      uint32 `json:"context"`
	Licence      string `json:"licence"`
	Title        string `json:"title"`
	Dimension    uint32 `json:"dimension"`
	Layers       uint32 `json:"layers"`
	Heads        uint32 `json:"heads"`
	HeadsKV      uint32 `json:"heads_kv"`
	KeyLength    uint32 `json:"key_length"`
	ValueLength  uint32 `json:"value_length"`
	Vocabulary   uint32 `json:"vocabulary"`
	Weights      uint64 `json:"weights"`
}

// RoleName is how a role stands in the index and in JSON.
func RoleName(r modelv1.Role) string {
	return strings.ToLower(strings.TrimPrefix(r.String(), "ROLE_"))
}

func roleOf(name string) modelv1.Role {
	return modelv1.Role(modelv1.Role_value["ROLE_"+strings.ToUpper(name)])
}

func (m *model) entry() entry {
	f := m.Facts
	e := entry{
		Name: m.Name, SHA256: m.Digest.Hex(), Source: m.Source, Added: stamp(m.Added), LastUsed: stamp(m.LastUsed),
		Crashes: m.Crashes, Set: m.Quarantined, Changed: m.Changed, File: m.identity, Seal: m.seal,
		Facts: facts{
			Role: RoleName(f.GetRole()), Architecture: f.GetArchitecture(), Parameters: f.GetParameters(), Quantisation: f.GetQuantisation(),
			Context: f.GetContext(), Licence: f.GetLicence(), Title: f.GetTitle(), Dimension: f.GetDimension(), Layers: f.GetLayers(),
			Heads: f.GetHeads(), HeadsKV: f.GetHeadsKv(), KeyLength: f.GetKeyLength(), ValueLength: f.GetValueLength(),
			Vocabulary: f.GetVocabulary(), Weights: f.GetWeights(),
		},
	}
	return e
}

func (e *entry) model() (*model, bool) {
	m := &model{Model: Model{Name: e.Name, Source: e.Source, Crashes: e.Crashes, Quarantined: e.Set, Changed: e.Changed}, identity: e.File, seal: e.Seal}
	digest, err := hex.DecodeString(e.SHA256)
	if err != nil || len(digest) != len(m.Digest) || CheckName(e.Name) != nil || e.Crashes < 0 {
		return nil, false
	}
	copy(m.Digest[:], digest)
	var ok1, ok2 bool
	m.Added, ok1 = unstamp(e.Added)
	m.LastUsed, ok2 = unstamp(e.LastUsed)
	f := e.Facts
	m.Facts = &modelv1.Facts{
		Sha256: digest, Size: e.File.Size, Role: roleOf(f.Role), Architecture: f.Architecture, Parameters: f.Parameters,
		Quantisation: f.Quantisation, Context: f.Context, Licence: f.Licence, Title: f.Title, Dimension: f.Dimension, Layers: f.Layers,
		Heads: f.Heads, HeadsKv: f.HeadsKV, KeyLength: f.KeyLength, ValueLength: f.ValueLength, Vocabulary: f.Vocabulary, Weights: f.Weights,
	}
	return m, ok1 && ok2 && m.Facts.Role != modelv1.Role_ROLE_UNSPECIFIED && m.Facts.Validate() == nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func unstamp(s string) (time.Time, bool) {
	if s == "" {
		return time.Time{}, true
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil
}

// load reads the index into an empty store.
func (s *Store) load() error {
	b, err := s.cfg.Dir.Read(indexName, limits.ModelIndexBytes)
	if errs.CodeOf(err) == errs.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	damaged := errs.New(errs.HomeUnusable, "models.load").With("the index of models is damaged").
		WithHint("move models/index.json in Bailey's state away, then bring the models in again")
	var f indexFile
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil || f.Version != 1 || len(f.Models) > limits.Models {
		return damaged
	}
	names := map[string]bool{}
	for i := range f.Models {
		m, ok := f.Models[i].model()
		if !ok || s.models[m.Digest] != nil || names[m.Name] {
			clear(s.models)
			return damaged
		}
		m.hashed = s.sealed(m)
		s.models[m.Digest], names[m.Name] = m, true
	}
	return nil
}

// save writes the index as it is in memory; the caller holds mu and undoes its
// change when it fails.
func (s *Store) save() error {
	f := indexFile{Version: 1, Models: []entry{}}
	for _, m := range s.list() {
		f.Models = append(f.Models, s.models[m.Digest].entry())
	}
	b, err := json.MarshalIndent(f, "", " ")
	if err != nil {
		panic("BUG: the index of models does not encode: " + err.Error())
	}
	return s.cfg.Dir.Publish(indexName, append(b, '\n'))
}
