package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// When this is set, the test binary is the command that it tests.
const fakeCommand = "ANSWERS_FAKE_BAILEY"

func TestMain(m *testing.M) {
	if os.Getenv(fakeCommand) != "" {
		args := strings.Join(os.Args[1:], " ")
		if os.Args[1] != "ask" || !strings.Contains(args, "--json") || !strings.Contains(args, "--allow-read "+os.Args[2]) {
			os.Exit(2)
		}
		type citation struct {
			Path    string `json:"path"`
			Line    int    `json:"line"`
			EndLine int    `json:"end_line"`
			Quote   string `json:"quote"`
		}
		type sentence struct {
			Text      string     `json:"text"`
			Citations []citation `json:"citations"`
		}
		out := map[string]any{"task": "1", "sentences": []sentence{
			{"In the folder.", []citation{{"a.md", 1, 1, "In the folder."}, {filepath.Join(os.Args[2], "b.md"), 2, 3, "x"}}},
			{strings.Repeat("long ", 200), []citation{{"c.md", 4, 4, "long"}}},
		}}
		if os.Args[3] == "nothing" {
			out["sentences"] = []sentence{}
		}
		json.NewEncoder(os.Stdout).Encode(out)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The command's answers are read as it prints them, with paths relative to the
// folder or not; text behind what is shown does not count.
func TestBinary(t *testing.T) {
	t.Setenv(fakeCommand, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := openBinary(self, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	a, err := b.ask(context.Background(), "what?")
	if err != nil {
		t.Fatal(err)
	}
	shown := a.shown[""]
	if len(shown) != 2 || shown[0].File != "a.md" || shown[0].also[0].File != "b.md" || shown[0].also[0].End != 3 || len(a.cited) != 3 {
		t.Errorf("%+v", a)
	}
	if n := len([]rune(shown[1].Text)); n != windowMax {
		t.Errorf("a sentence of %d letters", n)
	}
	if a, err = b.ask(context.Background(), "nothing"); err != nil || len(a.shown[""]) != 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

// The engine answers about a folder, and every citation is exact.
func TestEngine(t *testing.T) {
	dir := t.TempDir()
	text := "# Zones\n\nThe zones are reloaded\nwith a signal.\n\nOther things are elsewhere.\n"
	if err := os.WriteFile(filepath.Join(dir, "a.md"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	e, err := openEngine(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	a, err := e.ask(context.Background(), "How are zones reloaded?")
	if err != nil || len(a.shown[""]) == 0 || !strings.Contains(a.shown[""][0].Text, "with a signal") {
		t.Errorf("%+v, %v", a, err)
	}
	s := &source{file: "a.md", lines: strings.Split(text, "\n")}
	for _, c := range a.cited {
		if why := exact(s, c); why != "" {
			t.Errorf("%+v: %s", c, why)
		}
	}
	if err := e.close(); err != nil {
		t.Error(err)
	}
	if _, err := ourSummary(context.Background(), dir, "x", 5); err != nil {
		t.Error(err)
	}
}
