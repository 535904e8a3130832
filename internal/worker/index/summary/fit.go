package summary

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/sentence"
)

// Fit reports whether a sentence below a heading may stand in a summary: it
// says something by itself, in a manual page by its name, and is neither a notice nor navigation nor a list's
// beginning. It errs on the strict side: files have many sentences.
func Fit(text, heading string, manual bool) bool {
	if n := utf8.RuneCountInString(text); n > limits.SummaryText {
		return false
	}
	if dullHeading(heading) {
		return false
	}
	if manual && NameLine(text) {
		return true
	}
	if sentence.Junk(text) || !closed(text) {
		return false
	}
	first, _ := utf8.DecodeRuneInString(text)
	if unicode.IsLower(first) || !(unicode.IsLetter(first) || unicode.IsDigit(first) || first == '"' || first == '“' || first == '`' || first == '«' || first == '¿') {
		return false
	}
	signs, letters := 0, 0
	for _, r := range text {
		switch {
		case unicode.IsLetter(r):
			letters++
		case strings.ContainsRune("{}[]<>|=#$*\\/_+~^", r):
			signs++
		}
	}
	return signs*12 < letters && !notice(strings.ToLower(text))
}

// NameLine reports whether text is what a manual page says it is: "ls - list
// directory contents".
func NameLine(text string) bool {
	for _, dash := range [...]string{" - ", " – ", " — ", " \\- "} {
		if name, what, ok := strings.Cut(text, dash); ok {
			return len(name) > 0 && len(name) < 60 && strings.Count(name, " ") <= 2*strings.Count(name, ",")+1 && len(what) > 8 &&
				strings.Count(what, " ") >= 1 && !strings.Contains(what, dash) && !strings.ContainsAny(name, "[]{}<>=|:;()")
		}
	}
	return false
}

// closed reports whether text ends as sentences do.
func closed(text string) bool {
	text = strings.TrimRight(text, "\"'”’»)】」』`")
	for _, end := range [...]string{".", "!", "。", "！", "．", "।", "።", "؟", "۔"} {
		if strings.HasSuffix(text, end) {
			return !strings.HasSuffix(text, "..") && !strings.HasSuffix(text, "e.g.") && !strings.HasSuffix(text, "i.e.")
		}
	}
	return false
}

// dullHeading reports a section that is not what a document is about.
func dullHeading(h string) bool {
	h = strings.TrimFunc(strings.ToLower(h), func(r rune) bool { return !unicode.IsLetter(r) })
	switch h {
	case "see also", "author", "authors", "copyright", "copying", "license", "licence", "licensing", "bugs", "reporting bugs", "history", "exit status", "exit codes",
		"return value", "return values", "errors", "files", "environment", "standards", "conforming to", "colophon", "diagnostics", "caveats", "acknowledgements",
		"acknowledgments", "credits", "contents", "table of contents", "references", "further reading", "changelog", "changes", "release notes", "thanks", "contact",
		"attributes", "synopsis", "support", "disclaimer", "availability", "maintainers", "sponsors", "badges", "todo", "versions", "notes", "security considerations",
		"siehe auch", "autor", "autoren", "übersetzung", "fehler melden", "voir aussi", "auteur", "auteurs", "traduction", "véase también", "autores", "traducción",
		"vedere anche", "autore", "autori", "traduzione", "関連項目", "著者", "バグ", "参见", "作者", "см. также", "автор", "авторы", "zie ook", "zobacz także", "autor i", "tłumaczenie":
		return true
	}
	return false
}

// notice reports, in lower case, what is said to be said.
func notice(s string) bool {
	for _, p := range [...]string{"this ", "these ", "it ", "they ", "that ", "those ", "such ", "however", "also,", "also ", "thus", "therefore", "hence", "then ", "but ",
		"and ", "or ", "so ", "in addition", "furthermore", "moreover", "otherwise", "instead", "similarly", "likewise", "for example", "for instance", "e.g", "i.e",
		"note ", "note:", "note that", "please ", "see ", "refer ", "if you ", "if the ", "when ", "thanks", "thank ", "click ", "warning", "caution", "important:", "example:",
		"here ", "there is no", "there are no", "as above", "as mentioned", "as described", "as shown", "the following", "the above", "above", "below", "first,", "next,", "finally",
		"version ", "visit ", "there are ", "validate ", "ensure ", "make sure", "the example", "last ", "written by", "originally", "most of", "some of", "one of", "dies ", "diese", "ce ", "cette ", "ces ", "este ", "esta ", "estos ", "i ", "i'm ", "we ", "you "} {
		if strings.HasPrefix(s, p) && !about(s) {
			return true
		}
	}
	for _, p := range [...]string{"http://", "https://", "copyright", "licen", "warrant", "mailing list", "@", "click here", "subscribe", "bug report", "pull request #", "as follows",
		"following example", "is deprecated", "was removed", "has been removed", "no longer", "trademark", "see below", "see above", "(see ", "for more ", "for details", "further information", "was added", "were added"} {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}

// about reports a sentence that says what its document is, although it begins
// with a word that points elsewhere.
func about(s string) bool {
	for _, p := range [...]string{"this is a", "this is the ", "this document ", "this manual ", "this page ", "this file ", "this directory ", "this folder ", "this package ", "this program ",
		"this library ", "this module ", "this repository ", "this project ", "this guide ", "this tutorial ", "this chapter ", "this section describes", "this article ", "this command ", "this tool ",
		"this utility ", "this book ", "this report ", "this paper ", "this note ", "dieses ", "diese datei", "dieser ", "ce document", "cette page", "ce fichier", "este documento", "este manual", "esta página"} {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
