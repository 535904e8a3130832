package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fake answers each command with an exit code and notes what was run.
type fake struct {
	ran  []string
	fail string
	code int
	err  error
}

func (f *fake) run(args ...string) (int, error) {
	f.ran = append(f.ran, strings.Join(args, " "))
	if args[0] == f.fail {
		return f.code, f.err
	}
	return 0, nil
}

func (f *fake) did(prefix string) bool {
	return slices.ContainsFunc(f.ran, func(s string) bool { return strings.HasPrefix(s, prefix) })
}

func here() models {
	return models{embedding: "meaning", chat: "talk", sums: map[string]string{"meaning.gguf": "aa", "talk.gguf": "bb"}}
}

func TestAllSteps(t *testing.T) {
	var out strings.Builder
	f := &fake{}
	if !(tour{&out, f.run, "build/tour"}).all(here()) {
		t.Fatal("a tour without a failure failed")
	}
	if len(f.ran) != len(steps(here()))+1 || f.ran[len(f.ran)-1] != "stop --home build/tour" {
		t.Errorf("ran %q", f.ran)
	}
	for _, s := range steps(here()) {
		if !strings.Contains(out.String(), "bin/bailey "+quote(s.args)) {
			t.Errorf("the command of %q is not shown", s.why)
		}
	}
	for _, c := range f.ran {
		if !strings.HasSuffix(c, "--home build/tour") {
			t.Errorf("%q writes outside of the tour's home", c)
		}
	}
	// The answer without a model comes first, and the same question again.
	without := slices.Index(f.ran, "ask docs "+question+" --allow-read docs --home build/tour")
	with := slices.Index(f.ran, "ask docs "+question+" --allow-read docs --allow-model meaning --home build/tour")
	if without < 0 || with < without || !f.did("model pull build/models/talk.gguf --sha256 bb") || !f.did("chat talk") {
		t.Errorf("ran %q", f.ran)
	}
}

// Without the engine or the models the rest is shown, and the line says why.
func TestWithoutModels(t *testing.T) {
	var out strings.Builder
	f := &fake{}
	m := here()
	m.missing = "they are on the moon"
	if !(tour{&out, f.run, "h"}).all(m) {
		t.Fatal("a tour without models failed")
	}
	if f.did("model") || f.did("chat") || !f.did("ask") || !f.did("audit verify") || strings.Count(out.String(), "they are on the moon") != 1 {
		t.Errorf("ran %q and said %s", f.ran, out.String())
	}
}

// What the doctor finds missing keeps nobody from the rest; a doctor that fails does.
func TestDoctorMissesSomething(t *testing.T) {
	var out strings.Builder
	f := &fake{fail: "doctor", code: unavailable}
	if !(tour{&out, f.run, "h"}).all(here()) || !f.did("ask") || !f.did("chat") || !strings.Contains(out.String(), "The rest is tried") {
		t.Errorf("ran %q and said %s", f.ran, out.String())
	}
	f = &fake{fail: "doctor", code: 1}
	if (tour{&out, f.run, "h"}).all(here()) || f.did("ask") {
		t.Error("a doctor that failed was passed over")
	}
}

// An engine that this machine cannot run is no failure of the tour; any other
// failure of a step with a model is.
func TestEngineDoesNotRun(t *testing.T) {
	var out strings.Builder
	f := &fake{fail: "model", code: unavailable}
	if !(tour{&out, f.run, "h"}).all(here()) || f.did("chat") || !f.did("audit verify") || !strings.Contains(out.String(), "does not run on this machine") {
		t.Errorf("ran %q and said %s", f.ran, out.String())
	}
	f = &fake{fail: "chat", code: 1}
	if (tour{&out, f.run, "h"}).all(here()) {
		t.Error("a chat that failed was passed over")
	}
}

func TestStopsAtAFailure(t *testing.T) {
	for _, err := range []error{nil, errors.New("no such program")} {
		var out strings.Builder
		f := &fake{fail: "summarize", code: 5, err: err}
		if (tour{&out, f.run, "h"}).all(here()) {
			t.Error("a failed step was passed over")
		}
		if !strings.Contains(out.String(), "exit code 5") || !strings.Contains(out.String(), "doctor --home h") {
			t.Errorf("%s", out.String())
		}
		if !f.did("stop --home h") || f.did("ask") {
			t.Errorf("ran %q", f.ran)
		}
	}
}

func TestQuote(t *testing.T) {
	if got := quote([]string{"ask", "docs", "what is it?"}); got != `ask docs 'what is it?'` {
		t.Error(got)
	}
}

func TestLookForModels(t *testing.T) {
	root := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	look := func(says string) {
		t.Helper()
		m, err := lookForModels(root)
		if err != nil || !strings.Contains(m.missing, says) || says == "" && m.missing != "" {
			t.Errorf("%q, %v", m.missing, err)
		}
		if m.sums["all-minilm-l6-v2-q8_0.gguf"] != "aa" {
			t.Errorf("%v", m.sums)
		}
	}
	if _, err := lookForModels(root); err == nil {
		t.Error("no list of digests, no error")
	}
	put(digests, "aa  all-minilm-l6-v2-q8_0.gguf\nbb  smollm2-135m-instruct-q4_1.gguf\n")
	look("make engine")
	put(library+"/libllama.v0.5.0.so", "")
	look("make model")
	put("build/models/all-minilm-l6-v2-q8_0.gguf", "")
	look("make model")
	put("build/models/smollm2-135m-instruct-q4_1.gguf", "")
	look("")
}
