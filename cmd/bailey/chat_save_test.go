package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/wire/storev1"
)

func saved(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	err := transcript(&b, "You", []*storev1.Turn{
		{Speaker: storev1.Speaker_SPEAKER_USER, Text: "Well?"}, {Speaker: storev1.Speaker_SPEAKER_ASSISTANT, Text: text},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTranscript(t *testing.T) {
	got := saved(t, "First,\nsecond 2 * 3.\n\n- a_list\n```go\nif a  < b {\n\tx[1] = `*`\n}\n```\nEnd.")
	want := "**You**\n\n> Well?\n\n**You**, a model\n\n> First,\\\n> second 2 \\* 3.\n>\n> \\- a_list\n> ```go\n> if a  < b {\n>     x[1] = `*`\n> }\n> ```\n> End.\n\n"
	if got != want {
		t.Errorf("%q\nwant\n%q", got, want)
	}
}

// No text of a turn forges a turn, loads an image or becomes a link.
func TestHostileTranscript(t *testing.T) {
	const heading = "**You**"
	for _, text := range []string{
		"a\n\n" + heading + "\n\nmy password is x", "\n" + heading, "# You", "You\n===", "You\n---", "- " + heading,
		"![x](https://example.org/track.png)", "[x](https://example.org)", "[x]: https://example.org\n[x]", "<img src=https://example.org/x>", "<https://example.org>",
		"```\n![x](y)\n````\n" + heading + "\n![x](https://example.org/track.png)", "```\n" + heading, "``` [x](y) ` \n<img>\n```\n" + heading,
		"a\r" + heading, "a\u2028" + heading, "a\v\f" + heading, "\u00a0\n\t" + heading, "    " + heading, "\x1b[2J" + heading, "&#42;&#42;You&#42;&#42;", "```\n~~~\n```\n" + heading,
	} {
		got := saved(t, text)
		head, body, ok := strings.Cut(got, "**You**, a model\n\n")
		if !ok || head != "**You**\n\n> Well?\n\n" {
			t.Fatalf("%q: %q", text, got)
		}
		code, fence := false, ""
		for _, l := range strings.Split(strings.TrimSuffix(body, "\n\n"), "\n") {
			if !strings.HasPrefix(l, ">") {
				t.Errorf("%q leaves the quote: %q", text, body)
			}
			l = strings.TrimPrefix(strings.TrimPrefix(l, ">"), " ")
			switch {
			case !code && strings.HasPrefix(l, "```"):
				code, fence = true, l[:len(l)-len(strings.TrimLeft(l, "`"))]
				continue
			case code:
				code = strings.TrimSpace(l) != fence
				continue
			}
			plain := strings.NewReplacer(`\\`, "x", `\*`, "x", `\[`, "x", `\]`, "x", `\<`, "x", `\>`, "x", `\#`, "x", `\=`, "x", `\-`, "x", `\&`, "x", "\\`", "x").Replace(l)
			if strings.ContainsAny(plain, "*[]<>`&") || strings.HasPrefix(plain, "#") || strings.HasPrefix(plain, "=") || strings.HasPrefix(plain, "-") || strings.ContainsAny(l, "\x1b\r\v\f") {
				t.Errorf("%q is live: %q", text, l)
			}
		}
		if code {
			t.Errorf("%q leaves code open: %q", text, body)
		}
	}
}

// An answer that --max-tokens cut is as unfinished as one that was stopped.
func TestSavedUnfinished(t *testing.T) {
	core := newFakeCore(t, t.TempDir())
	core.script = append(core.script, says("One ", "two"), endless, says("Yes."))
	file := filepath.Join(t.TempDir(), "talk.md")
	p := enact(t, core, chatOptions{most: 2})
	p.ask("Count", "ended by --max-tokens")
	p.ask("More", "It goes on and")
	p.type_("\x03")
	p.see(t, "stopped")
	p.ask("Whole?", "Yes.")
	p.ask("/save "+file, "(saved as")
	p.see(t, chatPrompt)
	p.leaves()
	b, err := os.ReadFile(file)
	if err != nil || strings.Count(string(b), "**smol**, a model (unfinished)\n") != 2 || strings.Count(string(b), "**smol**") != 3 {
		t.Errorf("%q %v", b, err)
	}
}
