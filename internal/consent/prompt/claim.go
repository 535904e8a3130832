package prompt

import (
	"strings"
	"unicode"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
)

// Claim shows what a file says of itself: in quotes that it cannot close, on one
// line, cut. Whatever looks like a quotation mark inside, or like a half of one, is
// an apostrophe, and of several in a row one is left: two would look like a quote.
func Claim(s string) string {
	var b strings.Builder
	before := false
	for _, r := range visible.Middle(visible.Name(s), limits.PromptName) {
		q := quoteLike(r)
		switch {
		case q && !before:
			b.WriteByte('\'')
		case !q:
			b.WriteRune(r)
		}
		before = q
	}
	return `"` + b.String() + `"`
}

// quoteLike reports whether a character may pass for a quotation mark, or two of it
// for one: those that Unicode calls so, and what looks like them.
func quoteLike(r rune) bool {
	return unicode.In(r, unicode.Quotation_Mark, unicode.Pi, unicode.Pf) || strings.ContainsRune(
		"`´ʹʺʻʼʽʾʿˈˊˋ˝ˮ˴˵˶՚՛՝׳״′″‴‵‶‷⁗〃꞉❛❜❝❞❟❠❮❯≪≫《》〈〉🙶🙷🙸\u030b\u030d\u030e\u030f\u0312\u0313\u0315", r)
}
