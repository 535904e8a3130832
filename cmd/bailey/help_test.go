package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/visible"
)

func TestOverviewFitsOneScreen(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(overview(), "\n"), "\n")
	if len(lines) > 24 {
		t.Errorf("%d lines", len(lines))
	}
	for _, l := range lines {
		if visible.Width(l) > 80 || strings.Contains(l, "…") {
			t.Errorf("too long: %q", l)
		}
	}
	for _, v := range verbs() {
		first, second, group := strings.Cut(v.name, " ")
		if group && slices.ContainsFunc(lines, func(l string) bool {
			return strings.HasPrefix(l, "  "+first+" COMMAND ") && slices.Contains(strings.FieldsFunc(l, func(r rune) bool { return r == ' ' || r == ',' }), second)
		}) {
			continue
		}
		if group || !strings.Contains(overview(), "  "+v.name) {
			t.Errorf("%s is not listed", v.name)
		}
	}
	// Help lists only what works.
	for _, later := range laterVerbs() {
		if strings.Contains(overview(), "  "+later+" ") {
			t.Errorf("%s is listed", later)
		}
	}
}

func TestHelpOfEach(t *testing.T) {
	for _, v := range verbs() {
		text := helpOf(v)
		for _, l := range strings.Split(text, "\n") {
			if visible.Width(l) > 80 {
				t.Errorf("%s: too long: %q", v.name, l)
			}
		}
		for _, f := range v.flags {
			if !strings.Contains(text, "--"+f.name) {
				t.Errorf("%s: no --%s", v.name, f.name)
			}
		}
		if v.run == nil || v.short == "" {
			t.Errorf("%s is not whole", v.name)
		}
		// Every example is a command line that parses.
		for _, e := range v.examples {
			for _, words := range commands(e.line) {
				if _, err := parse(verbs(), words); err != nil {
					t.Errorf("%s: example %q: %v", v.name, e.line, err)
				}
			}
		}
	}
}

// commands returns the bailey commands of a line of shell, as far as the
// examples need it.
func commands(line string) [][]string {
	line = strings.NewReplacer("source <(", "", ")", "").Replace(line)
	var out [][]string
	for _, part := range strings.Split(line, "&&") {
		part, _, _ = strings.Cut(part, " > ")
		var words []string
		for i, s := range strings.Split(part, `"`) {
			if i%2 == 1 {
				words = append(words, s)
			} else {
				words = append(words, strings.Fields(s)...)
			}
		}
		out = append(out, words[1:])
	}
	return out
}

func TestReferenceIsCurrent(t *testing.T) {
	got, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != reference() {
		t.Error("docs/cli.md is not what the table says; run make generate")
	}
}

// The other documents name only flags and commands that exist.
func TestDocsNameWhatExists(t *testing.T) {
	for _, name := range []string{"json.md", "directories.md"} {
		b, err := os.ReadFile("../../docs/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for i, code := range strings.Split(string(b), "`") {
			if i%2 == 0 || !strings.HasPrefix(code, "bailey ") {
				continue
			}
			if _, _, err := findVerb(verbs(), strings.Fields(code)[1:]); err != nil {
				t.Errorf("docs/%s names `%s`: %v", name, code, err)
			}
		}
	}
}

func TestCompletionKnowsTheTable(t *testing.T) {
	for shell, script := range map[string]string{"bash": bashCompletion(verbs()), "zsh": zshCompletion(verbs()), "fish": fishCompletion(verbs())} {
		for _, v := range verbs() {
			for _, w := range strings.Fields(v.name) {
				if !strings.Contains(script, w) {
					t.Errorf("%s: no %s", shell, w)
				}
			}
			for _, f := range v.flags {
				if !strings.Contains(script, f.name) {
					t.Errorf("%s: no %s", shell, f.name)
				}
			}
		}
	}
}

// The script is run by a real bash, with the words that a person would have typed.
func TestBashCompletes(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal("bash is needed for this test: ", err)
	}
	dir := t.TempDir()
	for _, d := range []string{"folder one", "other"} {
		if err := os.Mkdir(dir+"/"+d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		words []string
		want  []string
	}{
		{[]string{"bailey", "su"}, []string{"summarize"}},
		{[]string{"bailey", "grant", ""}, []string{"list", "revoke", "explain"}},
		{[]string{"bailey", "grant", "list", "--a"}, []string{"--all"}},
		{[]string{"bailey", "ask", "--form"}, []string{"--format"}},
		{[]string{"bailey", "ask", "--format", ""}, []string{"text", "md"}},
		{[]string{"bailey", "completion", "f"}, []string{"fish"}},
		{[]string{"bailey", "summarize", "f"}, []string{"folder one"}},
		{[]string{"bailey", "ask", "x", "--allow-read", "o"}, []string{"other"}},
	} {
		script := bashCompletion(verbs()) + `
compopt() { :; }
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_bailey
printf '%s\n' "${COMPREPLY[@]}"`
		cmd := exec.Command(bash, append([]string{"--norc", "-c", script, "x"}, c.words...)...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		got := strings.Split(strings.TrimSpace(string(out)), "\n")
		for _, w := range c.want {
			if err != nil || !slices.Contains(got, w) {
				t.Errorf("%q: got %q, want %q (%v)", c.words, got, c.want, err)
			}
		}
	}
}
