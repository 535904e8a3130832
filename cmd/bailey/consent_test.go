package main

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// paper is a terminal whose person answers by a list.
type paper struct {
	shown         strings.Builder
	answers       []string
	columns, rows int
	held          []time.Duration
	fails         error
	// resizes are the sizes that the terminal takes while a line is typed.
	resizes [][2]int
}

func (p *paper) Write(b []byte) (int, error) { return p.shown.Write(b) }
func (p *paper) Size() (int, int)            { return p.columns, p.rows }
func (p *paper) Hold(ctx context.Context, d time.Duration) error {
	p.held = append(p.held, d)
	return ctx.Err()
}
func (p *paper) ReadLine(context.Context) (string, error) {
	if p.fails != nil {
		return "", p.fails
	}
	if len(p.resizes) > 0 {
		p.columns, p.rows = p.resizes[0][0], p.resizes[0][1]
		p.resizes = p.resizes[1:]
	}
	a := p.answers[0]
	p.answers = p.answers[1:]
	return a, nil
}

func question(paths ...string) prompt.Question {
	q := prompt.Question{Actor: "bailey ask"}
	for _, p := range paths {
		q.Rows = append(q.Rows, prompt.Row{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte(p), Ticked: true})
	}
	return q
}

func TestAskAt(t *testing.T) {
	for _, c := range []struct {
		answers  []string
		accepted []uint32
	}{
		{[]string{"read"}, []uint32{0, 1}},
		{[]string{"2", "read"}, []uint32{0}},
		{[]string{"1", "2", "1", "read"}, []uint32{0}},
		{[]string{"1", "2", "read"}, nil},
		{[]string{""}, nil},
		{[]string{"yes"}, nil},
	} {
		p := &paper{answers: c.answers, columns: 80, rows: 24}
		got, err := askAt(t.Context(), p, question("/a", "/b"), time.Second)
		if !slices.Equal(got, c.accepted) || (err == nil) != (c.accepted != nil) || err != nil && errs.CodeOf(err) != errs.Denied {
			t.Errorf("%q: %v %v", c.answers, got, err)
		}
		// The inert time starts anew whenever the question is shown.
		if len(p.held) != len(c.answers) || slices.Max(p.held) != time.Second || slices.Min(p.held) != time.Second {
			t.Errorf("%q: held %v", c.answers, p.held)
		}
		if len(p.answers) != 0 {
			t.Errorf("%q: it stopped asking", c.answers)
		}
	}
}

// An answer to a question that may have gone out of sight is none: it is put
// again, inert again, or not at all where it does not fit any more. A "no" stays.
func TestAskAtAnotherSize(t *testing.T) {
	for _, c := range []struct {
		resizes  [][2]int
		answers  []string
		accepted []uint32
		held     int
	}{
		{[][2]int{{80, 24}}, []string{"read"}, []uint32{0}, 1}, // the control
		{[][2]int{{20, 3}}, []string{"read"}, nil, 1},
		{[][2]int{{100, 30}}, []string{"read", "read"}, []uint32{0}, 2},
		{[][2]int{{100, 30}, {80, 24}}, []string{"read", "read", "read"}, []uint32{0}, 3},
		{[][2]int{{100, 30}}, []string{"read", ""}, nil, 2},
		{[][2]int{{100, 30}}, []string{""}, nil, 1},
	} {
		p := &paper{answers: c.answers, columns: 80, rows: 24, resizes: c.resizes}
		got, err := askAt(t.Context(), p, question("/a"), time.Second)
		if !slices.Equal(got, c.accepted) || c.accepted == nil && errs.CodeOf(err) != errs.Denied || len(p.held) != c.held || len(p.answers) != 0 {
			t.Errorf("%v %q: %v %v, held %d times, unread %q", c.resizes, c.answers, got, err, len(p.held), p.answers)
		}
	}
	// A row that is taken out unseen stays.
	p := &paper{answers: []string{"2", "read"}, columns: 80, rows: 24, resizes: [][2]int{{100, 30}}}
	if got, err := askAt(t.Context(), p, question("/a", "/b"), 0); err != nil || !slices.Equal(got, []uint32{0, 1}) {
		t.Errorf("unticked unseen: %v %v", got, err)
	}
}

