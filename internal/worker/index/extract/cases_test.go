package extract

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCases runs testdata/cases: small inputs with the blocks that a reader
// expects of them. A case begins with "=== file: what it shows"; "---" stands
// between the input and the blocks.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no cases", err)
	}
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		for _, c := range strings.Split("\n"+string(content), "\n=== ")[1:] {
			head, rest, _ := strings.Cut(c, "\n")
			name, _, ok := strings.Cut(head, ": ")
			input, want, _ := strings.Cut(rest, "\n--- blocks\n")
			if !ok || input == "" {
				t.Fatalf("%s: a case without a name or an input: %q", f, head)
			}
			d := Extract(name, input)
			check(t, d)
			_, got, _ := strings.Cut(dump(d), "\n")
			out.WriteString("=== " + head + "\n" + input + "\n--- blocks\n" + got + "\n")
			if strings.TrimSpace(got) != strings.TrimSpace(want) && !*update {
				t.Errorf("%s, %s:\n%s\ngot\n%s\nwant\n%s", f, head, input, got, want)
			}
		}
		if *update {
			if err := os.WriteFile(f, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
