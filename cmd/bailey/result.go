package main

import (
	"encoding/base64"
	"time"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// result is what one summarize or ask gave, as it came in.
type result struct {
	verb      string // "summarize" or "ask"
	task      string
	folder    []byte // the real path that was granted
	sentences []*indexv1.Sentence
	skipped   []*indexv1.Skipped
	// counted is how many were skipped, also those that are not kept.
	counted uint64
	grants  []grantRow
	done    *indexv1.Done
}

// grantRow is a grant that the task used.
type grantRow struct {
	id        string
	kind      policyv1.Kind
	scope     []byte
	decidedBy string
	// remembered is the id of the remembered permission, empty when it ends with
	// the task.
	remembered string
}

func (r *result) skip(batch *indexv1.SkippedBatch) {
	for _, s := range batch.GetSkipped() {
		r.counted++
		if len(r.skipped) < limits.SkippedKept {
			r.skipped = append(r.skipped, s)
		}
	}
}

// answerJSON is `ask --json` and `summarize --json`; docs/json.md describes it.
type answerJSON struct {
	Task      string         `json:"task"`
	Folder    string         `json:"folder"`
	Engine    string         `json:"engine"`
	Text      string         `json:"text"`
	Sentences []sentenceJSON `json:"sentences"`
	Licences  []licenceJSON  `json:"licences"`
	Skipped   []skippedJSON  `json:"skipped"`
	Grants    []grantUseJSON `json:"grants"`
	Usage     usageJSON      `json:"usage"`
}

type sentenceJSON struct {
	Text      string         `json:"text"`
	Section   string         `json:"section"`
	Citations []citationJSON `json:"citations"`
}

// pathJSON is a path. Bytes that are not UTF-8 stand as \xNN in path, and then
// the exact bytes stand in path_base64.
type pathJSON struct {
	Path   string `json:"path"`
	Base64 string `json:"path_base64,omitempty"`
}

type citationJSON struct {
	pathJSON
	Line    uint32 `json:"line"`
	EndLine uint32 `json:"end_line"`
	Quote   string `json:"quote"`
}

type licenceJSON struct {
	pathJSON
	Name string `json:"name"`
}

type skippedJSON struct {
	pathJSON
	Reason string `json:"reason"`
	Hint   string `json:"hint,omitempty"`
}

type grantUseJSON struct {
	ID        string `json:"id"`
	Kind      string `json:"kind"`
	Scope     string `json:"scope"`
	DecidedBy string `json:"decided_by"`
	// Remembered is the id that `grant revoke` takes to forget it.
	Remembered string `json:"remembered,omitempty"`
}

type usageJSON struct {
	Files     uint64  `json:"files"`
	Bytes     uint64  `json:"bytes"`
	Chunks    uint64  `json:"chunks"`
	Skipped   uint64  `json:"skipped"`
	Unchanged uint64  `json:"unchanged"`
	Seconds   float64 `json:"seconds"`
}

func (r *result) json() answerJSON {
	a := answerJSON{
		Task: r.task, Folder: jsonPath(r.folder).Path, Engine: r.done.GetEngine(),
		Sentences: []sentenceJSON{}, Licences: []licenceJSON{}, Skipped: []skippedJSON{}, Grants: []grantUseJSON{},
	}
	for i, s := range r.sentences {
		if i > 0 {
			a.Text += "\n"
		}
		a.Text += s.GetText()
		j := sentenceJSON{Text: s.GetText(), Section: sectionName(s.GetSection()), Citations: []citationJSON{}}
		for _, c := range s.GetCitations() {
			j.Citations = append(j.Citations, citationJSON{jsonPath(c.GetPath()), c.GetLine(), c.GetEndLine(), c.GetQuote()})
		}
		a.Sentences = append(a.Sentences, j)
	}
	for _, l := range r.done.GetLicences() {
		a.Licences = append(a.Licences, licenceJSON{jsonPath(l.GetPath()), l.GetName()})
	}
	for _, s := range r.skipped {
		a.Skipped = append(a.Skipped, skippedJSON{jsonPath(s.GetPath()), s.GetReason(), s.GetHint()})
	}
	for _, g := range r.grants {
		a.Grants = append(a.Grants, grantUseJSON{g.id, capability.Name(g.kind), jsonPath(g.scope).Path, g.decidedBy, g.remembered})
	}
	u := r.done.GetUsage()
	a.Usage = usageJSON{
		u.GetFiles(), u.GetBytes(), u.GetChunks(), max(u.GetSkipped(), r.counted), u.GetUnchanged(),
		(time.Duration(u.GetMilliseconds()) * time.Millisecond).Seconds(),
	}
	return a
}

// jsonPath keeps a path as it is if JSON can hold it.
func jsonPath(p []byte) pathJSON {
	if utf8.Valid(p) {
		return pathJSON{Path: string(p)}
	}
	return pathJSON{visible.Path(string(p)), base64.StdEncoding.EncodeToString(p)}
}

func sectionName(s indexv1.Section) string {
	switch s {
	case indexv1.Section_SECTION_OVERVIEW:
		return "overview"
	case indexv1.Section_SECTION_FILE:
		return "file"
	}
	return "answer"
}

func decidedByName(d grantv1.DecidedBy) string {
	switch d {
	case grantv1.DecidedBy_DECIDED_BY_TERMINAL:
		return string(capability.ByTerminal)
	case grantv1.DecidedBy_DECIDED_BY_COMMAND_LINE:
		return string(capability.ByCommandLine)
	}
	return string(capability.ByRemembered)
}
