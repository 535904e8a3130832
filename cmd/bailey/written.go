package main

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/tty"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// notInDocuments marks what a model wrote and no passage has.
const notInDocuments = "not in your documents"

// similarAt stands before the place that a model's sentence was matched to. Words,
// numbers and names were compared, and no meaning: the sentence may still say
// something else than the passage does.
const similarAt = "similar words at "

// namedModels checks --allow-model before the core is touched.
func namedModels(names []string) ([]string, error) {
	if len(names) > limits.TaskModels {
		return nil, usage(fmt.Sprintf("--allow-model is given more than %d times", limits.TaskModels), "name one model that finds by meaning, and one that writes")
	}
	var out []string
	for _, n := range names {
		name, err := modelRef(n)
		if err != nil {
			return nil, err
		}
		for _, o := range out {
			if o == name {
				return nil, usage("--allow-model names "+name+" twice", "once is enough")
			}
		}
		out = append(out, name)
	}
	return out, nil
}

// chooseModels adds to a job for which no model was named those that are
// remembered with its folder; else, if a person may be asked, one that finds by
// meaning is offered: the only one that is here, or the one that was used last.
func (c *cli) chooseModels(ctx context.Context, cl *client.Client, j *job) error {
	if len(j.models) > 0 {
		return c.capWriters(ctx, cl, j)
	}
	found, err := cl.Grant.FindRemembered(ctx, &grantv1.FindRememberedRequest{Path: []byte(j.dir)})
	if err != nil {
		return err
	}
	if len(found.GetPath()) > 0 && len(found.GetModels()) > 0 {
		j.known = found.GetModels()[:min(len(found.GetModels()), limits.TaskModels)]
		return c.capWriters(ctx, cl, j)
	}
	if j.verb != "ask" || len(j.allowed) > 0 {
		return nil
	}
	if _, ok := tty.Open(c.in, c.screen.errFile); !ok {
		return nil
	}
	all, err := listModels(ctx, cl, "")
	if err != nil {
		return err
	}
	if m := offer(all); m != "" {
		j.offered = []string{m}
	}
	return nil
}

// capWriters finds the models that --max-tokens is for: one that makes vectors
// writes nothing, and its quota counts what it reads.
func (c *cli) capWriters(ctx context.Context, cl *client.Client, j *job) error {
	if j.tokens == 0 {
		return nil
	}
	j.capped = map[string]uint64{}
	for _, name := range slices.Concat(j.models, j.known) {
		got, err := listModels(ctx, cl, name)
		if err != nil {
			return err
		}
		for _, r := range got {
			if r.GetModel().GetFacts().GetRole() != modelv1.Role_ROLE_EMBEDDING {
				j.capped[name] = j.tokens
			}
		}
	}
	return nil
}

// offer names the model that finds by meaning: the only one, or the one that was
// used last; empty when there is none, or several and none was used. One whose
// permission was withdrawn is not offered: that was an answer.
func offer(all []*modelv1.ListResponse) string {
	var fit []*modelv1.Model
	for _, r := range all {
		if m := r.GetModel(); m.GetFacts().GetRole() == modelv1.Role_ROLE_EMBEDDING && !m.GetQuarantined() && !m.GetChanged() && m.GetPinnedBy() != "" {
			fit = append(fit, m)
		}
	}
	sort.SliceStable(fit, func(i, j int) bool { return fit[i].GetLastUsedMs() > fit[j].GetLastUsedMs() })
	if len(fit) == 0 || len(fit) > 1 && fit[0].GetLastUsedMs() == 0 {
		return ""
	}
	return fit[0].GetName()
}

// foundBy says how the passages were found, for the line that names the engine.
func foundBy(d *indexv1.Done) string {
	switch {
	case d.GetByMeaning() != "":
		return ", found by words and by meaning (" + visible.Name(d.GetByMeaning()) + ")"
	case d.GetWithoutModel() != "":
		return ", found by words alone, because the model failed (" + visible.Text(d.GetWithoutModel()) + ")"
	}
	return ""
}

// writtenTitle stands above what a model wrote.
func writtenTitle(r *result) string {
	return "Written by " + visible.Name(r.writtenDone.GetModel()) + ", not words of your documents:"
}

