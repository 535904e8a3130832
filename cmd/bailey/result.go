package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
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
	// reasons counts all of them by reason.
	reasons map[string]uint64
	grants  []grantRow
	done    *indexv1.Done
	// took is the time from the request to the end of the answer: the models' too.
	took time.Duration
	// written is what a model wrote; writtenDone is nil when none did.
	written     []*indexv1.Written
	writtenDone *indexv1.WrittenDone
	// wordsOnly says that nothing was found, and no model is here that finds by meaning.
	wordsOnly bool
	// sentenceBytes and skippedBytes are what is kept of either.
	sentenceBytes, skippedBytes int
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

// otherReasons is where skipped files are counted whose reasons are too many.
const otherReasons = "other"

// add takes a sentence in. A worker's word is held against what the schema
// cannot say before any of it is printed.
func (r *result) add(s *indexv1.Sentence) error {
	for _, c := range s.GetCitations() {
		if !local(c.GetPath()) || c.GetLine() < 1 || c.GetEndLine() < c.GetLine() {
			return brokenForm("a citation")
		}
	}
	r.sentenceBytes += proto.Size(s)
	if len(r.sentences) == limits.SentencesKept || r.sentenceBytes > limits.SentenceBytesKept {
		return errs.New(errs.TooLarge, "cli.answer").With("more sentences than were asked for")
	}
	r.sentences = append(r.sentences, s)
	return nil
}

// write takes a sentence of a model's in.
func (r *result) write(w *indexv1.Written) error {
	for _, c := range w.GetCitations() {
		if !local(c.GetPath()) || c.GetLine() < 1 || c.GetEndLine() < c.GetLine() {
			return brokenForm("a citation")
		}
	}
	if w.GetSupported() != (len(w.GetCitations()) > 0) {
		return brokenForm("a support without a place, or a place without support")
	}
	if len(r.written) == limits.WrittenKept {
		return errs.New(errs.TooLarge, "cli.answer").With("a model wrote more sentences than it may")
	}
	r.written = append(r.written, w)
	return nil
}

// skip takes skipped files in: all are counted, and as many kept as the limits
// allow.
func (r *result) skip(batch *indexv1.SkippedBatch) error {
	if r.reasons == nil {
		r.reasons = map[string]uint64{}
	}
	for _, s := range batch.GetSkipped() {
		if !local(s.GetPath()) {
			return brokenForm("the name of a skipped file")
		}
		r.counted++
		reason := s.GetReason()
		if _, known := r.reasons[reason]; !known && len(r.reasons) >= limits.SkippedReasons {
			reason = otherReasons
		}
		r.reasons[reason]++
		// From the first that is not kept, none is: the list has no holes.
		if n := proto.Size(s); uint64(len(r.skipped)) == r.counted-1 && len(r.skipped) < limits.SkippedKept && r.skippedBytes+n <= limits.SkippedBytesKept {
			r.skipped = append(r.skipped, s)
			r.skippedBytes += n
		}
	}
	return nil
}

// skippedMore is how many skipped files are counted and not kept.
func (r *result) skippedMore() uint64 { return r.counted - uint64(len(r.skipped)) }

// end takes the last event in.
func (r *result) end(d *indexv1.Done) error {
	for _, l := range d.GetLicences() {
		if !local(l.GetPath()) {
			return brokenForm("the name of a licence file")
		}
	}
	r.done = d
	return nil
}

// unused reports a model that this had no use for: a summary does not look for
// passages, and where there are none nothing is written. Under a folder that is
// remembered the model may be needed afterwards.
func (r *result) unused(g grantRow) bool {
	if g.kind != policyv1.Kind_KIND_MODEL_RUN || r.done.GetWithoutModel() != "" {
		return false
	}
	for _, other := range r.grants {
		if other.kind == policyv1.Kind_KIND_FILE_READ && other.remembered != "" {
			return false
		}
	}
	return string(g.scope) != r.done.GetByMeaning() && string(g.scope) != r.writtenDone.GetModel()
}

// reading is the time that the worker took to read the folder.
func (r *result) reading() time.Duration {
	return time.Duration(r.done.GetUsage().GetMilliseconds()) * time.Millisecond
}

// whole is the time that the answer took. No part of it takes longer.
func (r *result) whole() time.Duration {
	return max(r.took, r.reading()).Round(time.Millisecond)
}

func brokenForm(what string) error {
	return errs.New(errs.Malformed, "cli.answer").With("the worker broke the form: " + what + " is none")
}

// local reports whether a path leads to something in the folder that it is
// relative to. As filepath.IsLocal, and without any `..`, which through a link
// would lead elsewhere than it looks.
func local(path []byte) bool {
	if len(path) == 0 || path[0] == '/' || bytes.IndexByte(path, 0) >= 0 {
		return false
	}
	for part := range bytes.SplitSeq(path, []byte("/")) {
		if string(part) == ".." {
			return false
		}
	}
	return true
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
	// Page and Paragraph are left out where the file has none.
	Page      uint32 `json:"page,omitempty"`
	Paragraph uint32 `json:"paragraph,omitempty"`
	Quote     string `json:"quote"`
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

// writeJSON writes `ask --json` and `summarize --json`, which docs/json.md
// describes, element by element: a long answer is never in memory twice.
func (r *result) writeJSON(w *bufio.Writer) error {
	o := beginObject(w)
	o.member("task", r.task)
	o.member("folder", jsonPath(r.folder).Path)
	o.member("engine", r.done.GetEngine())
	o.lines("text", func(yield func(string) bool) {
		for _, s := range r.sentences {
			if !yield(s.GetText()) {
				return
			}
		}
	})
	list(o, "sentences", r.sentences, func(s *indexv1.Sentence) any {
		return sentenceJSON{s.GetText(), sectionName(s.GetSection()), citationsJSON(s.GetCitations())}
	})
	if d := r.writtenDone; d != nil {
		o.member("written", r.writtenJSON(d))
	}
	if m := r.done.GetByMeaning(); m != "" {
		o.member("by_meaning", m)
	}
	if w := r.done.GetWithoutModel(); w != "" {
		o.member("without_model", w)
	}
	list(o, "licences", r.done.GetLicences(), func(l *indexv1.Licence) any {
		return licenceJSON{jsonPath(l.GetPath()), l.GetName()}
	})
	list(o, "skipped", r.skipped, func(s *indexv1.Skipped) any {
		return skippedJSON{jsonPath(s.GetPath()), s.GetReason(), s.GetHint()}
	})
	o.member("skipped_more", r.skippedMore())
	list(o, "grants", r.grants, func(g grantRow) any {
		return grantUseJSON{g.id, capability.Name(g.kind), jsonPath(g.scope).Path, g.decidedBy, g.remembered}
	})
	u := r.done.GetUsage()
	o.member("usage", usageJSON{
		u.GetFiles(), u.GetBytes(), u.GetChunks(), max(u.GetSkipped(), r.counted), u.GetUnchanged(),
		r.reading().Seconds(),
	})
	o.member("seconds", r.whole().Seconds())
	return o.end()
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
	case grantv1.DecidedBy_DECIDED_BY_PROMPT:
		return string(capability.ByPrompt)
	}
	return string(capability.ByRemembered)
}