func TestAskAtFailures(t *testing.T) {
	// Not all of it can be seen.
	p := &paper{columns: 80, rows: 5}
	if _, err := askAt(t.Context(), p, question("/a"), 0); errs.CodeOf(err) != errs.Denied || p.shown.Len() != 0 {
		t.Errorf("too small: %v, %q", err, p.shown.String())
	}
	// Ctrl-C is not an answer.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p = &paper{columns: 80, rows: 24}
	if _, err := askAt(ctx, p, question("/a"), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Ctrl-C: %v", err)
	}
	// The terminal goes away.
	p = &paper{columns: 80, rows: 24, fails: errs.New(errs.Cancelled, "")}
	if got, err := askAt(t.Context(), p, question("/a"), 0); err == nil || got != nil {
		t.Errorf("gone: %v %v", got, err)
	}
}

// After a minute the answer is no, and says so.
func TestUnanswered(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errs.New(errs.Denied, "").With("nobody answered within a minute"))
	err := unanswered(ctx, errs.New(errs.Cancelled, ""))
	if errs.CodeOf(err) != errs.Denied {
		t.Errorf("got %v", err)
	}
}

func TestCovered(t *testing.T) {
	for _, c := range []struct {
		real string
		dirs []string
		want bool
	}{
		{"/a/b", []string{"/a/b"}, true}, {"/a/b", []string{"/a"}, true}, {"/a/b", []string{"/"}, true}, {"/a/b", []string{"/x", "/a"}, true},
		{"/a/b", []string{"/a/b/c"}, false}, {"/a/bc", []string{"/a/b"}, false}, {"/a", nil, false}, {"/A", []string{"/a"}, false}, {"", []string{"/a"}, false},
	} {
		if got := covered(c.real, c.dirs); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// The hint can be copied: a shell reads back the very path, or it is not offered.
func FuzzShellWord(f *testing.F) {
	for _, s := range []string{"/home/u/x", "/a b", "/it's", "/$(touch x)", "/`id`", "/a\nb", "/a;rm", "/ü", "~", "-rf", "/\\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w := shellWord(s)
		if w == "DIR" || s == "" {
			return
		}
		out, err := exec.Command("sh", "-c", "printf %s "+w).Output()
		if err != nil || string(out) != s {
			t.Fatalf("%q is written %s and read %q (%v)", s, w, out, err)
		}
	})
}

// What is settled without a person: what the command line names, and what was
// remembered; never what is only offered.
func TestSettled(t *testing.T) {
	folder := &grantv1.Row{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte("/d")}
	known := &grantv1.Row{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte("/d"), Remembered: true}
	model := &grantv1.Row{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: &modelv1.Model{Name: "m"}}
	pinned := &grantv1.Row{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: &modelv1.Model{Name: "m"}, Remembered: true}
	named := func(*grantv1.Row) (bool, error) { return true, nil }
	not := func(*grantv1.Row) (bool, error) { return false, errs.New(errs.Denied, "") }
	for name, c := range map[string]struct {
		rows     []*grantv1.Row
		wanted   []wanted
		accepted []uint32
		open     []int
		fails    bool
	}{
		"nothing was said":                  {[]*grantv1.Row{folder}, []wanted{{}}, nil, []int{0}, false},
		"named":                             {[]*grantv1.Row{folder}, []wanted{{covers: named}}, []uint32{0}, nil, false},
		"something else was named":          {[]*grantv1.Row{folder}, []wanted{{covers: not}}, nil, nil, true},
		"remembered, something else named":  {[]*grantv1.Row{known}, []wanted{{covers: not}}, []uint32{0}, nil, false},
		"remembered":                        {[]*grantv1.Row{known}, []wanted{{}}, []uint32{0}, nil, false},
		"a model is named":                  {[]*grantv1.Row{known, model}, []wanted{{}, {covers: named, optional: true}}, []uint32{0, 1}, nil, false},
		"a pinned model is offered":         {[]*grantv1.Row{known, pinned}, []wanted{{}, {offered: true, optional: true}}, []uint32{0}, nil, false},
		"offered beside a question":         {[]*grantv1.Row{folder, pinned}, []wanted{{}, {offered: true, optional: true}}, nil, []int{0}, false},
		"a model was remembered":            {[]*grantv1.Row{known, pinned}, []wanted{{}, {known: true, optional: true}}, []uint32{0, 1}, nil, false},
		"it is no longer":                   {[]*grantv1.Row{known, model}, []wanted{{}, {known: true, optional: true}}, []uint32{0}, nil, false},
		"it is no longer, and a question":   {[]*grantv1.Row{folder, model}, []wanted{{}, {known: true, optional: true}}, nil, []int{0}, false},
		"a model is asked for, and nobody":  {[]*grantv1.Row{model}, []wanted{{}}, nil, []int{0}, false},
		"a named model, the folder is open": {[]*grantv1.Row{folder, model}, []wanted{{}, {covers: named}}, []uint32{1}, []int{0}, false},
	} {
		var d grantv1.DecideRequest
		open, err := settled(c.wanted, &grantv1.ProposeResponse{Rows: c.rows}, &d)
		if (err != nil) != c.fails || err == nil && (!slices.Equal(d.Accepted, c.accepted) || !slices.Equal(open, c.open)) {
			t.Errorf("%s: accepted %v, open %v, %v", name, d.Accepted, open, err)
		}
	}
}

// What was remembered when the command looked, and was withdrawn before it asked, is
// not granted by a command line that names nothing: neither a model nor a folder.
func TestWithdrawnMeanwhile(t *testing.T) {
	folder := func(remembered bool) *grantv1.Row {
		return &grantv1.Row{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte("/d"), Remembered: remembered}
	}
	model := func(remembered bool) *grantv1.Row {
		return &grantv1.Row{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: &modelv1.Model{Name: "m"}, Remembered: remembered}
	}
	known, named := job{dir: "/d", known: []string{"m"}}, job{dir: "/d", models: []string{"m"}}
	for name, c := range map[string]struct {
		of       job
		rows     []*grantv1.Row
		accepted []uint32
		open     []int
	}{
		"both are remembered":                {known, []*grantv1.Row{folder(true), model(true)}, []uint32{0, 1}, nil},
		"the model was withdrawn":            {known, []*grantv1.Row{folder(true), model(false)}, []uint32{0}, nil},
		"the folder was withdrawn":           {known, []*grantv1.Row{folder(false), model(true)}, []uint32{1}, []int{0}},
		"both were withdrawn":                {known, []*grantv1.Row{folder(false), model(false)}, nil, []int{0}},
		"the model is named, and not pinned": {named, []*grantv1.Row{folder(true), model(false)}, []uint32{0, 1}, nil},
	} {
		var d grantv1.DecideRequest
		open, err := settled(c.of.rows(), &grantv1.ProposeResponse{Rows: c.rows}, &d)
		if err != nil || !slices.Equal(d.Accepted, c.accepted) || !slices.Equal(open, c.open) {
			t.Errorf("%s: accepted %v, open %v, %v", name, d.Accepted, open, err)
		}
	}
}

// Without a terminal the refusal names all that is missing, and all that would
// grant it.
func TestNotGranted(t *testing.T) {
	p := &grantv1.ProposeResponse{Rows: []*grantv1.Row{
		{Kind: policyv1.Kind_KIND_FILE_READ, Path: []byte("/a b")},
		{Kind: policyv1.Kind_KIND_MODEL_RUN, Model: &modelv1.Model{Name: "m\x1b[2J"}},
	}}
	rows := []wanted{{flag: func(r *grantv1.Row) string { return "--allow-read " + shellWord(string(r.Path)) }}, modelWanted("m", false)}
	e := errs.From(notGranted(rows, p, []int{0, 1}))
	if e.Code != errs.Denied || !strings.Contains(e.Detail, `reading /a b and running the model m\x1b[2J was not granted`) ||
		!strings.Contains(e.Hint, "--allow-read '/a b' --allow-model m") {
		t.Errorf("%q, %q", e.Detail, e.Hint)
	}
}
