package visible_test

import (
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/visible"
)

func TestWrap(t *testing.T) {
	s := "Releases are signed with an offline key; see docs/a/very/long/path/that/does/not/fit/on/one/line.md:12 for more."
	lines := visible.Wrap(s, 40)
	if strings.Join(strings.Fields(strings.Join(lines, " ")), " ") != s {
		t.Fatalf("words were lost: %q", lines)
	}
	for _, l := range lines {
		if visible.Width(l) > 40 && strings.Contains(l, " ") {
			t.Errorf("too long: %q", l)
		}
	}
	if got := visible.Wrap(s, 0); len(got) != 1 || got[0] != s {
		t.Fatalf("without a width: %q", got)
	}
	// Chinese has no blanks and takes two columns a character.
	zh := strings.Repeat("汉字", 30)
	for _, l := range visible.Wrap(zh, 40) {
		if visible.Width(l) > 40 {
			t.Errorf("too wide: %q", l)
		}
	}
	if strings.Join(visible.Wrap(zh, 40), "") != zh {
		t.Error("Chinese text was changed")
	}
}

func TestMiddle(t *testing.T) {
	if got := visible.Middle("a-long-name-of-a-report.pdf", 11); got != "a-lon…t.pdf" {
		t.Errorf("got %q", got)
	}
	if got := visible.Middle("short", 5); got != "short" {
		t.Errorf("got %q", got)
	}
}

func FuzzChop(f *testing.F) {
	f.Add("/a/b/c", 3)
	f.Add(strings.Repeat("汉e\u0301", 50), 7)
	f.Add("x", 0)
	f.Fuzz(func(t *testing.T, s string, width int) {
		s = visible.Name(s)
		lines := visible.Chop(s, width)
		if strings.Join(lines, "") != s {
			t.Fatalf("%q was changed to %q", s, lines)
		}
		for _, l := range lines {
			if w := visible.Width(l); w > max(width, 2) && len([]rune(l)) > 1 && width > 2 {
				t.Fatalf("%q is %d wide, over %d", l, w, width)
			}
		}
		n := max(width, 1)
		if m := visible.Middle(s, n); visible.Width(m) > visible.Width(s) {
			t.Fatalf("Middle made %q longer: %q", s, m)
		}
		for _, l := range visible.Wrap(s, width) {
			if l == "" && s != "" && strings.TrimSpace(s) != "" {
				t.Fatalf("an empty line: %q", visible.Wrap(s, width))
			}
		}
	})
}
