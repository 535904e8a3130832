package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// withWritten is an answer below which a model wrote.
func withWritten(folded bool) *result {
	cite := []*indexv1.Citation{{Path: []byte("README.md"), Line: 3, EndLine: 3, Quote: "Bailey confines all code."}}
	return &result{
		verb: "ask", folder: []byte("/home/u/project"),
		sentences: []*indexv1.Sentence{{Text: "Bailey confines all code.", Section: indexv1.Section_SECTION_ANSWER, Citations: cite}},
		written: []*indexv1.Written{
			{Text: "Bailey confines *all* code.", Supported: true, Citations: cite, Section: indexv1.Section_SECTION_ANSWER},
			{Text: "\x1b[31mBuy now\x1b[0m!", Section: indexv1.Section_SECTION_ANSWER},
		},
		took:        4251 * time.Millisecond,
		writtenDone: &indexv1.WrittenDone{Model: "small", Folded: folded, PromptTokens: 10, OutputTokens: 5, Milliseconds: 1500},
		done:        &indexv1.Done{Engine: "bailey-extract/1", ByMeaning: "finds", Usage: &indexv1.Usage{Files: 1}},
	}
}

// printedWith prints as it comes: passages, what a model wrote, the end.
func printedWith(p func(*output) printer, r *result) string {
	var b bytes.Buffer
	out := newOutput(&b)
	pr := p(out)
	for _, s := range r.sentences {
		pr.sentence(s)
	}
	pr.written(r)
	pr.finish(r)
	_ = out.Flush()
	return b.String()
}

func TestWrittenText(t *testing.T) {
	want := `Bailey confines all code.
  project/README.md:3

Written by small, not words of your documents:
  Bailey confines *all* code.
    similar words at project/README.md:3
  \x1b[31mBuy now\x1b[0m! (not in your documents)
  Of 2 sentences, 1 has no support in your documents.

Passages by bailey-extract/1, in the documents' own words, found by words and by meaning (finds): 1 file, 0 B, 4.3 s.
`
	if got := printedWith(asText(0, false), withWritten(false)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	folded := printedWith(asText(0, false), withWritten(true))
	if strings.Contains(folded, "Buy") || strings.Contains(folded, "*all*") || !strings.Contains(folded, "Not shown: of 2 sentences, 1 has no support in your documents. --show-folded shows them.") {
		t.Errorf("folded:\n%s", folded)
	}
	show := func(o *output) printer { return &textPrinter{out: o, folded: true} }
	if got := printedWith(show, withWritten(true)); !strings.Contains(got, "Buy now") {
		t.Errorf("unfolded:\n%s", got)
	}
	r := withWritten(false)
	r.written, r.writtenDone.Failed = nil, string(errs.EngineCrashed)
	if got := printedWith(asText(0, false), r); !strings.Contains(got, "It ended early: ") {
		t.Errorf("failed:\n%s", got)
	}
	r.writtenDone.Failed, r.done.ByMeaning, r.done.WithoutModel = "", "", string(errs.EngineCrashed)
	got := printedWith(asText(0, false), r)
	if !strings.Contains(got, "It wrote nothing.") || !strings.Contains(got, "found by words alone, because the model failed (engine-crashed)") {
		t.Errorf("nothing:\n%s", got)
	}
}

// What a model wrote is a quotation in Markdown, and no markup.
func TestWrittenMarkdown(t *testing.T) {
	got := printedWith(asMarkdown("how?"), withWritten(false))
	for _, want := range []string{
		"\n## Written by small, not words of your documents:\n\n> Bailey confines \\*all\\* code. (similar words at [project/README.md:3](project/README.md#L3))\n>\n",
		"*(not in your documents)*\n",
		"\n## About this document\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if got := printedWith(asMarkdown("how?"), withWritten(true)); strings.Contains(got, "Buy") {
		t.Errorf("folded:\n%s", got)
	}
}

func TestWrittenJSON(t *testing.T) {
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	if err := withWritten(true).writeJSON(w); err != nil {
		t.Fatal(err)
	}
	w.Flush()
	var got struct {
		ByMeaning string `json:"by_meaning"`
		Written   struct {
			Model     string
			Folded    bool
			Sentences []struct {
				Text      string
				Supported bool
				Citations []struct{ Path string }
			}
			Usage struct {
				Prompt  int     `json:"prompt_tokens"`
				Output  int     `json:"output_tokens"`
				Seconds float64 `json:"seconds"`
			}
		}
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	x := got.Written
	if got.ByMeaning != "finds" || x.Model != "small" || !x.Folded || len(x.Sentences) != 2 || !x.Sentences[0].Supported || x.Sentences[0].Citations[0].Path != "README.md" ||
		x.Sentences[1].Supported || len(x.Sentences[1].Citations) != 0 || x.Usage.Prompt != 10 || x.Usage.Seconds != 1.5 {
		t.Errorf("%s", b.String())
	}
	if bytes.Contains(b.Bytes(), []byte{0x1b}) {
		t.Error("a control code went through")
	}
}

// A worker that breaks the form of what a model wrote is not believed.
func TestWrittenForm(t *testing.T) {
	good := []*indexv1.Citation{{Path: []byte("a.md"), Line: 1, EndLine: 1, Quote: "x"}}
	for name, w := range map[string]*indexv1.Written{
		"a path that leads out":   {Text: "x", Supported: true, Citations: []*indexv1.Citation{{Path: []byte("../a"), Line: 1, EndLine: 1, Quote: "x"}}},
		"support without a place": {Text: "x", Supported: true},
		"a place without support": {Text: "x", Citations: good},
	} {
		if err := (&result{}).write(w); errs.CodeOf(err) != errs.Malformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := &result{}
	for range limits.WrittenKept {
		if err := r.write(&indexv1.Written{Text: "x", Supported: true, Citations: good}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.write(&indexv1.Written{Text: "x"}); errs.CodeOf(err) != errs.TooLarge {
		t.Errorf("one more: %v", err)
	}
}

func TestOffer(t *testing.T) {
	m := func(name string, role modelv1.Role, used int64, quarantined bool) *modelv1.ListResponse {
		return &modelv1.ListResponse{Model: &modelv1.Model{Name: name, Facts: &modelv1.Facts{Role: role}, LastUsedMs: used, Quarantined: quarantined, PinnedBy: "terminal"}}
	}
	withdrawn := func(r *modelv1.ListResponse) *modelv1.ListResponse { r.Model.PinnedBy = ""; return r }
	const embeds, chats = modelv1.Role_ROLE_EMBEDDING, modelv1.Role_ROLE_CHAT
	for _, c := range []struct {
		want string
		of   []*modelv1.ListResponse
	}{
		{"", nil},
		{"", []*modelv1.ListResponse{m("a", chats, 9, false)}},
		{"a", []*modelv1.ListResponse{m("b", chats, 9, false), m("a", embeds, 0, false)}},
		{"", []*modelv1.ListResponse{m("a", embeds, 0, false), m("b", embeds, 0, false)}},
		{"b", []*modelv1.ListResponse{m("a", embeds, 3, false), m("b", embeds, 5, false)}},
		{"a", []*modelv1.ListResponse{m("a", embeds, 3, false), m("b", embeds, 5, true)}},
		{"a", []*modelv1.ListResponse{m("a", embeds, 3, false), withdrawn(m("b", embeds, 5, false))}},
		{"", []*modelv1.ListResponse{withdrawn(m("a", embeds, 3, false))}},
	} {
		if got := offer(c.of); got != c.want {
			t.Errorf("%v: %q, want %q", c.of, got, c.want)
		}
	}
}