// shownWritten are the sentences of a model that are shown: of a folder first.
func (r *result) shownWritten(folded bool) []*indexv1.Written {
	if r.writtenDone.GetFolded() && !folded {
		return nil
	}
	out := append([]*indexv1.Written(nil), r.written...)
	sort.SliceStable(out, func(i, j int) bool {
		return out[i].GetSection() == indexv1.Section_SECTION_OVERVIEW && out[j].GetSection() != indexv1.Section_SECTION_OVERVIEW
	})
	return out
}

// writtenNotes say what is to be known of a model's text beside its sentences.
func (r *result) writtenNotes(folded bool) []string {
	d := r.writtenDone
	bad := 0
	for _, w := range r.written {
		if !w.GetSupported() {
			bad++
		}
	}
	var notes []string
	switch n := len(r.written); {
	case n == 0 && d.GetFailed() == "":
		notes = append(notes, "It wrote nothing.")
	case d.GetFolded() && !folded:
		notes = append(notes, fmt.Sprintf("Not shown: of %s, %s no support in your documents. --show-folded shows them.", count(uint64(n), "sentence"), have(bad)))
	case bad > 0:
		notes = append(notes, fmt.Sprintf("Of %s, %s no support in your documents.", count(uint64(n), "sentence"), have(bad)))
	}
	switch files := d.GetFiles(); {
	case files == 1:
		notes = append(notes, "It was told about the one file that matters most.")
	case files > 1:
		notes = append(notes, fmt.Sprintf("It was told about the %d files that matter most.", files))
	}
	if code := d.GetFailed(); code != "" {
		notes = append(notes, "It ended early: "+visible.Text(errs.New(errs.Code(code), "cli.written").Message()))
	}
	return notes
}

func have(n int) string {
	if n == 1 {
		return "1 has"
	}
	return fmt.Sprintf("%d have", n)
}

// written prints what a model wrote, below the passages and set in.
func (p *textPrinter) written(r *result) {
	p.gap()
	p.heading(writtenTitle(r))
	for _, w := range r.shownWritten(p.folded) {
		text := visible.Text(w.GetText())
		if !w.GetSupported() {
			text += " (" + notInDocuments + ")"
		}
		p.wrapped("  ", text)
		for _, c := range w.GetCitations() {
			p.line("    " + similarAt + p.at.at(c))
		}
	}
	for _, l := range r.writtenNotes(p.folded) {
		p.wrapped("  ", l)
	}
}

type writtenJSON struct {
	Model     string                `json:"model"`
	Folded    bool                  `json:"folded"`
	Sentences []writtenSentenceJSON `json:"sentences"`
	Files     uint32                `json:"files,omitempty"`
	Failed    string                `json:"failed,omitempty"`
	Usage     writtenUsageJSON      `json:"usage"`
}

type writtenSentenceJSON struct {
	Text      string         `json:"text"`
	Section   string         `json:"section"`
	Supported bool           `json:"supported"`
	Citations []citationJSON `json:"citations"`
}

type writtenUsageJSON struct {
	PromptTokens uint32  `json:"prompt_tokens"`
	OutputTokens uint32  `json:"output_tokens"`
	Seconds      float64 `json:"seconds"`
}

// writtenJSON is all that was written, folded or not: a program decides itself.
func (r *result) writtenJSON(d *indexv1.WrittenDone) writtenJSON {
	j := writtenJSON{Model: d.GetModel(), Folded: d.GetFolded(), Sentences: []writtenSentenceJSON{}, Files: d.GetFiles(), Failed: d.GetFailed(),
		Usage: writtenUsageJSON{d.GetPromptTokens(), d.GetOutputTokens(), (time.Duration(d.GetMilliseconds()) * time.Millisecond).Seconds()}}
	for _, w := range r.written {
		j.Sentences = append(j.Sentences, writtenSentenceJSON{w.GetText(), sectionName(w.GetSection()), w.GetSupported(), citationsJSON(w.GetCitations())})
	}
	return j
}

func citationsJSON(list []*indexv1.Citation) []citationJSON {
	out := []citationJSON{}
	for _, c := range list {
		out = append(out, citationJSON{jsonPath(c.GetPath()), c.GetLine(), c.GetEndLine(), c.GetPage(), c.GetParagraph(), c.GetQuote()})
	}
	return out
}
