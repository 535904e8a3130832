package models

import (
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// CheckName refuses what cannot be a model's name: errs.Usage. A name is letters,
// digits and . _ + - and begins with a letter or a digit, so that it can be typed,
// is no flag and no path; what could be the digits of a digest is none.
func CheckName(name string) error {
	const op = "models.name"
	hint := "a name is letters, digits and . _ + -"
	switch {
	case name == "" || len(name) > limits.ModelName || !utf8.ValidString(name):
		return errs.New(errs.Usage, op).With("a model's name has 1 to 128 bytes").WithHint(hint)
	case strings.IndexFunc(name, func(r rune) bool { return !nameRune(r) }) >= 0:
		return errs.New(errs.Usage, op).With("the model's name holds something else than letters, digits and . _ + -").WithHint("choose another one with --name")
	case !wordRune(firstRune(name)):
		return errs.New(errs.Usage, op).With("the model's name begins with neither a letter nor a digit").WithHint(hint)
	case looksLikeDigest(name):
		return errs.New(errs.Usage, op).With("the model's name could be the digits of a digest").WithHint("choose another one with --name")
	}
	return nil
}

func firstRune(s string) rune { r, _ := utf8.DecodeRuneInString(s); return r }
func wordRune(r rune) bool    { return unicode.IsLetter(r) || unicode.IsDigit(r) }
func nameRune(r rune) bool {
	return wordRune(r) || unicode.IsMark(r) || strings.ContainsRune("._+-", r)
}

// NameOf makes a name of a file's path: its stem, with a dash for what cannot
// stand in a name. It may still be refused by [CheckName].
func NameOf(path string) string {
	stem := strings.ToValidUTF8(filepath.Base(path), "-")
	if ext := filepath.Ext(stem); strings.EqualFold(ext, ".gguf") {
		stem = strings.TrimSuffix(stem, ext)
	}
	stem = strings.Map(func(r rune) rune {
		if nameRune(r) {
			return r
		}
		return '-'
	}, stem)
	stem = strings.TrimLeft(stem, "._+-")
	for len(stem) > limits.ModelName {
		_, n := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-n]
	}
	if looksLikeDigest(stem) {
		// A file that is named by its digest.
		stem = "model-" + stem[:limits.ModelDigits]
	}
	if stem == "" {
		return "model"
	}
	return stem
}

// Rename gives a model another name; its digest, and so who allowed it, stays.
// Errors: errs.ModelNameTaken, errs.ModelMissing, errs.Usage for a name that is
// none.
func (s *Store) Rename(d Digest, name string) (Model, error) {
	const op = "models.rename"
	if err := CheckName(name); err != nil {
		return Model{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.get(op, d)
	if err != nil {
		return Model{}, err
	}
	if was := m.Name; was != name {
		if err := s.free(op, name); err != nil {
			return Model{}, err
		}
		m.Name = name
		if err := s.save(); err != nil {
			m.Name = was
			return Model{}, err
		}
	}
	return m.copy(), nil
}
