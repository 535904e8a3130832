package doc

import (
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
)

// What is between the brackets is the sentence, and becomes the quote.
func TestMarked(t *testing.T) {
	for source, want := range map[string]string{
		"- **[The kernels.** Where they come from is apt.]":     "**The kernels.** Where they come from is apt.",
		"**[The kernels.]** Where they come from is apt.":       "The kernels.",
		"[Run *make* or `make -j`.] Then wait.":                 "Run *make* or `make -j`.",
		"_[Now_ it is *late]*.":                                 "_Now_ it is *late*",
		"`[make`, `install` and *that]*":                        "`make`, `install` and *that*",
		"***[Both** of them* are.]":                             "***Both** of them* are.",
		"~~[Gone~~ and here.]":                                  "~~Gone~~ and here.",
		"**One. [Two.** Three.]":                                "Two.** Three.", // its other end is elsewhere
		"**[Sums** are 2 * 3, a*b and snake_case_name, ~5.]":    "**Sums** are 2 * 3, a*b and snake_case_name, ~5.",
		"(**[Not** so \\* \"*said*\".]":                         "**Not** so \\* \"*said*\".",
		"[Nothing.]":                                            "Nothing.",
		"`` [a ` b]``":                                          "a ` b",
		"[日本語**強調**です。]":                                        "日本語**強調**です。",
		strings.Repeat("*", 3*limits.MarksBeside) + "[A line.]": "A line.",
	} {
		start := strings.IndexByte(source, '[')
		plain := strings.Replace(source, "[", "", 1)
		end := strings.IndexByte(plain, ']')
		plain = strings.Replace(plain, "]", "", 1)
		from, to := Marked(plain, start, end)
		if got := plain[from:to]; got != want {
			t.Errorf("%s: got %q, want %q", source, got, want)
		}
	}
}

func FuzzMarked(f *testing.F) {
	f.Add("- **The kernels.** Where they come from is apt.", 4, 40)
	f.Add("**a\\", 2, 4)
	f.Fuzz(func(t *testing.T, s string, start, end int) {
		if start < 0 || end < start || end > len(s) {
			return
		}
		from, to := Marked(s, start, end)
		if from < 0 || to > len(s) || from > start || to < end || strings.Trim(s[from:start]+s[end:to], "*_~`") != "" || to-from > end-start+2*limits.MarksBeside {
			t.Fatalf("%q: %q of %q", s, s[from:to], s[start:end])
		}
	})
}
